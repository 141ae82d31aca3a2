"""On a CPU, the decoder's feature maps stay channels last from the first latent to the head."""

from __future__ import annotations

import torch
from models.small_models import IMAGE_SHAPE, small_config

from lsgm.models import build_vae
from lsgm.models.nvae import ResidualCell
from lsgm.models.nvae.layout import in_fast_layout


def test_values_stay():
    x = torch.randn(2, 3, 4, 4)
    assert in_fast_layout(x).is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(in_fast_layout(x), x)


def test_cells_hand_the_layout_on():
    vae, inputs = build_vae(small_config(), IMAGE_SHAPE), []
    cells = [module for module in vae.decoder.modules() if isinstance(module, ResidualCell)]
    for cell in cells:
        cell.register_forward_pre_hook(lambda _cell, arguments: inputs.append(arguments[0]))
    noises = [torch.randn(2, *shape) for shape in vae.latent_shapes]
    vae(torch.randn(2, *vae.image_shape), noises)
    assert len(inputs) == len(cells)
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x in inputs)
