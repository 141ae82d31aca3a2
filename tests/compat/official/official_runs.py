"""Arguments to test with: those of the seven official runs with our experiment files for them, and of a small run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lsgm.compat.official.arguments import experiment_of
from lsgm.compat.official.flags import STAGE_2
from lsgm.config import ExperimentConfig

EXPERIMENTS = Path(__file__).parents[3] / "config" / "experiments"
IMAGE_SHAPES = {"mnist": (1, 32, 32), "omniglot": (1, 32, 32), "cifar10": (3, 32, 32), "celeba_256": (3, 256, 256)}


@dataclass(frozen=True)
class OfficialRun:
    """Experiment files of one configuration, and what its arguments leave open.

    Attributes:
        lsgm: experiment of stage 2 or 3.
        vae: experiment of stage 1.
        widths: of the score network, which the authors' code knows by the number of levels.
        vae_nodes: machines of stage 1. The reference files were made for one, the commands give the number apart.
        nodes: machines of the later stage.
    """

    lsgm: str
    vae: str
    widths: tuple[int, ...]
    vae_nodes: int = 1
    nodes: int = 1


RUNS = {
    "mnist": OfficialRun("mnist", "mnist_vae", (1, 1)),
    "omniglot": OfficialRun("omniglot", "omniglot_vae", (1, 1, 1)),
    "cifar10_balanced": OfficialRun("cifar10_balanced", "cifar10_vae1", (1, 1, 1), nodes=2),
    "cifar10_bestnll": OfficialRun("cifar10_best_nll", "cifar10_vae3", (1, 1, 1), nodes=2),
    "celeba256_quant": OfficialRun("celebahq256", "celebahq256_vae", (1, 2, 2, 2), vae_nodes=2, nodes=2),
    "celeba256_qual": OfficialRun(
        "celebahq256_qualitative_joint", "celebahq256_qualitative_vae", (1, 1, 2, 2, 2), vae_nodes=2, nodes=2
    ),
    "celeba256_qual_stage3": OfficialRun(
        "celebahq256_qualitative", "celebahq256_qualitative_vae", (1, 1, 2, 2, 2), vae_nodes=2, nodes=2
    ),
}


def arguments(reference: Path, name: str, stage: int = 2) -> dict[str, object]:
    """Arguments of stage 1, or of the later stage, with the number of machines filled in."""
    recorded = json.loads((reference / "f_full_params.json").read_text())["configs"][name]
    run = RUNS[name]
    if stage == 1:
        return recorded["vae_args"] | {"num_proc_node": run.vae_nodes}
    return recorded["vada_args"] | {"num_proc_node": run.nodes}


SHAPE, WIDTHS = (1, 32, 32), (1, 1)


def small_arguments(**changes: object) -> dict[str, object]:
    """Arguments of a small MNIST run: the parser's defaults, and what has none."""
    own = {"dataset": "mnist", "decoder_dist": "bin", "sde_type": "vpsde", "channel_mult": [1, 2, 2]}
    return {**STAGE_2, **own, **changes}


def small(**changes: object) -> ExperimentConfig:
    """Its settings."""
    args = small_arguments(**changes)
    return experiment_of(args, (3, 32, 32) if args["dataset"] == "ffhq" else SHAPE, WIDTHS, "x.pt")
