"""Where a number comes from: commit, settings, seed, library versions, device, time."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import lsgm

# Files that a number depends on, also new ones among them that are not in git yet: an experiment, a reader or a rule is
# one more file. Results in git, DVC's lock and documents change while a workflow runs.
SOURCES = ("src", "config", "workflow", "Snakefile")
# Variables by which git finds itself and its user's settings, folders that are trusted among them; others of its own
# may name another repository.
GIT_SETTINGS = ("GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
LIBRARIES = ("torch", "torchdiffeq", "numpy", "scipy", "scikit-learn", "clean-fid", "safetensors", "snakemake")


def timestamp() -> str:
    """The present time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def commit() -> tuple[str | None, bool | None]:
    """Commit of the package's checkout and whether code or settings differ from it; (None, None) if git is not sure.

    It is not where the package lies in the folder of a repository that does not hold it as its own `src/lsgm`: an
    environment or an exported tree inside of another project.
    """
    folder = Path(lsgm.__file__).parent
    if _git(folder, "rev-parse", "--show-prefix") != "src/lsgm/":
        return None, None
    if _git(folder, "ls-files", "--error-unmatch", "--", "__init__.py") is None:
        return None, None
    sources = [f":(top){path}" for path in SOURCES]
    head = _git(folder, "rev-parse", "--verify", "HEAD^{commit}")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", *sources)
    return (None, None) if head is None or changes is None else (head, bool(changes))


def code_checksum() -> str:
    """SHA-256 over all modules of this package, edits since the commit included."""
    folder = Path(lsgm.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("[!.]*.py")):  # editors leave hidden ones
        digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, this package and the libraries that the numbers depend on."""
    found = {"python": platform.python_version(), "lsgm": lsgm.__version__}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def device_name(device: str) -> str:
    """The device in words: `cuda (NVIDIA H200)`, `cpu (x86_64, 2 threads)`."""
    import torch

    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.machine()}, {torch.get_num_threads()} threads)"


def code_and_machine(device: str) -> dict[str, object]:
    """What every record says of the program that ran and of where: commit, dirty, versions, device, processes."""
    from lsgm import distributed

    head, dirty = commit()
    return {
        "commit": head,
        "dirty": dirty,
        "versions": versions(),
        "device": device_name(device),
        "processes": distributed.size(),
    }


def _git(folder: Path, *words: str) -> str | None:
    """What git says of the repository around a folder, whichever the environment names; None if it fails."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key in GIT_SETTINGS}
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, env=kept, capture_output=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()
