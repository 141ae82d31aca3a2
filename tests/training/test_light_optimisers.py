"""The optimisers without torch's wrappers do what torch's own do, bit for bit, and have the same state."""

from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from lsgm.training import optim as light_optimisers

SETTINGS = {"Adam": {"fused": True}, "AdamW": {"fused": True}, "Adamax": {"foreach": True}}


def four_steps(name: str, first: object, second: object) -> tuple[Parameter, dict[str, object]]:
    """Parameter and state after two steps by an optimiser of `first`, and two by one of `second` that goes on."""
    start, *gradients = torch.randn(5, 30, generator=torch.Generator().manual_seed(0))
    parameter, state = Parameter(start.clone()), None
    for module, pair in ((first, gradients[:2]), (second, gradients[2:])):
        optimiser: Optimizer = getattr(module, name)([parameter], lr=0.1, weight_decay=0.01, **SETTINGS[name])
        if state is not None:
            optimiser.load_state_dict(state)
        for gradient in pair:
            optimiser.zero_grad()
            parameter.grad = gradient
            optimiser.step()
        state = optimiser.state_dict()
    return parameter, state


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("first", [light_optimisers, torch.optim], ids=["light", "torch"])
def test_steps_and_state_are_those_of_torch_whichever_goes_on(name, first):
    parameter, state = four_steps(name, first, light_optimisers)
    plain_parameter, plain_state = four_steps(name, torch.optim, torch.optim)
    assert torch.equal(parameter, plain_parameter)
    assert parameter.requires_grad
    assert torch.is_grad_enabled()
    torch.testing.assert_close(state, plain_state, rtol=0, atol=0)
