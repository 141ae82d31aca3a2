"""Whether a measurement was made with the settings that the config folder has now."""

from __future__ import annotations

from lsgm.config import ConfigError, Stage
from lsgm.config.catalogue import Catalogue
from lsgm.reporting import Metrics
from lsgm.reporting.records.cost_measurement import ModelCost
from lsgm.reporting.records.figure_measurements import FigureMeasurement


def is_current(
    catalogue: Catalogue,
    metrics: Metrics | ModelCost | FigureMeasurement,
    stage: Stage = "evaluate",
    run: str | None = None,
) -> bool | None:
    """Compare the settings on which the numbers depend, at the seed of the run.

    Args:
        catalogue: the runs of the config folder.
        metrics: content of a metrics file, of a measurement for a figure, or what the file of `lsgm cost` says of one
            model.
        stage: that measured them.
        run: its name in the catalogue, if they name it otherwise: measurements for figures say of a cell only which.

    Returns:
        None if the config folder has no such run, or none at this scale.
    """
    try:
        settings = catalogue.settings(run or metrics.run, metrics.scale)
    except ConfigError:
        return None
    seeded = settings.model_copy(update={"seed": metrics.provenance.seed})
    return seeded.fingerprint(stage) == metrics.provenance.config_hash
