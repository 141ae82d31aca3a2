"""Model files for tests: written, taken apart, forged, and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from models.small_models import IMAGE_SHAPE
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from lsgm.config import ConfigError, ExperimentConfig
from lsgm.models import Lsgm, build_lsgm, load_model
from lsgm.models.file_header import METADATA_KEY, checksum

Tensors = dict[str, Tensor]


def make_model(config: ExperimentConfig) -> Lsgm:
    """A model in which every tensor, buffers included, differs from that of a fresh one."""
    model = build_lsgm(config, IMAGE_SHAPE, seed=5)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator))
            else:
                tensor.fill_(len(name))
    if model.prior is not None:
        model.prior.active.fill_(1)
        model.prior.deactivate(torch.tensor([False, True, False, False, True, False]))
    return model


def read(path: Path) -> tuple[dict, Tensors]:
    """Header and tensors of a model file."""
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()[METADATA_KEY]), load_file(path)


def forge(path: Path, change: Callable[[dict, Tensors], None], keep_checksum: bool = False) -> None:
    """Rewrite a model file with other content; by default with a checksum that is right for it."""
    content, tensors = read(path)
    change(content, tensors)
    if not keep_checksum:
        del content["checksum"]
        content["checksum"] = checksum(content, tensors)
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(content)})


def message_of(path: Path, config: ExperimentConfig | None = None, image_shape=None) -> str:
    """Text of the error that loading gives: one line that starts with the path."""
    with pytest.raises(ConfigError) as error:
        load_model(path, config, image_shape=image_shape)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message
