"""The regulariser R of both networks: spectral norms of convolutions plus norm scales (method.md: Regularisers).

    R = sum over convolutions sigma_max(W) + sum over norms max_c |gamma_c|

The VAE's convolutions count with the weight after weight normalisation; of the score network all convolutions count,
not the linear layers, and only if asked for. The published code leaves out those that resample with FIR filters
(`progressive` or `progressive_input` = residual with `fir`), since they are of another class there. Nothing about their
weights is different, so here they count, unless the parity switch `train.official_spectral` is on.

The spectral norms are found by power iteration, for all matrices of one shape at once (NVAE, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lsgm import randomness
from lsgm.models.score.conv_resampling import ConvDown, ConvUp

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


ITERATIONS = 4
FIRST_ITERATIONS = 40
SMALLEST_NORM = 1e-12


class SpectralNorms:
    """The sum over layers of sigma_max(W), W a convolution's weight as an (out, in k k) matrix.

    Args:
        weights: one function per layer, which returns its present weight, (out, in, k, k).
        shapes: the shape of each layer's weight.
        seed: for the vectors at the start.
        purpose: distinguishes the draws of two networks.
        device: where the weights are.
        reduced: parity switch, type of the products; None for that of the weights, float32 at least.

    Attributes:
        left: the left singular vectors, (layers, out) for each matrix shape `OUTxIN`, in the order of the layers.
        started: whether the first, longer iteration is done.
    """

    def __init__(
        self,
        weights: Sequence[Callable[[], Tensor]],
        shapes: Sequence[torch.Size],
        seed: int,
        purpose: str,
        device: torch.device,
        reduced: torch.dtype | None = None,
    ) -> None:
        self._reduced = reduced
        self._groups: dict[str, list[Callable[[], Tensor]]] = {}
        for weight, shape in zip(weights, shapes, strict=True):
            self._groups.setdefault(f"{shape[0]}x{shape[1:].numel()}", []).append(weight)
        self.left: dict[str, Tensor] = {}
        for key, group in self._groups.items():
            rows, columns = map(int, key.split("x"))
            vectors = randomness.normal((len(group), rows), seed, f"power iteration of {purpose}", rows, columns)
            self.left[key] = torch.nn.functional.normalize(vectors, dim=1).to(device)
        self.started = False

    def __call__(self) -> Tensor:
        """Iterate, and return the sum of singular values; its gradient is that at fixed singular vectors."""
        iterations = ITERATIONS if self.started else FIRST_ITERATIONS
        self.started = True
        total = None
        for key, group in self._groups.items():
            matrices = torch.stack([weight().flatten(1) for weight in group])
            matrices = matrices.to(torch.promote_types(matrices.dtype, torch.float32))
            before = self.left[key].to(matrices.dtype)
            left, right = self._iterate(matrices.detach(), before, iterations)
            # A weight of zeros must not leave a vector of zeros, from which there is no way back.
            self.left[key] = torch.where(left.any(dim=1, keepdim=True), left, before)
            values = self._singular_values(left, matrices, right).sum()
            total = values if total is None else total + values
        if total is None:
            return torch.zeros(())
        return total

    def state_dict(self) -> dict[str, object]:
        """What the next step needs, for a checkpoint."""
        return {"left": dict(self.left), "started": self.started}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take the vectors back from a checkpoint."""
        self.left = {key: saved.to(self.left[key].device) for key, saved in state["left"].items()}
        self.started = bool(state["started"])

    @torch.no_grad()
    def _iterate(self, matrices: Tensor, left: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
        """Unit vectors (layers, out) and (layers, in) after v ~ W'u, u ~ Wv, `iterations` times."""
        transposed = matrices.transpose(1, 2)
        left = left[:, None]
        for _ in range(iterations):
            right = self._product(left, matrices)
            if self._reduced is not None:
                # Two products in a row leave the range of float16 where the weights are still near zero.
                right = _unit(right)
            left = _unit(self._product(right, transposed))
        return left[:, 0], _unit(right)[:, 0]

    def _singular_values(self, left: Tensor, matrices: Tensor, right: Tensor) -> Tensor:
        """u'Wv of every layer."""
        if self._reduced is None:
            return torch.bmm(left[:, None], matrices)[:, 0] * right
        return self._product(left[:, None], self._product(matrices, right[:, :, None]))

    def _product(self, first: Tensor, second: Tensor) -> Tensor:
        """Product of stacked matrices, through the reduced type if there is one."""
        if self._reduced is None:
            return torch.bmm(first, second)
        return torch.bmm(first.to(self._reduced), second.to(self._reduced)).to(first.dtype)


def _unit(vectors: Tensor) -> Tensor:
    """Rows of (layers, 1, n), divided by their norms."""
    return vectors / torch.linalg.vector_norm(vectors, dim=2, keepdim=True).clamp_min(SMALLEST_NORM)
