"""Stage 1: the VAE with a standard Normal prior on every group, alpha = 0 (LSGM section 4)."""

from __future__ import annotations

from pathlib import Path

import torch

from lsgm import distributed
from lsgm.algorithms import StepGradients, collect_terms, gradients_of
from lsgm.config import ExperimentConfig
from lsgm.data import Dataset, TrainBatches
from lsgm.models import Lsgm, Vae, build_vae
from lsgm.objective import KlWeights, group_sizes, nelbo
from lsgm.training.accumulation import Accumulation, counted
from lsgm.training.optim import LearningRate, ParamGroup, kl_coeff, pretrain_optimiser
from lsgm.training.regions import prepared_regions
from lsgm.training.signals import StopRequest
from lsgm.training.spectral import Regulariser
from lsgm.training.stage import Precision, RunningStatistics, Stateful
from lsgm.whole_file import write_text_whole

from .logging import CURVES, Reporter, default_reporter
from .loop import Loop, LoopResult
from .noise import BatchNoise, StepInputs, posterior_noise
from .result import TrainResult, assemble, checkpoint_store, load_together


class PretrainStage:
    """The pretraining of one VAE; attributes as in `stage.Stage`.

    Args:
        config: the experiment.
        vae: with fresh weights, on the device.
        batches: of the training set.
        device: where it runs.
    """

    name = "pretrain"
    has_dropout = False

    def __init__(self, config: ExperimentConfig, vae: Vae, batches: TrainBatches, device: torch.device) -> None:
        settings = config.pretrain
        self.seed, self.device = config.seed, device
        self.vae = vae.train()
        self.precision = Precision(settings.precision, device)
        self.regulariser = Regulariser(vae, settings.sr_coeff, True, config.seed, "vae")
        rate = LearningRate(
            settings.lr, settings.lr_min, settings.epochs, settings.warmup_epochs, batches.steps_per_epoch
        )
        self.branch = ParamGroup(
            list(vae.parameters()),
            lambda parameters: pretrain_optimiser(parameters, settings),
            rate,
            settings.grad_clip,
        )
        self.branches = {"vae": self.branch}
        self.statistics = RunningStatistics(vae)
        self.networks = {"vae": vae}
        self._batches = batches
        self._accumulation = Accumulation(settings.accumulate, settings.batch_size, "pretrain", vae, config.seed)
        self._rows = self._accumulation.rows
        self._schedule, self._total = settings.kl, settings.epochs * batches.steps_per_epoch
        sizes = torch.tensor(group_sizes(vae.latent_shapes), device=device)
        self._sizes = sizes if settings.kl_balance else None

    @property
    def parts(self) -> dict[str, Stateful]:
        """Everything with state."""
        return {
            "vae": self.vae,
            "vae_optimiser": self.branch.optimiser,
            "vae_regulariser": self.regulariser,
            "precision": self.precision,
        }

    def kl_coeff(self, step: int) -> float:
        """KL coefficient of a step."""
        return kl_coeff(step, self._total, self._schedule)

    def inputs(self, step: int) -> StepInputs:
        """Batch and posterior noise of a step: this process's rows."""
        x = self._batches.batch(step, self._rows)
        shapes, size = self.vae.latent_shapes, self._batches.size
        noise = posterior_noise(size, shapes, self.seed, "posterior noise", step, self.device, self._rows)
        return StepInputs(x, BatchNoise(noise))

    def gradients(self, inputs: StepInputs, step: int) -> StepGradients:
        """Gradient of the VAE's loss."""
        weights = KlWeights(self.kl_coeff(step), self._sizes)
        return self._accumulation(inputs, step, weights, self._part_gradients)

    def after_update(self) -> None:
        """Nothing: the VAE is not averaged."""

    def _part_gradients(self, inputs: StepInputs, weights: KlWeights, times_regularised: float) -> StepGradients:
        with self.precision.autocast():
            output = self.vae(inputs.x, inputs.noise.posterior)
        bound = nelbo(self.vae, output, inputs.x, latent_cross_entropy=None)
        loss = bound.vae_loss(weights)
        regulariser = counted(self.regulariser, times_regularised)()
        if regulariser is not None:
            loss = loss + regulariser
        gradients = gradients_of(loss, self.branch.parameters, self.precision)
        return StepGradients(gradients, None, collect_terms(bound, loss_vae=loss, regulariser_vae=regulariser))


def pretrain(
    config: ExperimentConfig,
    dataset: Dataset,
    work: Path,
    device: str | torch.device = "cpu",
    reporter: Reporter | None = None,
    stop: StopRequest | None = None,
) -> TrainResult:
    """Train a VAE backbone, from the start or from the last checkpoint in `work`; see `train` on several processes.

    Args:
        config: the experiment.
        dataset: prepared data.
        work: existing folder for checkpoints and curves.
        device: where to train.
        reporter: shows progress; None for a bar on a terminal and plain lines elsewhere.
        stop: see `train`.

    Returns:
        The outcome; the model has no prior network. A VAE without weights is done at once, after 0 steps.

    Raises:
        ConfigError: settings and data do not fit together, or `work` holds a checkpoint made with other settings,
            or the time slot has ended before the first step.
        Interrupted: a stop signal or the end of the time slot came; a checkpoint is written.

    Source: LSGM section 4 and App. G.
    """
    device, reporter = torch.device(device), reporter or default_reporter()
    if not config.vae.has_weights:
        return _nothing_to_train(config, dataset, work, reporter)
    store = checkpoint_store("pretrain", config, dataset, work, reporter)
    saved = load_together(store)
    batches = TrainBatches(dataset.train, config.data, config.pretrain.batch_size, config.seed, device)
    vae = build_vae(config, dataset.image_shape).to(device)
    stage = PretrainStage(config, vae, batches, device)
    loop = Loop(stage, config.pretrain, batches.steps_per_epoch, work, store, reporter, stop=stop)
    if saved is not None:
        loop.resume(*saved)
    with distributed.synchronised_batch_norms(vae), prepared_regions(vae, config.pretrain):
        result = loop.run()
    stage.branch.release()
    return assemble(Lsgm(vae), config, result, batches.steps_per_epoch)


def _nothing_to_train(config: ExperimentConfig, dataset: Dataset, work: Path, reporter: Reporter) -> TrainResult:
    """The outcome for a VAE without weights, with a curve that has no lines."""
    reporter.note(f"pretrain: a VAE with vae.arch = {config.vae.arch} has no weights, so there is nothing to train")
    if distributed.is_first():
        write_text_whole(work / CURVES, "")
    done = LoopResult(
        diverged=None,
        steps=0,
        skipped_updates=0,
        seconds=0.0,
        cpu_seconds=0.0,
        final={},
        rollbacks=(),
        weights_step=0,
    )
    return assemble(Lsgm(build_vae(config, dataset.image_shape)), config, done, steps_per_epoch=1)
