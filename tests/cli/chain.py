"""A chain that runs in seconds: settings small enough for the test suite, and the verbs in order."""

from __future__ import annotations

from pathlib import Path

from lsgm.cli.main import main

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "config" / "experiments"
SMALL = ("--scale", str(ROOT / "config" / "scales" / "test.yaml"))


def settings(experiment: str, *words: str) -> list[str]:
    """Words that name an experiment at test scale, with changes."""
    changes = [part for word in words for part in ("--set", word)]
    return ["--config", str(EXPERIMENTS / f"{experiment}.yaml"), *SMALL, *changes]


def run_vae(folder: Path, experiment: str = "mnist_vae", *words: str) -> None:
    """Prepare, pretrain, sample and evaluate a VAE; its files lie in `folder`/vae."""
    chosen = settings(experiment, *words)
    assert main(["prepare", *chosen, "--out", str(folder / "data.safetensors")]) == 0
    assert main(["pretrain", *chosen, *_data(folder), "--out", str(folder / "vae" / "model.safetensors")]) == 0
    measure(folder, "vae", chosen)


def run_lsgm(folder: Path, experiment: str = "mnist", *words: str, name: str = "lsgm") -> None:
    """Train, sample and evaluate an LSGM on the VAE of `run_vae`."""
    chosen = settings(experiment, *words)
    backbone = ["--backbone", str(folder / "vae" / "model.safetensors")]
    out = ["--out", str(folder / name / "model.safetensors")]
    assert main(["train", *chosen, *_data(folder), *backbone, *out]) == 0
    measure(folder, name, chosen)


def measure(folder: Path, name: str, chosen: list[str]) -> None:
    """Sample and evaluate the model in `folder`/`name`."""
    model = ["--model", str(folder / name / "model.safetensors")]
    samples = str(folder / name / "samples.safetensors")
    assert main(["sample", *chosen, *model, "--out", samples]) == 0
    metrics = ["--out", str(folder / name / "metrics.json")]
    assert main(["evaluate", *chosen, *_data(folder), *model, "--samples", samples, *metrics]) == 0


def _data(folder: Path) -> list[str]:
    return ["--data", str(folder / "data.safetensors")]
