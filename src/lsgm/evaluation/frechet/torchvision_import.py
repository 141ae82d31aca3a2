"""Importing torchvision beside a CPU build of torch.

The torchvision wheel of the package index is built for CUDA. Beside a CPU torch its import dies with "operator
torchvision::nms does not exist", because a fake kernel is registered for an operator whose library could not be loaded.
Declaring the schema of the missing operators lets the import pass; clean-fid uses neither. Where torchvision imports
as it should, nothing is changed.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

from lsgm.config import ConfigError

MISSING_OPERATORS = ("nms", "qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

# The declarations vanish with the library object, so it is kept.
_declarations: list[torch.library.Library] = []


def import_torchvision() -> ModuleType:
    """Import torchvision, declaring its box operators first where its own library cannot be loaded.

    Raises:
        ConfigError: torchvision is not installed.
    """
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error}; install the extra: pip install 'lsgm[fid]'") from None
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _declarations:
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in MISSING_OPERATORS:
        library.define(operator + SCHEMA)
    _declarations.append(library)
    return importlib.import_module("torchvision")
