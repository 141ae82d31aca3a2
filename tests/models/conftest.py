"""A model file that tests may read or spoil."""

from __future__ import annotations

from pathlib import Path

import pytest
from models.model_files import make_model
from models.small_models import IMAGE_SHAPE, small_config

from lsgm.models import save_model


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "run" / "model.safetensors"
    config = small_config()
    save_model(path, make_model(config), config, IMAGE_SHAPE, {"data": "0123"})
    return path
