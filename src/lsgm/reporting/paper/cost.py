"""What the paper says of the time that drawing images takes, read from `config/paper/sampling_cost.yaml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from lsgm.config import Section, read_yaml, validate


class MarkedNumber(Section):
    """One number with a mark that says how sure it is (legend: `marks` of the file)."""

    value: float = Field(gt=0)
    mark: str


class PaperCostRow(Section):
    """One model with one sampler."""

    model: str
    sampler: str
    nfe: MarkedNumber | None = Field(None, description="evaluations of the score network")
    seconds: MarkedNumber | None = Field(None, description="of a batch")


class PaperCost(Section):
    """The paper's numbers; its first row is what its ratios refer to."""

    source: str
    data: str = Field(description="the paper's data set, as in data.name")
    title: str = Field(description="the data set as printed")
    marks: dict[str, str]
    remarks: tuple[str, ...] = ()
    rows: tuple[PaperCostRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> PaperCost:
        for row in self.rows:
            for number in (row.nfe, row.seconds):
                if number is not None and number.mark not in self.marks:
                    raise ValueError(f"mark {number.mark!r} is not explained under `marks`")
        return self

    def ratio(self, row: PaperCostRow) -> float | None:
        """Seconds of a row over those of the first; None where either is not known."""
        first = self.rows[0].seconds
        return None if first is None or row.seconds is None else row.seconds.value / first.value


def read_paper_cost(path: Path) -> PaperCost:
    """Read the paper's numbers.

    Raises:
        ConfigError: absent or damaged file.
    """
    return validate(PaperCost, read_yaml(path), str(path))
