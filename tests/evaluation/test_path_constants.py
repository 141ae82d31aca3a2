from __future__ import annotations

import torch
from toy_gaussian import sde_named

from lsgm.evaluation.likelihood_path import angle_grid, path_constants


def test_a_constant_prediction_is_integrated_exactly_whatever_the_order():
    """The weights of predictor and corrector then have one sum; predictions that are not there have none."""
    alpha = torch.tensor([0.05, 1.0]).view(1, 2, 1, 1)
    angles = angle_grid(sde_named("geometric"), 1e-5, 8).angles[::-1]
    constants = path_constants(angles, alpha, 3)
    assert constants.predictor.shape == (8, 3, 1, 2, 1, 1) and constants.corrector.shape == (8, 4, 1, 2, 1, 1)
    torch.testing.assert_close(constants.predictor.sum(dim=1), constants.corrector.sum(dim=1), rtol=1e-9, atol=1e-12)
    assert torch.equal(constants.predictor[0, 1:], torch.zeros(2, 1, 2, 1, 1).double())
