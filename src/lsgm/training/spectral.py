"""Sum of the largest singular values of a network's convolutions, by power iteration (method 7.5; NVAE, 3.2).

Matrices of equal shape are stacked, so the number of operations grows with the shapes and not with the layers. The
vectors persist from step to step: the weights change little, and four iterations follow them.
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
    ) -> None:
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
            left, right = _iterate(matrices.detach(), self.left[key].to(matrices.dtype), iterations)
            self.left[key] = left
            values = (torch.bmm(left[:, None], matrices)[:, 0] * right).sum()
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
def _iterate(matrices: Tensor, left: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Unit vectors (layers, out) and (layers, in) after v ~ W'u, u ~ Wv, `iterations` times."""
    transposed = matrices.transpose(1, 2)
    left = left[:, None]
    for _ in range(iterations):
        right = torch.bmm(left, matrices)
        left = torch.bmm(right, transposed)
        left = left / torch.linalg.vector_norm(left, dim=2, keepdim=True).clamp_min(SMALLEST_NORM)
    right = right / torch.linalg.vector_norm(right, dim=2, keepdim=True).clamp_min(SMALLEST_NORM)
    return left[:, 0], right[:, 0]
