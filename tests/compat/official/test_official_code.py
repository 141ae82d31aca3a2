"""A checkpoint that would run code when unpickled is refused, and the code does not run."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from compat.official.small_checkpoints import save, small_content

from lsgm.compat import official
from lsgm.compat.official.checkpoint import read_checkpoint
from lsgm.config import ConfigError


class Touch:
    """Unpickled without care, it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


class Call:
    """Unpickled without care, it calls any function."""

    def __init__(self, function: object, *arguments: object):
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")
        official.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("place", ["top", "args", "state", "instead"])
def test_code_is_named_and_not_run(tmp_path: Path, place: str, legacy: bool) -> None:
    target = tmp_path / "made"
    content = small_content()
    if place == "top":
        content["best_score"] = Touch(target)
    elif place == "args":
        content["args"].seed = Call(os.system, f"touch {target}")
    elif place == "state":
        content["vae_state_dict"]["stem.weight"] = Call(exec, f"open({str(target)!r}, 'w')")
    else:
        content = Call(os.mkdir, str(target))
    path = save(content, tmp_path / "checkpoint.pt", legacy)
    message = refusal(path)
    assert re.search(r"it names \w+(\.\w+)*, .* could run code", message)
    assert not target.exists()
    # The file is as wicked as it is meant to be.
    torch.load(path, weights_only=False)
    assert target.exists()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_bare_pickle(tmp_path: Path, protocol: int) -> None:
    path, target = tmp_path / "checkpoint.pt", tmp_path / "made"
    path.write_bytes(pickle.dumps({"args": {}, "vae_state_dict": Touch(target)}, protocol=protocol))
    assert "not a checkpoint of torch.save" in refusal(path)
    assert not target.exists()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("protocol", [0, 3, 4, 5])
def test_other_protocols(tmp_path: Path, protocol: int, legacy: bool) -> None:
    """Torch itself writes protocol 2; the others have instructions that the restricted reader does not know."""
    path, target = tmp_path / "checkpoint.pt", tmp_path / "made"
    content = small_content() | {"best_score": Touch(target)}
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    refusal(path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.ones(3), r"multiarray._reconstruct"),
        (np.array(["x"], dtype=object)[0:1], r"multiarray._reconstruct"),
        (np.longdouble(1), "NumPy scalar of type 'f16'"),
        (np.complex128(1), "NumPy scalar of type 'c16'"),
        (np.datetime64("2020-01-01"), "NumPy scalar of type 'M8'"),
        (np.str_("text"), "NumPy scalar of type 'U4'"),
        (np.dtype("V4,V4"), "NumPy scalar of type"),
        (Path("x"), "pathlib"),
    ],
)
def test_of_numpy_only_plain_numbers(tmp_path: Path, value: object, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        official.read(save(small_content() | {"best_score": value}, tmp_path / "checkpoint.pt"))


# What NumPy calls to make a scalar again.
SCALAR = np.float64(0).__reduce__()[0]


@pytest.mark.parametrize("legacy", [False, True])
def test_plain_numbers_of_numpy(tmp_path: Path, legacy: bool) -> None:
    codes = ["?", "i1", "u1", "<i2", ">u2", "<i4", ">u4", "<i8", ">u8", "<f2", ">f4", "<f8", ">f8"]
    content = small_content(is_vae=True)
    for code in codes:
        number = np.array(1, dtype=code)
        setattr(content["args"], f"of_{code}", Call(SCALAR, number.dtype, number.tobytes()))
    path = save(content, tmp_path / "checkpoint.pt", legacy)
    theirs = vars(torch.load(path, weights_only=False)["args"])
    ours = read_checkpoint(path).args
    for code in codes:
        assert type(theirs[f"of_{code}"]) is np.dtype(code).type
        assert type(ours[f"of_{code}"]) in (bool, int, float)
        assert ours[f"of_{code}"] == theirs[f"of_{code}"] == 1
    assert type(ours["of_?"]) is bool


@pytest.mark.parametrize("arguments", [(np.dtype("f8"), b"123"), (3, b"12345678"), (np.dtype("f8"), "12345678")])
def test_forged_numpy_numbers(tmp_path: Path, arguments: tuple) -> None:
    """Records that NumPy never writes: too few bytes, no type, no bytes."""
    refusal(save(small_content() | {"best_score": Call(SCALAR, *arguments)}, tmp_path / "checkpoint.pt"))


def test_torchscript(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), path)
    refusal(path)
