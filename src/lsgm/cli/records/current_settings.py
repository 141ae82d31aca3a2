"""Whether a measurement was made with the settings that the config folder has now."""

from __future__ import annotations

from lsgm.config import ConfigError, Stage
from lsgm.config.catalogue import Catalogue
from lsgm.reporting import Metrics
from lsgm.reporting.cost_measurement import ModelCost


def is_current(catalogue: Catalogue, metrics: Metrics | ModelCost, stage: Stage = "evaluate") -> bool | None:
    """Compare the settings on which the numbers depend, at the seed of the run.

    Args:
        catalogue: the runs of the config folder.
        metrics: content of a metrics file, or what the file of `lsgm cost` says of one model.
        stage: that measured them.

    Returns:
        None if the config folder has no such run, or none at this scale.
    """
    try:
        settings = catalogue.settings(metrics.run, metrics.scale)
    except ConfigError:
        return None
    seeded = settings.model_copy(update={"seed": metrics.provenance.seed})
    return seeded.fingerprint(stage) == metrics.provenance.config_hash
