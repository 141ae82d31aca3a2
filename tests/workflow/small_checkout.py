"""A checkout of its own, with the workflow as it is here and a plan cut down to one VAE at scale test."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    *("Snakefile", "config", "dvc.yaml", ".dvc", ".dvcignore", ".gitignore"),
    *("profiles", "pyproject.toml", "slurm", "src", "workflow"),
)
RUN = "mnist_vae"


def make_checkout(folder: Path) -> None:
    """Copy what git has or could have, cut the plan down, commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if os.path.lexists(ROOT / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name, follow_symlinks=False)
    _cut_down(folder / "config")
    call(folder, "git", "init", "--quiet")
    commit_all(folder)


def _cut_down(config: Path) -> None:
    edit(config / "config.yaml", "scale: demo", "scale: test")
    for table in (config / "paper").glob("table*.yaml"):
        table.write_text(re.sub(rf" run: (?!{RUN}\b)\w+,", "", table.read_text()))
    with (config / "ablation.csv").open(newline="") as file:
        header, *cells = csv.reader(file)
    reason = header.index("not_applicable")
    for cell in cells:
        cell[reason] = "left out"
    with (config / "ablation.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *cells])


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that is there once."""
    text = file.read_text()
    assert text.count(old) == 1, f"{file}: {old!r}"
    file.write_text(text.replace(old, new))


def call(folder: Path, *words: str, fails: bool = False) -> str:
    """Run a command in a checkout, with its package, without a network; return what it printed."""
    done = subprocess.run(words, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, f"{words}: {printed}"
    return printed


def commit_all(folder: Path) -> None:
    """Commit everything that git does not ignore."""
    call(folder, "git", "add", "--all")
    call(folder, "git", "commit", "--quiet", "--message", "results")


def environment(folder: Path) -> dict[str, str]:
    """The environment without what this machine's user has set for snakemake, git and DVC."""
    foreign = ("SNAKEMAKE_", "GIT_", "DVC_", "LSGM_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    people = {f"GIT_{who}_{what}": f"test@{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    private = [f"DVC_{kind}_DIR" for kind in ("GLOBAL_CONFIG", "SYSTEM_CONFIG", "SITE_CACHE")]
    return {
        **kept,
        **people,
        **dict.fromkeys(private, str(folder.parent / "dvc")),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(folder / "src"),
    }
