from __future__ import annotations

import pytest
from training.small_run import Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
