"""Gradients of a recorded step: what the vectors keep of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from .case import Match
from .step import Step
from .vectors import Value

VANISHING = {"f64": 1e-6, "f32": 1e-3}
"""Gradients that are zero but for rounding, of biases before a batch norm, count at this share of the total norm."""
WHOLE = {
    "sgm": {"mixing_logit": "mixing_logit", "last_conv_bias": "all_modules.19.bias"},
    "vae": {"stem_weight": "stem.weight", "eps_conv_0_weight": "eps_conv.0.weight"},
}
"""Gradients that are recorded as they are."""


def recorded(step: Step, gradients: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Value | Match]:
    """Everything that is recorded of the gradients of a step.

    Args:
        step: they are of.
        gradients: under published names, for `vae` and `sgm` or one of them.
    """
    found: dict[str, Value | Match] = {}
    for part, named in gradients.items():
        found |= step.results(_summaries(part, named, step.precision))
        if step.precision == "f64":
            found |= {f"grad_{part}_{key}__f64": named[name] for key, name in WHOLE[part].items()}
    return found


def _summaries(part: str, gradients: Mapping[str, Tensor], precision: str) -> dict[str, float | Match]:
    """What is recorded of all gradients of one network: norms, sums, largest elements.

    The deviation of a sum over n elements is relative to the largest that it can be, sqrt(n) times the norm.

    Args:
        part: `vae` or `sgm`.
        gradients: under published names.
        precision: of the run.
    """
    doubles = {name: gradient.double() for name, gradient in gradients.items()}
    total = _norm(doubles.values())
    summaries: dict[str, float | Match] = {f"{part}_grads/total_norm": total}
    groups = defaultdict(list)
    for name, gradient in doubles.items():
        groups[_top_level(part, name)].append(gradient)
        norm = gradient.norm().item()
        size = max(norm, VANISHING[precision] * total)
        found = [norm, gradient.sum().item(), gradient.abs().max().item()]
        sizes = [size, size * gradient.numel() ** 0.5, size]
        summaries[f"{part}_grads/per_param_norm_sum_maxabs/{name}"] = Match(found, sizes=sizes)
    return summaries | {f"{part}_grads/top_level_norm/{name}": _norm(group) for name, group in groups.items()}


def _norm(tensors: Iterable[Tensor]) -> float:
    return torch.linalg.vector_norm(torch.stack([tensor.norm() for tensor in tensors])).item()


def _top_level(part: str, name: str) -> str:
    return ".".join(name.split(".")[: 2 if part == "sgm" else 1])
