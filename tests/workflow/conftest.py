from __future__ import annotations

import subprocess

import pytest
from slurm_cluster import SCRIPTS, Workplace, why_not


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A Slurm cluster on this machine, for all tests that want one."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    folder = str(tmp_path_factory.mktemp("cluster"))
    try:
        subprocess.run([SCRIPTS / "up.sh", folder], check=True, stdout=subprocess.DEVNULL)
        yield
    finally:
        subprocess.run([SCRIPTS / "down.sh", folder], check=False)


@pytest.fixture(scope="module")
def workplace(cluster, tmp_path_factory):
    """A function that makes copies of the repository; what still runs in them at the end is killed."""
    places = []

    def make(name: str) -> Workplace:
        places.append(Workplace(tmp_path_factory.mktemp("slurm") / name))
        return places[-1]

    yield make
    for place in places:
        place.end()
