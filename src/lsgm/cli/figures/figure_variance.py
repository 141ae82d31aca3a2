"""`lsgm figure variance`: how noisy the training objective is under each distribution of times."""

from __future__ import annotations

import argparse
from pathlib import Path

from lsgm.cli import options


def add_parser(figures: argparse._SubParsersAction) -> None:
    """Add the figure to `lsgm figure`."""
    parser = figures.add_parser(
        "variance",
        help="variance of the training objective under the time distributions",
        description="Standard deviation over mean of one term of the prior's objective, for each weighting and "
        "distribution of times, from the files of `lsgm variance`. Black lines: standard normal latents and prior.",
    )
    parser.add_argument(
        "--variance", nargs="+", type=Path, required=True, metavar="FILE", help="files of `lsgm variance`, one a run"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="files to write, without their ending")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Draw the figure and write it as png and pdf."""
    from lsgm.reporting.figures.variance import write_variance
    from lsgm.reporting.records.figure_measurements import read_variance

    studies = [read_variance(file) for file in args.variance]
    options.require_output_folder(args.out)
    write_variance(studies, args.out)
