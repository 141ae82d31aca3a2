"""Many jobs at once in one results tree: several hundred files, none missing, none damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lsgm.config import ConfigError
from lsgm.data import load_dataset
from lsgm.models import load_model
from lsgm.reporting.records.metrics import read_metrics

from .case import Fault, Injection
from .cases_workflow import Checkout

# More than this machine has: jobs take turns at any moment.
CORES = 16
# Training, samples and metrics of one LSGM; the data and the VAE backbone are made once, for all.
STAGES = 3


def side_by_side(folder: Path, times: int) -> list[Injection]:
    """Run so many jobs of the workflow, one LSGM for each seed, `CORES` at a time."""
    checkout = Checkout(folder / "checkout")
    runs = [f"results/test/mnist/seed-{seed}" for seed in range(2, 2 + -(-times // STAGES))]
    started = checkout.start(*(f"{run}/metrics.json" for run in runs), cores=CORES)
    code = started.wait()
    lost = [() if code == 0 else (f"snakemake ended with {code}: {checkout.output.read_text()[-500:]}",)]
    models = {run: _checked(checkout.folder, run) for run in runs}
    lost += [found for _, found in models.values() for _ in range(STAGES)]
    if len({checksum for checksum, _ in models.values()}) != len(runs):
        lost.append(("two seeds gave the same model",))
    parts = [str(file) for file in checkout.folder.glob("results/**/.*") if file.is_file()]
    lost.append(tuple(f"{part}: was left behind" for part in parts))
    return [Injection(found) for found in lost]


def _checked(folder: Path, run: str) -> tuple[str, tuple[str, ...]]:
    """Checksum of a run's model, and what is wrong with its files."""
    model, metrics = folder / run / "model.safetensors", folder / run / "metrics.json"
    try:
        load_model(model)
        record = read_metrics(metrics)
        data = load_dataset(next((folder / "results/test/data").glob("*.safetensors")))
        checksum = hashlib.sha256(model.read_bytes()).hexdigest()
        curve = [json.loads(line) for line in (folder / run / "curves.jsonl").read_text().splitlines()]
    except (ConfigError, OSError, ValueError) as error:
        return run, (f"{run}: {error}",)
    wrong = []
    if record.provenance.model_sha256 != checksum:
        wrong.append(f"{run}: metrics of another model")
    if record.provenance.data_checksum != data.checksum:
        wrong.append(f"{run}: metrics on other data")
    if record.provenance.seed != int(run.rpartition("-")[2]):
        wrong.append(f"{run}: metrics of seed {record.provenance.seed}")
    if not curve:
        wrong.append(f"{run}: an empty curve")
    return checksum, tuple(wrong)


FAULTS = (
    Fault(
        "many jobs at once in one folder",
        f"jobs of the workflow, {CORES} at a time on any number of cores",
        side_by_side,
        200,
        200,
        slow=True,
    ),
)
