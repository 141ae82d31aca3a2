from __future__ import annotations

import pytest
import torch
from toy_gaussian import sde_named

from lsgm.config import PriorConfig
from lsgm.models.prior import MixedScorePrior
from lsgm.randomness import normal
from lsgm.sampling import every_channel_active

SHAPE = (3, 4, 4)
TINY = PriorConfig(num_channels=8, channel_mult=(1, 1), num_cells_per_scale=1, embedding_dim=8, mixing_logit_init=0.0)


def masked_prior() -> MixedScorePrior:
    prior = MixedScorePrior(TINY, SHAPE, sde_named("vpsde")).eval()
    for number, weight in enumerate(prior.network.parameters()):
        weight.data = 0.1 * normal(weight.shape, 2, "weights", number)
    prior.deactivate(torch.tensor([False, True, False]))
    return prior


@torch.no_grad()
def predict(prior: MixedScorePrior) -> torch.Tensor:
    return prior(normal((2, *SHAPE), 1, "z"), torch.tensor([0.3, 0.8]))


def test_network_sees_every_channel_and_the_logits_stay():
    prior = masked_prior()
    mask, state = prior.active, {name: value.clone() for name, value in prior.state_dict().items()}
    masked = predict(prior)
    with every_channel_active(prior):
        seen, logits = predict(prior), prior.mixing_logit.flatten().tolist()
    assert logits == [0, -15, 0]
    assert prior.active is mask and mask.flatten().tolist() == [1, 0, 1]
    assert all(torch.equal(value, state[name]) for name, value in prior.state_dict().items())
    assert torch.equal(predict(prior), masked)
    mask.fill_(1)
    assert torch.equal(predict(prior), seen)
    # The hidden channel follows the Normal part either way; what changes is what the network says of the others.
    torch.testing.assert_close(seen[:, 1], masked[:, 1], rtol=0, atol=1e-5)
    assert (seen - masked)[:, [0, 2]].abs().max() > 1e-3


def test_mask_comes_back_after_an_error():
    prior = masked_prior()
    with pytest.raises(RuntimeError, match="out of memory"), every_channel_active(prior):
        raise RuntimeError("out of memory")
    assert prior.active.flatten().tolist() == [1, 0, 1]


def test_prior_without_a_mask_is_left_alone():
    for prior in (None, object()):
        with every_channel_active(prior):
            assert not hasattr(prior, "active")
