"""The file of generated images that `lsgm sample` writes and `lsgm evaluate` and `lsgm figure` read.

One safetensors file: `images` (N, C, H, W) as 8-bit integers, un-padded, and in its metadata how they were drawn. A
model from which nothing can be drawn (its training diverged, its ODE cannot be solved) gives a file without images
that says why: a result, not a failure.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lsgm.config import ConfigError

# One metadata entry: safetensors writes several in random order, and the same samples must give the same bytes.
ENTRY = "lsgm_samples"
FORMAT = 1


@dataclass(frozen=True)
class SamplesRecord:
    """How the images of one file were drawn. `reason` says why there are none, if so."""

    model_sha256: str
    solver: str
    tol: float
    nfe: float | None
    seconds: float
    reason: str | None
    device: str | None = None
    commit: str | None = None


def write_samples(path: Path, images: Tensor, record: SamplesRecord) -> None:
    """Write images (N, C, H, W) in [0, 1], rounded to 8 bits, whole or not at all."""
    rounded = images.mul(255).round().clamp(0, 255).to(torch.uint8).contiguous().cpu()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.touch()
    mode = temporary.stat().st_mode
    save_file({"images": rounded}, temporary, {ENTRY: json.dumps({"format": FORMAT, **asdict(record)})})
    temporary.chmod(mode)  # safetensors makes files that only their owner can read
    os.replace(temporary, path)


def read_samples(path: Path) -> tuple[Tensor, SamplesRecord]:
    """Read the images, uint8 (N, C, H, W), and their record.

    Raises:
        ConfigError: absent, damaged, or not a file of samples.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; make it with `lsgm sample`")
    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads((file.metadata() or {}).get(ENTRY, "{}"))
            if record.pop("format", None) != FORMAT:
                raise ConfigError(f"{path}: not a file of samples; make it with `lsgm sample`")
            return file.get_tensor("images"), SamplesRecord(**record)
    except (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path}: damaged file of samples ({error}); delete it and sample again") from None
