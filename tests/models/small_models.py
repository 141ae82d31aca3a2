"""Settings small enough to build in milliseconds, with every part of the model in them."""

from __future__ import annotations

from lsgm.config import DataConfig, ExperimentConfig, PriorConfig, VaeConfig

IMAGE_SHAPE = (1, 6, 6)


def small_config(is_vae: bool = False, **sections: object) -> ExperimentConfig:
    """An LSGM (or its backbone) for 1x6x6 images, padded to 8x8, with a 6x4x4 latent."""
    settings: dict[str, object] = {
        "name": "backbone" if is_vae else "small",
        "backbone": None if is_vae else "backbone",
        "data": DataConfig(name="digits", pad=1, binarise=True),
        "vae": VaeConfig(
            num_channels=8,
            num_groups_per_scale=2,
            num_latent_per_group=3,
            num_cells_per_group=1,
            output="bernoulli",
        ),
        "prior": PriorConfig(num_channels=8, channel_mult=(1, 1), num_cells_per_scale=1, embedding_dim=8),
    }
    return ExperimentConfig(**(settings | sections))
