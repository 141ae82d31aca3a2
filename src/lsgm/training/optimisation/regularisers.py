"""The regulariser R of both networks: spectral norms of convolutions plus norm scales (method.md: Regularisers).

    R = sum over convolutions sigma_max(W) + sum over norms max_c |gamma_c|

The VAE's convolutions count with the weight after weight normalisation; of the score network all convolutions count,
not the linear layers, and only if asked for. The published code leaves out those that resample with FIR filters
(`progressive` or `progressive_input` = residual with `fir`), since they are of another class there. Nothing about their
weights is different, so here they count, unless the parity switch `train.official_spectral` is on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lsgm.models.score.conv_resampling import ConvDown, ConvUp

from .spectral import SpectralNorms

NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm)


@dataclass(frozen=True)
class RegulariserTerms:
    """R and its two parts, without the coefficient; 0-d tensors."""

    spectral: Tensor
    norm_scale: Tensor

    @property
    def total(self) -> Tensor:
        """R."""
        return self.spectral + self.norm_scale


class Regulariser:
    """lambda R of one network.

    Args:
        network: the VAE or the prior.
        coefficient: lambda.
        with_convolutions: whether the spectral term is in R.
        seed: for the power iteration.
        purpose: distinguishes the networks' draws.
        official: parity switch, leaves out convolutions that resample with FIR filters.
        reduced: parity switch, the type in which the power iteration multiplies; see `SpectralNorms`.

    Attributes:
        spectral: the spectral norms; None where R has no spectral term.
        scales: the norms' scales gamma, by their length.
    """

    def __init__(
        self,
        network: nn.Module,
        coefficient: float,
        with_convolutions: bool,
        seed: int,
        purpose: str,
        official: bool = False,
        reduced: torch.dtype | None = None,
    ) -> None:
        self.coefficient = coefficient
        # A network may be empty, such as the VAE of a model in pixel space.
        device = next((weight.device for weight in network.parameters()), None)
        weights, shapes = [], []
        if with_convolutions and coefficient:
            left_out = _fir_convolutions(network) if official else set()
            for module in network.modules():
                if _is_convolution(module) and module not in left_out:
                    weights.append(_effective_weight(module))
                    shapes.append(module.weight.shape)
        self.spectral = SpectralNorms(weights, shapes, seed, purpose, device, reduced) if weights else None
        self.scales: dict[int, list[nn.Parameter]] = {}
        for module in network.modules():
            if isinstance(module, NORMS) and module.weight is not None:
                self.scales.setdefault(module.weight.numel(), []).append(module.weight)
        self._zero = torch.zeros((), device=device)

    def terms(self) -> RegulariserTerms:
        """R of the present weights, with gradient; the spectral term is of the weights of the last forward pass."""
        spectral = self._zero if self.spectral is None else self.spectral()
        scales = [torch.stack(group).abs().amax(dim=1).sum() for group in self.scales.values()]
        return RegulariserTerms(spectral, sum(scales, self._zero))

    def __call__(self) -> Tensor | None:
        """Return lambda R, or None where lambda is 0 and nothing is computed."""
        return self.coefficient * self.terms().total if self.coefficient else None

    def state_dict(self) -> dict[str, object]:
        """What the next step needs, for a checkpoint."""
        return {} if self.spectral is None else self.spectral.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take the state back from a checkpoint."""
        if self.spectral is not None:
            self.spectral.load_state_dict(state)


def _is_convolution(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) or hasattr(module, "normalised_weight")


def _fir_convolutions(network: nn.Module) -> set[nn.Module]:
    resampling = (module for module in network.modules() if isinstance(module, (ConvDown, ConvUp)))
    return {module.conv for module in resampling if module.filter is not None}


def _effective_weight(module: nn.Module) -> Callable[[], Tensor]:
    """The weight that the layer convolves with; the one of the last forward pass where the layer keeps it."""
    if not hasattr(module, "normalised_weight"):
        return lambda: module.weight

    def weight() -> Tensor:
        last = getattr(module, "last_weight", None)
        return module.normalised_weight() if last is None else last

    return weight
