"""g_mnist_joint_*, g_mnist_prior_only: a step of stage 2; every loss, its parts, and every gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from lsgm import algorithms
from lsgm.algorithms import StepGradients
from lsgm.config import ExperimentConfig
from lsgm.objective import KlWeights, prior_loss
from lsgm.time_sampling import build_time_sampler
from lsgm.training.noise import BatchNoise
from lsgm.training.optim import kl_coeff
from lsgm.training.stage import Precision

from .case import Case, Exclusion, Match
from .official_networks import experiment
from .step import KEYS, STEP, TOTAL_STEPS, Step, by_group
from .step_gradients import recorded
from .vectors import Value, Vectors

NETWORK_PRECISION = Precision("float32", torch.device("cpu"))  # no autocast; the step's own precision stays


class Joint:
    """A step of stage 2 in one precision, with the settings that its arguments mean."""

    def __init__(self, vectors: Vectors, precision: str, algorithm: Callable[..., StepGradients]) -> None:
        self.step = step = Step(vectors, precision)
        self.config: ExperimentConfig = experiment(vectors.record["config"])
        train, objective = self.config.train, self.config.objective
        step.model.vae.train(train.train_vae or train.official_frozen_vae)
        self.weights = KlWeights(kl_coeff(STEP, TOTAL_STEPS, train.kl))
        sampler = build_time_sampler(
            step.model.prior.sde, objective.weighting, objective.time, objective.official_weights
        )
        self.draws = BatchNoise(step.posterior_noise, step.diffusion(sampler))
        self.problem = algorithms.JointProblem(
            model=step.model,
            vae_parameters=list(step.model.vae.parameters()),
            prior_parameters=list(step.model.prior.parameters()),
            vae_regulariser=step.regulariser("vae", train.sr_coeff_vae if train.train_vae else 0.0),
            prior_regulariser=step.regulariser("prior", train.sr_coeff_sgm),
            precision=NETWORK_PRECISION,
            official_kl_coeff=objective.official_kl_coeff,
        )
        self.result = algorithm(self.problem, step.x, self.draws, self.weights)

    def losses(self) -> dict[str, Value]:
        """The values that the published code reports, but for learning rates."""
        train, bound = self.config.train, self.result.terms.nelbo
        # A frozen VAE's is not computed. The score network's is, even where its coefficient is 0.
        vae = self.step.regulariser("vae", 1.0 if train.train_vae else 0.0).terms()
        prior = self.step.regulariser("prior", 1.0).terms()
        coefficients = {"vae": train.sr_coeff_vae, "dae": train.sr_coeff_sgm}
        penalty_vae = (coefficients["vae"] * vae.total).item() if train.train_vae else 0.0
        penalty_prior = (coefficients["dae"] * prior.total).item()
        loss_vae = bound.vae_loss(self.weights).item()
        scalars = {name: value.item() for name, value in self.result.terms.scalars.items()}
        loss_prior = scalars["loss_prior"] - penalty_prior if "loss_prior" in scalars else self._prior_loss()
        return {
            "tr_loss_meter_q_loss": loss_vae + penalty_vae + penalty_prior,
            "regularization_q": penalty_vae,
            "regularization_p": penalty_prior,
            "train/q_loss": loss_vae,
            "train/p_loss": loss_prior,
            "train/norm_loss_vae": vae.spectral.item() if train.train_vae else 0.0,
            "train/bn_loss_vae": vae.norm_scale.item() if train.train_vae else 0.0,
            "train/norm_loss_dae": prior.spectral.item(),
            "train/bn_loss_dae": prior.norm_scale.item(),
            "train/kl_coeff": self.weights.kl_coeff,
            **{f"train/norm_coeff_{part}": coefficient for part, coefficient in coefficients.items()},
            "epoch/total_loss": loss_vae + penalty_vae + penalty_prior,
            "epoch/vae_recon": scalars["reconstruction"],
            "epoch/vae_kl": scalars["kl"],
            "epoch/vae_nelbo": scalars["nelbo"],
            **by_group(bound, "kl_active_step/active_", "kl_vals_step/layer_", "kl_active_step/total_active"),
            # Without balancing every group has the coefficient 1.
            **{f"kl_coeff_step/layer_{group}": 1.0 for group in range(bound.kl.shape[1])},
            **{f"kl_value/group_{group}": kl for group, kl in enumerate(bound.kl.mean(dim=0).tolist())},
            "losses_backpropagated_in_order": self._backpropagated(scalars, penalty_prior),
        }

    @torch.no_grad()
    def _prior_loss(self) -> float:
        """L_p, which the published algorithm 1 reports though it is not a term of its own."""
        _, z0 = self.problem.encode(self.step.x, self.draws.posterior)
        squared_error = self.problem.squared_error(z0, self.draws.prior)
        return prior_loss(squared_error, self.draws.prior.times.prior_weight).item()

    def _backpropagated(self, scalars: dict[str, float], penalty_prior: float) -> list[float]:
        if "loss_prior" not in scalars or "loss_vae" not in scalars:
            return [next(value for name, value in scalars.items() if name.startswith("loss"))]
        # The published first loss also has the prior's regulariser in it, whose gradient is then discarded.
        return [scalars["loss_vae"] + penalty_prior, scalars["loss_prior"]]


def joint(vectors: Vectors, algorithm: Callable[..., StepGradients]) -> dict[str, Value | Match]:
    """A step of stage 2 in both precisions."""
    found: dict[str, Value | Match] = {}
    for precision in ("f64", "f32"):
        run = Joint(vectors, precision, algorithm)
        gradients = {"sgm": run.step.named("prior", run.result.prior)}
        if run.result.vae is not None:
            gradients["vae"] = run.step.named("vae", run.result.vae)
        found |= run.step.results({f"losses/{name}": value for name, value in run.losses().items()})
        found |= recorded(run.step, gradients)
        norms = {"vae": run.step.exact_spectral_norm("vae"), "sgm": run.step.exact_spectral_norm("prior")}
        found |= run.step.results({f"{part}_sr_exact_svd": norm for part, norm in norms.items()})
    return found


WEIGHTS = "objective.official_weights"
CASES = [
    Case(
        "g_mnist_joint_ll_iw",
        "algorithm 1",
        KEYS,
        partial(joint, algorithm=algorithms.algorithm_1),
        switches=(WEIGHTS, "objective.official_kl_coeff"),
    ),
    Case(
        "g_mnist_joint_drop_all_iw",
        "algorithm 3",
        KEYS,
        partial(joint, algorithm=algorithms.algorithm_3),
        switches=(WEIGHTS,),
    ),
    Case(
        "g_mnist_prior_only",
        "the prior alone",
        KEYS,
        partial(joint, algorithm=algorithms.prior_only),
        switches=(WEIGHTS, "train.official_frozen_vae"),
    ),
]
EXCLUSIONS = [
    Exclusion("g_mnist_.*", "x|vae_noise_..|rho_0|noise_0|sr_u_(vae|sgm)/.*", "inputs"),
    Exclusion("g_mnist_.*", "results/f../losses/train/lr.*", "the recorded step was taken with a rate of 0"),
    Exclusion(
        "g_mnist_.*",
        "results/f../(n_randn?|swaps)",
        "how often the published code drew numbers and swapped the average in",
    ),
]
