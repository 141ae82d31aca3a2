"""All readers that are fuzzed; that of the authors' checkpoints has tests of its own (tests/compat/official)."""

from __future__ import annotations

from fuzz import (
    targets_arrays,
    targets_downloads,
    targets_images,
    targets_measurements,
    targets_scripts,
    targets_settings,
    targets_weights,
)
from fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *targets_arrays.TARGETS,
    *targets_images.TARGETS,
    *targets_settings.TARGETS,
    *targets_measurements.TARGETS,
    *targets_weights.TARGETS,
    *targets_scripts.TARGETS,
    *targets_downloads.TARGETS,
)
