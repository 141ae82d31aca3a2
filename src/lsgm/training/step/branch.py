"""One network under training: its parameters in one flat tensor, its optimiser and its learning rate.

An optimiser that walks over hundreds of small tensors costs more than a small network's forward pass. Here it sees one
tensor: the parameters become views into it, at offsets that keep them aligned, and gradients are copied into a second
one. All updates used (Adam, Adamax, decay, averaging) are elementwise, so the numbers are the same.

Several processes average that flat gradient with one message, and each then makes the same update. This is what torch's
DistributedDataParallel does bucket by bucket in hooks of `backward()`. Its hooks do not fit here: gradients come from
`autograd.grad`, two losses share one graph, and each is meant for one of the two networks only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from lsgm import distributed

ALIGNMENT = 16


class Branch:
    """The parameters that are updated together.

    The module must not be moved to another device or dtype while a branch holds its parameters.

    Args:
        parameters: in the order in which gradients will come.
        optimiser: makes the optimiser of the flat parameter.
        rate: learning rate of a step.
        clip: largest global norm of the gradient; 0 is off.

    Attributes:
        parameters: as given.
        flat: all of them, one-dimensional; padding between them stays zero.
        factor: multiplies the learning rate of every step.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        optimiser: Callable[[Sequence[Parameter]], Optimizer],
        rate: Callable[[int], float],
        clip: float = 0.0,
    ) -> None:
        self.parameters = list(parameters)
        self.factor = 1.0
        self._rate = rate
        self._clip = clip
        sizes = [-(-parameter.numel() // ALIGNMENT) * ALIGNMENT for parameter in self.parameters]
        first = self.parameters[0]
        self.flat = Parameter(torch.zeros(sum(sizes), device=first.device, dtype=first.dtype))
        self._gradient = torch.zeros_like(self.flat.data)
        self._gradient_views = []
        pieces = zip(self.parameters, self.flat.data.split(sizes), self._gradient.split(sizes), strict=True)
        for parameter, values, gradient in pieces:
            view = values[: parameter.numel()].view(parameter.shape)
            view.copy_(parameter.data)
            parameter.data = view
            self._gradient_views.append(gradient[: parameter.numel()].view(parameter.shape))
        self.flat.grad = self._gradient
        self.optimiser = optimiser([self.flat])

    def take_gradients(self, gradients: Sequence[Tensor], scale: float = 1.0) -> Tensor:
        """Keep the gradients of one step, divided by `scale` and averaged over processes; return their global norm."""
        torch._foreach_copy_(self._gradient_views, list(gradients))
        distributed.mean_in_place(self._gradient)
        if scale != 1.0:
            self._gradient.mul_(1.0 / scale)
        return torch.linalg.vector_norm(self._gradient)

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        return self.factor * self._rate(step)

    def update(self, step: int, norm: float) -> None:
        """Update the parameters with the gradients taken.

        Args:
            step: decides the learning rate.
            norm: what `take_gradients` returned, for the clipping.
        """
        if self._clip and norm > self._clip:
            self._gradient.mul_(self._clip / norm)
        self.optimiser.param_groups[0]["lr"] = self.rate(step)
        self.optimiser.step()

    def release(self) -> None:
        """Give every parameter memory of its own again, and forget gradients and optimiser."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
        self._gradient_views.clear()
