"""One file of reference vectors: the arrays of its .npz and the numbers of its .json, all by name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DEFAULT_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference"
UNDIVIDED = {"params", "buffers", "vae_args", "vada_args"}
"""Mappings of f_full_params.json that are one value each."""

Value = Tensor | float | int | bool | str | list | dict | None


def reference_folder() -> Path:
    """Where the vectors are if this machine has them (LSGM_REFERENCE)."""
    return Path(os.environ.get("LSGM_REFERENCE", DEFAULT_FOLDER))


def files_of(folder: Path) -> list[str]:
    """Stems of all files with arrays or numbers to compare."""
    return sorted({path.stem for path in folder.iterdir() if path.suffix in (".npz", ".json")})


class Vectors:
    """The values of one file.

    Args:
        folder: of the reference vectors.
        file: stem of the .npz and .json.

    Attributes:
        record: the .json.
    """

    def __init__(self, folder: Path, file: str) -> None:
        self.folder, self.file = folder, file
        self.record: dict = json.loads((folder / f"{file}.json").read_text())

    @cached_property
    def values(self) -> dict[str, Value]:
        """Every array as a tensor of its own dtype, and every number of the .json's results, by name."""
        values: dict[str, Value] = {}
        path = self.folder / f"{self.file}.npz"
        if path.exists():
            with np.load(path) as file:
                values |= {name: torch.from_numpy(file[name]) for name in file.files}
        return values | dict(_numbers(self.record))

    def tensor(self, name: str, dtype: torch.dtype) -> Tensor:
        """An array in another precision."""
        return torch.as_tensor(self.values[name]).to(dtype)

    def beside(self, file: str) -> Vectors:
        """Another file of the folder."""
        return Vectors(self.folder, file)

    def weights(self, file: str, part: str) -> dict[str, Tensor]:
        """A state dict of the folder, <file>_<part>_state.pt; part is `vae` or `sgm`."""
        return dict(_state(self.folder / f"{file}_{part}_state.pt"))


@cache
def _state(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)


def _numbers(record: Mapping) -> Iterator[tuple[str, Value]]:
    for part in ("results", "configs"):
        yield from _leaves(part, record.get(part, {}))
    for row in record.get("consistency", []):
        for name, number in row.items():
            if name not in ("sde", "mode", "time_eps"):
                yield f"{row['sde']}/{row['mode']}/{name}", number
    for row in record.get("unsupported", []):
        like_vp = "like_vp" if row["iw_subvp_like_vp_sde"] else "own"
        yield f"unsupported/{row['sde']}/{row['mode']}/eps{row['time_eps']:g}/{like_vp}", row["error"]
    for row in record.get("table", []):
        stem = f"table/{row['sde']}/eps{row['ode_eps']:g}/{'mixed_' * row['mixed']}"
        for name in ("nfe_sample", "sample_max_err", "nfe_nll_exact_trace", "nll_max_err"):
            if name in row:
                yield f"{stem}{name}_tol{row['tol']:g}", row[name]
    for row in record.get("hutchinson", []):
        yield from _leaves(f"hutchinson/{row['sde']}/eps{row['ode_eps']:g}/tol{row['tol']:g}", row["results"])


def _leaves(name: str, value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict) and name.rpartition("/")[2] not in UNDIVIDED:
        for key, part in value.items():
            yield from _leaves(f"{name}/{key}", part)
    elif value is not None:
        yield name, value
