"""What is recorded of the origin of a number, and which changes of a checkout are uncommitted changes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

import lsgm
from lsgm import distributed
from lsgm.cli.records.origin import header
from lsgm.cli.records.provenance import code_and_machine, commit
from lsgm.config import load_experiment
from lsgm.data import Dataset

EXPERIMENT = Path(__file__).parents[2] / "config" / "experiments" / "mnist.yaml"
OTHERS = ("docs/demo/table5.md", "dvc.lock", "results/demo/mnist/metrics.json", "README.md")
SOURCES = ("src/lsgm/models.py", "config/scales/demo.yaml", "workflow/rules/train.smk", "Snakefile")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in (*OTHERS, *SOURCES, "src/lsgm/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as committed\n")
    words = ["git", "-C", str(tmp_path), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "all"]):
        subprocess.run([*words, *command], check=True)
    monkeypatch.setattr(lsgm, "__file__", str(tmp_path / "src" / "lsgm" / "__init__.py"))
    return tmp_path


@pytest.mark.parametrize("name", [None, *OTHERS])
def test_results_in_git_and_documents_are_not_uncommitted_changes(checkout, name):
    if name:
        (checkout / name).write_text("changed\n")
    head, dirty = commit()
    assert len(head) == 40
    assert dirty is False


@pytest.mark.parametrize("name", SOURCES)
def test_code_settings_and_rules_are(checkout, name):
    (checkout / name).write_text("changed\n")
    assert commit()[1] is True
    (checkout / name).unlink()
    assert commit()[1] is True


@pytest.mark.parametrize(
    "name", ["src/lsgm/new.py", "src/lsgm/sub/new.py", "config/experiments/new.yaml", "workflow/x.smk"]
)
def test_new_files_among_them_are_even_if_the_user_has_git_hide_them(checkout, name):
    subprocess.run(["git", "-C", str(checkout), "config", "status.showUntrackedFiles", "no"], check=True)
    assert commit()[1] is False
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("new\n")
    assert commit()[1] is True


@pytest.mark.parametrize("name", ["results/demo/new.json", "docs/new.md", "new.py", "data/x.npz", "tests/test_new.py"])
def test_new_files_elsewhere_are_not(checkout, name):
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("new\n")
    assert commit()[1] is False


def test_what_git_ignores_is_not(checkout):
    (checkout / ".git" / "info" / "exclude").write_text("__pycache__/\n*.egg-info/\n")
    for name in ("src/lsgm/__pycache__/x.pyc", "src/lsgm.egg-info/SOURCES.txt"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("made\n")
    assert commit()[1] is False


def test_outside_git_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(lsgm, "__file__", str(tmp_path / "lsgm" / "__init__.py"))
    (tmp_path / "lsgm").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert commit() == (None, None)


def test_the_number_of_processes_is_recorded(monkeypatch):
    assert code_and_machine("cpu")["processes"] == 1
    monkeypatch.setattr(distributed, "size", lambda: 3)
    assert code_and_machine("cpu")["processes"] == 3


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "mnist"),
        ({"variant": "frozen"}, "mnist+frozen"),
        ({"cell": "vpsde-un-is-rew", "variant": "a+b"}, "vpsde-un-is-rew+a+b"),
    ],
)
def test_a_measurement_for_a_figure_names_the_run_with_its_variant(changes, name):
    config = load_experiment(EXPERIMENT).model_copy(update=changes)
    image = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    dataset = Dataset("digits", "digits", image, image, "sha256:0", (), (1, 8, 8), {})
    assert header(config, dataset)["run"] == name


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"])
def test_a_repository_in_the_environment_is_not_asked(checkout, tmp_path_factory, monkeypatch, variable):
    other = tmp_path_factory.mktemp("other")
    subprocess.run(["git", "init", "--quiet", str(other)], check=True)
    expected = commit()
    monkeypatch.setenv(variable, str(other / ".git" / ("index" if variable == "GIT_INDEX_FILE" else "")))
    assert commit() == expected and expected[0] is not None


def test_a_package_installed_inside_of_another_project_has_no_commit(checkout, monkeypatch):
    installed = checkout / ".venv" / "site-packages" / "lsgm" / "__init__.py"
    installed.parent.mkdir(parents=True)
    installed.touch()
    monkeypatch.setattr(lsgm, "__file__", str(installed))
    assert commit() == (None, None)


def test_without_git_or_its_answer_nothing_is_claimed(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit() == (None, None)
