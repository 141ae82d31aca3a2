"""What Figure 5 shows: for each LSGM its training images, samples of its VAE backbone, and its own samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lsgm.cli.samples_file import read_samples
from lsgm.config import ConfigError
from lsgm.data import load_dataset
from lsgm.reporting.figure5 import SampleBlock


def entries(data: dict[str, Path], samples: dict[str, Path], backbones: dict[str, Path]) -> list[SampleBlock]:
    """Read the files of each run, in the order of `data`.

    Raises:
        ConfigError: a run lacks one of its files, or a file is damaged.
    """
    blocks = []
    for run, file in data.items():
        if run not in samples or run not in backbones:
            raise ConfigError(f"figure 5: the run {run!r} of --data is missing in --samples or --backbone-samples")
        dataset = load_dataset(file)
        panels = {"training images": dataset.train.numpy()}
        for label, path in (("VAE backbone", backbones[run]), ("LSGM", samples[run])):
            images, record = read_samples(path)
            # A model that cannot be sampled shows as an empty panel under its reason, not as a missing row.
            shape = (1, *dataset.train.shape[1:])
            panels[f"{label}: none ({record.reason})" if record.reason else label] = (
                images.numpy() if len(images) else np.full(shape, 255, np.uint8)
            )
        blocks.append(SampleBlock(f"{run}: {dataset.title}", panels))
    return blocks
