"""How numbers are printed, and which number of a metrics file belongs to a column."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lsgm.config import ConfigError
from lsgm.reporting.paper.tables import Column, PaperNumber, PaperTable
from lsgm.reporting.records.metrics import Metrics
from lsgm.reporting.records.runs import Run

from .spread import Spread, mean_of

NOTHING = "-"
NOT_APPLICABLE = "n/a"
DIVERGED = "NaN"
MAX_DECIMALS = 4


@dataclass(frozen=True)
class OurNumber:
    """One number of ours.

    Attributes:
        value: the number, of several seeds their mean. None: there is none, for the reason that `status` names.
        stderr: standard error over images, of several seeds the mean of theirs.
        is_bound: whether it is an upper bound on what the column shows.
        status: of the run.
        spread: over the seeds; None for a single one.
    """

    value: float | None
    stderr: float | None = None
    is_bound: bool = False
    status: str = "ok"
    spread: Spread | None = None

    @property
    def text(self) -> str:
        """As printed: `≤ 2.91 ± 0.01`, `NaN`, `n/a` or `-`; with several seeds `2.91 ± 0.01 (1 of 3 diverged)`."""
        if self.value is None:
            return {"diverged": DIVERGED, "not_applicable": NOT_APPLICABLE}.get(self.status, NOTHING)
        error = self.stderr if self.spread is None else self.spread.deviation
        remark = "" if self.spread is None else self.spread.remark
        bound = "≤ " if self.is_bound else ""
        if error is None:
            return bound + (f"{self.value:.2f}" if self.value >= 1 else f"{self.value:.3g}") + remark
        decimals = _decimals(error)
        return f"{bound}{self.value:.{decimals}f} ± {error:.{decimals}f}{remark}"

    @property
    def field(self) -> float | str:
        """As a field of the csv file: the number itself, `NaN`, `n/a`, or nothing."""
        if self.value is None:
            return "" if self.text == NOTHING else self.text
        return self.value


def our_number(run: Run, column: Column, paper: PaperTable | None = None) -> OurNumber:
    """Take the number for one column from a run.

    Of a run that diverged, what could be measured is shown, and NaN for the rest. The NLL of an LSGM is only bounded,
    by its NELBO. That of a VAE is the importance-weighted estimate where there is one, and otherwise its bound.

    Args:
        run: the run.
        column: nll, nelbo or fid.
        paper: the paper's table, whose unit the number must have; None: any.

    Raises:
        ConfigError: the number is in another unit than the table.
    """
    numbers = [_of_seed(seed.metrics, column, paper, seed.source) for seed in run.seeds]
    if len(numbers) == 1:
        return numbers[0]
    failed = [number for number in numbers if number.value is None and number.status == "diverged"]
    spread = Spread(tuple(number.value for number in numbers), len(failed))
    return OurNumber(
        value=spread.mean,
        stderr=mean_of([number.stderr for number in numbers]),
        is_bound=any(number.is_bound for number in numbers),
        status="diverged" if failed else numbers[0].status,
        spread=spread,
    )


def _of_seed(metrics: Metrics, column: Column, paper: PaperTable | None, source: str) -> OurNumber:
    if column == "fid":
        return OurNumber(metrics.frechet.value if metrics.frechet else None, status=metrics.status)
    estimate = metrics.nll if column == "nll" and metrics.nll is not None else metrics.nelbo
    if estimate is None:
        return OurNumber(None, status=metrics.status)
    if paper is not None and estimate.unit != paper.unit:
        raise ConfigError(f"{source}: {column} is in {estimate.unit}, table {paper.table} is in {paper.unit}")
    return OurNumber(estimate.value, estimate.stderr, column == "nll" and estimate is metrics.nelbo, metrics.status)


def paper_text(number: PaperNumber | None) -> str:
    """The paper's number as printed there, with two decimals."""
    if number is None:
        return NOTHING
    if isinstance(number.value, str):
        return number.value
    return ("≤ " if number.bound else "") + f"{number.value:.2f}"


def _decimals(stderr: float) -> int:
    """Two decimals, as in the paper, or as many as show the first digit of the standard error."""
    if stderr <= 0:
        return 2
    return min(MAX_DECIMALS, max(2, -math.floor(math.log10(stderr))))
