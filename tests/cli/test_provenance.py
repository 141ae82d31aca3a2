"""Which changes of a checkout make a run one with uncommitted changes."""

from __future__ import annotations

import subprocess

import pytest

import lsgm
from lsgm.cli.provenance import commit

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


def test_outside_git_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(lsgm, "__file__", str(tmp_path / "lsgm" / "__init__.py"))
    (tmp_path / "lsgm").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert commit() == (None, None)
