"""`lsgm figure`: pictures from samples, such as Figure 5."""

from __future__ import annotations

import argparse
from pathlib import Path

from lsgm.cli import options
from lsgm.cli.table import named_files


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "figure",
        help="make Figure 5: samples beside training images",
        description="Make Figure 5: for each data set, training images beside samples of the VAE and of the LSGM.",
    )
    parser.add_argument("number", type=int, choices=(5,), help="which figure of the paper")
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="RUN=FILE", help="prepared data of each LSGM, by its name"
    )
    parser.add_argument("--samples", nargs="+", required=True, metavar="RUN=FILE", help="samples of each LSGM")
    parser.add_argument(
        "--backbone-samples", nargs="+", required=True, metavar="RUN=FILE", help="samples of each LSGM's VAE backbone"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="files to write, without their ending")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Draw the figure and write it as png and pdf."""
    data, samples, backbones = map(named_files, (args.data, args.samples, args.backbone_samples))
    options.require_output_folder(args.out)
    from lsgm.cli.figure5 import entries
    from lsgm.reporting.figure5 import write_figure5

    write_figure5(entries(data, samples, backbones), args.out)
