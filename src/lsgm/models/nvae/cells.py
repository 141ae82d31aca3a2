"""Residual cells: skip(x) + 0.1 SE(branch(x)) (method.md: NVAE backbone).

`CELLS` says which branch each part of the network uses under each value of `vae.arch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from lsgm.models.nvae.branches import BnSwishBranch, Branch, MbConvBranch, Resampling

from .skips import FactorisedReduce, UpsampleSkip
from .squeeze_excitation import SqueezeExcitation

RESIDUAL_SCALE = 0.1
"""Factor on the branch, which keeps deep stacks close to the identity at the start."""


@dataclass(frozen=True)
class CellKinds:
    """Branch of the cells in each part of the network."""

    encoder: Branch
    decoder: Branch
    postprocess: Branch


CELLS: dict[str, CellKinds] = {
    "res_bnswish": CellKinds(BnSwishBranch, BnSwishBranch, BnSwishBranch),
    "res_mbconv": CellKinds(BnSwishBranch, partial(MbConvBranch, expansion=6), partial(MbConvBranch, expansion=3)),
}


class ResidualCell(nn.Module):
    """One residual cell.

    Args:
        branch: what builds the residual branch.
        in_channels: input channels.
        out_channels: output channels; equal to in_channels unless the resolution changes.
        resampling: change of resolution.
        use_se: squeeze and excitation at the end of the branch.
    """

    def __init__(
        self,
        branch: Branch,
        in_channels: int,
        out_channels: int,
        resampling: Resampling = Resampling.NONE,
        use_se: bool = True,
    ) -> None:
        super().__init__()
        if resampling is Resampling.DOWN:
            self.skip: nn.Module = FactorisedReduce(in_channels, out_channels)
        elif resampling is Resampling.UP:
            self.skip = UpsampleSkip(in_channels, out_channels)
        else:
            self.skip = nn.Identity()
        self.branch = branch(in_channels, out_channels, resampling)
        self.se = SqueezeExcitation(out_channels) if use_se else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H', W')."""
        return self.skip(x).add(self.se(self.branch(x)), alpha=RESIDUAL_SCALE)


def cells(branch: Branch, channels: int, count: int, use_se: bool) -> list[ResidualCell]:
    """Return `count` cells that keep width and resolution."""
    return [ResidualCell(branch, channels, channels, use_se=use_se) for _ in range(count)]
