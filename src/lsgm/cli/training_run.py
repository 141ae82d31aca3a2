"""What both training verbs do around the training itself: the work folder before it, the files after it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from lsgm.cli.provenance import commit, device_name, timestamp, versions
from lsgm.config import ConfigError, ExperimentConfig
from lsgm.config.run_names import RunName
from lsgm.data import Dataset
from lsgm.models import Lsgm, load_model, save_model, sha256_of
from lsgm.models.file_header import FileHeader
from lsgm.reporting.provenance import Backbone
from lsgm.training import TrainResult
from lsgm.training.log import Record


def work_folder(out: Path, key: str) -> Path:
    """Folder of checkpoints and curves, beside the output and outside every declared output.

    Keyed by the settings: the same settings go on where they stopped, others start anew.
    """
    work = out.parent / "work" / key
    work.mkdir(parents=True, exist_ok=True)
    return work


def load_backbone(path: Path, config: ExperimentConfig) -> tuple[Lsgm, Backbone]:
    """Load the VAE that a prior is to be trained on, checked against the settings, and say which one it is.

    Args:
        path: a VAE alone, or an LSGM, of which the VAE is taken and the prior left.
        config: the experiment that is to be trained; its VAE's settings count.

    Raises:
        ConfigError: not a model file, another architecture, or a model whose own training diverged.
    """
    loaded = load_model(path)
    alone = {"backbone": None}
    header = FileHeader(loaded.image_shape, loaded.model.vae.prior_shape, loaded.config.model_copy(update=alone), {})
    header.require_same_architecture(config.model_copy(update=alone), None, str(path))
    if loaded.extra.get("status") == "diverged":
        raise ConfigError(
            f"{path}: this model diverged ({loaded.extra.get('reason')}); change its settings, train again"
        )
    found = loaded.config
    run = str(RunName.of(found.name, found.cell, found.variant))
    return Lsgm(loaded.model.vae).eval(), Backbone(run=run, seed=found.seed, model_sha256=sha256_of(path))


def write_outcome(
    out: Path, work: Path, result: TrainResult, dataset: Dataset, device: str, backbone: Backbone | None = None
) -> None:
    """Write the training record and the curves, then the model: the declared output appears last."""
    head, dirty = commit()
    record = {
        "status": result.status,
        "reason": result.reason,
        "steps": result.steps,
        "epochs": result.epochs,
        "skipped_updates": result.skipped_updates,
        "seconds": result.seconds,
        "device": device_name(device),
        "finished": timestamp(),
        "commit": head,
        "dirty": dirty,
        "versions": versions(),
        "backbone": None if backbone is None else backbone.model_dump(),
        "final": _flat(result.final),
    }
    write_text(out.with_name("training.json"), json.dumps(record, indent=2, allow_nan=False) + "\n")
    curves = work / "curves.jsonl"
    if curves.exists():
        shutil.copyfile(curves, out.with_name("curves.jsonl"))
    extra = {"status": result.status, "reason": result.reason or "", "data_checksum": dataset.checksum}
    save_model(out, result.model, result.config, dataset.image_shape, extra)
    for checkpoint in work.glob("checkpoint-*"):
        checkpoint.unlink()
    print(f"{result.status}: {result.steps} steps in {result.seconds:.0f} s -> {out}")


def _flat(record: Record) -> dict[str, float | int | str | None]:
    """One number per key: the entries of a list get the list's name and their place."""
    flat: dict[str, float | int | str | None] = {}
    for key, value in record.items():
        if isinstance(value, list):
            flat.update({f"{key}_{place}": entry for place, entry in enumerate(value)})
        else:
            flat[key] = value
    return flat


def write_text(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
