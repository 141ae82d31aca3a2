"""Files of tensors: prepared data, models, samples, checkpoints, feature networks and their statistics."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from fuzz.target import Target
from fuzz.targets_arrays import npz
from models.small_models import IMAGE_SHAPE, small_config
from safetensors.torch import save

from lsgm.cli.records.samples_file import ENTRY, SamplesRecord, read_samples, write_samples
from lsgm.config import ConfigError, DataConfig
from lsgm.data import load_dataset, prepare
from lsgm.data.prepared import METADATA_KEY as DATA_ENTRY
from lsgm.evaluation.frechet import cache as frechet_cache
from lsgm.evaluation.frechet import resnet56
from lsgm.evaluation.frechet.gaussian import GaussianStatistics
from lsgm.models import build_lsgm, load_model, save_model
from lsgm.models.file_header import METADATA_KEY as MODEL_ENTRY
from lsgm.models.file_header import checksum
from lsgm.training.checkpoint import CheckpointStore

Tensors = dict[str, torch.Tensor]
SAFETENSORS_ATTACKS = (
    b"",
    b"\x00" * 8,
    b"\xff" * 8,
    (10**12).to_bytes(8, "little") + b"{}",
    (2).to_bytes(8, "little") + b"{}",
    (4).to_bytes(8, "little") + b"null",
    (100_000).to_bytes(8, "little") + b"[" * 100_000,
    b"PK\x03\x04",
)


def made(write) -> bytes:
    """Bytes that a function writes to the file it is given."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


def parts(content: bytes, entry: str) -> tuple[bytes, Tensors]:
    """The header and the tensors of one of our safetensors files."""
    from safetensors.torch import load

    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size])["__metadata__"][entry].encode(), load(content)


def with_header(entry: str, tensors: Tensors, header: bytes) -> bytes:
    return save(tensors, {entry: header.decode("utf-8", "replace")})


def signed(header: bytes) -> bytes:
    """A model file with a changed header, whose checksum is right again if it is still a header."""
    try:
        content = json.loads(header)
        content.pop("checksum")
        header = json.dumps(content | {"checksum": checksum(content, MODEL_TENSORS)}).encode()
    except Exception:  # it is none any more
        pass
    return with_header(MODEL_ENTRY, MODEL_TENSORS, header)


def read_data(path: Path) -> None:
    dataset = load_dataset(path)
    for images in (dataset.train, dataset.test):
        assert images.dtype == torch.uint8 and images.ndim == 4 and images.numel()
        assert tuple(images.shape[1:]) == dataset.image_shape
    assert all(isinstance(text, str) for text in (dataset.name, dataset.title, *dataset.notes))


def read_model(path: Path) -> None:
    loaded = load_model(path)
    assert all(torch.isfinite(tensor).all() for tensor in loaded.model.state_dict().values())
    assert loaded.model.kind == loaded.config.kind


def read_images(path: Path) -> None:
    images, record = read_samples(path)
    assert images.dtype == torch.uint8 and images.ndim == 4
    assert isinstance(record.solver, str) and np.isfinite(record.tol)


def read_statistics(path: Path) -> None:
    """What is in the cache is what was kept, or nothing."""
    found = frechet_cache._read(path, KEY)
    if found is None:
        raise ConfigError(f"{path}: computed anew")
    assert torch.equal(found.mean, STATISTICS.mean) and torch.equal(found.covariance, STATISTICS.covariance)
    assert found.count == STATISTICS.count


