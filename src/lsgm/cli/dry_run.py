"""`--dry-run` of every verb: the resolved settings in full and the size of the networks, and nothing else."""

from __future__ import annotations

import argparse

import yaml

from lsgm.cli import options


def run(args: argparse.Namespace) -> None:
    """Print what the verb would work with, as YAML; comments say which algorithm and how many parameters."""
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
    if not config.is_vae:
        trained = (
            f"algorithm {config.objective.algorithm} of the paper" if config.train.train_vae else "the prior alone"
        )
        print(f"# trains: {trained}; settings {config.fingerprint('evaluate')}")
