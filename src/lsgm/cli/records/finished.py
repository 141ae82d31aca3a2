"""A finished training, kept beside its work until another takes its place.

Whoever started it may be gone when it ends: a workflow that was killed, a login node that went down. Its outputs then
count as unfinished and are removed. With the same settings, data, code and libraries the same command could only make
the same files again, so it takes them back from here.

A kept file takes no room of its own until something replaces the output by a copy, as DVC does when it takes it into
its cache. To compare large files at every start only to link them again would cost more than it saves: once the
workflow has ended well, a folder `work/*/finished` may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from lsgm.cli.records.provenance import code_checksum, versions
from lsgm.config import ConfigError
from lsgm.config.text_files import parse_json
from lsgm.models import sha256_of
from lsgm.whole_file import write_whole

FOLDER, RECORD = "finished", "finished.json"


def keep(work: Path, out: Path, others: list[Path], data_checksum: str) -> None:
    """Keep the outputs of a training by hard links, which take no room; where a file system has none, keep nothing.

    Args:
        work: folder of the training's checkpoints.
        out: model file.
        others: what was written beside it.
        data_checksum: of the data that it was trained on.
    """
    folder, temporary = work / FOLDER, work / f"{FOLDER}.writing"
    # Of other settings, too: their outputs have just been replaced.
    for old in (*work.parent.glob(f"*/{FOLDER}"), temporary):
        shutil.rmtree(old, ignore_errors=True)
    record = _conditions(data_checksum) | {"model_sha256": sha256_of(out)}
    try:
        temporary.mkdir()
        for file in (out, *others):
            os.link(file, temporary / file.name)
        (temporary / RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
        os.replace(temporary, folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)


def take_back(work: Path, out: Path, data_checksum: str) -> bool:
    """Put the outputs of a training that has finished in their places.

    Args:
        work: folder of the training's checkpoints, which names its settings.
        out: model file.
        data_checksum: of the data that it is to be trained on.

    Returns:
        Whether there were any, of the same data, code and library versions; the model's checksum is verified.
    """
    folder = work / FOLDER
    model = folder / out.name
    try:
        record = parse_json((folder / RECORD).read_text(encoding="utf-8"))
        if record != _conditions(data_checksum) | {"model_sha256": sha256_of(model)}:
            return False
    except (OSError, ValueError, ConfigError):
        return False
    # The model last, as when it was written.
    for file in sorted(folder.iterdir(), key=lambda file: file == model):
        if file.name != RECORD:
            write_whole(out.with_name(file.name), lambda temporary, file=file: _link(file, temporary))
    return True


def _link(file: Path, place: Path) -> None:
    place.unlink()
    os.link(file, place)


def _conditions(data_checksum: str) -> dict[str, object]:
    """What the outcome of a training depends on beside its settings and its device."""
    return {"data_checksum": data_checksum, "code": code_checksum(), "versions": versions()}
