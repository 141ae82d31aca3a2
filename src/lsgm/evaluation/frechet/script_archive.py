"""What a TorchScript archive may hold before it is loaded: a network, and nothing that reaches for files.

TorchScript is code, though one of few powers. Its checksum decides whose code it is (`evaluate.frechet.sha256`); where
none is given, this refuses archives that are damaged or name operators with which a network has nothing to do.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from lsgm.config import ConfigError
from lsgm.data.source_files import refusing_damage

MAX_BYTES = 2**30
CURE = "get the file again"
# `torch.save`, `torch.from_file`, classes and operators of other libraries.
FORBIDDEN = re.compile(rb"\btorch\.(?:from_file|save|load|classes)\b|\bops\.(?!prim\b|aten\b)\w+")


def require_network_only(path: Path) -> None:
    """Check every record of the archive, and the names in its code.

    Raises:
        ConfigError: it is no such archive, is damaged, unpacks to more than any Inception network, or names operators
            that read or write files.
    """
    with refusing_damage(str(path), "a TorchScript file", CURE), zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        if sum(record.file_size for record in records) > MAX_BYTES:
            raise ConfigError(f"{path}: unpacks to more than {MAX_BYTES:,} bytes; {CURE}")
        damaged = archive.testzip()
        if damaged is not None:
            raise ConfigError(f"{path}: damaged, the checksum of its record {damaged!r} is wrong; {CURE}")
        for record in records:
            found = FORBIDDEN.search(archive.read(record)) if record.filename.endswith(".py") else None
            if found is not None:
                name = found[0].decode("ascii", "replace")
                raise ConfigError(f"{path}: not a TorchScript file of a network alone: its code names {name}; {CURE}")
