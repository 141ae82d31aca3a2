"""The prepared file: one data set as raw 8-bit arrays in one safetensors file that says what it is.

It holds the tensors `train` and `test` and, in its metadata, the settings it was made with, the sources with their
checksums, and a checksum of each array, compared on every load. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lsgm.config import ConfigError, DataConfig
from lsgm.config.text_files import parse_json
from lsgm.whole_file import write_whole

from .raw import RawImages
from .readers import READERS
from .source_files import is_file, one_line, refusing_damage

FORMAT = 1
METADATA_KEY = "lsgm_data"
PARTS = ("train", "test")
CURE = "delete it and run `lsgm prepare` again"


@dataclass(frozen=True)
class DataSummary:
    """What `prepare` wrote: name and title of the set, counts, raw image shape (C, H, W), checksums and notes."""

    path: Path
    name: str
    title: str
    num_train: int
    num_test: int
    image_shape: tuple[int, int, int]
    checksum: str
    sources: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """A prepared data set in memory.

    Attributes:
        name: its reader.
        title: as tables and captions show it.
        train: uint8 (N, C, H, W).
        test: uint8 (M, C, H, W).
        checksum: of both arrays, `"sha256:..."`.
        notes: what a reader of a result must know about the data.
        image_shape: raw (C, H, W), before padding.
        sources: checksum of each source by name.
    """

    name: str
    title: str
    train: Tensor
    test: Tensor
    checksum: str
    notes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    sources: Mapping[str, str]


def prepare(config: DataConfig, root: Path | None, out: Path, download: bool = False) -> DataSummary:
    """Read a data set, check it, and write it as one file, which appears whole or not at all.

    Args:
        config: which data set.
        root: the data root; None if there is none (digits, patches and absolute paths need none).
        out: file to write.
        download: fetch published files that are absent.

    Returns:
        What was written.

    Raises:
        ConfigError: the source is absent or damaged, or `out` cannot be written.
    """
    raw = READERS[config.name](config, root, download)
    for part in PARTS:
        if len(getattr(raw, part)) < 2:
            raise ConfigError(
                f"{raw.title}: one {part} image, of which neither a standard error nor a distance can be taken; add "
                f"images, or change data.num_{part} or data.test_fraction"
            )
    arrays = {part: np.ascontiguousarray(getattr(raw, part)) for part in PARTS}
    digests = {part: _array_digest(array) for part, array in arrays.items()}
    header = {
        "format": FORMAT,
        "settings": _settings(config),
        "title": raw.title,
        "shape": {part: list(array.shape) for part, array in arrays.items()},
        "sha256": digests,
        "sources": dict(raw.sources),
        "notes": list(raw.notes),
    }
    _write(out, arrays, {METADATA_KEY: json.dumps(header, sort_keys=True)})
    return _summary(out, config, raw, _total(digests))


def load_dataset(path: Path, config: DataConfig | None = None) -> Dataset:
    """Load a prepared file after checking that it is whole and is the one that the settings ask for.

    Args:
        path: file that `prepare` wrote.
        config: settings that it must have been made with; None accepts any.

    Raises:
        ConfigError: the file is absent, damaged, no prepared data, or was made with other settings.
    """
    from safetensors import safe_open

    path = Path(path)
    if not is_file(path):
        raise ConfigError(f"{path}: no such file; make it with `lsgm prepare`")
    with refusing_damage(str(path), "a prepared data set", CURE), safe_open(path, framework="pt") as stream:
        metadata = (stream.metadata() or {}).get(METADATA_KEY)
        if metadata is None:
            raise ConfigError(f"{path}: not a prepared data set; make one with `lsgm prepare`")
        header = _header(metadata, path)
        tensors = {part: stream.get_tensor(part) for part in PARTS}
        checksum = _verify(path, header, tensors)
    if config is not None:
        _compare_settings(path, header["settings"], config)
    return Dataset(
        name=header["settings"]["name"],
        title=header["title"],
        train=tensors["train"],
        test=tensors["test"],
        checksum=checksum,
        notes=tuple(header["notes"]),
        image_shape=tuple(tensors["train"].shape[1:]),
        sources=header["sources"],
    )


def image_shape(config: DataConfig) -> tuple[int, int, int] | None:
    """Raw (C, H, W) as far as the settings alone decide it; None for images of one's own."""
    if config.name == "patches":
        return (3, config.patch_size, config.patch_size)
    shapes = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "omniglot": (1, 28, 28), "omniglot_originals": (1, 28, 28)}
    return {**shapes, "cifar10": (3, 32, 32), "celebahq256": (3, 256, 256)}.get(config.name)


