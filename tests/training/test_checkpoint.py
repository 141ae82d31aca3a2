from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from lsgm.config import ConfigError
from lsgm.training.checkpoint import CheckpointId, CheckpointStore, first_difference

SETTINGS = {"seed": 1, "train": {"lr": 1.0e-4, "betas": [0.9, 0.999]}}


def state(value: float) -> dict[str, object]:
    return {"weights": torch.full((3,), value), "nested": {"name": "a", "numbers": [1, 2.5, None]}}


def store(path: Path, settings: dict = SETTINGS) -> tuple[CheckpointStore, list[str]]:
    notes: list[str] = []
    return CheckpointStore(path, settings, notes.append), notes


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def test_state_returns_and_the_last_two_are_kept(tmp_path):
    checkpoints, notes = store(tmp_path)
    assert checkpoints.load() is None
    for step in (8, 9, 10):
        checkpoints.save(step, state(float(step)))
    kept = [f"checkpoint-{step:08d}.pt{end}" for step in (9, 10) for end in ("", ".sha256")]
    assert names(tmp_path) == kept
    step, loaded = checkpoints.load()
    assert step == 10
    assert loaded["weights"].tolist() == [10.0] * 3
    assert loaded["nested"] == state(0)["nested"]
    assert notes == []


def test_after_a_rollback_it_is_newer_and_overwrites_nothing(tmp_path):
    checkpoints, notes = store(tmp_path)
    checkpoints.save(4, state(1.0))
    checkpoints.save(6, state(2.0))
    checkpoints.save(4, state(3.0), rollbacks=1, kept={CheckpointId(0, 4)})
    assert checkpoints.load()[1]["weights"][0] == 3
    assert checkpoints.load_at(CheckpointId(0, 4))["weights"][0] == 1
    checkpoints.save(6, state(4.0), rollbacks=1)
    assert names(tmp_path)[::2] == ["checkpoint-00000004-rollback1.pt", "checkpoint-00000006-rollback1.pt"]
    assert checkpoints.load_at(CheckpointId(0, 6)) is None
    assert "checkpoint-00000006.pt" in notes[-1]


def test_named_checkpoints_stay(tmp_path):
    checkpoints, _ = store(tmp_path)
    for step in range(9):
        checkpoints.save(step, state(float(step)), kept={CheckpointId(0, 2), CheckpointId(0, 5)})
    kept = [name for name in names(tmp_path) if name.endswith(".pt")]
    assert kept == [f"checkpoint-{step:08d}.pt" for step in (2, 5, 7, 8)]
    assert checkpoints.load_at(CheckpointId(0, 2))["weights"][0] == 2
    other = {"seed": 2}
    assert store(tmp_path, other)[0].load_at(CheckpointId(0, 2)) is None


@pytest.mark.parametrize("damage", ["a bit", "half", "empty", "no checksum", "no file"])
def test_damaged_checkpoint_falls_back(tmp_path, damage):
    checkpoints, notes = store(tmp_path)
    checkpoints.save(1, state(1.0))
    newest = checkpoints.save(2, state(2.0))
    content = bytearray(newest.read_bytes())
    if damage == "a bit":
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)
    elif damage == "half":
        newest.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        newest.write_bytes(b"")
    elif damage == "no checksum":
        newest.with_name(newest.name + ".sha256").unlink()
    else:
        newest.unlink()
    step, loaded = checkpoints.load()
    assert (step, loaded["weights"][0].item()) == (1, 1.0)
    assert damage == "no file" or (len(notes) == 1 and newest.name in notes[0])


def test_nothing_usable_is_said(tmp_path):
    checkpoints, notes = store(tmp_path)
    checkpoints.save(1, state(1.0)).write_bytes(b"x")
    assert checkpoints.load() is None
    assert "from its beginning" in notes[-1]


def test_pickles_are_not_executed(tmp_path):
    checkpoints, notes = store(tmp_path)
    checkpoints.save(1, {"path": tmp_path})
    assert checkpoints.load() is None
    assert "left out" in notes[0]


def test_other_settings_are_refused(tmp_path):
    store(tmp_path)[0].save(1, state(1.0))
    other = {"seed": 1, "train": {"lr": 2.0e-4, "betas": [0.9, 0.999]}}
    with pytest.raises(ConfigError, match=r"checkpoint-00000001\.pt.*train\.lr was 0\.0001 and is 0\.0002 now"):
        store(tmp_path, other)[0].load()


def test_first_difference():
    assert first_difference({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2, "d": 3}}) == ("b.d", None, 3)


def test_a_failed_write_leaves_the_old_checkpoints(tmp_path, monkeypatch):
    checkpoints, _ = store(tmp_path)
    checkpoints.save(1, state(1.0))

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("lsgm.training.checkpoint.os.replace", fail)
    with pytest.raises(ConfigError, match=r"cannot be written \(no space left on device\)"):
        checkpoints.save(2, state(2.0))
    assert checkpoints.load()[0] == 1


@pytest.mark.parametrize("end", ["", ".sha256"])
@pytest.mark.parametrize(("number", "is_refused"), [(errno.EACCES, True), (errno.ESTALE, True), (errno.EIO, False)])
def test_what_may_not_be_read_just_now_is_not_given_up(tmp_path, monkeypatch, end, number, is_refused):
    """Else a training with a wrong owner would begin anew, and remove its checkpoints in time."""
    checkpoints, notes = store(tmp_path)
    checkpoints.save(1, state(1.0))
    path = checkpoints.save(2, state(2.0))
    opened = Path.open

    def refusing(self: Path, *words, **named):
        if self == path.with_name(path.name + end):
            raise OSError(number, os.strerror(number), str(self))
        return opened(self, *words, **named)

    # `read_text` opens with `io.open` on some versions of Python.
    monkeypatch.setattr(Path, "open", refusing)
    monkeypatch.setattr(Path, "read_text", lambda self, **named: self.open(**named).read())
    if not is_refused:
        assert checkpoints.load()[0] == 1
        assert path.name in notes[-1]
        return
    with pytest.raises(ConfigError, match=f"{path.name}: cannot be read .*{os.strerror(number)}"):
        checkpoints.load()
    assert notes == []
    assert path.exists()
