"""`lsgm figure 3`: densities of the time distributions of the paper's two forward processes; no run is needed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.cli import options
from lsgm.cli.records.provenance import commit

if TYPE_CHECKING:
    from lsgm.reporting.figures.figure3 import DensityPanel

NUM_POINTS = 1001
TITLES = {"vpsde": "VPSDE", "geometric": "geometric VPSDE"}


def add_parser(figures: argparse._SubParsersAction) -> None:
    """Add the figure to `lsgm figure`."""
    parser = figures.add_parser(
        "3",
        help="densities of the time distributions",
        description="Figure 3: densities of uniform times and of r_ll, r_un, r_re, for the linear VPSDE and the "
        "geometric VPSDE with the paper's constants.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="files to write, without their ending")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Draw the figure and write it as png and pdf."""
    options.require_output_folder(args.out)
    from lsgm.config.cells import SDE_SETTINGS
    from lsgm.reporting.figures.figure3 import write_figure3
    from lsgm.reporting.figures.style import commit_words

    linear, geometric = SDE_SETTINGS["vpsde"], SDE_SETTINGS["geometric"]
    note = (
        f"From the settings alone. (a) β from {linear['beta_start']:g} to {linear['beta_end']:g}, "
        f"t ≥ {linear['time_eps']}; (b) σ² from {geometric['sigma2_min']:g} to {geometric['sigma2_max']}. "
        f"Dots: medians. Drawn with {commit_words(*commit())}."
    )
    write_figure3([panel(name) for name in SDE_SETTINGS], note, args.out)


def panel(name: str) -> DensityPanel:
    """The distributions of one forward process, `vpsde` or `geometric`, with the paper's constants."""
    import torch

    from lsgm.config import SdeConfig
    from lsgm.config.cells import SDE_SETTINGS
    from lsgm.evaluation.time_variance import time_proposals
    from lsgm.reporting.figures.figure3 import Density, DensityPanel
    from lsgm.sde import build_sde

    sde = build_sde(SdeConfig(**SDE_SETTINGS[name]))
    grid = torch.linspace(sde.time_eps, 1, NUM_POINTS, dtype=torch.float64)
    densities = []
    for times, proposal in time_proposals(sde).items():
        median = proposal.time(torch.tensor(0.5, dtype=torch.float64))
        values = proposal.density(grid).numpy()
        densities.append(Density(times, grid.numpy(), values, median.item(), proposal.density(median).item()))
    return DensityPanel(TITLES[name], densities)
