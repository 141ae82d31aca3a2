"""`lsgm figure 4`: Fréchet distance and cost against the tolerance of the sampling ODE."""

from __future__ import annotations

import argparse
from pathlib import Path

from lsgm.cli import options


def add_parser(figures: argparse._SubParsersAction) -> None:
    """Add the figure to `lsgm figure`."""
    parser = figures.add_parser(
        "4",
        help="Fréchet distance, evaluations and time against the ODE's tolerance",
        description="Figure 4: Fréchet distance, evaluations of the prior and wall time of a batch against the "
        "tolerance of the ODE, from the files of `lsgm tolerance`.",
    )
    parser.add_argument(
        "--tolerance", nargs="+", type=Path, required=True, metavar="FILE", help="files of `lsgm tolerance`, one a run"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="files to write, without their ending")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Draw the figure and write it as png and pdf."""
    from lsgm.reporting.figures.figure4 import write_figure4
    from lsgm.reporting.records.figure_measurements import read_tolerance

    sweeps = [read_tolerance(file) for file in args.tolerance]
    options.require_output_folder(args.out)
    write_figure4(sweeps, args.out)
