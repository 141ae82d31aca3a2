"""How images are drawn where their cost is measured: the same samplers, counts and features for all models."""

from __future__ import annotations

from collections.abc import Mapping

from lsgm.config import ConfigError, ExperimentConfig, SampleConfig, validate

MIN_BATCHES = 2
USUAL_BATCHES = 4


def batch_size(config: ExperimentConfig) -> int:
    """Images drawn at a time.

    Raises:
        ConfigError: less than two batches fit into the number of images: the time of the first one does not count.
    """
    figures, count = config.figures, _num_images(config)
    size = figures.cost_batch_size or max(1, min(config.sample.batch_size, count // USUAL_BATCHES))
    if size * MIN_BATCHES > count:
        raise ConfigError(
            f"figures.cost_batch_size = {size} leaves less than {MIN_BATCHES} batches of {count} images, and the first "
            f"is for warming up; lower it, or raise figures.num_samples"
        )
    return size


def sampler_settings(name: str, config: ExperimentConfig) -> dict[str, SampleConfig]:
    """How a run draws its images with each sampler, by what is changed for it, such as `ode, tol 1e-05`.

    Only whole batches are drawn, as many as fit into the number of images.

    Args:
        name: of the run, for messages.
        config: its settings.

    Raises:
        ConfigError: a sampler with impossible settings, or one that does not fit the run's SDE.
    """
    size = batch_size(config)
    counts = {"num_samples": _num_images(config) // size * size, "batch_size": size}
    found = {}
    for changes in config.figures.cost_samplers:
        sample = {**config.sample.model_dump(mode="json"), **changes, **counts}
        tree = {**config.model_dump(mode="json"), "sample": sample}
        settings = validate(ExperimentConfig, tree, f"{name}, figures.cost_samplers {dict(changes)}").sample
        found[_words(settings, changes)] = settings
    return found


def require_comparable(configs: Mapping[str, ExperimentConfig]) -> None:
    """Refuse runs whose images would be drawn or measured in different ways.

    Raises:
        ConfigError: naming two runs and what differs between them.
    """
    ways = {name: _way(name, config) for name, config in configs.items()}
    first, *others = ways
    for other in others:
        for what, wanted in ways[first].items():
            if ways[other][what] != wanted:
                raise ConfigError(
                    f"{other}: {what} is {ways[other][what]}, but {wanted} for {first}; give both the same"
                )


def _way(name: str, config: ExperimentConfig) -> dict[str, object]:
    return {
        "figures.cost_samplers": "; ".join(sampler_settings(name, config)),
        "the number of images": _num_images(config),
        "the batch": batch_size(config),
        "evaluate.frechet": config.evaluate.frechet.model_dump(mode="json"),
    }


def _num_images(config: ExperimentConfig) -> int:
    return config.figures.num_samples or config.sample.num_samples


def _words(settings: SampleConfig, changes: Mapping[str, object]) -> str:
    values = {key: getattr(settings, key) for key in changes if key != "solver"}
    shown = (f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in values.items())
    return ", ".join([settings.solver, *shown])
