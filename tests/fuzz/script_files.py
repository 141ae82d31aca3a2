"""TorchScript archives of small stand-ins for the Inception network, whole and taken apart."""

from __future__ import annotations

import io
import warnings
import zipfile
from functools import cache

import torch

NAME = "inception-2015-12-05.pt"
FEATURES = 2048


class Layers(torch.nn.Module):
    """Pooled colours times weights: 2048 features."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(-1, 1, 6).view(3, 2))
        self.strides = [1, 2]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = torch.matmul(x.mean(dim=[2, 3]), self.weight)
        return torch.nn.functional.pad(features, [0, 2046])


class Network(torch.nn.Module):
    """A network with `layers`, of which clean-fid calls nothing else."""

    def __init__(self, layers: torch.nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.layers(x)
        return x


def archive_of(layers: torch.nn.Module) -> bytes:
    """The file of a network with these layers."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Network(layers)), buffer)
    return buffer.getvalue()


@cache
def script() -> bytes:
    """A sound file."""
    return archive_of(Layers())


@cache
def records() -> dict[str, bytes]:
    """What it consists of."""
    with zipfile.ZipFile(io.BytesIO(script())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(contents: dict[str, bytes]) -> bytes:
    """An archive of these records, with right checksums."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def script_with(name: str, content: bytes) -> bytes:
    """The file with another record."""
    return packed(records() | {name: content})


@cache
def code_name() -> str:
    """The record that holds the code of the network's forward."""
    return next(name for name, content in records().items() if name.endswith(".py") and b"class Layers" in content)


def code() -> bytes:
    """That code."""
    return records()[code_name()]


def code_with(line: str) -> bytes:
    """The code with a line more in the layers' forward."""
    marker = b"    weight = self.weight\n"
    assert code().count(marker) == 1, code()
    return code().replace(marker, marker + f"    {line}\n".encode())


def zip_bomb() -> bytes:
    """A megabyte that unpacks to more than one GiB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(20):
            archive.writestr(f"archive/data/{index}", bytes(2**26))
    return buffer.getvalue()
