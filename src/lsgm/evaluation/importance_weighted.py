"""The importance-weighted bound on -log p(x) for the VAE backbone (Burda et al. 2016).

-log p(x) <= -(LSE_k log w_k - ln K), log w_k = log p(x|z_k) + log N(z_k; 0, I) - log q(z_k|x), K posterior draws per
image. Not for a score-based prior: its log p(z) is an estimate, whose noise the exponential would turn into a bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lsgm import distributed
from lsgm.config import ConfigError, ExperimentConfig
from lsgm.data import eval_batch
from lsgm.sampling import NumericalError, evaluation_mode, require_finite

from .nelbo import evaluation_batches
from .posterior import draw_posterior, posterior_noise, standard_normal_log_prob
from .units import mean_over_processes, standard_error

if TYPE_CHECKING:
    from lsgm.models import Lsgm, Vae


@dataclass(frozen=True)
class ImportanceWeightedResult:
    """The bound on -log p(x), in nats per image.

    Attributes:
        mean_nats: mean over the images; with `evaluate.nelbo.official_processes` the first may count twice.
        stderr_nats: its standard error, from the spread over images.
        num_images: how many images.
        num_samples: K.
        per_image: (N,), float64, in the order of the data.
    """

    mean_nats: float
    stderr_nats: float
    num_images: int
    num_samples: int
    per_image: Tensor


@torch.no_grad()
def importance_weighted_bound(
    model: Lsgm, images: Tensor, config: ExperimentConfig, seed: int, device: torch.device | str
) -> ImportanceWeightedResult:
    """Measure the bound with K = `evaluate.nelbo.num_iw_samples`; K = 1 is the NELBO at the same draws.

    In a process group every process calls it; batches are dealt to them, and all get the whole result.

    Args:
        model: a VAE alone (`model.prior` None), on `device`.
        images: uint8, (N, C, H, W), as stored; the part of them that the NELBO is measured on.
        config: data preparation and the settings of `evaluate.nelbo`; its batch size is also the number of rows,
            images times draws, of one pass.
        seed: of binarisation and posterior draws, which depend on it, the image's index and k alone.
        device: where the model is.

    Raises:
        ConfigError: the model has a score-based prior.
        NumericalError: a weight is not finite.

    Source: Burda et al. (2016) Eq. (8); method.md: NELBO and its KL terms.
    """
    if model.prior is not None:
        raise ConfigError(
            "the importance-weighted bound (evaluate.nelbo.num_iw_samples) is for a VAE alone, and this model has a "
            "score-based prior; use its NELBO"
        )
    device = torch.device(device)
    settings = config.evaluate.nelbo
    batches = evaluation_batches(images, config)

    def measure(number: int) -> Tensor:
        indices = batches[number]
        x = eval_batch(images, config.data, indices, seed).to(device)
        per_pass = max(1, settings.batch_size // len(indices))
        weights = _log_weights(model.vae, x, indices, settings.num_iw_samples, per_pass, seed)
        require_finite(weights, "importance weights")
        return (math.log(settings.num_iw_samples) - torch.logsumexp(weights, dim=1)).cpu()

    with evaluation_mode(model):
        bounds = distributed.collect(measure, len(batches), NumericalError, "batches of the importance-weighted bound")
    per_image = torch.cat(bounds).double()
    return ImportanceWeightedResult(
        mean_nats=mean_over_processes(per_image, settings.official_processes),
        stderr_nats=standard_error(per_image),
        num_images=per_image.numel(),
        num_samples=settings.num_iw_samples,
        per_image=per_image,
    )


def _log_weights(vae: Vae, x: Tensor, indices: list[int], num_samples: int, per_pass: int, seed: int) -> Tensor:
    """log w of `num_samples` posterior draws for each image, (B, K), `per_pass` draws at a time."""
    columns = []
    for start in range(0, num_samples, per_pass):
        numbers = range(start, min(start + per_pass, num_samples))
        draws = [posterior_noise(vae.latent_shapes, indices, seed, number, x.device) for number in numbers]
        noises = [torch.cat(groups) for groups in zip(*draws, strict=True)]
        draw = draw_posterior(vae, x.repeat(len(numbers), 1, 1, 1), noises)
        weights = standard_normal_log_prob(draw.latents) - draw.log_q - draw.reconstruction
        columns.append(weights.reshape(len(numbers), len(indices)).T)
    return torch.cat(columns, dim=1)
