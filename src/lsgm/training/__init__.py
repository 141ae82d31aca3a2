"""Training: VAE pretraining, and the joint stage with its three algorithms (LSGM section 3 and App. D).

Two functions do it all: `pretrain` and `train`. Both resume by themselves from the folder they work in.
"""

from .divergence import TrainingDiverged
from .logging import Reporter, TerminalReporter, read_curve
from .pretrain import pretrain
from .result import TrainResult
from .stopping.deadline import Deadline
from .stopping.stop import Interrupted, StopRequest
from .train import train

__all__ = [
    "Deadline",
    "Interrupted",
    "Reporter",
    "StopRequest",
    "TerminalReporter",
    "TrainResult",
    "TrainingDiverged",
    "pretrain",
    "read_curve",
    "train",
]
