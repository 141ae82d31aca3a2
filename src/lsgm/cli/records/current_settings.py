"""Whether a metrics file was made with the settings that the config folder has now."""

from __future__ import annotations

from lsgm.config import ConfigError
from lsgm.config.catalogue import Catalogue
from lsgm.reporting import Metrics


def is_current(catalogue: Catalogue, metrics: Metrics) -> bool | None:
    """Compare the settings on which the numbers depend, at the seed of the run.

    Args:
        catalogue: the runs of the config folder.
        metrics: content of a metrics file.

    Returns:
        None if the config folder has no such run, or none at this scale.
    """
    try:
        settings = catalogue.settings(metrics.run, metrics.scale)
    except ConfigError:
        return None
    seeded = settings.model_copy(update={"seed": metrics.provenance.seed})
    return seeded.fingerprint("evaluate") == metrics.provenance.config_hash
