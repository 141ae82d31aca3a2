"""`--dry-run` of every verb: the resolved settings in full and the size of the networks, and nothing else."""

from __future__ import annotations

import argparse

import yaml

from lsgm.cli import options
from lsgm.config import ExperimentConfig

TRAINING = ("pretrain", "train")
GIB = 2**30


def run(args: argparse.Namespace) -> None:
    """Print what the verb would work with, as YAML; comments say which algorithm and how much memory."""
    config = options.settings(args)
    print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True), end="")
    from lsgm.data import image_shape
    from lsgm.models import parameter_counts

    shape = image_shape(config.data)
    if shape is None:
        print(f"# parameters: unknown until the data set {config.data.name!r} is prepared (its image size decides)")
    else:
        for part, count in parameter_counts(config, shape).items():
            print(f"# parameters of {part}: {count:,}")
        if args.verb in TRAINING and (config.vae.has_weights or not config.is_vae):
            _print_memory(config, shape)
    if config.is_vae and not config.vae.has_weights:
        print("# trains: nothing, there are no weights")
    if not config.is_vae:
        trained = (
            f"algorithm {config.objective.algorithm} of the paper" if config.train.train_vae else "the prior alone"
        )
        print(f"# trains: {trained}; settings {config.fingerprint('evaluate')}")


def _print_memory(config: ExperimentConfig, shape: tuple[int, int, int]) -> None:
    from lsgm.training.memory import estimate_memory

    memory = estimate_memory(config, shape)
    section = "pretrain" if config.is_vae else "train"
    parameters = memory.parameters / GIB
    for kept, what in ((memory.activations, ""), (memory.recomputed, f" with {section}.checkpoint_activations")):
        print(
            f"# memory of a step of {memory.images} images in one process{what}, float32: about "
            f"{parameters + kept / GIB:.2f} GiB (parameters {parameters:.2f}, activations {kept / GIB:.2f})"
        )
    print(
        "#   counted, without workspaces and the data; N processes share the images; bfloat16 halves most activations"
    )