def read_checkpoint(path: Path) -> None:
    """With a right checksum, whatever is in it: it is used, or left out with a note of one line."""
    notes: list[str] = []
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".sha256").write_text(digest + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = CheckpointStore(path.parent, SETTINGS, notes.append).load()
    if found is None:
        assert notes and "\n" not in notes[0]
        raise ConfigError(notes[0])
    assert isinstance(found[0], int) and isinstance(found[1], dict)


def read_checksum(path: Path) -> None:
    """The checksum beside a checkpoint."""
    notes: list[str] = []
    path.with_name("checkpoint-00000003.pt").write_bytes(CHECKPOINT)
    if CheckpointStore(path.parent, SETTINGS, notes.append).load() is None:
        raise ConfigError(f"{path.name}: {notes[0]}")


def read_network(path: Path) -> None:
    with mock.patch.object(resnet56, "BLOCKS", 1), mock.patch.object(resnet56, "WIDTHS", WIDTHS):
        network = resnet56.ResNet56(path)
        assert network(torch.zeros(2, 3, 32, 32)).shape == (2, WIDTHS[-1])


WIDTHS = (2, 4, 8)
with mock.patch.object(resnet56, "BLOCKS", 1), mock.patch.object(resnet56, "WIDTHS", WIDTHS):
    NETWORK = npz(**{name: np.ones(shape, np.float32) for name, shape in resnet56._shapes().items()})

PREPARED = made(lambda path: prepare(DataConfig(name="digits", num_train=4, num_test=2), None, path))
DATA_HEADER, DATA_TENSORS = parts(PREPARED, DATA_ENTRY)


def _small_model(path: Path) -> None:
    config = small_config(is_vae=True)
    save_model(path, build_lsgm(config, IMAGE_SHAPE), config, IMAGE_SHAPE, {"status": "ok"})


MODEL = made(_small_model)
MODEL_HEADER, MODEL_TENSORS = parts(MODEL, MODEL_ENTRY)
HUGE = tuple(
    MODEL_HEADER.replace(old, new)
    for old, new in (
        (b'"num_channels": 8', b'"num_channels": 8000000'),
        (b'"num_groups_per_scale": 2', b'"num_groups_per_scale": 2000000000'),
        (b'"num_latent_per_group": 3', b'"num_latent_per_group": 3000000000000'),
        (b'"image_shape": [1, 6, 6]', b'"image_shape": [1, 60000, 60000]'),
        (b'"num_flows": 0', b'"num_flows": 2000000000'),
        (b'"num_pre_post_cells": 2', b'"num_pre_post_cells": 2000000000'),
    )
)
RECORD = SamplesRecord("0" * 64, "ode", 1e-5, 20.0, 1.5, None)
SAMPLES = made(lambda path: write_samples(path, torch.zeros(2, 1, 4, 4, dtype=torch.uint8), RECORD))
SAMPLES_HEADER, SAMPLES_TENSORS = parts(SAMPLES, ENTRY)
KEY = "k" * 64
STATISTICS = GaussianStatistics(torch.ones(3).double(), torch.eye(3).double(), 7)
CACHE = made(lambda path: frechet_cache._write(path, KEY, STATISTICS))
SETTINGS = {"seed": 1, "train": {"epochs": 3}}


def _checkpoint() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        state = {"model": {"weight": torch.zeros(3)}, "step": 3, "text": "a", "list": [1, 2.5, None]}
        return CheckpointStore(Path(folder), SETTINGS, print).save(3, state).read_bytes()


CHECKPOINT = _checkpoint()
SUM = (hashlib.sha256(CHECKPOINT).hexdigest() + "\n").encode()

TARGETS = (
    Target("prepared data", "data.safetensors", (PREPARED,), read_data, attacks=SAFETENSORS_ATTACKS),
    Target(
        "header of prepared data",
        "data.safetensors",
        (DATA_HEADER,),
        read_data,
        lambda header: with_header(DATA_ENTRY, DATA_TENSORS, header),
        is_text=True,
    ),
    Target("model", "model.safetensors", (MODEL,), read_model, examples=40, attacks=SAFETENSORS_ATTACKS),
    Target(
        "header of a model",
        "model.safetensors",
        (MODEL_HEADER,),
        read_model,
        signed,
        is_text=True,
        examples=40,
        attacks=tuple(map(signed, HUGE)),
    ),
    Target("samples", "samples.safetensors", (SAMPLES,), read_images, attacks=SAFETENSORS_ATTACKS),
    Target(
        "header of samples",
        "samples.safetensors",
        (SAMPLES_HEADER,),
        read_images,
        lambda header: with_header(ENTRY, SAMPLES_TENSORS, header),
        is_text=True,
    ),
    Target("Fréchet statistics", "real.safetensors", (CACHE,), read_statistics, attacks=SAFETENSORS_ATTACKS),
    Target("checkpoint", "checkpoint-00000003.pt", (CHECKPOINT,), read_checkpoint, examples=60, attacks=(b"", b"PK")),
    Target(
        "checksum of a checkpoint",
        "checkpoint-00000003.pt.sha256",
        (SUM,),
        read_checksum,
        examples=40,
        attacks=(b"", b"\xff", b"\x00" * 2**20),
    ),
    Target("ResNet-56 weights", "resnet.npz", (NETWORK,), read_network, examples=60, attacks=(b"", b"PK")),
)