def _settings(config: DataConfig) -> dict[str, str | int | float | None]:
    """The settings that decide what is in the file; padding, bits, binarisation and flips come later."""
    keys = ["name", "num_train", "num_test"]
    keys += {"patches": ["patch_size"], "folder": ["path", "test_fraction"], "npz": ["path", "test_fraction"]}.get(
        config.name, []
    )
    return {key: getattr(config, key) for key in keys}


def _compare_settings(path: Path, found: Mapping[str, object], config: DataConfig) -> None:
    for key, wanted in _settings(config).items():
        if found.get(key) != wanted:
            raise ConfigError(
                f"{path}: prepared with data.{key} {found.get(key)!r}, the settings ask for {wanted!r}; "
                "run `lsgm prepare` again with these settings"
            )


def _array_digest(array: np.ndarray) -> str:
    digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    digest.update(array.data)
    return digest.hexdigest()


def _total(digests: Mapping[str, str]) -> str:
    return "sha256:" + hashlib.sha256(" ".join(digests[part] for part in PARTS).encode()).hexdigest()


def _header(metadata: str, path: Path) -> dict[str, Any]:
    """Parse the header and check the types of what results show; the rest is compared with the arrays."""
    try:
        header = parse_json(metadata)
    except ConfigError as error:
        raise ConfigError(f"{path}: damaged, its header is {error}; {CURE}") from None
    texts = [header["title"], header["settings"]["name"], *header["notes"], *header["sources"].values()]
    if not (isinstance(header["notes"], list) and all(isinstance(text, str) for text in texts)):
        raise ConfigError(f"{path}: damaged, its header has other types than were written; {CURE}")
    return header


def _verify(path: Path, header: Mapping[str, object], tensors: Mapping[str, Tensor]) -> str:
    """Check format, types, shapes and checksums; return the checksum of both arrays."""
    if header["format"] != FORMAT:
        raise ConfigError(f"{path}: format {header['format']}, this version reads {FORMAT}; run `lsgm prepare` again")
    for part, tensor in tensors.items():
        shape = list(tensor.shape)
        if tensor.dtype != torch.uint8 or tensor.ndim != 4 or 0 in shape or shape != header["shape"][part]:
            raise ConfigError(
                f"{path}: `{part}` is {tensor.dtype} {shape}, expected torch.uint8 {header['shape'][part]}; "
                "run `lsgm prepare` again"
            )
        found, expected = _array_digest(tensor.numpy()), header["sha256"][part]
        if found != expected:
            raise ConfigError(
                f"{path}: damaged: checksum of `{part}` found sha256:{found}, expected sha256:{expected}; "
                "delete it and run `lsgm prepare` again"
            )
    if tensors["train"].shape[1:] != tensors["test"].shape[1:]:
        raise ConfigError(f"{path}: damaged, its training and test images differ in shape; {CURE}")
    return _total(header["sha256"])


def _write(out: Path, arrays: Mapping[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write the file, whole or not at all."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, lambda temporary: save_file(dict(arrays), temporary, metadata=metadata))
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise ConfigError(f"{out}: cannot be written ({reason}); choose another file") from error


def _summary(out: Path, config: DataConfig, raw: RawImages, checksum: str) -> DataSummary:
    return DataSummary(
        path=out,
        name=config.name,
        title=raw.title,
        num_train=len(raw.train),
        num_test=len(raw.test),
        image_shape=tuple(raw.train.shape[1:]),
        checksum=checksum,
        sources=dict(raw.sources),
        notes=raw.notes,
    )
