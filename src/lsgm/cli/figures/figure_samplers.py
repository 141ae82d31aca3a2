"""`lsgm figure samplers`: error and Fréchet distance of the samplers against their evaluations of the network."""

from __future__ import annotations

import argparse
from pathlib import Path

from lsgm.cli import options


def add_parser(figures: argparse._SubParsersAction) -> None:
    """Add the figure to `lsgm figure`."""
    parser = figures.add_parser(
        "samplers",
        help="the samplers side by side: error and Fréchet distance against evaluations",
        description="Error of the latents and Fréchet distance of the images against the evaluations of the network, "
        "for the adaptive ODE, Heun's method and the multistep solver, from the files of `lsgm samplers`.",
    )
    parser.add_argument(
        "--samplers", nargs="+", type=Path, required=True, metavar="FILE", help="files of `lsgm samplers`, one a run"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="files to write, without their ending")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Draw the figure and write it as png and pdf."""
    from lsgm.reporting.figures.samplers import write_samplers
    from lsgm.reporting.records.figure_measurements import read_samplers

    studies = [read_samplers(file) for file in args.samplers]
    options.require_output_folder(args.out)
    write_samplers(studies, args.out)
