"""What this process may use of the machine: CPUs, memory, scratch space. Unknown (None) where the system does not say.

A container or a batch job sees the machine's totals; its own limits are in its control groups, version 1 or 2.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

GIB = 2**30
UNLIMITED_BYTES = 2**60
"""Version 1 writes a number near 2**63 where there is no limit."""


def gib(num_bytes: float) -> str:
    """A size in words: `21.7 GiB`."""
    return f"{num_bytes / GIB:.1f} GiB"


def cpus_allowed() -> int:
    """CPUs on which this process may run (affinity); all of the machine where the system has no such thing."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_total() -> int | None:
    """Bytes of memory in the machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def memory_limit(membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The smallest memory limit, bytes, of the control groups around this process.

    Args:
        membership: file that names the groups of this process.
        mount: where the groups' files are.
    """
    names = ("memory.max", "memory.limit_in_bytes")
    texts = [text for name in names for text in _values(membership, mount, "memory", name)]
    limits = [int(text) for text in texts if text.isdigit() and int(text) < UNLIMITED_BYTES]
    return min(limits, default=None)


def cpu_limit(membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float | None:
    """The smallest share of CPUs (1.5: one and a half) of the control groups around this process.

    Args:
        membership: file that names the groups of this process.
        mount: where the groups' files are.
    """
    pairs = [text.split() for text in _values(membership, mount, "cpu", "cpu.max")]
    quotas = _values(membership, mount, "cpu", "cpu.cfs_quota_us")
    pairs += zip(quotas, _values(membership, mount, "cpu", "cpu.cfs_period_us"), strict=False)
    shares = [int(quota) / int(period) for quota, period in pairs if quota.isdigit()]
    return min(shares, default=None)


def free_space(folder: Path) -> int | None:
    """Free bytes where a folder lies; None if it is not there or cannot be asked."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _values(membership: Path, mount: Path, controller: str, name: str) -> list[str]:
    """Contents of one file of all groups of a controller, from the process's own up to the root's."""
    found = []
    for folder in _groups(membership, mount, controller):
        try:
            found.append((folder / name).read_text(encoding="ascii").strip())
        except OSError:
            continue
    return found


def _groups(membership: Path, mount: Path, controller: str) -> list[Path]:
    """Folders of the groups; lines of the membership file are `number:controllers:path`, version 2 has none."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(",") and controllers:
            continue
        roots = [mount, mount / "unified"] if not controllers else [mount / controllers, mount / controller]
        root = next((root for root in roots if root.is_dir()), mount)
        parts = Path(path).parts[1:]
        folders += [root.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
    return folders
