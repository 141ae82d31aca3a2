"""Sum of the largest singular values of a network's convolutions, by power iteration.

Matrices of equal shape are stacked, so the number of operations grows with the shapes and not with the layers. The
vectors persist from step to step: the weights change little, and four iterations follow them.

The authors' runs do all of it under autocast: with `reduced`, operands and results of every
product are rounded to that type, those of the last one, u'Wv, and so its gradient included; norms are in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lsgm import randomness

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
