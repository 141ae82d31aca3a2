"""`lsgm figure curves`: the training curves of one run."""

from __future__ import annotations

import argparse

from lsgm.cli import options
from lsgm.cli.records.provenance import commit
from lsgm.config import ConfigError
from lsgm.config.run_names import RunName


def add_parser(figures: argparse._SubParsersAction) -> None:
    """Add the figure to `lsgm figure`."""
    parser = figures.add_parser(
        "curves",
        help="training curves of a run",
        description="Training curves of one run, stage 1 or 2: the bound and its parts, the prior's loss, gradient "
        "norms, active latent channels and learning rates, from the file curves.jsonl beside its model.",
    )
    options.add_settings(parser)
    options.add_file(parser, "--curves", "file curves.jsonl, written beside the model")
    options.add_file(parser, "--out", "files to write, without their ending")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Draw the figure and write it as png and pdf."""
    config = options.settings(args)
    if config.is_vae and not config.vae.has_weights:
        raise ConfigError(
            f"--config {args.config}: vae.arch = {config.vae.arch} has no weights, so there is no curve of their "
            f"training; name an experiment that builds on it"
        )
    from lsgm.reporting.figures.curves import read_curves, write_curves
    from lsgm.reporting.figures.style import commit_words, origin_words, said_once

    curves = read_curves(args.curves)
    options.require_output_folder(args.out)
    name = str(RunName.of(config.cell or config.name, None, config.variant))
    stage = "stage 1" if config.is_vae else f"stage 2, algorithm {config.objective.algorithm}"
    code = f"drawn with {commit_words(*commit())}"
    note = said_once({name: origin_words(config.scale, config.scaled_down, config.data.name, code)})
    write_curves(curves, f"{name}: training, {stage}", note, args.out)
