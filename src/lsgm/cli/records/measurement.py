"""All measurements of one run, as the content of its metrics file.

A run that diverged, or whose ODE cannot be solved, is a result: the file says `diverged` and why, the numbers that
could be measured are there, the others are null.
"""

from __future__ import annotations

import time
from pathlib import Path

from torch import Tensor

from lsgm.cli.records.image_distance import measure_distance
from lsgm.cli.records.origin import Clock, data_metrics, divergence, provenance
from lsgm.cli.records.samples_file import SamplesRecord
from lsgm.config import ConfigError, ExperimentConfig
from lsgm.data import Dataset
from lsgm.evaluation import SolveErrors, bits_per_dim, evaluate_nelbo, importance_weighted_bound
from lsgm.models import LoadedModel, beside, parameter_counts, sha256_of
from lsgm.reporting.records.metrics import (
    Metrics,
    NelboErrors,
    NelboMetrics,
    NelboTerms,
    NllMetrics,
    ParameterCounts,
    SamplingMetrics,
    TrainingMetrics,
)
from lsgm.reporting.records.training_file import read_training
from lsgm.sampling import NumericalError


def measure(
    model_file: Path,
    loaded: LoadedModel,
    dataset: Dataset,
    images: Tensor,
    record: SamplesRecord,
    config: ExperimentConfig,
    root: Path | None,
    device: str,
) -> Metrics:
    """Measure one model.

    Args:
        model_file: the model, whose training record lies beside it.
        loaded: its content.
        dataset: prepared data; the test images are measured, the Fréchet reference is as set.
        images: generated, uint8 (N, C, H, W); none if sampling was not possible, for the reason in `record`.
        record: how they were drawn.
        config: resolved settings.
        root: data root, for feature weights.
        device: where to compute.

    Raises:
        ConfigError: the samples come from another model or other settings, or the training record is absent.
    """
    clock = Clock()
    model_sha256 = sha256_of(model_file)
    if record.model_sha256 != model_sha256:
        raise ConfigError(f"the samples were drawn from another model than {model_file}; sample again")
    if record.config_hash not in (None, config.fingerprint("sample")):
        raise ConfigError(f"the samples of {model_file} were drawn with other settings than these; sample again")
    training = read_training(beside(model_file, "training.json"), TrainingMetrics)
    problems = [record.reason] if record.reason else []
    nelbo = nll = frechet = None
    if not divergence(loaded):
        try:
            nelbo = _nelbo(loaded, dataset, config, device)
            nll = _nll(loaded, dataset, config, device) if config.is_vae else None
        except NumericalError as error:
            problems.append(f"evaluation failed: {error}")
    if len(images):
        frechet = measure_distance(images, dataset, config, root, device)
    counts = parameter_counts(config, dataset.image_shape)
    return Metrics(
        experiment=config.name,
        kind=config.kind,
        cell=config.cell,
        variant=config.variant,
        scale=config.scale,
        status="diverged" if problems else "ok",
        reason="; ".join(problems) or None,
        scaled_down=config.scaled_down,
        data=data_metrics(dataset),
        nelbo=nelbo,
        nll=nll,
        frechet=frechet,
        sampling=SamplingMetrics(
            solver=record.solver,
            tol=record.tol if record.solver == "ode" else None,
            nfe=record.nfe,
            nfe_per_image=record.nfe_per_image,
            seconds=record.seconds,
            num_samples=len(images),
            device=record.device,
            commit=record.commit,
            dirty=record.dirty,
            versions=record.versions,
            processes=record.processes,
        ),
        training=training,
        parameters=ParameterCounts(vae=counts["vae"], prior=counts.get("prior", 0)),
        provenance=provenance(config, "evaluate", model_sha256, dataset, device, clock),
    )


def _in_unit(nats: float, config: ExperimentConfig, shape: tuple[int, int, int]) -> float:
    """Binary sets are reported in nats per image, all others in bits per dimension (method.md: Likelihood)."""
    return nats if config.data.binarise else bits_per_dim(nats, shape)


def _nelbo(loaded: LoadedModel, dataset: Dataset, config: ExperimentConfig, device: str) -> NelboMetrics:
    clock = time.monotonic()
    result = evaluate_nelbo(loaded.model, dataset.test, config, config.seed, device)
    value, stderr, reconstruction, neg_entropy, cross_entropy = (
        _in_unit(nats, config, dataset.image_shape)
        for nats in (
            result.mean_nats,
            result.stderr_nats,
            result.reconstruction,
            result.negative_entropy,
            result.cross_entropy,
        )
    )
    return NelboMetrics(
        value=value,
        stderr=stderr,
        unit="nats" if config.data.binarise else "bits/dim",
        num_images=result.num_images,
        terms=NelboTerms(reconstruction=reconstruction, neg_entropy=neg_entropy, cross_entropy=cross_entropy),
        nfe=None if config.is_vae else result.nfe_mean,
        solver=None if config.is_vae else config.evaluate.nelbo.solver_words,
        errors=result.errors and _errors(result.errors, config, dataset.image_shape),
        seconds=time.monotonic() - clock,
    )


def _errors(errors: SolveErrors, config: ExperimentConfig, shape: tuple[int, int, int]) -> NelboErrors:
    probe_stderr, probe_rms, halving = (
        None if nats is None else _in_unit(nats, config, shape)
        for nats in (errors.probe_stderr, errors.probe_rms, errors.halving)
    )
    return NelboErrors(
        probe_stderr=probe_stderr, probe_rms=probe_rms, halving=halving, halving_images=errors.halving_images
    )


def _nll(loaded: LoadedModel, dataset: Dataset, config: ExperimentConfig, device: str) -> NllMetrics:
    result = importance_weighted_bound(loaded.model, dataset.test, config, config.seed, device)
    return NllMetrics(
        value=_in_unit(result.mean_nats, config, dataset.image_shape),
        stderr=_in_unit(result.stderr_nats, config, dataset.image_shape),
        unit="nats" if config.data.binarise else "bits/dim",
        num_images=result.num_images,
        num_iw_samples=result.num_samples,
    )
