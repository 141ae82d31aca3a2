"""What both training verbs do around the training itself: the work folder before it, the files after it."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

from lsgm import distributed
from lsgm.cli import options
from lsgm.cli.jobs import run_lock, workflow_job
from lsgm.cli.records import finished
from lsgm.cli.records.provenance import code_and_machine, timestamp
from lsgm.config import ConfigError, ExperimentConfig
from lsgm.config.run_names import RunName
from lsgm.data import Dataset
from lsgm.models import Lsgm, beside, load_model, save_model, settings_file, sha256_of
from lsgm.models.file_header import FileHeader
from lsgm.reporting.records.provenance import Backbone
from lsgm.training import Deadline, Interrupted, TrainResult
from lsgm.training.logging import Record
from lsgm.whole_file import write_text_whole, write_whole

LOCK = "lock"
ROUND_SECONDS = 600.0


def work_folder(out: Path, key: str) -> Path:
    """Folder of checkpoints and curves, beside the output and outside every declared output.

    Keyed by the settings: the same settings go on where they stopped, others start anew.
    """
    work = _work_root(out) / key
    work.mkdir(parents=True, exist_ok=True)
    return work


def _work_root(out: Path) -> Path:
    """Folder of all work on one output: two outputs in one folder share none of it."""
    root = out.parent / "work"
    return root if out.stem == "model" else root / out.stem


def only_run(out: Path, deadline: Deadline) -> AbstractContextManager[object]:
    """Context in which no other training may write the same files; all processes of one run are one.

    A job of the workflow waits for the end of another one, whose outputs may be all that it was started for: until
    shortly before its own time is over, where that is known.

    Args:
        out: model file.
        deadline: end of this process's time, which only the first of several processes knows.

    Raises:
        ConfigError: another one, that is alive, is at work.
        Interrupted: it still is at the end of this job's time; the next try may find it finished.
    """
    taken: list[run_lock.RunLock] = []
    end = time.monotonic() + workflow_job.patience(deadline.left)

    def take(patience: float) -> tuple[str, bool]:
        """Who is at work, nobody if the lock was taken; and whether it is worth while to go on waiting."""
        try:
            taken.append(run_lock.take(_work_root(out) / LOCK, str(out), min(patience, end - time.monotonic())))
        except run_lock.BusyError as busy:
            is_over = time.monotonic() >= end
            if not workflow_job.is_job() or (is_over and math.isinf(deadline.left)):
                raise
            return busy.who, is_over
        return "", False

    who, is_over = distributed.on_first(lambda: take(0.0))
    if who and not is_over and distributed.is_first():
        print(f"{out}: {who} is at work on it; this job waits for its end", file=sys.stderr, flush=True)
    while who:
        if is_over:
            raise Interrupted(f"{out}: {who} is still at work on it, and this job's time is over")
        # In rounds: processes do not wait for each other for as long as a job may last.
        who, is_over = distributed.on_first(lambda: take(ROUND_SECONDS))
    return taken[0] if taken else nullcontext()


def is_finished(args: argparse.Namespace, work: Path, dataset: Dataset) -> bool:
    """Whether this very training has finished before; its outputs are then in their places again."""
    if options.is_on(args.again, "LSGM_AGAIN"):
        return False
    found = distributed.on_first(lambda: finished.take_back(work, args.out, dataset.checksum))
    if found and distributed.is_first():
        print(
            f"{args.out}: trained before with the same settings, data and code, taken from {work}; --again trains again"
        )
    return found


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
    record = {
        "status": result.status,
        "reason": result.reason,
        "steps": result.steps,
        "epochs": result.epochs,
        "skipped_updates": result.skipped_updates,
        "rollbacks": [asdict(rollback) for rollback in result.rollbacks],
        "weights_step": result.weights_step,
        "seconds": result.seconds,
        "cpu_seconds": result.cpu_seconds,
        "finished": timestamp(),
        **code_and_machine(device),
        "data_checksum": dataset.checksum,
        "backbone": None if backbone is None else backbone.model_dump(),
        "final": _flat(result.final),
        "divergence": None if result.divergence is None else asdict(result.divergence),
    }
    write_text_whole(beside(out, "training.json"), json.dumps(record, indent=2, allow_nan=False) + "\n")
    curves = work / "curves.jsonl"
    if curves.exists():
        write_whole(beside(out, "curves.jsonl"), lambda temporary: shutil.copyfile(curves, temporary))
    extra = {"status": result.status, "reason": result.reason or "", "data_checksum": dataset.checksum}
    save_model(out, result.model, result.config, dataset.image_shape, extra)
    others = [beside(out, name) for name in ("training.json", "curves.jsonl")]
    finished.keep(work, out, [*others, settings_file(out)], dataset.checksum)
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
