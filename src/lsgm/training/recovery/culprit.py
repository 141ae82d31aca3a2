"""Finds where a step stops being finite, by taking it once more with every layer watched.

Only for runs in trouble: nothing of it costs a good step anything. Afterwards the stage's state must be loaded anew, or
not be trained on: the spectral regularisers' vectors have moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import torch
from torch import nn

from lsgm import distributed
from lsgm.models.files import first_non_finite
from lsgm.training.noise import StepInputs, seed_dropout
from lsgm.training.step.stage import Stage

Hook = Callable[[nn.Module, object, object], None]


@dataclass(frozen=True, order=True)
class _Finding:
    """Something non-finite; the one that comes first in a step is the smallest.

    Attributes:
        part: of the step: weights, images, layers, gradients.
        place: within that part.
        what: in words.
    """

    part: int
    place: int
    what: str


def find_culprit(stage: Stage, inputs: Callable[[int], StepInputs], step: int) -> str | None:
    """Say what is not finite first: a weight, the images, a layer's output, or a parameter's gradient.

    All processes call it and get the same: what comes first in any of them.

    Args:
        stage: as it was before the step.
        inputs: of a step.
        step: the step that was skipped.

    Returns:
        For example "output of vae.decoder.stem"; None if the step is finite this time, as one can be whose float16
        gradients have overflowed.
    """
    weight = non_finite_weight(stage)
    mine = _non_finite_in_step(stage, inputs, step) if weight is None else _Finding(0, 0, f"weight {weight}")
    found = [finding for finding in distributed.all_gathered(mine) if finding is not None]
    return min(found).what if found else None


def has_finite_weights(stage: Stage) -> bool:
    """Whether weights and running statistics are finite in all processes."""
    return not distributed.any_of(non_finite_weight(stage) is not None)


def non_finite_weight(stage: Stage) -> str | None:
    """Name a weight or running statistic that is not finite in this process, if there is one."""
    for part, network in stage.networks.items():
        name = first_non_finite(network.state_dict())
        if name is not None:
            return f"{part}.{name}"
    return None


def _non_finite_in_step(stage: Stage, inputs: Callable[[int], StepInputs], step: int) -> _Finding | None:
    given = inputs(step)
    if stage.has_dropout:
        seed_dropout(stage.seed, step)
    with _watched(stage.networks) as found:
        gradients = stage.gradients(given, step)
    stage.statistics.restore()
    if not _is_finite(given.x):
        return _Finding(1, 0, "the images of the batch")
    if found:
        return found[0]
    for part, branch in stage.branches.items():
        names = {parameter: name for name, parameter in stage.networks[part].named_parameters()}
        for index, gradient in enumerate(getattr(gradients, part)):
            if not _is_finite(gradient):
                return _Finding(3, index, f"gradient of {part}.{names[branch.parameters[index]]}")
    return None


@contextmanager
def _watched(networks: Mapping[str, nn.Module]) -> Iterator[list[_Finding]]:
    """Collect the modules that give something non-finite, in the order of their calls."""
    found: list[_Finding] = []
    calls = count()

    def watch(name: str) -> Hook:
        def hook(module: nn.Module, arguments: object, output: object) -> None:
            call = next(calls)
            if not _is_finite(output):
                found.append(_Finding(2, call, f"output of {name}"))

        return hook

    modules = [pair for part, network in networks.items() for pair in network.named_modules(prefix=part)]
    handles = [module.register_forward_hook(watch(name)) for name, module in modules]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _is_finite(output: object) -> bool:
    """Whether all tensors in lists and tuples are; of other containers the modules inside tell."""
    if isinstance(output, torch.Tensor):
        return bool(torch.isfinite(output).all())
    return all(map(_is_finite, output)) if isinstance(output, (list, tuple)) else True
