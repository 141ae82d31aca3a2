"""Tables and pictures, made from metrics files and samples."""

from .records.metrics import Metrics, read_metrics, write_metrics
from .tables.build import build_table
from .tables.cost_table import build_cost_table
from .tables.extra_ablation import build_extra_table
from .tables.table import Table, write_table

__all__ = [
    "Metrics",
    "Table",
    "build_cost_table",
    "build_extra_table",
    "build_table",
    "read_metrics",
    "write_metrics",
    "write_table",
]
