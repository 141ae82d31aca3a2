"""`train`: build the prior on a backbone, prepare what depends on its latents, and run the joint stage."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from lsgm import distributed
from lsgm.config import ExperimentConfig
from lsgm.data import Dataset, TrainBatches, eval_batches
from lsgm.models import Lsgm, Vae, build_prior

from .joint import JointStage
from .latents.inactive import MAX_BATCHES, inactive_channels
from .latents.vesde_scale import largest_squared_distance, training_latents
from .logging import Reporter, default_reporter
from .loop import Loop
from .noise import posterior_noise
from .result import TrainResult, assemble, checkpoint_store, load_together
from .step.regions import prepared_regions
from .stopping.stop import StopRequest


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
