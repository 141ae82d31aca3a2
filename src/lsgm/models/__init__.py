"""Networks: the NVAE backbone (or none), the score-based prior, output distributions, and the files that hold them."""

from .files import LoadedModel, beside, load_model, save_model, settings_file, sha256_of
from .lsgm import Lsgm, build_lsgm, build_prior, build_vae, parameter_counts
from .nvae import NVAE, VaeOutput
from .outputs import OutputDistribution, build_output
from .pixels import PixelVae
from .prior import MixedScorePrior
from .score import ScoreNetwork
from .vae import Vae

__all__ = [
    "NVAE",
    "LoadedModel",
    "Lsgm",
    "MixedScorePrior",
    "OutputDistribution",
    "PixelVae",
    "ScoreNetwork",
    "Vae",
    "VaeOutput",
    "beside",
    "build_lsgm",
    "build_output",
    "build_prior",
    "build_vae",
    "load_model",
    "parameter_counts",
    "save_model",
    "settings_file",
    "sha256_of",
]
