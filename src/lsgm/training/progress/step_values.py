"""The numbers of a step: what the guard decides on, and what the curve shows."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from lsgm import distributed
from lsgm.algorithms import StepGradients, Terms
from lsgm.training.step.stage import Stage

from .log import Record


def step_values(stage: Stage, gradients: StepGradients) -> dict[str, float]:
    """Hand the gradients to the branches, and return losses, gradient norms and the groups' KL, by name.

    All are means over processes, and so the same in all of them.
    """
    scalars = dict(gradients.terms.scalars)
    for name, branch in stage.branches.items():
        scalars[f"grad_norm_{name}"] = branch.take_gradients(getattr(gradients, name), stage.precision.scale)
    statistics = stage.statistics.total()
    if statistics is not None:
        scalars["running_statistics"] = statistics
    kl_groups = gradients.terms.nelbo.kl.mean(dim=0)
    # The one place in a step that waits for the device.
    values = distributed.mean(torch.cat([torch.stack(list(scalars.values())), kl_groups])).tolist()
    return dict(zip([*scalars, *(f"kl_groups/{group}" for group in range(len(kl_groups)))], values, strict=True))


def curve_record(stage: Stage, terms: Terms, means: Mapping[str, float], step: int) -> Record:
    """What the curve's line after a step says of the losses and the schedules.

    Args:
        stage: what is trained.
        terms: of this step.
        means: of the values since the line before; empty if all updates were skipped.
        step: the step's number.
    """
    scalars = [*terms.scalars, *(f"grad_norm_{name}" for name in stage.branches)]
    return {
        **{name: means.get(name) for name in scalars},
        "kl_groups": [means.get(f"kl_groups/{group}") for group in range(terms.nelbo.kl.shape[1])],
        "active_channels": terms.nelbo.active_channels().tolist(),
        "kl_coeff": stage.kl_coeff(step),
        **{f"lr_{name}": branch.rate(step) for name, branch in stage.branches.items()},
    }
