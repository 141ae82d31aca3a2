"""How large a step may be: the error of each sample alone decides about its own steps.

An I controller, with the constants of torchdiffeq and SciPy: the next step is 0.9 / ratio^(1/5) times the last one,
between 1/5 of it and 10 times it, and no larger than the last one right after a step that was refused. `ratio` is the
error relative to the tolerance.

Sizes and factors are rounded to eighths of an octave (at most 4.4 % up or down). Convolutions and sums may round
differently at another batch size; with sizes so rounded that hardly ever reaches a sample's steps, and its path is the
same whoever shares the batch, up to the rounding itself. Without, 1e-7 became 1e-2 at a tolerance of 1e-3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .dormand_prince import ORDER, State

SAFETY = 0.9
STEPS_PER_OCTAVE = 8
LARGEST_FACTOR = 10.0
SMALLEST_FACTOR = 0.2
SMALLEST_FIRST_STEP = 1e-6


def error_ratio(error: State, before: State, after: State, tol: float) -> Tensor:
    """Error of a step relative to the tolerance, (B,); at most 1 is accepted.

    Args:
        error: estimate of the error of each part, (B, ...).
        before: state where the step began.
        after: state at its end.
        tol: rtol = atol.

    Returns:
        Root mean square over a sample's own entries of a part, the largest over the parts.
    """
    scaled = (
        part / (tol + tol * torch.maximum(old.abs(), new.abs()))
        for part, old, new in zip(error, before, after, strict=True)
    )
    return _largest(map(_rms, scaled))


def next_step(size: Tensor, ratio: Tensor, refused: Tensor) -> Tensor:
    """Size of the step after one of `size` whose error was `ratio`.

    Args:
        size: (B,), positive.
        ratio: (B,), see `error_ratio`.
        refused: (B,), whether the step before this one was refused, so that the next may not grow.
    """
    factor = _rounded(SAFETY * ratio ** (-1 / ORDER)).clamp(SMALLEST_FACTOR, LARGEST_FACTOR)
    return size * torch.where(refused, factor.clamp(max=1.0), factor)


def first_probe(state: State, derivative: State, length: float, tol: float) -> Tensor:
    """Length of an explicit Euler step that changes a sample by about a hundredth of itself, (B,), at most `length`.

    Source: Hairer, Nørsett and Wanner (1993) section II.4, step (b).
    """
    size = _largest(_rms(part / _scale(part, tol)) for part in state)
    speed = _largest(_rms(slope / _scale(part, tol)) for part, slope in zip(state, derivative, strict=True))
    probe = torch.where((size < 1e-5) | (speed < 1e-5), SMALLEST_FIRST_STEP, 0.01 * size / speed)
    return _rounded(probe).clamp(max=length)


def first_step(state: State, derivative: State, probed: State, probe: Tensor, tol: float) -> Tensor:
    """Size of the first step, (B,).

    Args:
        state: where the solve begins, parts (B, ...).
        derivative: there.
        probed: derivative at the end of the Euler step of `first_probe`.
        probe: length of that step, (B,).
        tol: rtol = atol.

    Source: Hairer, Nørsett and Wanner (1993) section II.4, steps (a) to (f).
    """
    parts = list(zip(state, derivative, probed, strict=True))
    speed = _largest(_rms(slope / _scale(part, tol)) for part, slope, _ in parts)
    change = _largest(_rms((after - slope) / _scale(part, tol)) for part, slope, after in parts) / probe
    fastest = torch.maximum(speed, change)
    size = torch.where(fastest <= 1e-15, (1e-3 * probe).clamp(min=SMALLEST_FIRST_STEP), (0.01 / fastest) ** (1 / ORDER))
    return _rounded(torch.minimum(100 * probe, size))


def _scale(part: Tensor, tol: float) -> Tensor:
    return tol + tol * part.abs()


def _rms(part: Tensor) -> Tensor:
    """Root mean square over each sample's own entries, (B,)."""
    return part.reshape(len(part), -1).square().mean(dim=1).sqrt()


def _largest(values) -> Tensor:
    return torch.stack(list(values)).amax(dim=0)


def _rounded(values: Tensor) -> Tensor:
    """The nearest 2^(k/8). Bits beyond float32's are cut off: `exp2` rounds with a number's place in memory."""
    rounded = torch.exp2(torch.round(torch.log2(values) * STEPS_PER_OCTAVE) / STEPS_PER_OCTAVE)
    return rounded.float().to(values.dtype)
