"""Jobs on two nodes of a real Slurm: launched by the rule, the same result, the same exit codes, one voice."""

from __future__ import annotations

import json
import subprocess

import pytest
from safetensors.torch import load_file

pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs pip install 'lsgm[workflow]'")

from slurm_cluster import steps_of, wait_for_steps

pytestmark = pytest.mark.slurm

# Of each node: two processes.
TWO_NODES = {"gpu": 2, "nodes": 2, "threads": 2}
RUN, LOG = "results/nodes/mnist_vae", "results/nodes/logs/pretrain/mnist_vae.log"
SETTINGS = ("--config", "config/experiments/mnist_vae.yaml", "--scale", "config/scales/nodes.yaml")
FOREVER = 10**5


def test_two_nodes_work_as_one_process(workplace):
    """Training, sampling and evaluation."""
    place = workplace("nodes")
    place.add_scale("nodes", 2, {stage: TWO_NODES for stage in ("pretrain", "sample", "evaluate")})
    code, output = place.run(f"{RUN}/metrics.json", "--config", "scale=nodes", "--retries", "0")
    assert code == 0, output
    _, *records = place.records()
    assert [record.rule for record in records] == ["pretrain", "sample", "evaluate"]
    for record in records:
        assert (record.state, record.partition) == ("COMPLETED", "gpu"), record
        assert (record.nodes, record.gpus, record.cpus, record.memory_mb) == (2, 4, 4, 3000), record
        assert steps_of(record.job)[f"lsgm-{record.rule}"] == (2, "0:0")

    (data,) = (place.folder / "results/nodes/data").glob("*.safetensors")
    files = ("--data", str(data), "--out", "one/model.safetensors", "--device", "cpu", "--threads", "1")
    code, output = place.lsgm("pretrain", *SETTINGS, *files).wait()
    assert code == 0, output
    one, two = (load_file(place.folder / folder / "model.safetensors") for folder in ("one", RUN))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert (two[name].double() - value.double()).norm() <= 1e-2 * value.double().norm().clamp_min(1e-2), name
    assert json.loads(place.text(f"{RUN}/metrics.json"))["status"] == "ok"


@pytest.mark.slow
def test_a_signal_from_slurm_stops_both_nodes_and_a_mistake_is_told_once(workplace):
    place = workplace("signalled")
    place.add_scale("nodes", FOREVER, {"pretrain": TWO_NODES})
    words = (f"{RUN}/model.safetensors", "--config", "scale=nodes", "--retries", "0")
    run = place.start(*words)
    wait_for_steps(place, LOG)
    (job,) = place.unfinished()
    subprocess.run(["scancel", "--signal=TERM", job], check=True)
    code, output = run.wait()
    assert code != 0
    assert steps_of(job)["lsgm-pretrain"] == (2, "75:0"), output
    assert place.text(LOG).count("run the same command again to go on") == 1

    scale = place.folder / "config" / "scales" / "nodes.yaml"
    scale.write_text(scale.read_text().replace("batch_size: 16", "batch_size: 18"))
    code, output = place.run(*words)
    assert code != 0
    assert steps_of(place.records("pretrain")[-1].job)["lsgm-pretrain"] == (2, "2:0"), output
    assert place.text(LOG).count("pretrain.batch_size = 18 cannot be dealt to 4 processes") == 1
