"""The workflow on a real Slurm, started here: which jobs went where, failures, cancellation, time limits."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from functools import cache

import pytest

pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs pip install 'lsgm[workflow]'")

from slurm_cluster import Started, Workplace, megabytes_of_torch, wait_for_steps

pytestmark = pytest.mark.slurm

STEPS_PER_EPOCH = 10
MODEL, LOG = "results/long/mnist_vae/model.safetensors", "results/long/logs/pretrain/mnist_vae.log"


@pytest.fixture(scope="module")
def doctor(workplace):
    """A job of the paper's scale, under limits that this machine can meet; it runs beside the chain."""
    place = workplace("doctor")
    words = ("--config", "scale=paper", "--resources", "runtime=6", "mem_mb=900", "--retries", "0")
    return place, place.start("results/paper/doctor/train.txt", *words)


@pytest.fixture(scope="module")
def alone(workplace):
    """A training of about 50 s outside of Slurm, in one piece; it runs beside the chain."""
    place = workplace("alone")
    code, output = place.lsgm("prepare", *settings("test"), "--out", "data.safetensors").wait()
    assert code == 0, output
    place.add_scale("short", 20, {})
    code, output = start_training(place, "short").wait()
    assert code == 0, output
    epochs = epochs_of(place, 50)
    place.add_scale("long", epochs, {})
    return place, start_training(place, "long"), epochs


@pytest.fixture(scope="module")
def chain(workplace, doctor, alone):
    """All stages of one run; sampling gets little more memory than torch alone takes, which is not enough."""
    place = workplace("chain")
    place.add_scale("chain", 2, {"sample": {"mem_mb": too_little_mb()}})
    code, output = place.run("results/chain/mnist/metrics.json", "--config", "scale=chain")
    assert code == 0, output
    return place


def test_every_job_ran_on_the_partition_and_with_the_resources_of_its_stage(chain):
    assert json.loads(chain.text("results/chain/mnist/metrics.json"))["status"] == "ok"
    first = {record.rule: record for record in reversed(chain.records())}
    assert set(first) == {"prepare", "pretrain", "train", "sample", "evaluate"}
    for rule, record in first.items():
        assert record.partition == ("cpu" if rule == "prepare" else "gpu"), record
        assert record.gpus == (0 if rule == "prepare" else 1), record
        assert record.memory_mb == {"prepare": 1000, "sample": too_little_mb()}.get(rule, 1500), record
        assert record.time_limit == "00:05:00", record
        assert record.nodes == 1, record
        assert (record.state == "COMPLETED") == (rule != "sample"), record


