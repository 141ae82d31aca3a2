from __future__ import annotations

import torch
from torch.nn import Parameter

from lsgm.training.optim import Ema


def test_average_starts_at_the_first_update():
    parameter = Parameter(torch.tensor([1.0, 2.0]))
    ema = Ema([parameter], decay=0.75)
    with ema.swapped_in():
        assert parameter.tolist() == [1.0, 2.0]
    parameter.data.fill_(5.0)
    ema.update()
    parameter.data.fill_(9.0)
    ema.update()
    with ema.swapped_in():
        assert parameter.tolist() == [6.0, 6.0]
    assert parameter.tolist() == [9.0, 9.0]


def test_swap_ends_where_the_block_raises():
    parameter = Parameter(torch.ones(1))
    ema = Ema([parameter], decay=0.5)
    ema.update()
    parameter.data.fill_(3.0)
    try:
        with ema.swapped_in():
            raise KeyError
    except KeyError:
        pass
    assert parameter.item() == 3.0


def test_state_returns():
    parameter = Parameter(torch.ones(2))
    ema = Ema([parameter], decay=0.5)
    other = Ema([Parameter(torch.zeros(2))], decay=0.5)
    other.load_state_dict(ema.state_dict())
    assert not other.started
    ema.update()
    other.load_state_dict(ema.state_dict())
    other.copy_to_parameters()
    assert other._parameters[0].tolist() == [1.0, 1.0]
