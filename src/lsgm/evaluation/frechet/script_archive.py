"""What a TorchScript archive may hold before it is loaded: a network, and nothing that reaches for files.

TorchScript is code. Its functions run when they are called, and those named `__setstate__` already while the archive is
loaded; it knows two operators that read and write files, and torch trusts what an archive says of the sizes of its
tensors. Whose code it is, only a checksum says (`evaluate.frechet.sha256`): a file that has the one that was asked for
is loaded as it is. Of any other, only what was checked is copied, and the copy is loaded: its tensors, their
description (script_pickle.py), and code without the words by which it could reach beyond the network. That keeps out
accidents and known tricks; it makes no stranger's code trustworthy.
"""

from __future__ import annotations

import ast
import re
import zipfile
from pathlib import Path, PurePosixPath

from lsgm.config import ConfigError
from lsgm.data.source_files import refusing_damage
from lsgm.whole_file import writing

from .script_pickle import require_tensors_only

MAX_BYTES = 2**30
MAX_RECORDS = 10_000
MAX_CODE_BYTES = 16 * 2**20
# Torch reads nested code by recursion, without a limit of its own.
MAX_DEPTH = 300
CURE = "get the file again, or name its checksum in evaluate.frechet.sha256 if it is to be trusted"
# Operators on files, classes and operators of other libraries, code that runs while the archive is loaded, and ways to
# find all these by other words. Words, wherever they stand: torch allows blanks and other names for `torch`.
FORBIDDEN = re.compile(
    rb"\b(?:from_file|save|load|classes|getattr|print|fork|rpc_\w+|__setstate__|__getstate__)\b"
    rb"|\bops\b(?!\.(?:prim|aten)\b)"
)
# Below the archive's folder; anything else (debug records, inputs of the tracing) is left behind.
CODE = re.compile(r"code/(?:\w+/)*\w+\.py")
TENSOR = re.compile(r"(?:data|constants)/\d+")
PICKLES = {"data.pkl": "data", "constants.pkl": "constants"}
PLAIN = ("version", "byteorder")


def copy_network_only(path: Path, copy: Path) -> None:
    """Check an archive record by record, and write what a network consists of into another one.

    Args:
        path: the archive.
        copy: file to write.

    Raises:
        ConfigError: it is no such archive, is damaged, unpacks to more than any Inception network, describes tensors
            that it does not hold, or holds code with words that no network needs.
    """
    with refusing_damage(str(path), "a TorchScript file", CURE), zipfile.ZipFile(path) as archive:
        records = _records(path, archive)
        sizes = {name: record.file_size for name, record in records.items() if TENSOR.fullmatch(name)}
        with writing(copy), zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as checked:
            for name, record in records.items():
                content = archive.read(record)  # with its checksum
                if CODE.fullmatch(name):
                    _require_network_code(path, content)
                if name in PICKLES:
                    require_tensors_only(content, f"{path}: {name}", PICKLES[name], sizes)
                checked.writestr(f"archive/{name}", content)


def _records(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The records that a network consists of, by their names below the archive's folder."""
    infos = archive.infolist()
    if len(infos) > MAX_RECORDS:
        raise ConfigError(f"{path}: holds {len(infos):,} records, a network has fewer; {CURE}")
    if sum(info.file_size for info in infos) > MAX_BYTES:
        raise ConfigError(f"{path}: unpacks to more than {MAX_BYTES:,} bytes; {CURE}")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        folder, _, name = info.filename.partition("/")
        if PurePosixPath(info.filename).is_absolute() or ".." in PurePosixPath(info.filename).parts:
            raise ConfigError(f"{path}: holds a record {info.filename!r} that leads out of it; {CURE}")
        if name in found or folder != infos[0].filename.partition("/")[0]:
            raise ConfigError(f"{path}: its record {info.filename!r} is there twice, or in another folder; {CURE}")
        if name in PICKLES or name in PLAIN or CODE.fullmatch(name) or TENSOR.fullmatch(name):
            found[name] = info
    absent = [name for name in ("data.pkl", "version") if name not in found]
    if absent or not any(map(CODE.fullmatch, found)):
        raise ConfigError(f"{path}: not a TorchScript file, it has no {(*absent, 'code')[0]}; {CURE}")
    if sum(info.file_size for name, info in found.items() if not TENSOR.fullmatch(name)) > MAX_CODE_BYTES:
        raise ConfigError(f"{path}: holds more than {MAX_CODE_BYTES:,} bytes of code; {CURE}")
    return found


def _require_network_code(path: Path, code: bytes) -> None:
    found = FORBIDDEN.search(code)
    if found is not None:
        name = found[0].decode("ascii", "replace")
        raise ConfigError(f"{path}: not a TorchScript file of a network alone: its code names {name}; {CURE}")
    if _depth(code) > MAX_DEPTH:
        raise ConfigError(f"{path}: its code is nested more than {MAX_DEPTH} levels deep, or no code; {CURE}")


def _depth(code: bytes) -> float:
    """How deep expressions and blocks are nested; infinite for what Python, whose grammar it has, cannot read."""
    try:
        level: list[ast.AST] = [ast.parse(code.decode("utf-8"))]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return float("inf")
    depth = 0
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth
