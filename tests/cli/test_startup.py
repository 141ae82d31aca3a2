"""What a verb loads before its own work: libraries that it does not need cost more than the work of a small job."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import chain
import pytest
from reporting.cost_cases import make_cost

from lsgm.cli.main import main
from lsgm.reporting.records.section_file import write_section

COMPILER = ("torch._dynamo", "torch._inductor")
OTHERS = ("matplotlib", "pandas", "seaborn", "sklearn", "torchvision")
SHORT = ("pretrain.epochs=1", "train.epochs=1", "sample.num_samples=20", "evaluate.nelbo.num_images=20")

# A fresh process, since this one has loaded everything for other tests.
CALLS = """
import json, sys
from lsgm.cli.main import main
calls, libraries = map(json.loads, sys.argv[1:])
loaded = {}
for name, call in calls.items():
    if main(call):
        sys.exit(f"{name} failed")
    loaded[name] = [library for library in libraries if library in sys.modules]
print(json.dumps(loaded))
"""


def loaded_after(calls: dict[str, list[str]], libraries: tuple[str, ...]) -> dict[str, list[str]]:
    """Which libraries are there after each of these calls, made one after the other in a new process."""
    words = [json.dumps(calls), json.dumps(libraries)]
    done = subprocess.run([sys.executable, "-c", CALLS, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("startup") / "results" / "test"


@pytest.fixture(scope="module")
def after_each_stage(results) -> dict[str, list[str]]:
    vae, lsgm = chain.settings("mnist_vae", *SHORT), chain.settings("mnist", *SHORT)
    data, samples = ["--data", str(results / "data.safetensors")], str(results / "mnist" / "samples.safetensors")
    backbone, model = (str(results / run / "model.safetensors") for run in ("mnist_vae", "mnist"))
    # Here, since these digits are read by scikit-learn.
    assert main(["prepare", *vae, "--out", data[1]]) == 0
    calls = {
        "pretrain": ["pretrain", *vae, *data, "--out", backbone],
        "train": ["train", *lsgm, *data, "--backbone", backbone, "--out", model],
        "sample": ["sample", *lsgm, "--model", model, "--out", samples],
        "evaluate": ["evaluate", *lsgm, *data, "--model", model, "--samples", samples, "--out", metrics_file(results)],
    }
    return loaded_after(calls, COMPILER + OTHERS)


def metrics_file(results: Path) -> str:
    return str(results / "mnist" / "metrics.json")


@pytest.mark.parametrize("stage", ["pretrain", "train", "sample", "evaluate"])
def test_no_stage_loads_torchs_compiler_or_libraries_of_other_stages(after_each_stage, stage):
    assert after_each_stage[stage] == []


def test_tables_pages_and_curves_are_made_without_torch(after_each_stage, results, tmp_path):
    config = ["--config-dir", str(chain.ROOT / "config")]
    metrics = ["--metrics", f"mnist={metrics_file(results)}"]
    curves = ["--curves", str(results / "mnist" / "curves.jsonl")]
    write_section(tmp_path / "cost.json", make_cost())
    cost = ["--cost", str(tmp_path / "cost.json")]
    calls = {
        "runs": ["runs", *config, *metrics, "--out", str(tmp_path / "runs.html")],
        "table": ["table", "5", *config, *metrics, "--out", str(tmp_path / "table5")],
        "cost": ["table", "cost", *config, *cost, "--out", str(tmp_path / "cost")],
        "curves": ["figure", "curves", *chain.settings("mnist", *SHORT), *curves, "--out", str(tmp_path / "curves")],
    }
    loaded = loaded_after(calls, ("torch", "scipy", "seaborn", "sklearn"))
    assert loaded == {"runs": [], "table": [], "cost": [], "curves": []}
