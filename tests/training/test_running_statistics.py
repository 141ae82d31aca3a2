from __future__ import annotations

import torch
from torch import nn

from lsgm.training.stage import RunningStatistics


def test_restore_undoes_a_broken_forward_pass():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.GroupNorm(1, 3), nn.BatchNorm2d(3, track_running_stats=False)).train()
    statistics = RunningStatistics(network)
    network(torch.randn(4, 3, 2, 2))
    statistics.keep()
    kept = {name: value.clone() for name, value in network.state_dict().items() if "running" in name}
    assert torch.isfinite(statistics.total())
    # A variance that overflows: the output, zero, would not show it.
    network[0](torch.tensor([-1e25, 1e25]).view(2, 1, 1, 1).expand(2, 3, 2, 2))
    assert not torch.isfinite(statistics.total())
    statistics.restore()
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items() if name in kept)


def test_a_network_without_them():
    statistics = RunningStatistics(nn.GroupNorm(1, 3))
    statistics.keep()
    statistics.restore()
    assert statistics.total() is None


def test_only_what_moves_is_watched():
    """A norm in evaluation mode keeps its statistics, broken ones too, and so says nothing about a step."""
    network = nn.Sequential(nn.BatchNorm2d(3).eval(), nn.BatchNorm2d(3))
    network[0].running_mean.fill_(torch.nan)
    statistics = RunningStatistics(network)
    assert torch.isfinite(statistics.total())
    network[1].running_mean.fill_(torch.inf)
    assert not torch.isfinite(statistics.total())
    statistics.restore()
    assert not network[1].running_mean.any()
