"""What `lsgm doctor` finds: limits of control groups, data by name, and one line for what is missing."""

from __future__ import annotations

import chain
import pytest
import torch

from lsgm import data_files
from lsgm.cli.jobs import machine
from lsgm.cli.main import main
from lsgm.data import READERS
from lsgm.data.readers import celebahq256, cifar10, omniglot


def groups(folder, membership: str, files: dict[str, str]):
    """A membership file and a tree of control groups."""
    (folder / "cgroup").write_text(membership)
    for name, text in files.items():
        path = folder / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "cgroup", folder / "mount"


def test_limits_of_version_2_are_the_smallest_on_the_way_up(tmp_path):
    files = {
        "slurm/job_7/memory.max": f"{4 * machine.GIB}\n",
        "slurm/job_7/step_0/memory.max": "max\n",
        "slurm/cpu.max": "max 100000\n",
        "slurm/job_7/cpu.max": "150000 100000\n",
        "other/memory.max": "1\n",
    }
    place = groups(tmp_path, "0::/slurm/job_7/step_0\n", files)
    assert machine.memory_limit(*place) == 4 * machine.GIB
    assert machine.cpu_limit(*place) == 1.5


def test_limits_of_version_1_and_its_word_for_none(tmp_path):
    files = {
        "memory/slurm/memory.limit_in_bytes": "1073741824\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/slurm/cpu.cfs_quota_us": "200000\n",
        "cpu,cpuacct/slurm/cpu.cfs_period_us": "100000\n",
    }
    place = groups(tmp_path, "8:memory:/slurm\n3:cpu,cpuacct:/slurm\n", files)
    assert machine.memory_limit(*place) == machine.GIB
    assert machine.cpu_limit(*place) == 2


def test_no_control_groups_mean_no_limit(tmp_path):
    assert machine.memory_limit(tmp_path / "absent", tmp_path) is None
    assert machine.cpu_limit(tmp_path / "absent", tmp_path) is None
    assert machine.free_space(tmp_path / "absent") is None


def test_every_data_set_has_a_place_and_it_is_the_readers():
    assert {*data_files.PATTERNS, *data_files.EMBEDDED, *data_files.OWN} == set(READERS)
    assert data_files.PATTERNS["omniglot"] == omniglot.SOURCE.candidates
    assert set(cifar10.ARCHIVE.candidates) < set(data_files.PATTERNS["cifar10"])
    assert data_files.PATTERNS["celebahq256"] == tuple(f"{folder}/train*" for folder in celebahq256.FOLDERS)


def test_report_of_what_is_here(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").touch()
    (tmp_path / "inception-2015-12-05.pt").touch()
    experiment = ["--config", str(chain.EXPERIMENTS / "mnist.yaml")]
    assert main(["doctor", "--data-root", str(tmp_path), "--device", "cpu", *experiment]) == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert "mnist yes" in lines["data sets"] and "cifar10 no" in lines["data sets"]
    assert "inception yes" in lines["weights"]
    assert f"torch {torch.__version__}" in lines["versions"]
    assert "GiB in the machine" in lines["memory"] and "GiB free" in lines["scratch"]
    assert lines["Slurm"].strip() == "not in a job"


def test_a_job_is_named_even_where_slurm_cannot_be_asked(capsys, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("PATH", "")
    assert main(["doctor", "--device", "cpu"]) == 0
    assert "Slurm:      job 42\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gpus", "99"], "--gpus 99"),
        (["--device", "cuda:99"], "--device cuda:99"),
        (["--data-root", "/nowhere"], "data root /nowhere: no such folder"),
        (["--config", str(chain.EXPERIMENTS / "cifar10_vae1.yaml")], "inception-2015-12-05.pt"),
        (["--config", str(chain.EXPERIMENTS / "celebahq256_vae.yaml")], "data set celebahq256"),
    ],
)
def test_what_is_asked_for_and_absent_is_one_line_after_the_report(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LSGM_DATA", str(tmp_path))
    assert main(["doctor", *words]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and message in printed.err
    assert "versions:" in printed.out and "scratch:" in printed.out
