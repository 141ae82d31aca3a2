"""Stage 2: the score-based prior, jointly with the VAE or on a frozen one (LSGM section 3)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lsgm import algorithms
from lsgm.algorithms import StepGradients
from lsgm.config import ExperimentConfig
from lsgm.data import TrainBatches
from lsgm.models import Lsgm
from lsgm.objective import KlWeights, group_sizes
from lsgm.time_sampling import build_time_sampler

from .noise import BatchNoise, StepInputs, diffusion_noise, posterior_noise
from .optimisation import optimisers, schedules
from .optimisation.ema import Ema
from .optimisation.regularisers import Regulariser
from .step.accumulation import Accumulation
from .step.branch import Branch
from .step.precision import Precision
from .step.running_statistics import RunningStatistics
from .step.stage import Stateful

Algorithm = Callable[[algorithms.JointProblem, Tensor, BatchNoise, KlWeights], StepGradients]


class JointStage:
    """Training of a prior, and of the VAE unless it is frozen; attributes as in `stage.Stage`.

    Args:
        config: the experiment, with `sde.sigma2_max` filled in.
        model: pretrained VAE and fresh prior, on the device.
        batches: of the training set.
        device: where it runs.
    """

    name = "train"

    def __init__(self, config: ExperimentConfig, model: Lsgm, batches: TrainBatches, device: torch.device) -> None:
        self._config, self._settings, self._batches = config, config.train, batches
        self.seed, self.device, self.model = config.seed, device, model
        self._total = config.train.epochs * batches.steps_per_epoch
        self.has_dropout = config.prior.dropout > 0
        self._accumulation = Accumulation(
            config.train.accumulate, config.train.batch_size, "train", model, config.seed, self.has_dropout
        )
        self._rows = self._accumulation.rows
        self.precision = Precision(config.train.precision, device)
        model.prior.train()
        self._moves_vae = config.train.train_vae or config.train.official_frozen_vae
        model.vae.train(self._moves_vae).requires_grad_(config.train.train_vae)
        self.branches = {"vae": self._branch("vae")} if config.train.train_vae else {}
        self.branches["prior"] = self._branch("prior")
        self.ema = Ema([self.branches["prior"].flat], config.train.ema_decay)
        self.statistics = RunningStatistics(model)
        self.networks = {"vae": model.vae, "prior": model.prior}
        self._problem = self._build_problem()
        self._algorithm = self._choose_algorithm()
        sizes = torch.tensor(group_sizes(model.vae.latent_shapes), device=device)
        self._sizes = sizes if config.train.kl_balance and config.train.train_vae else None
        objective, sde = config.objective, model.prior.sde
        self._prior_times = build_time_sampler(sde, objective.weighting, objective.time, objective.official_weights)
        self._vae_times = None
        if config.train.train_vae and objective.algorithm == 2:
            time = "is" if objective.q_time == "ll" else "uniform"
            self._vae_times = build_time_sampler(sde, "ll", time, objective.official_weights)

    @property
    def parts(self) -> dict[str, Stateful]:
        """Everything with state; a VAE that does not move at all comes from its own file."""
        parts = {
            "prior": self.model.prior,
            "prior_optimiser": self.branches["prior"].optimiser,
            "prior_regulariser": self._problem.prior_regulariser,
            "ema": self.ema,
            "precision": self.precision,
        }
        if self._moves_vae:
            parts["vae"] = self.model.vae
        if "vae" in self.branches:
            parts |= {
                "vae_optimiser": self.branches["vae"].optimiser,
                "vae_regulariser": self._problem.vae_regulariser,
            }
        return parts

    def kl_coeff(self, step: int) -> float:
        """KL coefficient of a step."""
        return schedules.kl_coeff(step, self._total, self._settings.kl)

    def inputs(self, step: int) -> StepInputs:
        """Batch, posterior noise, diffusion noise and times of a step: this process's rows."""
        x = self._batches.batch(step, self._rows)
        vae, size, rows = self.model.vae, self._batches.size, self._rows
        posterior = posterior_noise(size, vae.latent_shapes, self.seed, "posterior noise", step, self.device, rows)
        passes = {"prior": self._prior_times, "vae": self._vae_times}
        diffusions = {
            part: diffusion_noise(size, vae.prior_shape, sampler, self.seed, part, step, rows).to(self.device)
            for part, sampler in passes.items()
            if sampler is not None
        }
        return StepInputs(x, BatchNoise(posterior, **diffusions))

    def gradients(self, inputs: StepInputs, step: int) -> StepGradients:
        """Gradients by the algorithm that the settings mean."""
        weights = KlWeights(self.kl_coeff(step), self._sizes)
        return self._accumulation(inputs, step, weights, self._part_gradients)

    def after_update(self) -> None:
        """Average the prior's parameters."""
        self.ema.update()

    def finish(self) -> None:
        """Leave the averaged prior in the model, ready to be saved."""
        self.ema.copy_to_parameters()
        for branch in self.branches.values():
            branch.release()

    def _part_gradients(self, inputs: StepInputs, weights: KlWeights, times_regularised: float) -> StepGradients:
        return self._algorithm(self._problem.regularised(times_regularised), inputs.x, inputs.noise, weights)

    def _branch(self, part: str) -> Branch:
        settings = self._settings
        base, minimum = (
            (settings.lr_vae, settings.lr_vae_min) if part == "vae" else (settings.lr_sgm, settings.lr_sgm_min)
        )
        rate = schedules.LearningRate(
            base, minimum, settings.epochs, settings.warmup_epochs, self._batches.steps_per_epoch
        )
        return Branch(
            list(getattr(self.model, part).parameters()),
            lambda parameters: optimisers.joint_optimiser(parameters, part, settings),
            rate,
            settings.grad_clip,
        )

    def _build_problem(self) -> algorithms.JointProblem:
        settings, model, objective = self._settings, self.model, self._config.objective
        vae_coefficient = settings.sr_coeff_vae if settings.train_vae else 0.0
        official = settings.official_spectral
        reduced = self.precision.reduced if official else None
        return algorithms.JointProblem(
            model=model,
            vae_parameters=self.branches["vae"].parameters if settings.train_vae else [],
            prior_parameters=self.branches["prior"].parameters,
            vae_regulariser=Regulariser(model.vae, vae_coefficient, True, self.seed, "vae", official, reduced),
            prior_regulariser=Regulariser(
                model.prior, settings.sr_coeff_sgm, settings.sr_sgm_convs, self.seed, "prior", official, reduced
            ),
            precision=self.precision,
            ema=self.ema if objective.update_q_ema else None,
            official_kl_coeff=objective.official_kl_coeff,
        )

    def _choose_algorithm(self) -> Algorithm:
        objective = self._config.objective
        if not self._settings.train_vae:
            return algorithms.prior_only
        if objective.disjoint:
            return algorithms.algorithm_2_disjoint
        return {1: algorithms.algorithm_1, 2: algorithms.algorithm_2_joint, 3: algorithms.algorithm_3}[
            objective.algorithm
        ]
