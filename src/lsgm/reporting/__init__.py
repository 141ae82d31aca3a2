"""Tables and pictures, made from metrics files and samples."""

from .metrics import Metrics, read_metrics, write_metrics
from .table import Table, write_table
from .tables import build_table

__all__ = ["Metrics", "Table", "build_table", "read_metrics", "write_metrics", "write_table"]
