"""Every kind of pyramid on the smallest network that has two levels and an attention."""

from __future__ import annotations

import itertools
from typing import get_args

import torch
from torch import nn

from lsgm.config import PriorConfig
from lsgm.models.score import ScoreNetwork

CHANNELS, SIDE = 3, 8
TINY = PriorConfig(
    num_channels=8,
    channel_mult=(1, 2),
    num_cells_per_scale=1,
    embedding_dim=8,
    attention_resolutions=(4,),
    dropout=0.0,
)


def choices(key: str) -> tuple[str, ...]:
    return get_args(PriorConfig.model_fields[key].annotation)


KEYS = ("progressive_input", "progressive_combine", "progressive")
VARIANTS = [
    TINY.model_copy(update={"fir": fir, **dict(zip(KEYS, kinds, strict=True))})
    for *kinds, fir in itertools.product(*map(choices, KEYS), (True, False))
    if kinds[:2] != ["none", "cat"] and kinds[:2] != ["residual", "cat"]  # without input_skip nothing is combined
]


def label(config: PriorConfig) -> str:
    return "-".join([*(getattr(config, key) for key in KEYS), "fir" if config.fir else "plain"])


def randomised(config: PriorConfig, dtype: torch.dtype = torch.float64) -> ScoreNetwork:
    network = ScoreNetwork(config, CHANNELS, SIDE).to(dtype).eval()
    randomise(network)
    return network


def randomise(module: nn.Module) -> None:
    """Give every weight a size at which it matters; fresh networks give almost zero."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            scale = weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.5
            weight.copy_(scale * torch.randn(weight.shape, generator=generator))
