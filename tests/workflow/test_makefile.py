"""`make demo` in a checkout of any name, whatever a user has set for other installations."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In place of Python: makes an "environment" whose commands write down what they see.
PYTHON = """#!/bin/sh
if [ "$1" = -m ] && [ "$2" = venv ]; then
  mkdir -p .venv/bin
  cp "$0" .venv/bin/python
  printf '#!/bin/sh\\necho "snakemake $*" >> calls\\n' > .venv/bin/snakemake
  chmod +x .venv/bin/snakemake
fi
echo "python $* PIP_USER=$PIP_USER PIP_TARGET=$PIP_TARGET PYTHONHOME=$PYTHONHOME" >> calls
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_make_demo_installs_and_runs_what_it_has_installed(tmp_path):
    folder = tmp_path / "it is a $HOME checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    python = folder / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    foreign = {"PIP_USER": "1", "PIP_TARGET": "/elsewhere", "PYTHONHOME": "/elsewhere"}
    done = subprocess.run(
        ["make", "demo", "PYTHON=./python"],
        cwd=folder,
        env={**os.environ, **foreign},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calls = (folder / "calls").read_text().splitlines()
    assert calls[-1].startswith("snakemake all")
    assert all(line.endswith("PIP_USER=0 PIP_TARGET= PYTHONHOME=") for line in calls if line.startswith("python"))
