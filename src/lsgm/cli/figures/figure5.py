"""`lsgm figure 5`: for each LSGM its training images, samples of its VAE backbone, and its own samples."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.cli import options
from lsgm.cli.verbs.table import named_files
from lsgm.config import ConfigError

if TYPE_CHECKING:
    from lsgm.reporting.figures.figure5 import SampleBlock


def add_parser(figures: argparse._SubParsersAction) -> None:
    """Add the figure to `lsgm figure`."""
    parser = figures.add_parser(
        "5",
        help="samples beside training images",
        description="Figure 5: for each data set, training images beside samples of the VAE and of the LSGM.",
    )
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
    from lsgm.reporting.figures.figure5 import write_figure5

    write_figure5(entries(data, samples, backbones), args.out)


def entries(data: dict[str, Path], samples: dict[str, Path], backbones: dict[str, Path]) -> list[SampleBlock]:
    """Read the files of each run, in the order of `data`.

    Raises:
        ConfigError: a run lacks one of its files, or a file is damaged.
    """
    import numpy as np

    from lsgm.cli.records.samples_file import read_samples
    from lsgm.data import load_dataset, part_of
    from lsgm.reporting.figures.figure5 import GRID, SampleBlock

    blocks = []
    for run, file in data.items():
        if run not in samples or run not in backbones:
            raise ConfigError(f"figure 5: the run {run!r} of --data is missing in --samples or --backbone-samples")
        dataset = load_dataset(file)
        shown = part_of(len(dataset.train), GRID[0] * GRID[1])
        panels = {"training images": dataset.train[shown].numpy()}
        for label, path in (("VAE backbone", backbones[run]), ("LSGM", samples[run])):
            images, record = read_samples(path)
            # A model that cannot be sampled shows as an empty panel under its reason, not as a missing row.
            shape = (1, *dataset.train.shape[1:])
            panels[f"{label}: none ({record.reason})" if record.reason else label] = (
                images.numpy() if len(images) else np.full(shape, 255, np.uint8)
            )
        blocks.append(SampleBlock(f"{run}: {dataset.title}", panels))
    return blocks