def test_a_job_that_failed_for_want_of_memory_is_tried_again_with_more(chain):
    tries = chain.records("sample")
    assert [record.memory_mb for record in tries] == [too_little_mb() // 2 * (2 + index) for index in range(len(tries))]
    assert {record.state for record in tries[:-1]} <= {"FAILED", "OUT_OF_MEMORY"}
    assert len(tries) >= 2 and tries[-1].state == "COMPLETED"
    assert tries[1].time_limit == "00:08:00", "sampling starts anew, so it gets half as much time again"


def test_nothing_is_left_to_do(chain):
    code, output = chain.run("results/chain/mnist/metrics.json", "--config", "scale=chain", "--dry-run")
    assert code == 0 and "Nothing to be done" in output


def test_the_profile_limits_a_job_and_the_submitting_machine_does_not(doctor):
    """The GPU of this cluster is not a real one, which the doctor says."""
    place, run = doctor
    code, output = run.wait()
    assert code != 0
    assert "lsgm doctor: error: --gpus 1: 0 CUDA devices are visible here" in output
    (record,) = place.records("doctor")
    assert (record.partition, record.gpus, record.state) == ("gpu", 1, "FAILED")
    assert (record.cpus, record.memory_mb, record.time_limit) == (8, 900, "00:06:00")
    seen = place.text("results/paper/logs/doctor/train.log")
    assert f"job {record.job}, partition gpu, has cpu=8,mem=900M" in seen
    assert "time limit 00:06:00" in seen and "GPU index" in seen


def test_an_absent_partition_is_one_line_before_any_job(chain):
    profile = chain.folder / "profiles" / "slurm" / "config.yaml"
    kept = profile.read_text()
    profile.write_text(kept.replace("  gpu: {", "  gpus: {"))
    code, output = chain.run("results/chain/doctor/train.txt", "--config", "scale=chain")
    profile.write_text(kept)
    assert code != 0
    message = "lsgm: error: slurm/config.yaml: partitions.gpus is not on this cluster; there are: cpu, gpu"
    assert output.strip().splitlines()[-1] == message
    assert chain.records("doctor") == []


def test_stopped_jobs_go_on_from_their_checkpoints(chain, alone, workplace):
    """One killed by its time limit, one cancelled and then stopped before its limit; both end as if left alone."""
    target = (MODEL, "--config", "scale=long")
    place_alone, run_alone, epochs = alone
    killed, stopped = (workplace(name) for name in ("killed", "stopped"))
    for place in (killed, stopped):
        place.add_scale("long", epochs, {"pretrain": {"runtime": 30}})
        copy_data(chain, place)
    # Without the profile's --signal, Slurm sends SIGTERM at the limit, and SIGKILL after KillWait.
    run_killed = killed.start(*target, "--default-resources", "mem_mb=1000")
    run_cancelled = stopped.start(*target, "--retries", "0")

    wait_for_steps(stopped, LOG)
    subprocess.run(["scancel", *stopped.unfinished()], check=True)
    wait_for_steps(killed, LOG)
    end_soon(killed, 1)
    code, output = run_cancelled.wait()
    assert code != 0
    assert "SLURM status is: 'CANCELLED'" in output and "saved in results/long" in output
    run_stopped = stopped.start(*target)
    wait_for_steps(stopped, LOG, after="going on from step")
    end_soon(stopped, 100)

    for place, run, states in (
        (killed, run_killed, ["TIMEOUT", "COMPLETED"]),
        (stopped, run_stopped, ["CANCELLED", "FAILED", "COMPLETED"]),
    ):
        code, output = run.wait()
        assert code == 0, output
        assert [record.state.split()[0] for record in place.records("pretrain")] == states
        assert "going on from step" in place.text(LOG)
    code, output = run_alone.wait()
    assert code == 0, output
    expected = sha256(place_alone, "long/model.safetensors")
    assert sha256(killed, MODEL) == expected
    assert sha256(stopped, MODEL) == expected


@cache
def too_little_mb() -> int:
    """Memory with which torch can be imported, and little more; even, so that half of it is whole."""
    return 2 * round(0.72 * megabytes_of_torch())


def epochs_of(place: Workplace, seconds: float) -> int:
    """Epochs of pretraining that take so many seconds on this machine, by the curve of a short one."""
    lines = [json.loads(line) for line in place.text("short/curves.jsonl").splitlines()]
    rate = (lines[-1]["step"] - lines[4]["step"]) / (lines[-1]["seconds"] - lines[4]["seconds"])
    return round(seconds * rate / STEPS_PER_EPOCH)


def copy_data(chain: Workplace, place: Workplace) -> None:
    """Put the chain's prepared data where the scale `long` looks for it."""
    folder = place.folder / "results" / "long" / "data"
    folder.mkdir(parents=True)
    for file in (chain.folder / "results" / "chain" / "data").glob("*.safetensors"):
        shutil.copy2(file, folder)


def settings(scale: str) -> list[str]:
    """Words that name the settings of the training."""
    return ["--config", "config/experiments/mnist_vae.yaml", "--scale", f"config/scales/{scale}.yaml"]


def start_training(place: Workplace, scale: str) -> Started:
    """The training without Slurm, in one piece."""
    files = ("--data", "data.safetensors", "--out", f"{scale}/model.safetensors")
    return place.lsgm("pretrain", *settings(scale), *files, "--device", "cpu", "--threads", "1")


def end_soon(place: Workplace, seconds: int) -> None:
    """Bring the time limit of the running job nearer; Slurm looks at limits every half minute."""
    (job,) = place.unfinished()
    subprocess.run(["scontrol", "update", f"JobId={job}", f"EndTime=now+{seconds}"], check=True)


def sha256(place: Workplace, path: str) -> str:
    return hashlib.sha256((place.folder / path).read_bytes()).hexdigest()
