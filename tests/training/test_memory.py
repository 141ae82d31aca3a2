"""The count of what a backward pass keeps, against numbers known by hand and against real passes."""

from __future__ import annotations

import pytest
import torch
from models.small_models import IMAGE_SHAPE
from torch import nn
from training.small_run import backbone, run_config, train_settings

from lsgm.models import parameter_counts
from lsgm.models.nvae import ResidualCell
from lsgm.models.nvae.branches import BnSwishBranch
from lsgm.training.memory import estimate_memory, kept_for_backward


def test_layers_outside_of_regions():
    """A convolution keeps its input, SiLU its own; the second SiLU's input is the first one's output."""
    network = nn.Sequential(nn.Conv2d(3, 5, 1), nn.SiLU(), nn.SiLU())
    kept = kept_for_backward(network, lambda: network(torch.zeros(2, 3, 4, 4)))
    assert kept.total == kept.recomputed == 4 * (2 * 3 * 16 + 2 * 2 * 5 * 16)


def test_regions_keep_their_inputs_alone():
    cells = nn.Sequential(*(ResidualCell(BnSwishBranch, 8, 8) for _ in range(3)))
    kept = kept_for_backward(cells, lambda: cells(torch.zeros(2, 8, 4, 4)))
    assert len(kept.inside) == 3
    # The first cell's batch norm keeps what is the cell's input as well, and so does each one after it.
    assert kept.outside == 0 and kept.inputs == 3 * 4 * 2 * 8 * 16
    assert kept.recomputed == kept.inputs + max(kept.inside) < kept.total


@pytest.mark.parametrize("train_vae", [True, False])
def test_parameters_and_parts_of_a_batch(train_vae):
    config = run_config(train=train_settings(train_vae=train_vae))
    counts = parameter_counts(config, IMAGE_SHAPE)
    whole = estimate_memory(config, IMAGE_SHAPE)
    assert whole.parameters == 4 * (counts["vae"] * (5 if train_vae else 1) + 6 * counts["prior"])
    assert whole.recomputed < whole.activations
    parts = estimate_memory(run_config(train=train_settings(train_vae=train_vae, accumulate=2)), IMAGE_SHAPE)
    assert parts.images == whole.images // 2
    assert 0.4 * whole.activations < parts.activations < 0.7 * whole.activations


def test_the_count_is_that_of_a_real_pass():
    config = run_config(backbone=None)
    vae, images = backbone(config).vae.train(), config.pretrain.batch_size
    x = torch.zeros(images, *vae.image_shape)
    noises = [torch.zeros(images, *shape) for shape in vae.latent_shapes]
    kept = kept_for_backward(vae, lambda: vae(x, noises))
    assert estimate_memory(config, IMAGE_SHAPE).activations == pytest.approx(kept.total, rel=0.05)
