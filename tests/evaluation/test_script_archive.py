"""Files in the place of the Inception network that would do something else, or give something else than features."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path

import pytest
import torch
from fuzz.script_files import (
    NAME,
    Layers,
    archive_of,
    code,
    code_name,
    code_with,
    packed,
    records,
    script,
    script_with,
    zip_bomb,
)

from lsgm.config import ConfigError
from lsgm.evaluation.frechet.inception import Inception
from lsgm.evaluation.frechet.script_archive import copy_network_only

pytest.importorskip("cleanfid", reason="clean-fid is an extra")

DATA = "archive/data.pkl"
IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class NotFinite(Layers):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full([x.shape[0], 2048], float("nan"))


class FiniteForBlackOnly(Layers):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(-x.mean(dim=[1, 2, 3])).unsqueeze(1).expand(-1, 2048)


class TooFew(Layers):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros([x.shape[0], 2047])


class Numbers(Layers):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones([x.shape[0], 2048], dtype=torch.int64)


class Pair(Layers):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


class Greedy(Layers):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros([x.shape[0], 35184372088832])


def without_layers() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Layers()), buffer)
    return buffer.getvalue()


def pickle_with(old: bytes, new: bytes) -> bytes:
    """The file whose pickle says something else."""
    assert old in records()[DATA]
    return script_with(DATA, records()[DATA].replace(old, new))


def refused(content: bytes, folder: Path, sha256: str | None = None) -> str:
    """The line with which a file is refused."""
    path = folder / NAME
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        Inception(path, sha256)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert "get the file again" in message
    return message


SIX, NUMBERS = b"K\x06", b"\x8a\x06" + (10**12).to_bytes(6, "little")  # of the weight: 3 x 2
SHAPE = b"(K\x03K\x02t"
REFUSED = {
    "leads out": (packed(records() | {"archive/code/../../x.py": b""}), "leads out of it"),
    "absolute": (packed(records() | {"/etc/cron.d/x": b""}), "leads out of it"),
    "two folders": (packed(records() | {"other/data.pkl": records()[DATA]}), "in another folder"),
    "bomb": (zip_bomb(), "unpacks to more than"),
    "many records": (packed({f"archive/data/{index}": b"" for index in range(10_001)}), "holds 10,001 records"),
    "much code": (script_with("archive/code/__torch__/x.py", b"#" * (16 * 2**20 + 1)), "of code"),
    "old format": (packed({"archive/model.json": b"{}", "archive/version": b"1"}), r"it has no data\.pkl"),
    "no code": (packed({DATA: records()[DATA], "archive/version": b"3"}), "it has no code"),
    "other global": (script_with(DATA, b"\x80\x02cos\nsystem\n)R."), r"names os\.system"),
    "a Python function of torch": (script_with(DATA, b"\x80\x02ctorch.hub\nload\n)R."), r"names torch\.hub\.load"),
    "state on a function": (script_with(DATA, b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b."), "state set"),
    "number 2^28": (script_with(DATA, b"\x80\x02Nr\xf0\xff\xff\x0f."), "remembered as number 268,435,440"),
    "more numbers than its record": (pickle_with(SIX, b"K\x07"), r"record data/0 is of 24 bytes"),
    "10^12 numbers": (pickle_with(SIX, NUMBERS), r"1000000000000 numbers .*record data/0 is of 24 bytes"),
    "a shape beyond its numbers": (pickle_with(SHAPE, b"(K\x03K\x04t"), r"shape \(3, 4\) in 6 numbers"),
    "an absurd shape": (pickle_with(SHAPE, b"(K\x03" + NUMBERS + b"t"), "shape .* in 6 numbers"),
    "an absent record": (packed({k: v for k, v in records().items() if k != "archive/data/0"}), "data/0 is absent"),
    "reads a file": (script_with(code_name(), code_with("_x = torch . from_file('x')")), "names from_file"),
    "writes a file": (script_with(code_name(), code_with("torch.save(weight, 'x')")), "names save"),
    "by another name": (script_with(code_name(), code_with("t = torch; _x = t.from_file('x')")), "names from_file"),
    "by an escape": (script_with(code_name(), code_with(r"_x = getattr(torch, 'from\x5ffile')")), "names getattr"),
    "by its full name": (script_with(code_name(), code_with("_x = ops.aten.from_file('x')")), "names from_file"),
    "another library": (script_with(code_name(), code_with("_x = ops.image.read_file('x')")), "names ops"),
    "deep": (script_with(code_name(), code_with("_x = " + "-" * 400 + "1")), "nested more than 300"),
    "very deep": (script_with(code_name(), code_with("_x = " + "-" * 100_000 + "1")), "nested more than 300"),
    "no method": (script_with(code_name(), code().replace(b"def forward", b"def backward")), "forward"),
    "not finite": (archive_of(NotFinite()), "features that are not finite"),
    "too few features": (archive_of(TooFew()), "does not take images .*2047"),
    "whole numbers": (archive_of(Numbers()), r"gives torch.int64 \(1, 2048\)"),
    "a pair": (archive_of(Pair()), "does not take images"),
    "greedy": (archive_of(Greedy()), "does not take images"),
    "without layers": (without_layers(), "layers"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_line(what: str, tmp_path: Path) -> None:
    content, expected = REFUSED[what]
    message = refused(content, tmp_path)
    assert re.search(expected, message), message


def test_what_runs_while_torch_loads_is_refused(tmp_path: Path) -> None:
    """Torch itself calls `__setstate__` of a file that it loads, whoever has written it: here it writes a file."""
    written = tmp_path / "written"

    class Trap(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.ones(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.weight

        @torch.jit.export
        def __getstate__(self) -> tuple[torch.Tensor, bool]:
            return self.weight, self.training

        @torch.jit.export
        def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
            self.weight = state[0]
            self.training = state[1]

    content = archive_of(Trap())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name, text in contents.items() if name.endswith(".py") and b"__setstate__" in text)
    text = contents[name].decode()
    start = re.search(r"def __setstate__\(.*?\) -> NoneType:\n", text, re.DOTALL)
    contents[name] = (text[: start.end()] + f"    torch.save([1], '{written}')\n" + text[start.end() :]).encode()
    trap = packed(contents)
    torch.jit.load(io.BytesIO(trap))
    assert written.exists()
    written.unlink()
    assert "its code names" in refused(trap, tmp_path)
    assert not written.exists()


def test_features_that_stop_being_finite_are_not_hidden(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(archive_of(FiniteForBlackOnly()))
    network = Inception(tmp_path / NAME, None)
    with pytest.raises(ConfigError, match=f"{NAME}: its network gives features that are not finite"):
        network(torch.ones(2, 3, 8, 8))


def test_a_file_whose_checksum_is_named_is_trusted_and_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(script())
    sha256 = hashlib.sha256(script()).hexdigest()
    checked, trusted = Inception(tmp_path / NAME, None), Inception(tmp_path / NAME, sha256)
    assert torch.equal(checked(IMAGES), trusted(IMAGES))
    assert checked.weights_sha256 == trusted.weights_sha256 == sha256
    message = refused(script(), tmp_path, "0" * 64)
    assert f"SHA-256 is {sha256}, evaluate.frechet.sha256 expects {'0' * 64}" in message


def test_only_what_was_checked_is_copied(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(packed(records() | {"archive/extra/x.pkl": b"\x80\x02cos\nsystem\n)R."}))
    copy_network_only(path, tmp_path / "copy")
    with zipfile.ZipFile(tmp_path / "copy") as archive:
        names = set(archive.namelist())
    assert {DATA, "archive/version", "archive/data/0", code_name()} <= names
    assert not any(name.endswith("debug_pkl") or "extra" in name for name in names)
