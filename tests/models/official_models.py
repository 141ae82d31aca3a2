"""The thirteen official networks as our experiment files have them, and the table of them in docs.

`python tests/models/official_models.py` writes the table anew; a test compares it with the one in the repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import nn

from lsgm.config import ExperimentConfig, load_experiment
from lsgm.data import image_shape
from lsgm.models import NVAE, MixedScorePrior, build_vae
from lsgm.sde import build_sde

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "official_models.md"


@dataclass(frozen=True)
class OfficialNetwork:
    """One network of the paper.

    Attributes:
        experiments: our experiment files that have it, without the suffix.
        name: what it is.
        count: parameters of the authors' own network (method.md: NVAE backbone).
        latent: (C, r, r) of the latent that the prior models.
        reference: its configuration in the reference files; None where they lack it.
    """

    experiments: tuple[str, ...]
    name: str
    count: int
    latent: tuple[int, int, int]
    reference: str | None


CIFAR, CELEBA, QUALITATIVE = (180, 16, 16), (160, 32, 32), (200, 64, 64)
VAES = [
    OfficialNetwork(("cifar10_vae1", "cifar10_vae2"), "VAE, balanced and FID", 100_867_740, CIFAR, "cifar10_balanced"),
    OfficialNetwork(("cifar10_vae3",), "VAE, NLL", 130_622_772, CIFAR, "cifar10_bestnll"),
    OfficialNetwork(("mnist_vae",), "VAE", 3_005_822, (40, 8, 8), "mnist"),
    OfficialNetwork(("omniglot_vae",), "VAE", 5_384_190, (60, 16, 16), "omniglot"),
    OfficialNetwork(("celebahq256_vae",), "VAE, quantitative", 51_296_572, CELEBA, "celeba256_quant"),
    OfficialNetwork(("celebahq256_qualitative_vae",), "VAE, qualitative", 17_789_540, QUALITATIVE, "celeba256_qual"),
]
PRIORS = [
    OfficialNetwork(
        ("cifar10_balanced", "cifar10_best_fid", "cifar10_best_nll"),
        "score network",
        375_561_064,
        CIFAR,
        "cifar10_balanced",
    ),
    OfficialNetwork(("ablation",), "score network, 256 channels", 98_357_352, CIFAR, None),
    OfficialNetwork(("mnist",), "score network", 63_774_544, (40, 8, 8), "mnist"),
    OfficialNetwork(("omniglot",), "score network", 97_804_152, (60, 16, 16), "omniglot"),
    OfficialNetwork(("celebahq256",), "score network, quantitative", 408_367_680, CELEBA, "celeba256_quant"),
    OfficialNetwork(
        ("celebahq256_qualitative_joint",),
        "score network, qualitative, stage 2",
        440_116_368,
        QUALITATIVE,
        "celeba256_qual",
    ),
    OfficialNetwork(
        ("celebahq256_qualitative",),
        "score network, qualitative, stage 3",
        680_827_984,
        QUALITATIVE,
        "celeba256_qual_stage3",
    ),
]


@cache
def settings(experiment: str) -> ExperimentConfig:
    """Settings of one of our experiment files at the paper's scale."""
    return load_experiment(ROOT / "config" / "experiments" / f"{experiment}.yaml")


def vae(experiment: str) -> NVAE:
    """The VAE of an experiment, without memory for its weights."""
    with torch.device("meta"):
        return build_vae(settings(experiment), image_shape(settings(experiment).data))


def prior(experiment: str, latent: tuple[int, int, int]) -> MixedScorePrior:
    """The score network of an experiment with its mixing logits, without memory for its weights."""
    config = settings(experiment)
    sde = build_sde(config.sde)
    with torch.device("meta"):
        return MixedScorePrior(config.prior, latent, sde)


def count(network: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(weight.numel() for weight in network.parameters())


def table(counts: dict[str, int]) -> str:
    """The table in Markdown.

    Args:
        counts: parameters of ours by experiment file, as `all_counts` gives them.
    """
    lines = [
        "# The official networks",
        "",
        "All networks of the authors' commands, as the experiment files in `config/experiments` have them at the scale",
        "of the paper. Ours are counted by building them; official are those of the authors' own modules. In score",
        "networks the mixing logits are included. For one file: `lsgm train --config FILE --dry-run`.",
        "",
        "Written by `python tests/models/official_models.py`.",
        "",
        "| experiment file | network | parameters, ours | official | latent of the prior |",
        "|---|---|---:|---:|---|",
    ]
    for network in (*VAES, *PRIORS):
        files = ", ".join(f"`{name}.yaml`" for name in network.experiments)
        latent = " x ".join(map(str, network.latent))
        ours = " / ".join(sorted({f"{counts[name]:,}" for name in network.experiments}))
        lines.append(f"| {files} | {network.name} | {ours} | {network.count:,} | {latent} |")
    return "\n".join(lines) + "\n"


def all_counts() -> dict[str, int]:
    """Parameters of every network of the table, by experiment file."""
    counts = {name: count(vae(name)) for network in VAES for name in network.experiments}
    return counts | {name: count(prior(name, network.latent)) for network in PRIORS for name in network.experiments}


if __name__ == "__main__":
    TABLE.write_text(table(all_counts()), encoding="utf-8")
