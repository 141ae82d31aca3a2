"""c_likelihoods: output distributions, the Normal posterior, and the reduction of bits."""

from __future__ import annotations

import torch
from torch import Tensor

from lsgm.config import DataConfig
from lsgm.data.transforms import to_model_input
from lsgm.models.nvae.posterior import MEAN_LIMIT, NormalPosterior, soft_clamp
from lsgm.models.outputs import build_output
from lsgm.models.outputs.logistic import discretised_logistic_log_prob
from lsgm.objective import normal_energy
from lsgm.sde import VESDE

from .case import Case, Exclusion
from .cases_sde import PRECISIONS
from .vectors import Vectors

FILE = "c_likelihoods"


def bernoulli(vectors: Vectors) -> dict[str, Tensor]:
    """Log-probability and mean of one-colour pixels."""
    output, results = build_output("bernoulli"), {}
    for precision, dtype in PRECISIONS.items():
        logits, x = vectors.tensor("bern_logits", dtype), vectors.tensor("bern_x", dtype)
        results[f"bern_log_p__{precision}"] = output.log_prob_map(logits, x)[:, None]
        results[f"bern_mean__{precision}"] = output.mean(logits)
    return results


def mixture(vectors: Vectors) -> dict[str, Tensor]:
    """Discretised logistic mixture of 8 and of 5 bits, with the gradient of its log-probability."""
    results = {}
    for bits in (8, 5):
        output, stem = build_output("discretised_logistic_mixture", bits), f"dml{bits}"
        for precision, dtype in PRECISIONS.items():
            params = vectors.tensor(f"{stem}_logits", dtype).clone().requires_grad_()
            x = vectors.tensor(f"{stem}_x", dtype)
            log_prob = output.log_prob_map(params, x)
            (gradient,) = torch.autograd.grad(log_prob.sum(), params)
            found = {
                "log_p": log_prob,
                "dlogp_dlogits": gradient,
                "mean": output.mean(params),
                "recon_loss": -output.log_prob(params, x),
            }
            results |= {f"{stem}_{key}__{precision}": value.detach() for key, value in found.items()}
    return results


def single_logistic(vectors: Vectors) -> dict[str, Tensor]:
    """One discretised logistic per colour value, colours apart."""
    results = {}
    for precision, dtype in PRECISIONS.items():
        mean, log_scale = vectors.tensor("dl_logits", dtype).chunk(2, dim=1)
        x = vectors.tensor("dl_x", dtype)
        results[f"dl_log_p__{precision}"] = discretised_logistic_log_prob(x, mean, log_scale, 8)
    return results


def normal(vectors: Vectors) -> dict[str, Tensor]:
    """The posterior of a latent group, the Normal output, and the Normal densities of the priors."""
    results: dict[str, Tensor] = {}
    for precision, dtype in PRECISIONS.items():
        raw = vectors.tensor("normal_raw_param", dtype)
        ours, other = _posterior(raw), _posterior(vectors.tensor("normal_raw_param_other", dtype))
        sample = vectors.tensor(f"normal_sample__{precision}", dtype)
        base = VESDE(sigma2_min=1e-4, sigma2_max=7.0, time_eps=0.0)
        found = {
            "normal_mu": ours.mean,
            "normal_log_sigma": ours.log_sigma,
            "normal_sample_given_rho": ours.sample(vectors.tensor("normal_rho", dtype)),
            "normal_log_p": _log_prob_of_single_channels(raw, sample),
            "normal_kl_correct": torch.distributions.kl_divergence(_distribution(ours), _distribution(other)),
            "std_normal_log_p": -normal_energy(sample),
            "var_normal_log_p_var7": base.base_log_prob(sample.reshape(-1, 1)).reshape(sample.shape),
        }
        results |= {f"{key}__{precision}": value for key, value in found.items()}
    return results


def bits(vectors: Vectors) -> dict[str, Tensor]:
    """Reduction of all 8-bit intensities."""
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 1, 256)
    settings = {f"bits{number}": DataConfig(name="cifar10", num_bits=number) for number in (4, 5, 8)}
    inputs = {name: to_model_input(images, config).flatten() for name, config in settings.items()}
    return {f"{name}_of_0_255": (x + 1) / 2 for name, x in inputs.items()}


def _posterior(raw: Tensor) -> NormalPosterior:
    mean, log_sigma = raw.chunk(2, dim=1)
    return NormalPosterior(soft_clamp(mean, MEAN_LIMIT), soft_clamp(log_sigma, 5.0))


def _distribution(posterior: NormalPosterior) -> torch.distributions.Normal:
    return torch.distributions.Normal(posterior.mean, posterior.log_sigma.exp())


def _log_prob_of_single_channels(raw: Tensor, x: Tensor) -> Tensor:
    """The output sums over colours, so each channel is an image of its own here."""
    params = torch.stack(raw.chunk(2, dim=1), dim=2).flatten(0, 1)
    return build_output("normal").log_prob_map(params, x.flatten(0, 1)[:, None]).reshape(x.shape)


CASES = [
    Case(FILE, "Bernoulli", "bern_(log_p|mean)__f..", bernoulli),
    Case(FILE, "discretised logistic mixture", "dml[58]_(log_p|dlogp_dlogits|mean|recon_loss)__f..", mixture),
    Case(FILE, "discretised logistic", "dl_log_p__f..", single_logistic),
    Case(
        FILE,
        "Normal",
        "(normal_(mu|log_sigma|sample_given_rho|log_p|kl_correct)|std_normal_log_p|var_normal_log_p_var7)__f..",
        normal,
        note="the closed-form KL is torch's, of our means and scales: training uses the sampled one",
    ),
    Case(FILE, "reduction of bits", "bits[458]_of_0_255", bits),
]
EXCLUSIONS = [
    Exclusion(FILE, "(bern|dml.|dl|pixnorm)_(logits|x)|normal_(raw_param.*|rho)|dml._u_.*|pixnorm_.*s", "inputs"),
    Exclusion(FILE, "normal_sample__f..", "drawn by the published code; here the input of the log-densities"),
    Exclusion(
        FILE,
        "dml[58]_sample__f..",
        "images are the decoder's mean in both codes; we do not draw from the output distribution",
    ),
    Exclusion(
        FILE,
        "normal_kl_official__f..",
        "the published function takes the logarithm of a negative number, and its training code never calls it",
    ),
    Exclusion(
        FILE,
        "pixnorm_log_prob.*",
        "Normal pixels of a fixed scale per image, which no published command uses; we have none",
    ),
]
