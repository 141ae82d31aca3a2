"""Deviations and tolerances.

The deviation of an array is max |ours - theirs| / s. For the outputs of networks, whose elements are sums that can come
out near zero, s is the largest |theirs| of the array. For functions of time, whose values span decades, s is each
element's own |theirs|, or `TINY` where that is larger. Elements that are not finite in the vectors are left out.

Float64 must agree to 1e-9, float32 to 1e-5. Where rounding has moved the published float32 array away from its float64
twin by more than a third of that, ours is compared with the twin, and may be three times as far from it as theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .case import Case, Match
from .vectors import Value, Vectors

TOLERANCES = {"f64": 1e-9, "held": 1e-7, "f32": 1e-5}
"""By precision; `held` are float64 results that the vectors hold rounded to float32."""
TINY = {"f64": 1e-6, "f32": 1e-2}
HEADROOM = 3.0
"""How much further than the published float32 array ours may be from the float64 twin."""


@dataclass(frozen=True)
class Outcome:
    """One compared value.

    Attributes:
        case: what it belongs to.
        name: of the value.
        precision: a key of `TOLERANCES`, `method` where a numerical method and not rounding limits the agreement, or
            `exact` for what is not a floating number.
        deviation: as the module's docstring says; for `exact` 0 or infinity.
        tolerance: what is allowed.
        published: how far the published value is from what ours is compared with: its float64 twin or a closed form.
    """

    case: Case
    name: str
    precision: str
    deviation: float
    tolerance: float
    published: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether it is within the tolerance; not-a-number is not."""
        return self.deviation <= self.tolerance


def compare(case: Case, vectors: Vectors) -> list[Outcome]:
    """Compute a case and compare everything that it claims.

    Raises:
        ValueError: the computation gives other values than the case claims.
    """
    computed = dict(case.compute(vectors))
    claimed = {name for name in vectors.values if case.claims(name)}
    if computed.keys() != claimed or not claimed:
        raise ValueError(f"{case}: claimed and computed values differ by {sorted(computed.keys() ^ claimed)[:5]}")
    return [_outcome(case, vectors, name, computed[name]) for name in sorted(claimed)]


def _outcome(case: Case, vectors: Vectors, name: str, result: Value | Match) -> Outcome:
    match = result if isinstance(result, Match) else Match(result)
    theirs = vectors.values[name] if match.theirs is None else match.theirs
    if not _is_floating(theirs):
        same = torch.equal(match.ours, theirs) if isinstance(theirs, Tensor) else match.ours == theirs
        return Outcome(case, name, "exact", 0.0 if same else float("inf"), 0.0)
    precision = match.precision or precision_of(name, theirs)
    tolerance, published = TOLERANCES.get(precision, 0.0), match.published
    if match.tolerance is not None:
        tolerance = match.tolerance
    elif precision == "f32" and (twin := vectors.values.get(_twin(name))) is not None:
        distance = deviation(theirs, twin, precision, case.elementwise, match.sizes)
        if HEADROOM * distance > tolerance:
            theirs, published, tolerance = twin, distance, HEADROOM * distance
    found = deviation(match.ours, theirs, precision, case.elementwise, match.sizes)
    return Outcome(case, name, precision, found, tolerance, published)


def deviation(
    ours: Value, theirs: Value, precision: str, elementwise: bool = False, sizes: Sequence[float] | None = None
) -> float:
    """Largest relative deviation, see the module's docstring; NaN if ours is, infinite for another shape."""
    ours, theirs = (torch.as_tensor(value, dtype=torch.float64) for value in (ours, theirs))
    if ours.shape != theirs.shape:
        return float("inf")
    finite = torch.isfinite(theirs)
    if not bool(finite.any()):
        raise ValueError("nothing finite to compare with: list it as an exclusion")
    difference, size = (ours - theirs)[finite].abs(), theirs[finite].abs()
    if sizes is not None:
        size = torch.tensor(sizes, dtype=torch.float64)[finite]
    elif elementwise:
        size = size.clamp(min=TINY[precision])
    else:
        largest = size.max()
        size = torch.where(largest == 0, 1.0, largest)  # of an array of zeros the deviation is absolute
    return float((difference / size).max())


def precision_of(name: str, value: Value) -> str:
    """Precision of the run that a value is of."""
    is_float32 = isinstance(value, Tensor) and value.dtype == torch.float32
    if name.endswith("__f64") or "/f64/" in name:
        return "held" if is_float32 else "f64"
    return "f32" if is_float32 or name.endswith("__f32") or "/f32/" in name else "f64"


def _twin(name: str) -> str:
    return name.replace("/f32/", "/f64/") if "/f32/" in name else f"{name.removesuffix('f32')}f64"


def _is_floating(value: Value) -> bool:
    if isinstance(value, Tensor):
        return value.is_floating_point()
    if isinstance(value, list):
        return any(isinstance(entry, float) for entry in value)
    return isinstance(value, float)
