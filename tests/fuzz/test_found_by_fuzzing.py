"""What fuzzing found is found no more (found.py), and what it found that is no single file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch
from fuzz.bounds import bounded
from fuzz.found import FOUND
from fuzz.target import outcome
from fuzz.targets import TARGETS
from fuzz.targets_images import PNGS
from fuzz.targets_weights import CACHE, KEY

from lsgm.config import ConfigError, DataConfig
from lsgm.config.run_names import RunName
from lsgm.data.readers.folder import read_folder
from lsgm.evaluation.frechet import cache as frechet_cache

BY_NAME = {target.name: target for target in TARGETS}


@pytest.mark.parametrize("what", FOUND)
def test_found(what: str, tmp_path: Path) -> None:
    name, content, expected = FOUND[what]
    target = BY_NAME[name]
    message = outcome(target, target.wrap(content), tmp_path)
    if expected is not None:
        assert message is not None and re.search(expected, message), message


def test_a_pickle_that_repeats_a_text(tmp_path: Path) -> None:
    """300 kB that asked for 1.2 GB: 30,000 bytes, remembered and encoded 40,000 times."""
    target = BY_NAME["cifar10 pickle"]
    bomb = next(attack for attack in target.attacks if len(attack) > 200_000 and b"encode" in attack)
    assert "more bytes than are in the file" in outcome(target, bomb, tmp_path)


def test_a_name_in_no_encoding(tmp_path: Path) -> None:
    """Images whose names are no text are read, and their folder's name stands in a title that can be printed."""
    folder = tmp_path / os.fsdecode(b"own\xff")
    folder.mkdir()
    for index in range(8):
        (folder / os.fsdecode(b"%d\xff.png" % index)).write_bytes(PNGS[0])
    raw = read_folder(DataConfig(name="folder", path=str(folder), test_fraction=0.5), None, False)
    assert len(raw.train) + len(raw.test) == 8
    raw.title.encode("utf-8")


@pytest.mark.parametrize("path", ["a" * 300, "a\0b"])
def test_a_path_that_no_file_can_have(path: str) -> None:
    with bounded(), pytest.raises(ConfigError, match=r"data\.path"):
        read_folder(DataConfig(name="folder", path=path), None, False)


def test_changed_statistics_are_computed_anew(tmp_path: Path) -> None:
    """The key of the cache is of the images; a damaged number went into every distance."""
    path = tmp_path / "real.safetensors"
    path.write_bytes(CACHE)
    assert frechet_cache._read(path, KEY) is not None
    one = torch.ones(1, dtype=torch.float64).numpy().tobytes()
    path.write_bytes(CACHE.replace(one, torch.full((1,), 2.0, dtype=torch.float64).numpy().tobytes(), 1))
    assert path.read_bytes() != CACHE
    assert frechet_cache._read(path, KEY) is None


def test_a_seed_of_5000_digits_is_part_of_a_name() -> None:
    assert RunName.parse("mnist/seed-" + "9" * 5000).seed is None


def test_messages_are_one_line_whatever_they_quote() -> None:
    message = str(ConfigError("a\nb\r\n c\x1b[31m\ud800\u2028" + "x" * 10_000 + "; the cure"))
    assert message.startswith("a b c\\x1b[31m\\ud800 xxx") and message.endswith("xxx; the cure")
    assert len(message) < 2500 and message.isprintable()
