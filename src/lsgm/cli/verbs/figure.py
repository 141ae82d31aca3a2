"""`lsgm figure`: the pictures, one file per figure; each says below it what it was made from."""

from __future__ import annotations

import argparse

from lsgm.cli.figures import figure3, figure4, figure5, figure_curves, figure_samplers, figure_variance

FIGURES = (figure3, figure4, figure5, figure_samplers, figure_variance, figure_curves)


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "figure",
        help="make a figure of the paper, or the training curves of a run",
        description="Make Figure 3, 4 or 5, the samplers side by side, the variance of the training objective, or the "
        "training curves of a run, as png and pdf. `lsgm figure 4 --help` says what Figure 4 is made from.",
    )
    figures = parser.add_subparsers(dest="figure", required=True, metavar="FIGURE", title="figures")
    for figure in FIGURES:
        figure.add_parser(figures)
