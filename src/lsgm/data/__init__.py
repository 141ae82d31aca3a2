"""Data sets: readers to one checked array file, and batches of network inputs from it (method.md: Data)."""

from .batches import TrainBatches, eval_batch, eval_batches, part_of
from .prepared import Dataset, DataSummary, image_shape, load_dataset, prepare
from .raw import RawImages
from .readers import READERS
from .transforms import to_model_input

__all__ = [
    "READERS",
    "DataSummary",
    "Dataset",
    "RawImages",
    "TrainBatches",
    "eval_batch",
    "eval_batches",
    "image_shape",
    "load_dataset",
    "part_of",
    "prepare",
    "to_model_input",
]
