"""One reader per data set: `reader(config, root, download)` gives its raw 8-bit images.

A reader touches the network only where `download` is true, and nothing outside the data root or `data.path`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lsgm.config import DataConfig
from lsgm.data.raw import RawImages

from .celebahq256 import read_celebahq256
from .cifar10 import read_cifar10
from .digits import read_digits
from .folder import read_folder
from .mnist import read_mnist
from .npz import read_npz_file
from .omniglot import read_omniglot
from .omniglot_originals import read_omniglot_originals
from .patches import read_patches

Reader = Callable[[DataConfig, Path | None, bool], RawImages]

READERS: dict[str, Reader] = {
    "digits": read_digits,
    "patches": read_patches,
    "mnist": read_mnist,
    "omniglot": read_omniglot,
    "omniglot_originals": read_omniglot_originals,
    "cifar10": read_cifar10,
    "celebahq256": read_celebahq256,
    "folder": read_folder,
    "npz": read_npz_file,
}

__all__ = ["READERS", "Reader"]
