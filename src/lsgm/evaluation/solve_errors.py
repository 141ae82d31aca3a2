"""The two errors of log p(z_0) over a set of images: of the random trace probes, and of the steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class SolveErrors:
    """The two errors of log p(z_0), in nats; None where a setting does not tell them.

    Attributes:
        probe_stderr: standard error of the mean over the images by the trace probes; `stderr_nats` contains it.
        probe_rms: that of one image, root mean square.
        halving: NELBO with half as many steps less NELBO, mean over some images: about the error of the step size at
            half as many steps, so that the error of the steps that were taken is smaller.
        halving_images: over how many.
    """

    probe_stderr: float | None
    probe_rms: float | None
    halving: float | None
    halving_images: int | None


def solve_errors(probe_variance: Tensor, halving: Tensor | None) -> SolveErrors:
    """Summarise what each image's solve tells of its errors.

    Args:
        probe_variance: (N,), nats², of log p(z_0) by the probes; NaN where they cannot tell.
        halving: change of some images' NELBO, nats, where it was measured.
    """
    variance = probe_variance.double()
    mean, count = float(variance.mean()), variance.numel()
    return SolveErrors(
        probe_stderr=None if math.isnan(mean) else math.sqrt(mean / count),
        probe_rms=None if math.isnan(mean) else math.sqrt(mean),
        halving=None if halving is None else float(halving.mean()),
        halving_images=None if halving is None else halving.numel(),
    )
