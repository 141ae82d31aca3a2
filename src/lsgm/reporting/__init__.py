"""Tables and pictures, made from metrics files and samples."""

from .cost_table import build_cost_table
from .extra_ablation import build_extra_table
from .metrics import Metrics, read_metrics, write_metrics
from .table import Table, write_table
from .tables import build_table

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
