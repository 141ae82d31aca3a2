"""What is recorded of the origin of a number, and which changes of a checkout are uncommitted changes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import torch

import lsgm
from lsgm import distributed
from lsgm.cli.records import provenance
from lsgm.cli.records.origin import header
from lsgm.cli.records.provenance import code_and_machine, code_checksum, commit
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


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@localhost", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def other(tmp_path_factory) -> Path:
    """Somebody's other repository, with a commit of its own and nothing changed."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "README.md").write_text("other\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "other")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        {"GIT_DIR": ".git"},
        {"GIT_DIR": ".git", "GIT_WORK_TREE": "."},
        {"GIT_INDEX_FILE": ".git/index"},
        {"GIT_OBJECT_DIRECTORY": ".git/objects"},
        {"GIT_COMMON_DIR": ".git"},
        {"GIT_LITERAL_PATHSPECS": "1"},
        {"GIT_CEILING_DIRECTORIES": "CHECKOUT"},
    ],
    ids=lambda names: " ".join(names),
)
def test_what_the_environment_says_of_repositories_is_left_aside(checkout, other, monkeypatch, names):
    expected = commit()
    for key, value in names.items():
        path = str(checkout / "src") if value == "CHECKOUT" else str(other / value)
        monkeypatch.setenv(key, value if value == "1" else path)
    assert commit() == expected == (expected[0], False)
    (checkout / "Snakefile").write_text("changed\n")
    assert commit() == (expected[0], True)


def package_at(folder: Path, monkeypatch) -> None:
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(lsgm, "__file__", str(folder / "__init__.py"))


@pytest.mark.parametrize("place", ["src/lsgm", ".venv/lib/python3.11/site-packages/lsgm", "vendor/lsgm/src/lsgm"])
@pytest.mark.parametrize("is_tracked", [False, True])
def test_a_repository_around_it_that_does_not_hold_it_as_its_source_says_nothing(other, monkeypatch, place, is_tracked):
    package_at(other / place, monkeypatch)
    if is_tracked:
        git(other, "add", "--all", "--force")
        git(other, "commit", "--quiet", "--message", "more")
    known = is_tracked and place == "src/lsgm"
    assert commit() == ((git(other, "rev-parse", "HEAD"), False) if known else (None, None))


def test_outside_git_nothing_is_known(tmp_path, monkeypatch):
    package_at(tmp_path / "src" / "lsgm", monkeypatch)
    assert commit() == (None, None)


@pytest.mark.parametrize("damage", ["no git", "no commit", "bare", "no HEAD", "damaged index", "another's"])
def test_what_git_does_not_say_is_null(checkout, monkeypatch, tmp_path_factory, damage):
    state = checkout / ".git"
    if damage == "no git":
        monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
    elif damage == "no commit":
        git(checkout, "checkout", "--quiet", "--orphan", "new")
    elif damage == "bare":
        git(checkout, "config", "core.bare", "true")
    elif damage == "no HEAD":
        (state / "HEAD").unlink()
    elif damage == "damaged index":
        (state / "index").write_bytes(b"DIRC" + bytes(40))
    else:
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        monkeypatch.setattr(provenance, "GIT_SETTINGS", (*provenance.GIT_SETTINGS, "GIT_TEST_ASSUME_DIFFERENT_OWNER"))
    assert commit() == (None, None)


def test_a_shallow_clone_has_its_commit(checkout, monkeypatch, tmp_path_factory):
    clone = tmp_path_factory.mktemp("clone") / "shallow"
    git(checkout, "clone", "--quiet", "--depth", "1", f"file://{checkout}", str(clone))
    expected = commit()
    monkeypatch.setattr(lsgm, "__file__", str(clone / "src" / "lsgm" / "__init__.py"))
    assert commit() == expected


def test_a_worktree_has_its_own_commit(checkout, monkeypatch, tmp_path_factory):
    tree = tmp_path_factory.mktemp("worktree") / "tree"
    git(checkout, "worktree", "add", "--quiet", "-b", "more", str(tree))
    git(tree, "commit", "--quiet", "--allow-empty", "--message", "more")
    monkeypatch.setattr(lsgm, "__file__", str(tree / "src" / "lsgm" / "__init__.py"))
    assert commit() == (git(tree, "rev-parse", "HEAD"), False)


def test_names_in_no_encoding_are_changes(checkout):
    git(checkout, "config", "core.quotePath", "false")
    (checkout / "src" / os.fsdecode(b"new\xff.py")).touch()
    assert commit()[1] is True


def test_hidden_files_are_no_code(checkout):
    before = code_checksum()
    (checkout / "src" / "lsgm" / ".#models.py").symlink_to("user@host.1234:5678")
    assert code_checksum() == before
    (checkout / "src" / "lsgm" / "more.py").touch()
    assert code_checksum() != before


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
