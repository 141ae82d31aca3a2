"""A file is there whole or not at all, and with the rights that the umask gives."""

from __future__ import annotations

import os
import stat

import pytest

from lsgm.config import ConfigError
from lsgm.whole_file import write_text_whole, write_whole


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("earlier", [None, "before"])
def test_a_failure_leaves_what_was_there(tmp_path, earlier):
    path = tmp_path / "file.json"
    if earlier:
        path.write_text(earlier)

    def half(temporary):
        temporary.write_text("half of it")
        raise OSError("disk full")

    with pytest.raises(ConfigError, match=r"file\.json: cannot be written \(disk full\)"):
        write_whole(path, half)
    assert names(tmp_path) == (["file.json"] if earlier else [])
    assert not earlier or path.read_text() == earlier


def test_nothing_has_the_name_before_it_is_on_the_disk(tmp_path, monkeypatch):
    path, seen, flush = tmp_path / "file.json", [], os.fsync

    def fsync(descriptor):
        seen.append(path.exists())
        flush(descriptor)

    monkeypatch.setattr("os.fsync", fsync)
    write_text_whole(path, "Fréchet\n")
    assert seen == [False, True], "the file before it has its name, then its folder"
    assert path.read_bytes() == "Fréchet\n".encode()
    assert names(tmp_path) == ["file.json"]


def test_rights_are_those_of_the_umask_whatever_the_writer_gives(tmp_path):
    path = tmp_path / "file.json"
    earlier = os.umask(0o027)
    try:
        write_whole(path, lambda temporary: (temporary.write_text("x"), temporary.chmod(0o600)))
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_two_writers_at_once_do_not_share_a_file(tmp_path):
    path = tmp_path / "file.json"

    def outer(temporary):
        temporary.write_text("outer")
        write_text_whole(path, "inner")

    write_whole(path, outer)
    assert path.read_text() == "outer"
    assert names(tmp_path) == ["file.json"]
