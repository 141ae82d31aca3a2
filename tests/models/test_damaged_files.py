"""Model files that are damaged, forged or of another program."""

from __future__ import annotations

import pickle

import pytest
import torch
from models.model_files import forge, message_of, read
from safetensors.torch import save_file

from lsgm.models.file_header import METADATA_KEY


def test_absent_file_and_folder(tmp_path):
    assert "no such model file" in message_of(tmp_path / "absent.safetensors")
    assert "no such model file" in message_of(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.1, 0.5, 0.999])
def test_truncated_file(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    assert "damaged or incomplete" in message_of(saved)


@pytest.mark.parametrize("content", [b"garbage" * 1000, pickle.dumps({"vae": 1}), bytes(4096)])
def test_garbage(saved, content):
    saved.write_bytes(content)
    assert "damaged or incomplete" in message_of(saved)


@pytest.mark.parametrize("position", [-1, -5000])
def test_flipped_bit_in_the_weights(saved, position):
    expected = read(saved)[0]["checksum"]
    content = bytearray(saved.read_bytes())
    content[position] ^= 1
    saved.write_bytes(content)
    message = message_of(saved)
    assert f"instead of {expected}" in message
    assert "damaged, checksum " in message


def test_changed_settings_without_changed_checksum(saved):
    forge(saved, lambda content, _: content["config"]["prior"].update(dropout=0.3), keep_checksum=True)
    assert "damaged, checksum" in message_of(saved)


def test_renamed_tensor_without_changed_checksum(saved):
    def swap(content, tensors):
        tensors["prior.active"], tensors["prior.mixing_logit"] = tensors["prior.mixing_logit"], tensors["prior.active"]

    forge(saved, swap, keep_checksum=True)
    assert "damaged, checksum" in message_of(saved)


def test_absent_checksum(saved):
    forge(saved, lambda content, _: content.pop("checksum"), keep_checksum=True)
    assert "damaged, checksum" in message_of(saved)


def test_file_of_another_program(saved):
    save_file({"weight": torch.ones(1)}, saved)
    assert "not a model file of this program" in message_of(saved)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "3"])
def test_header_that_is_none(saved, text):
    save_file({"weight": torch.ones(1)}, saved, metadata={METADATA_KEY: text})
    assert "its header cannot be read" in message_of(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 99}, "format version 99, this program reads version 2"),
        ({"config": {}}, "its settings: name"),
        ({"config": {"name": "x", "surplus": 1}}, "its settings: "),
        ({"config": []}, "its settings: "),
        ({"image_shape": [1, 2]}, "its header cannot be read"),
        ({"latent_shape": "abc"}, "its header cannot be read"),
        ({"extra": 3}, "its header cannot be read"),
    ],
)
def test_header_that_makes_no_sense(saved, changes, message):
    forge(saved, lambda content, _: content.update(changes))
    assert message in message_of(saved)
