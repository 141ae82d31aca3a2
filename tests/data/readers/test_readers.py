"""What holds for every reader."""

from __future__ import annotations

from typing import get_args

import pytest

from lsgm.config import ConfigError, DataConfig
from lsgm.config.data import DatasetName
from lsgm.data import READERS

NEEDS_ROOT = ["mnist", "omniglot", "omniglot_originals", "cifar10", "celebahq256"]


def test_every_name_of_the_settings_has_a_reader():
    assert set(READERS) == set(get_args(DatasetName))


@pytest.mark.parametrize("name", NEEDS_ROOT)
def test_without_a_data_root_the_error_says_how_to_set_it(name):
    with pytest.raises(ConfigError, match="set data_root in the config or LSGM_DATA"):
        READERS[name](DataConfig(name=name), None, False)


@pytest.mark.parametrize("name", NEEDS_ROOT)
def test_an_empty_data_root_gives_one_line_that_names_the_file(name, tmp_path):
    with pytest.raises(ConfigError) as error:
        READERS[name](DataConfig(name=name), tmp_path, False)
    message = str(error.value)
    assert str(tmp_path) in message and "absent" in message and "\n" not in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["folder", "npz"])
def test_an_absent_path_names_the_key(name, tmp_path):
    with pytest.raises(ConfigError, match=r"data\.path"):
        READERS[name](DataConfig(name=name, path=str(tmp_path / "absent")), None, False)
