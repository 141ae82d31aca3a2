"""A damaged checkpoint is an error of one line, or is read as it was before the damage."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import pytest
import torch
from compat.official.small_checkpoints import small_content
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsgm.compat import official
from lsgm.compat.official.checkpoint import read_checkpoint
from lsgm.config import ConfigError


@cache
def whole(legacy: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(small_content(is_vae=True), buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def refused(path: Path, data: bytes) -> str | None:
    """The message with which these bytes are refused; None if they are read, and then as they should be."""
    path.write_bytes(data)
    try:
        found = read_checkpoint(path)
    except ConfigError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        return message
    expected = small_content(is_vae=True)
    assert found.args == vars(expected["args"])
    assert found.vae.keys() == expected["state_dict"].keys()
    assert all(torch.equal(tensor, expected["state_dict"][name]) for name, tensor in found.vae.items())
    return None


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.3, 0.6, 0.9, 0.999, 0.99999])
def test_truncated(tmp_path: Path, share: float, legacy: bool) -> None:
    data = whole(legacy)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ConfigError, match="damaged") as caught:
        official.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_one_byte_short(tmp_path: Path) -> None:
    for legacy in (False, True):
        assert refused(tmp_path / "checkpoint.pt", whole(legacy)[:-1])


def test_a_changed_weight_is_noticed(tmp_path: Path) -> None:
    """Torch itself does not look at the checksums of a zip."""
    data = bytearray(whole(False))
    weight = small_content(is_vae=True)["state_dict"]["stem.weight"]
    place = data.index(weight.numpy().tobytes())
    data[place + 1] ^= 1
    assert "checksum of its record" in refused(tmp_path / "checkpoint.pt", bytes(data))


def test_a_file_without_checksums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        buffer = io.BytesIO()
        torch.save(small_content(is_vae=True), buffer)
    finally:
        torch.serialization.set_crc32_options(True)
    assert refused(tmp_path / "checkpoint.pt", buffer.getvalue()) is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3))
def test_any_change_of_a_zip(tmp_path: Path, places: list[tuple[float, int]]) -> None:
    data = bytearray(whole(False))
    for place, change in places:
        data[int(place * len(data))] ^= change
    refused(tmp_path / "checkpoint.pt", bytes(data))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 20_000), change=st.integers(1, 255), cut=st.integers(0, 50))
def test_any_change_of_the_pickle_of_a_legacy_file(tmp_path: Path, place: int, change: int, cut: int) -> None:
    """No checksum there: a changed number is read as it is, so the whole way to a model is gone."""
    data = bytearray(whole(True))
    data[place % len(data)] ^= change
    del data[place % len(data) : place % len(data) + cut]
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(data)
    try:
        official.read(path)
    except ConfigError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
