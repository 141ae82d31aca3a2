"""From metrics files to a table of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lsgm.config import ConfigError, read_cells
from lsgm.reporting.paper.tables import read_paper_table
from lsgm.reporting.records.runs import IsCurrent, read_run, unknown

from .ablation_table import build_ablation_table
from .main_table import build_main_table
from .table import Table


def build_table(
    number: int,
    paper_file: Path,
    ablation_csv: Path,
    metrics: Mapping[str, Sequence[Path]],
    is_current: IsCurrent = unknown,
) -> Table:
    """Set our numbers beside the paper's.

    Args:
        number: 2 to 6.
        paper_file: `config/paper/tableN.yaml`, which also says which run stands in which row.
        ablation_csv: `config/ablation.csv`; read for Table 6 only.
        metrics: run (Table 6: cell) -> its metrics files, one per seed, for all that was asked for. Rows without one
            show "-".
        is_current: tells whether metrics were made with the present settings; None where it cannot.

    Returns:
        The table, ready for `write_table`.

    Raises:
        ConfigError: a metrics file is absent or damaged or belongs to another run; a run that the table has no row for;
            another unit than the table's.
    """
    paper = read_paper_table(paper_file, number)
    for name in metrics:
        if name not in paper.runs:
            raise ConfigError(f"table {paper.table} has no row for {name!r}; it has: {', '.join(paper.runs)}")
    runs = {name: read_run(name, files, is_current) for name, files in metrics.items()}
    for name, run in runs.items():
        expected = f"ablation/{name}" if paper.cells else name
        if run.metrics.run != expected:
            raise ConfigError(f"{run.sources[0]}: holds the metrics of {run.metrics.run!r}, not of {expected!r}")
    if paper.cells:
        return build_ablation_table(paper, read_cells(ablation_csv), runs)
    return build_main_table(paper, runs)
