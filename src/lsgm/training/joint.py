"""Stage 2: the score-based prior, jointly with the VAE or on a frozen one (LSGM section 3)."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from lsgm import algorithms, distributed
from lsgm.algorithms import StepGradients
from lsgm.config import ExperimentConfig
from lsgm.data import TrainBatches
from lsgm.data.batches import eval_batches
from lsgm.data.prepared import Dataset
from lsgm.models import Lsgm
from lsgm.models.lsgm import build_prior
from lsgm.models.vae import Vae
from lsgm.objective import KlWeights, group_sizes
from lsgm.time_sampling import build_time_sampler
from lsgm.training.accumulation import Accumulation
from lsgm.training.latents import MAX_BATCHES, inactive_channels, largest_squared_distance, training_latents
from lsgm.training.logging import Reporter, default_reporter
from lsgm.training.loop import Loop
from lsgm.training.optim import Ema, LearningRate, ParamGroup, joint_optimiser, kl_coeff
from lsgm.training.regions import prepared_regions
from lsgm.training.result import TrainResult, assemble, checkpoint_store, load_together
from lsgm.training.signals import StopRequest
from lsgm.training.spectral import Regulariser
from lsgm.training.stage import Precision, RunningStatistics, Stateful

from .noise import BatchNoise, StepInputs, diffusion_noise, posterior_noise

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
        return kl_coeff(step, self._total, self._settings.kl)

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

    def _branch(self, part: str) -> ParamGroup:
        settings = self._settings
        base, minimum = (
            (settings.lr_vae, settings.lr_vae_min) if part == "vae" else (settings.lr_sgm, settings.lr_sgm_min)
        )
        rate = LearningRate(base, minimum, settings.epochs, settings.warmup_epochs, self._batches.steps_per_epoch)
        return ParamGroup(
            list(getattr(self.model, part).parameters()),
            lambda parameters: joint_optimiser(parameters, part, settings),
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


def train(
    config: ExperimentConfig,
    dataset: Dataset,
    backbone: Lsgm,
    work: Path,
    device: str | torch.device = "cpu",
    reporter: Reporter | None = None,
    stop: StopRequest | None = None,
) -> TrainResult:
    """Train the score-based prior, from the start or from the last checkpoint in `work`.

    In a process group (`lsgm.distributed`) every process calls it; each works on its rows of the same global batches,
    all end with the same result, and the first one writes the files.

    Args:
        config: the experiment; `train.train_vae` false freezes the VAE.
        dataset: prepared data.
        backbone: the pretrained VAE; left as it is, the result holds a copy.
        work: existing folder for checkpoints and curves.
        device: where to train.
        reporter: shows progress; None for a bar on a terminal and plain lines elsewhere.
        stop: entered by the caller, with the end of the time slot if there is one; None to watch for signals only.

    Returns:
        The outcome; its prior carries the averaged weights.

    Raises:
        ConfigError: settings, data and backbone do not fit together, or `work` holds a checkpoint made with other
            settings, or the time slot has ended before the first step.
        Interrupted: a stop signal or the end of the time slot came; a checkpoint is written.

    Source: LSGM section 3, App. D and G.
    """
    device, reporter = torch.device(device), reporter or default_reporter()
    store = checkpoint_store("train", config, dataset, work, reporter)
    saved = load_together(store)
    batches = TrainBatches(dataset.train, config.data, config.train.batch_size, config.seed, device)
    vae = copy.deepcopy(backbone.vae).to(device).eval()
    used = config
    if config.sde.type == "vesde" and config.sde.sigma2_max is None:
        scale = distributed.on_first(lambda: _measure_scale(config, dataset, vae, device)) if saved is None else None
        used = _with_scale(config, saved[1]["sigma2_max"] if scale is None else scale)
        reporter.note(f"train: sde.sigma2_max = {used.sde.sigma2_max:.6g}, measured on the training latents")
    model = Lsgm(vae, build_prior(used, vae.prior_shape)).to(device)
    if config.train.drop_inactive and saved is None:
        first = _first_batches(config, vae, batches, device)
        inactive = distributed.on_first(lambda: inactive_channels(vae, first).cpu()).to(device)
        model.prior.deactivate(inactive)
        reporter.note(f"train: {int(inactive.sum())} of {len(inactive)} latent channels are inactive and hidden")
    stage = JointStage(used, model, batches, device)
    constants = {"sigma2_max": used.sde.sigma2_max}
    loop = Loop(stage, config.train, batches.steps_per_epoch, work, store, reporter, constants, stop)
    if saved is not None:
        loop.resume(*saved)
    with distributed.synchronised_batch_norms(model), prepared_regions(model, config.train):
        result = loop.run()
    stage.finish()
    return assemble(model, used, result, batches.steps_per_epoch)


def _first_batches(
    config: ExperimentConfig, vae: Vae, batches: TrainBatches, device: torch.device
) -> Iterator[tuple[Tensor, list[Tensor]]]:
    for index in range(min(MAX_BATCHES, batches.steps_per_epoch)):
        x = batches.batch(index)
        yield x, posterior_noise(len(x), vae.latent_shapes, config.seed, "inactive channels", index, device)


def _measure_scale(config: ExperimentConfig, dataset: Dataset, vae: Vae, device: torch.device) -> float:
    images = eval_batches(dataset.train.to(device), config.data, config.train.batch_size, config.seed)
    encodable = (
        (x, posterior_noise(len(x), vae.latent_shapes, config.seed, "latent scale", index, device))
        for index, (_, x) in zip(itertools.count(), images, strict=False)
    )
    return largest_squared_distance(training_latents(vae, encodable), device)


def _with_scale(config: ExperimentConfig, sigma2_max: float) -> ExperimentConfig:
    sde = config.sde.model_copy(update={"sigma2_max": sigma2_max})
    return config.model_copy(update={"sde": sde})
