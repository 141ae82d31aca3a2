"""Checkpoints that the disk has damaged, and a disk that takes no more."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .case import Fault, Injection, Unavailable
from .cases_kill import finish, ready
from .chain_files import Chain

BAD_INPUT = 2
DISK_MEGABYTES = 16
# Less than a checkpoint, and more than everything else that is written before it.
SMALL_FILE_BYTES = 50_000


def cut(file: Path) -> None:
    """Take the second half away."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path) -> None:
    """Turn one bit."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def empty(file: Path) -> None:
    """Leave nothing."""
    file.write_bytes(b"")


def forget_checksum(file: Path) -> None:
    """Lose the file beside it."""
    file.with_name(f"{file.name}.sha256").unlink()


def damaged(damage: Callable[[Path], None], newest: int, folder: Path, times: int) -> list[Injection]:
    """Damage the newest checkpoints of a training that was killed."""
    found = []
    for number in range(times):
        disturbed = ready("pretrain", folder / f"disturbed-{number}")
        started = disturbed.start("pretrain")
        started.seconds_until(": step 7/")
        started.kill()
        files = disturbed.checkpoints("pretrain")
        assert len(files) >= 2, started.text
        for file in files[:newest]:
            damage(file)
        found.append(finish("pretrain", disturbed))
    return found


def files_limited() -> None:
    """Let this process write no file that is longer than SMALL_FILE_BYTES."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_FILE_BYTES, resource.RLIM_INFINITY))


def limited(folder: Path, times: int) -> list[Injection]:
    """Stop a training by a limit on the length of files, then type the command again without it."""
    found = []
    for number in range(times):
        disturbed = ready("pretrain", folder / f"disturbed-{number}")
        started = disturbed.start("pretrain")
        started.seconds_until(": step 5/")
        started.kill()
        refused = _refused(disturbed, "pretrain", files_limited)
        found.append(refused or finish("pretrain", disturbed))
    return found


def full(verb: str, folder: Path, times: int) -> list[Injection]:
    """Fill the disk before a verb, or after the first checkpoint of a training; make room, and type it again."""
    found = []
    for number in range(times):
        with small_disk(folder / f"disk-{number}") as disk:
            disturbed = ready(verb, disk / "disturbed", folder / f"logs-{number}")
            if verb == "pretrain":
                started = disturbed.start(verb)
                started.seconds_until(": step 5/")
                started.kill()
            filler = disk / "filler"
            _fill(filler)
            refused = _refused(disturbed, verb)
            filler.unlink()
            found.append(refused or finish(verb, disturbed))
    return found


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few megabytes in memory, which root may make."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise Unavailable(f"no file system of its own can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError as error:
                assert "No space" in str(error)


def _refused(chain: Chain, verb: str, before: Callable[[], None] | None = None) -> Injection | None:
    """Start a verb that cannot write; None if it said so in one line, and what was there is as it was."""
    kept = [(file, file.read_bytes()) for file in chain.checkpoints(verb)] if verb == "pretrain" else []
    started = chain.start(verb, before)
    code, lines = started.end(), [line for line in started.text.splitlines() if line.startswith("lsgm ")]
    clear = (
        code == BAD_INPUT and len(lines) == 1 and "cannot be written" in lines[0] and "Traceback" not in started.text
    )
    lost = () if clear else (f"{verb}: exit code {code}, {started.text[-300:]!r}",)
    lost += tuple(f"{file.name}: was harmed" for file, content in kept if file.read_bytes() != content)
    return Injection(lost) if lost else None


CHECKPOINT = "the newest checkpoint is damaged"
FAULTS = (
    Fault(CHECKPOINT, "cut to half of its length", partial(damaged, cut, 1), 3, slow=True),
    Fault(CHECKPOINT, "one bit flipped", partial(damaged, flip, 1), 3, slow=True),
    Fault(CHECKPOINT, "emptied", partial(damaged, empty, 1), 3, slow=True),
    Fault(CHECKPOINT, "its checksum deleted", partial(damaged, forget_checksum, 1), 3, slow=True),
    Fault("both checkpoints are damaged", "one bit flipped in each", partial(damaged, flip, 2), 3, slow=True),
    Fault("files may not be long enough", "RLIMIT_FSIZE below a checkpoint's length", limited, 3),
    *(
        Fault(
            f"the disk is full: lsgm {verb}",
            f"a file system of {DISK_MEGABYTES} MB, filled",
            partial(full, verb),
            3,
            slow=True,
        )
        for verb in ("prepare", "pretrain", "sample", "evaluate")
    ),
)
