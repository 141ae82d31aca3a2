"""Optimisers, flat parameters, schedules and the moving average (method.md: Optimisers, schedules, averages).

A `ParamGroup` is one network under training: its parameters in one flat tensor, its optimiser and its learning rate. An
optimiser that walks over hundreds of small tensors costs more than a small network's forward pass. Here it sees one
tensor: the parameters become views into it, at offsets that keep them aligned, and gradients are copied into a second
one. All updates used (Adam, Adamax, decay, averaging) are elementwise, so the numbers are the same. Several processes
average that flat gradient with one message. torch's DistributedDataParallel does so in hooks of `backward()`, which do
not fit: gradients come from `autograd.grad`, two losses share one graph, and each is meant for one network only.

Schedules are plain functions of the step, so that a resumed run needs nothing but its step number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import unwrap
from typing import Literal

import torch
from torch import Tensor, optim
from torch.nn import Parameter
from torch.optim import Optimizer

from lsgm import distributed
from lsgm.config.training import KlSchedule, PretrainConfig, TrainConfig

ALIGNMENT = 16
# torch keeps `torch.compile` out of some methods of its optimisers, and these import the compiler at their first call:
# a thousand modules. The classes here have what lies below those wrappers; numbers and state are the same.
WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def _light(kind: type[optim.Optimizer]) -> type[optim.Optimizer]:
    methods = {name: unwrap(getattr(kind, name)) for name in WRAPPED}
    # The wrapper of `step` is also what turns gradients off.
    return type(kind.__name__, (kind,), methods | {"step": torch.no_grad()(unwrap(kind.step))})


Adam, AdamW, Adamax = _light(optim.Adam), _light(optim.AdamW), _light(optim.Adamax)


class ParamGroup:
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


def pretrain_optimiser(parameters: Sequence[Parameter], config: PretrainConfig) -> Optimizer:
    """Adamax with L2 decay; `eps` is added to |g| inside the infinity norm. The rate is set at every step."""
    return Adamax(
        parameters,
        lr=config.lr,
        betas=config.betas,
        eps=config.eps,
        weight_decay=config.weight_decay,
        foreach=True,
    )


def joint_optimiser(parameters: Sequence[Parameter], part: Literal["vae", "prior"], config: TrainConfig) -> Optimizer:
    """Adam for one of the two networks; `config.weight_decay_form` decides between AdamW's decay and L2.

    The decoupled form is the default of the fused optimiser that the authors' code prefers; the L2 form is what it
    falls back to.
    """
    lr, eps = (config.lr_vae, config.eps_vae) if part == "vae" else (config.lr_sgm, config.eps_sgm)
    kind = AdamW if config.weight_decay_form == "decoupled" else Adam
    return kind(parameters, lr=lr, betas=config.betas, eps=eps, weight_decay=config.weight_decay, fused=True)


def kl_coeff(step: int, total_steps: int, schedule: KlSchedule) -> float:
    """KL coefficient of one step.

    Args:
        step: steps done before this one, from 0.
        total_steps: steps of the whole run; the portions of `schedule` are portions of it.
        schedule: constant portion, then a linear change from start to end.

    Returns:
        kl_coeff, between `schedule.start` and `schedule.end`.

    Source: LSGM App. G; method.md: KL annealing and balancing.
    """
    constant = schedule.const_portion * total_steps
    progress = (step - constant) / (schedule.anneal_portion * total_steps)
    return schedule.start + (schedule.end - schedule.start) * min(max(progress, 0.0), 1.0)


@dataclass(frozen=True)
class LearningRate:
    """Linear warm-up by step, then a cosine by epoch (method.md: Optimisers, schedules, averages).

    The first step has rate 0. Epoch W (the first after W epochs of warm-up) runs at `base`; the cosine is first
    applied in epoch W + 1 and reaches `minimum` in the last one.

    Args:
        base: rate at the end of the warm-up.
        minimum: rate of the last epoch; equal to `base` it makes the rate constant.
        epochs: E, length of the run.
        warmup_epochs: W.
        steps_per_epoch: steps of one epoch.
    """

    base: float
    minimum: float
    epochs: int
    warmup_epochs: int
    steps_per_epoch: int

    def __call__(self, step: int) -> float:
        """Rate of the step that follows `step` completed ones."""
        warmup_steps = self.warmup_epochs * self.steps_per_epoch
        if step < warmup_steps:
            return self.base * step / warmup_steps
        periods = self.epochs - self.warmup_epochs - 1
        elapsed = step // self.steps_per_epoch - self.warmup_epochs
        if elapsed <= 0 or periods <= 0:
            return self.base
        angle = math.pi * min(elapsed, periods) / periods
        return self.minimum + 0.5 * (self.base - self.minimum) * (1 + math.cos(angle))


class Ema:
    """Average of `parameters`: set to them after the first update, then moved towards them after each.

    Args:
        parameters: what is averaged, in a fixed order.
        decay: weight of the old average, in [0, 1).
    """

    def __init__(self, parameters: Sequence[Parameter], decay: float) -> None:
        self._parameters = list(parameters)
        self._decay = decay
        self._average: list[Tensor] = []

    @property
    def started(self) -> bool:
        """Whether there was an update, and so an average."""
        return bool(self._average)

    @torch.no_grad()
    def update(self) -> None:
        """Take the present parameters into the average; to be called after an update that was not skipped."""
        if not self._average:
            # The average moves in the same step in which it starts; started at the parameters, it stays there.
            self._average = [parameter.detach().clone() for parameter in self._parameters]
        else:
            torch._foreach_lerp_(self._average, self._parameters, 1 - self._decay)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Put the average in place of the parameters inside a `with` block; before the first update, do nothing."""
        if not self._average:
            yield
            return
        kept = [parameter.detach().clone() for parameter in self._parameters]
        self.copy_to_parameters()
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._parameters, kept)

    @torch.no_grad()
    def copy_to_parameters(self) -> None:
        """Overwrite the parameters with the average, for good."""
        if self._average:
            torch._foreach_copy_(self._parameters, self._average)

    def state_dict(self) -> dict[str, list[Tensor]]:
        """The average, for a checkpoint."""
        return {"average": list(self._average)}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Take the average back from a checkpoint."""
        self._average = [
            saved.to(parameter.device, parameter.dtype).clone()
            for saved, parameter in zip(state["average"], self._parameters, strict=bool(state["average"]))
        ]
