"""What is in the place of a file: nothing, a folder, a link in a circle, something that may not be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
from fuzz.bounds import bounded
from fuzz.target import Target, require_one_line
from fuzz.targets import TARGETS

from lsgm.config import ConfigError

NOBODY = 65534
# Here the harness itself reads the file and hands over its content.
GIVEN_CONTENT = {
    "image",
    "png, checksums right",
    "cifar10 pickle",
    "word of --set",
    "checkpoint",
    "checksum of a checkpoint",
    "download",
    "download without a checksum",
    "words of a server",
}
# Here the harness itself lays other files beside it.
LAID_BESIDE = {"celebahq256", "folder of images", "experiment", "folder of settings"}
OPENING = [target for target in TARGETS if target.name not in GIVEN_CONTENT and not target.name.startswith("idx")]


@contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """Take the right to read; root has all rights, so it becomes someone else for the time."""
    path.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield
    path.chmod(0o600)


def place(path: Path, what: str, content: bytes) -> None:
    if what == "folder":
        path.mkdir()
    elif what == "circle":
        path.symlink_to(path)
    elif what == "forbidden":
        path.write_bytes(content)


@pytest.mark.parametrize("what", ["absent", "folder", "circle", "forbidden"])
@pytest.mark.parametrize("target", OPENING, ids=lambda target: target.name)
def test_no_file_to_read(target: Target, what: str, tmp_path: Path) -> None:
    if what == "forbidden" and (target.name in LAID_BESIDE or target.name.startswith("cifar10")):
        pytest.skip("the test could not prepare it without the rights")
    path = tmp_path / target.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = target.wrap(target.samples[0])
    path.write_bytes(content)
    with suppress(ConfigError):
        target.read(path)  # what the reader imports and lays beside the file is there from now on
    path.unlink()
    place(path, what, content)
    try:
        with bounded(), without_rights(path) if what == "forbidden" else nullcontext():
            target.read(path)
    except ConfigError as error:
        # Where there is no file, the folder may be named in its place.
        require_one_line(error, path.name if path.name in str(error) else path.parent.name)
