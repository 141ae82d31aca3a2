"""The prepared file: round trip, determinism, and one-line errors for everything that can be wrong with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from lsgm.config import ConfigError, DataConfig
from lsgm.data import READERS, RawImages, image_shape, load_dataset, prepare
from lsgm.data.prepared import METADATA_KEY

DIGITS = DataConfig(name="digits")


@pytest.fixture
def prepared(tmp_path):
    path = tmp_path / "digits.safetensors"
    prepare(DIGITS, None, path)
    return path


def test_round_trip_keeps_images_and_description(prepared):
    summary = prepare(DIGITS, None, prepared)
    dataset = load_dataset(prepared, DIGITS)
    raw = READERS["digits"](DIGITS, None, False)
    assert torch.equal(dataset.train, torch.from_numpy(raw.train))
    assert torch.equal(dataset.test, torch.from_numpy(raw.test))
    assert dataset.name == summary.name == "digits"
    assert dataset.title == summary.title == raw.title
    assert dataset.checksum == summary.checksum and dataset.checksum.startswith("sha256:")
    assert dataset.notes == summary.notes == raw.notes
    assert dataset.sources == summary.sources == raw.sources
    assert dataset.image_shape == summary.image_shape == image_shape(DIGITS) == (1, 8, 8)
    assert (summary.num_train, summary.num_test) == (len(dataset.train), len(dataset.test))


def test_same_input_gives_the_same_bytes(prepared, tmp_path):
    again = tmp_path / "again"
    prepare(DIGITS, None, again)
    assert again.read_bytes() == prepared.read_bytes()


def test_checksum_follows_the_images(prepared, tmp_path):
    fewer = prepare(DataConfig(name="digits", num_train=100), None, tmp_path / "fewer")
    assert fewer.checksum != load_dataset(prepared).checksum


def test_writing_leaves_no_other_file_and_makes_the_folder(tmp_path):
    out = tmp_path / "new" / "folder" / "digits"
    prepare(DIGITS, None, out)
    assert [path.name for path in out.parent.iterdir()] == ["digits"]


def test_the_file_has_the_permissions_of_an_ordinary_one(prepared, tmp_path):
    (tmp_path / "ordinary").touch()
    assert prepared.stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_failed_preparation_keeps_the_earlier_file(prepared):
    before = prepared.read_bytes()
    with pytest.raises(ConfigError):
        prepare(DataConfig(name="mnist"), None, prepared)
    assert prepared.read_bytes() == before


def test_target_that_cannot_be_written_is_a_user_error(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "folder", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="cannot be written"):
            prepare(DIGITS, None, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"name": "mnist"}, "data.name"), ({"name": "digits", "num_train": 7}, "data.num_train")],
)
def test_other_settings_are_refused(prepared, settings, key):
    with pytest.raises(ConfigError, match=key):
        load_dataset(prepared, DataConfig(**settings))


def test_settings_that_act_on_batches_do_not_matter(prepared):
    load_dataset(prepared, DataConfig(name="digits", pad=4, binarise=True, flip=True))
    load_dataset(prepared, DataConfig(name="digits", num_bits=5, patch_size=16))


def test_every_flipped_byte_is_noticed(prepared):
    whole = prepared.read_bytes()
    for position in [0, 4, *range(8, 1200, 97), len(whole) // 2, len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[position] ^= 0x15
        prepared.write_bytes(damaged)
        try:
            dataset = load_dataset(prepared, DIGITS)
        except ConfigError as error:
            assert "\n" not in str(error) and str(prepared) in str(error)
        else:  # a damaged title or note is not a damaged image
            assert position < 1200 and dataset.train.shape == (1297, 1, 8, 8)


@pytest.mark.parametrize("length", [0, 1, 8, 100, 3000, 60_000])
def test_truncated_files_are_refused(prepared, length):
    prepared.write_bytes(prepared.read_bytes()[:length])
    with pytest.raises(ConfigError, match=r"digits\.safetensors"):
        load_dataset(prepared)


def test_damaged_images_are_reported_with_both_checksums(prepared):
    data = bytearray(prepared.read_bytes())
    data[-1] ^= 1
    prepared.write_bytes(data)
    with pytest.raises(ConfigError, match=r"found sha256:\w{64}, expected sha256:\w{64}"):
        load_dataset(prepared)


def test_files_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(ConfigError, match="no such file"):
        load_dataset(path)
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ConfigError, match="not a prepared data set"):
        load_dataset(path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"shape": {"train": [1], "test": [1]}},
        {"settings": None},
        {"sha256": {}},
        {"notes": None},
    ],
)
def test_metadata_that_do_not_fit_are_refused(prepared, change):
    with safe_open(prepared, framework="np") as stream:
        header = json.loads(stream.metadata()[METADATA_KEY]) | change
        arrays = {part: stream.get_tensor(part) for part in ("train", "test")}
    save_file(arrays, prepared, metadata={METADATA_KEY: json.dumps(header)})
    with pytest.raises(ConfigError):
        load_dataset(prepared)


def test_raw_images_must_agree_and_exist():
    def images(*shape):
        return np.zeros(shape, np.uint8)

    with pytest.raises(ConfigError, match="one shape"):
        RawImages("x", images(1, 1, 8, 8), images(1, 3, 8, 8))
    with pytest.raises(ConfigError, match="no test images"):
        RawImages("x", images(1, 1, 8, 8), images(0, 1, 8, 8))
    with pytest.raises(ValueError, match="uint8"):
        RawImages("x", images(1, 1, 8, 8).astype(float), images(1, 1, 8, 8))
