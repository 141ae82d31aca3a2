"""What `lsgm cost` finds, as the content of its file."""

from __future__ import annotations

from collections.abc import Mapping

from lsgm.cli.opened_run import OpenedRun
from lsgm.config import SampleConfig
from lsgm.models import parameter_counts
from lsgm.reporting.records.cost_measurement import CostPoint, ModelCost, SamplingCost
from lsgm.reporting.records.metrics import ParameterCounts

from .cost_sweep import Series, draw_in_turns, num_batches, points_of


def cost_record(
    scale: str, runs: Mapping[str, OpenedRun], samplers: Mapping[str, Mapping[str, SampleConfig]]
) -> SamplingCost:
    """Draw from all models, and describe what it took.

    Args:
        scale: of all runs.
        runs: at least one, by name; the first one's first sampler is what ratios refer to.
        samplers: of each run, how it draws with each sampler; all agree in names and counts.
    """
    drawn = draw_in_turns({name: run for name, run in runs.items() if not run.problems}, samplers)
    first = next(iter(runs))
    reference = drawn[first][0] if first in drawn else None
    settings = next(iter(samplers[first].values()))
    points = {name: points_of(series, reference) for name, series in drawn.items()}
    return SamplingCost(
        scale=scale,
        num_samples=settings.num_samples,
        batch_size=settings.batch_size,
        num_timed=num_batches(settings) - 1,
        models=[_model(name, run, drawn.get(name, []), points.get(name, [])) for name, run in runs.items()],
    )


def _model(name: str, run: OpenedRun, series: list[Series], points: list[CostPoint]) -> ModelCost:
    problems = [*run.problems, *(one.problem for one in series if one.problem)]
    counts = parameter_counts(run.config, run.dataset.image_shape)
    return ModelCost(
        **{**run.described("cost", problems), "run": name},
        sde=run.config.sde.type,
        backbone="nvae" if run.config.vae.has_weights else "pixels",
        prior_shape=run.model.vae.prior_shape,
        parameters=ParameterCounts(vae=counts["vae"], prior=counts["prior"]),
        points=points,
    )
