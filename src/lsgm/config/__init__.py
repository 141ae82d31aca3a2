"""Typed settings. The library takes these objects; only the CLI and the workflow read files."""

from .base import ConfigError, Section
from .cells import Cell, read_cells
from .data import DataConfig
from .diffusion import ObjectiveConfig, SdeConfig
from .evaluation import EvaluateConfig, FrechetConfig, NelboConfig, SampleConfig
from .experiment import ExperimentConfig, Stage
from .figures import FiguresConfig
from .load import load_experiment, read_yaml, validate
from .model import PriorConfig, VaeConfig
from .training import KlSchedule, LoopConfig, PretrainConfig, RescueConfig, TrainConfig

__all__ = [
    "Cell",
    "ConfigError",
    "DataConfig",
    "EvaluateConfig",
    "ExperimentConfig",
    "FiguresConfig",
    "FrechetConfig",
    "KlSchedule",
    "LoopConfig",
    "NelboConfig",
    "ObjectiveConfig",
    "PretrainConfig",
    "PriorConfig",
    "RescueConfig",
    "SampleConfig",
    "SdeConfig",
    "Section",
    "Stage",
    "TrainConfig",
    "VaeConfig",
    "load_experiment",
    "read_cells",
    "read_yaml",
    "validate",
]
