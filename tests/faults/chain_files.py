"""A chain at test scale, verb by verb, in a folder: what an undisturbed run leaves, and what another lacks of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cli.chain import settings

from .child import Verb

SMALL = ("data.num_train=96", "data.num_test=20", "sample.num_samples=20", "evaluate.nelbo.num_iw_samples=2")
# 12 steps of each training, a checkpoint after every third.
SHORT = tuple(f"{stage}.{key}" for stage in ("pretrain", "train") for key in ("checkpoint_every=3", "log_every=1"))
ORDER = ("prepare", "pretrain", "sample", "evaluate")
# What may differ between two runs that compute the same: times of day, seconds, and the commit of a checkout.
TIMES = ("seconds", "cpu_seconds", "finished", "started", "wall_seconds", "commit")


class Chain:
    """The verbs of a VAE, and of an LSGM on it.

    Args:
        folder: of all their files, made if absent.
        logs: folder of what they print; None: beside it.
    """

    def __init__(self, folder: Path, logs: Path | None = None) -> None:
        self.folder = folder
        self._logs = logs or folder.with_name(f"{folder.name}-logs")
        self._starts = 0
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, verb: str, before: Callable[[], None] | None = None) -> Verb:
        """Start a verb: prepare, pretrain, train, sample (of the VAE) or evaluate (the VAE)."""
        self._starts += 1
        words = [verb, *settings("mnist" if verb == "train" else "mnist_vae", *SMALL, *SHORT)]
        for option, name in FILES[verb].items():
            words += [option, str(self.folder / name)]
        self._logs.mkdir(exist_ok=True)
        return Verb(words, self._logs / f"{self._starts}-{verb}.txt", before)

    def run_before(self, verb: str, source: Chain | None = None) -> None:
        """Run, or take from another chain, what a verb needs."""
        needed = ("prepare", "pretrain") if verb == "train" else ORDER[: ORDER.index(verb)]
        if source is None:
            return self.run(*needed)
        for name in (FILES[step]["--out"] for step in needed):
            (self.folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source.folder / name, self.folder / name)
            for beside in (source.folder / name).parent.glob("*.json"):
                shutil.copyfile(beside, (self.folder / name).with_name(beside.name))
        return None

    def run(self, *verbs: str) -> None:
        """Run verbs to their ends."""
        for verb in verbs:
            started = self.start(verb)
            assert started.end() == 0, started.text

    def checkpoints(self, verb: str) -> list[Path]:
        """Checkpoints of a training, newest first."""
        return sorted((self.folder / FILES[verb]["--out"]).parent.glob("work/*/checkpoint-*.pt"), reverse=True)

    def lost(self, verb: str, whole: Chain) -> tuple[str, ...]:
        """What the outcome of a verb lacks, compared with that of an undisturbed chain."""
        out = FILES[verb]["--out"]
        beside = ["training.json", "curves.jsonl", "model.config.yaml"] if verb in ("pretrain", "train") else []
        names = [out, *(str(Path(out).with_name(name)) for name in beside)]
        found = [_difference(whole.folder / name, self.folder / name) for name in names]
        return tuple(f"{name}: {text}" for name, text in zip(names, found, strict=True) if text)


@cache
def undisturbed(verb: str) -> Chain:
    """A chain that ends with this verb, with nothing in its way; made once."""
    chain = Chain(Path(FOLDER.name) / verb)
    chain.run_before(verb)
    chain.run(verb)
    return chain


FOLDER = tempfile.TemporaryDirectory(prefix="lsgm-undisturbed-")
FILES = {
    "prepare": {"--out": "data.safetensors"},
    "pretrain": {"--data": "data.safetensors", "--out": "vae/model.safetensors"},
    "train": {
        "--data": "data.safetensors",
        "--backbone": "vae/model.safetensors",
        "--out": "lsgm/model.safetensors",
    },
    "sample": {"--model": "vae/model.safetensors", "--out": "vae/samples.safetensors"},
    "evaluate": {
        "--data": "data.safetensors",
        "--model": "vae/model.safetensors",
        "--samples": "vae/samples.safetensors",
        "--out": "vae/metrics.json",
    },
}


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _difference(whole: Path, other: Path) -> str:
    if not other.is_file():
        return "is missing"
    if whole.name == "samples.safetensors":
        return "" if _images(whole) == _images(other) else "has other images"
    if whole.suffix not in (".json", ".jsonl"):
        return "" if sha256(whole) == sha256(other) else "has another checksum"
    return "" if numbers(whole) == numbers(other) else "has other numbers"


def _images(path: Path) -> bytes:
    from lsgm.cli.records.samples_file import read_samples

    return read_samples(path)[0].numpy().tobytes()


def numbers(path: Path) -> object:
    """What a JSON file says, without times of day and seconds."""
    text = path.read_text()
    return _timeless([json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text))


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in TIMES}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value
