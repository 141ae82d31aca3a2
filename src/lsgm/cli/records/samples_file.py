"""The file of generated images that `lsgm sample` writes and `lsgm evaluate` and `lsgm figure` read.

One safetensors file: `images` (N, C, H, W) as 8-bit integers, un-padded, and in its metadata how they were drawn. A
model from which nothing can be drawn (its training diverged, its ODE cannot be solved) gives a file without images
that says why: a result, not a failure.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from pydantic import ConfigDict, TypeAdapter, with_config
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from lsgm.config import ConfigError
from lsgm.config.text_files import parse_json
from lsgm.data.source_files import is_file, refusing_damage
from lsgm.whole_file import write_whole

# One metadata entry: safetensors writes several in random order, and the same samples must give the same bytes.
ENTRY = "lsgm_samples"
FORMAT = 1


@with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
@dataclass(frozen=True)
class SamplesRecord:
    """How the images of one file were drawn. `reason` says why there are none, if so.

    What stands behind it is unknown in files of earlier versions.
    """

    model_sha256: str
    solver: str
    tol: float
    nfe: float | None
    seconds: float
    reason: str | None
    config_hash: str | None = None
    device: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    versions: dict[str, str] = field(default_factory=dict)
    processes: int | None = None
    nfe_per_image: float | None = None


_RECORD = TypeAdapter(SamplesRecord)


def as_kept(images: Tensor, pad: int, image_shape: tuple[int, int, int]) -> Tensor:
    """Round generated images to 8 bits and take their padding away.

    Args:
        images: (N, C, H + 2 pad, W + 2 pad) in [0, 1].
        pad: rows and columns that the model has on each side of an image.
        image_shape: (C, H, W) of the raw images.

    Returns:
        uint8 (N, C, H, W).
    """
    _, height, width = image_shape
    cropped = images[..., pad : pad + height, pad : pad + width]
    return cropped.mul(255).round().clamp(0, 255).to(torch.uint8)


def write_samples(path: Path, images: Tensor, record: SamplesRecord) -> None:
    """Write images as `as_kept` gives them, whole or not at all."""
    metadata = {ENTRY: json.dumps({"format": FORMAT, **asdict(record)})}
    write_whole(path, lambda temporary: save_file({"images": images.contiguous().cpu()}, temporary, metadata))


def read_samples(path: Path) -> tuple[Tensor, SamplesRecord]:
    """Read the images, uint8 (N, C, H, W), and their record.

    Raises:
        ConfigError: absent, damaged, or not a file of samples.
    """
    if not is_file(path):
        raise ConfigError(f"{path}: no such file; make it with `lsgm sample`")
    cure = "delete it and sample again"
    with refusing_damage(str(path), "a file of samples", cure), safe_open(path, framework="pt") as file:
        try:
            record = parse_json((file.metadata() or {}).get(ENTRY, "{}"))
        except ConfigError as error:
            raise ConfigError(f"{path}: damaged file of samples, {error}; {cure}") from None
        if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
            raise ConfigError(f"{path}: not a file of samples; make it with `lsgm sample`")
        images = file.get_tensor("images")
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ConfigError(
                f"{path}: `images` is {images.dtype} {list(images.shape)}, not (N, C, H, W) bytes; {cure}"
            )
        return images, _RECORD.validate_python(record)
