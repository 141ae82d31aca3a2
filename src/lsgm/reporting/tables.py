"""From metrics files to a table of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lsgm.config import ConfigError, read_cells

from .ablation_table import build_ablation_table
from .main_table import build_main_table
from .metrics import read_metrics
from .notes import Run
from .paper import PaperTable, read_paper_table
from .table import Table


def build_table(number: int, paper_file: Path, ablation_csv: Path, metrics: Mapping[str, Path]) -> Table:
    """Set our numbers beside the paper's.

    Args:
        number: 2 to 6.
        paper_file: `config/paper/tableN.yaml`, which also says which run stands in which row.
        ablation_csv: `config/ablation.csv`; read for Table 6 only.
        metrics: run (Table 6: cell) -> its metrics file, for all that was asked for. Rows without one show "-".

    Returns:
        The table, ready for `write_table`.

    Raises:
        ConfigError: a metrics file is absent or damaged or belongs to another run; a run that the table has no row for;
            another unit than the table's.
    """
    paper = read_paper_table(paper_file, number)
    runs = {name: _read_run(name, path, paper) for name, path in metrics.items()}
    if paper.cells:
        return build_ablation_table(paper, read_cells(ablation_csv), runs)
    return build_main_table(paper, runs)


def _read_run(name: str, path: Path, paper: PaperTable) -> Run:
    if name not in paper.runs:
        raise ConfigError(f"table {paper.table} has no row for {name!r}; it has: {', '.join(paper.runs)}")
    metrics = read_metrics(path)
    found = metrics.cell if paper.cells else metrics.experiment
    if found != name:
        raise ConfigError(f"{path}: holds the metrics of {found!r}, not of {name!r}")
    return Run(name, path, metrics)
