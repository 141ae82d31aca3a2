"""A cluster whose tests were killed is cleared away; one that runs, and a machine's own settings, are left alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from slurm_cluster import LINKS, remove_dead_links


@pytest.fixture
def ended() -> int:
    """Process id of a process that ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A folder as /etc/slurm, with links to the files of a cluster."""
    for name in ("etc", "cluster/etc", "cluster/run"):
        (tmp_path / name).mkdir(parents=True)
    for name in LINKS:
        (tmp_path / "cluster" / "etc" / name).touch()
        (tmp_path / "etc" / name).symlink_to(tmp_path / "cluster" / "etc" / name)
    (tmp_path / "etc" / "plugstack.conf").touch()
    return tmp_path / "etc"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("daemons", [[], ["munged"], ["munged", "slurmctld", "mysqld"]])
def test_links_to_a_cluster_that_ended_are_removed(etc, ended, daemons):
    """Whichever daemons had written their file when the tests were killed."""
    for name in daemons:
        (etc.parent / "cluster" / "run" / f"{name}.pid").write_text(f"{ended}\n")
    remove_dead_links(etc)
    assert names(etc) == {"plugstack.conf"}


def test_so_are_links_to_a_folder_that_is_gone(etc):
    (etc.parent / "cluster").rename(etc.parent / "gone")
    remove_dead_links(etc)
    assert names(etc) == {"plugstack.conf"}


def test_a_cluster_with_a_daemon_is_left_alone(etc, ended):
    (etc.parent / "cluster" / "run" / "slurmctld.pid").write_text(f"{ended}\n")
    (etc.parent / "cluster" / "run" / "mysqld.pid").write_text(f"{os.getpid()}\n")
    remove_dead_links(etc)
    assert names(etc) == {*LINKS, "plugstack.conf"}


def test_so_is_a_machine_with_settings_of_its_own(tmp_path):
    (tmp_path / "slurm.conf").touch()
    remove_dead_links(tmp_path)
    assert names(tmp_path) == {"slurm.conf"}
