"""Which files the data root holds, by name only: nothing is read, so `lsgm doctor` can look at a slow file system."""

from __future__ import annotations

from pathlib import Path

from lsgm.config import ConfigError, DataConfig
from lsgm.config.evaluation import WEIGHT_FILES

EMBEDDED = ("digits", "patches")
"""Data sets that come with a dependency."""
OWN = ("folder", "npz")
"""Readers of a path that the experiment names."""
PATTERNS = {
    "mnist": ("mnist/train-images-idx3-ubyte*", "MNIST/raw/train-images-idx3-ubyte*"),
    "omniglot": ("omniglot/chardata.mat", "omniglot_iwae/chardata.mat", "chardata.mat"),
    "omniglot_originals": (
        "omniglot/images_background.*",
        "omniglot_originals/images_background.*",
        "omniglot-py/images_background.zip",
    ),
    "cifar10": (
        "cifar10/cifar-10-python.tar.gz",
        "cifar-10-python.tar.gz",
        "cifar10/*.npz",
        "cifar10/cifar10_batch_*.png",
    ),
    "celebahq256": ("celebahq256/train*", "celeba_hq/train*"),
}
"""Where the reader of each set looks below the data root; one match is enough here, the reader then checks."""


def sets_in(root: Path) -> dict[str, Path | None]:
    """First file or folder of each data set below the root; None where there is none."""
    return {name: _first(root, patterns) for name, patterns in PATTERNS.items()}


def weights_in(root: Path) -> dict[str, Path | None]:
    """File of each feature network's weights below the root; None where there is none."""
    return {name: _first(root, (file,)) for name, file in WEIGHT_FILES.items()}


def require_data(config: DataConfig, root: Path | None) -> None:
    """Refuse settings whose data set has no file here.

    Raises:
        ConfigError: no data root, or nothing of the data set in it.
    """
    if config.name in EMBEDDED:
        return
    if config.name in OWN:
        places = [Path(config.path).expanduser(), *([root / config.path] if root else [])]
        if not any(place.exists() for place in places):
            raise ConfigError(f"data.path {config.path!r}: not visible here; name a path that this machine sees")
        return
    if root is None:
        raise ConfigError(
            f"data set {config.name} lies in the data root, and none is set; give --data-root or LSGM_DATA"
        )
    if sets_in(root)[config.name] is None:
        raise ConfigError(f"data set {config.name}: none of {', '.join(PATTERNS[config.name])} in {root}; put it there")


def _first(root: Path, patterns: tuple[str, ...]) -> Path | None:
    return next((match for pattern in patterns for match in sorted(root.glob(pattern))), None)
