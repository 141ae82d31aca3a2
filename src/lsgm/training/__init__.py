"""Training: VAE pretraining, and the joint stage with its three algorithms (LSGM section 3 and App. D).

Two functions do it all: `pretrain` and `train`. Both resume by themselves from the folder they work in.
"""

from lsgm.training.joint import train
from lsgm.training.signals import Deadline, Interrupted, StopRequest

from .divergence import TrainingDiverged
from .logging import Reporter, TerminalReporter, read_curve
from .pretrain import pretrain
from .result import TrainResult

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
