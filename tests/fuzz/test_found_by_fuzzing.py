"""What fuzzing found, each as the smallest file that shows it: other exceptions than ConfigError, no end, no bound."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzz.bounds import bounded
from fuzz.target import outcome
from fuzz.targets import TARGETS
from fuzz.targets_arrays import npy_with_header, npz
from fuzz.targets_images import PNGS, zip_of
from fuzz.targets_settings import LAUGHS
from fuzz.targets_weights import CACHE, HUGE, KEY

from lsgm.config import ConfigError, DataConfig
from lsgm.config.run_names import RunName
from lsgm.data.readers.folder import read_folder
from lsgm.evaluation.frechet import cache as frechet_cache

BY_NAME = {target.name: target for target in TARGETS}
PLAIN = "{'descr': '|u1', 'fortran_order': False, 'shape': "
NAN = b'{"step": 1, "nelbo": NaN}\n'
FOUND = {
    # Arrays: NumPy's reader of headers raised TypeError, IndexError and tokenize's own error, or asked for 4 GiB.
    "shape beyond any index": ("npy", npy_with_header(PLAIN + "(0, 1" + "0" * 30 + "), }"), "x.npy"),
    "type that is a tuple": (
        "npy",
        npy_with_header("{'descr': ('|u1',), 'fortran_order': False, 'shape': (1,), }"),
        "header",
    ),
    "open quotes": ("npy", npy_with_header("'''"), "header"),
    "open bracket": ("npy", npy_with_header(PLAIN + "(48,), "), "x.npy"),
    "a header of 9000 signs": ("npy", npy_with_header("-" * 9000 + "1"), "header"),
    "a header of 4 GiB": ("npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "format 2.0"),
    "names of arrays with line breaks": ("npz", zip_of({"a\nb\x1b[31m.npy": npy_with_header("")}), r"a b\\x1b\[31m"),
    "parts of different sizes": (
        "npz",
        npz(train=np.zeros((1, 4, 4), np.uint8), test=np.zeros((1, 5, 5), np.uint8)),
        r"x\.npz",
    ),
    # Pickles: the reader in C makes room for 2^28 objects, or for as many bytes as are said to come.
    "an object to remember as number 2^28": ("cifar10 pickle", b"\x80\x02Nr\xf0\xff\xff\x0f.", None),
    "bytes that are not there": ("cifar10 pickle", b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.", "damaged"),
    # Settings.
    "aliases that multiply": ("experiment", LAUGHS, "alias"),
    "a whole number of 5000 digits": ("experiment", b"seed: " + b"9" * 5000, "not valid YAML"),
    "a number that is none": ("experiment", b"seed: 0x_", "not valid YAML"),
    "a day that is none": ("experiment", b"name: 2001-99-99", "not valid YAML"),
    "brackets without end": ("experiment", b"data: " + b"[" * 5000, "levels"),
    "a key twice": ("experiment", b"seed: 1\nseed: 2", "'seed' is there twice in line 2"),
    "a backbone that is a mapping": ("folder of settings", b"backbone: {a: 1}", "not the name"),
    "a backbone with a zero byte": ("experiment", b'backbone: "a\\0b"', "not the name"),
    "an absent backbone names its experiment": (
        "experiment",
        b"backbone: absent",
        r"changed\.yaml: its backbone 'absent'",
    ),
    "a name that is a list": ("experiment", b"name: [1]", "must be text"),
    "experiments that are a list": ("scale", b"experiments: [1]", "experiments needs"),
    "an experiment of a scale that is a list": ("scale", b"experiments: {mnist: [1]}", "mnist needs"),
    "all that is a list": ("scale", b"all: [1]", "all needs"),
    "keys of a scale that are no text": ("scale", b"1: 2\nb: 3", "a key is no text"),
    "a mistake of a scale names its file": ("scale", b"all: {sead: 1}", r"mnist\.yaml with .*demo\.yaml: unknown key"),
    "a field of csv beyond the limit": ("cells", b"cell\n" + b"a" * 2**17, "csv"),
    "a cell that leads out of its folder": (
        "cells",
        b"cell,sde,weighting,time,q_time,not_applicable\nvpsde-../x-is-rew,vpsde,../x,is,rew,",
        "line 2",
    ),
    "a word with 3000 dots": ("word of --set", b"a." * 3000 + b"a=1", "expected section.key=value"),
    # Records.
    "metrics with a number of 5000 digits": ("metrics", b'{"format": ' + b"9" * 5000 + b"}", "not valid JSON"),
    "metrics with brackets without end": ("metrics", b"[" * 100_000, "JSON"),
    "a training record that is a number": ("training record", b"1", "key: value"),
    "a damaged record says nothing of a length": ("length of a training", b'{"steps": 1', "damaged"),
    "a curve of infinite numbers": ("training curves", b'{"step": 1, "nelbo": ' + b"9" * 400 + b"}", "curves"),
    "a curve of nested lists": ("training curves", b'{"step": 1, "nelbo": ' + b"[" * 2000, "curves"),
    "a curve without a step": ("training curves", b'{"step": null, "nelbo": 1}', "step"),
    "a line that is a number": ("curve to go on with", b"1\n" + NAN, None),
    # Files of tensors.
    "samples whose record is a number of 5000 digits": (
        "header of samples",
        b'{"format": ' + b"9" * 5000 + b"}",
        "damaged",
    ),
    "samples whose record is a list": ("header of samples", b"[]", "not a file of samples"),
    "prepared data with brackets without end": ("header of prepared data", b"[" * 100_000, "damaged"),
    **{
        f"a model of no sensible size, {index}": ("header of a model", header, "model")
        for index, header in enumerate(HUGE)
    },
}


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
