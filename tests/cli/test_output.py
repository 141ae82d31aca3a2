"""Output that cannot be written ends no command after its work is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.chain import ROOT, run_vae, settings

ENCODINGS = ("ascii", "koi8-r", "latin-1")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    run_vae(folder)
    return folder


def run(words: list[str], redirect: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """The command line as a shell starts it, with its streams led elsewhere."""
    command = ["sh", "-c", f'"$@" {redirect}', "sh", sys.executable, "-m", "lsgm.cli.main", *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def evaluate_words(chain: Path, out: Path) -> list[str]:
    model, samples = chain / "vae" / "model.safetensors", chain / "vae" / "samples.safetensors"
    files = ["--data", str(chain / "data.safetensors"), "--model", str(model), "--samples", str(samples)]
    return ["evaluate", *settings("mnist_vae"), *files, "--out", str(out)]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_character_that_the_terminal_lacks_is_written_as_its_escape(chain, tmp_path, encoding):
    out = tmp_path / "metrics.json"
    done = run(evaluate_words(chain, out), PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 0 and out.is_file(), done.stderr
    assert ("\\xb1" in done.stdout) == (encoding != "latin-1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "redirect", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1", ">&-", "2>&-", ">&- 2>&-", "| true"]
)
def test_a_full_or_closed_stream_costs_no_finished_work(tmp_path, redirect):
    out = tmp_path / "data.safetensors"
    done = run(["prepare", *settings("mnist_vae"), "--out", str(out)], redirect)
    assert done.returncode == 0 and out.is_file(), done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_command_whose_output_is_its_work_fails_without_it():
    done = run(["schema"], ">/dev/full")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "cannot be written" in done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"WORLD_SIZE": "2"},
        {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"},
        {"WORLD_SIZE": "two"},
        {
            "WORLD_SIZE": "2",
            "RANK": "5",
            "LOCAL_RANK": "0",
            "LOCAL_WORLD_SIZE": "1",
            "MASTER_ADDR": "x",
            "MASTER_PORT": "1",
        },
    ],
)
def test_a_world_outside_of_a_group_is_one_line(chain, tmp_path, variables):
    done = run(evaluate_words(chain, tmp_path / "metrics.json"), **variables)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "WORLD_SIZE" in done.stderr and "torchrun" in done.stderr


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "no such backend"])
def test_figures_do_not_depend_on_the_users_matplotlib(tmp_path, backend):
    (tmp_path / "matplotlibrc").write_text(
        "font.size: 30\naxes.facecolor: red\nsavefig.bbox: tight\nsavefig.pad_inches: 3\n"
    )
    plain, other = tmp_path / "plain", tmp_path / "other"
    assert run(["figure", "3", "--out", str(plain)]).returncode == 0
    done = run(["figure", "3", "--out", str(other)], MPLBACKEND=backend, MATPLOTLIBRC=str(tmp_path / "matplotlibrc"))
    assert done.returncode == 0, done.stderr
    for suffix in (".png", ".pdf"):
        assert plain.with_suffix(suffix).read_bytes() == other.with_suffix(suffix).read_bytes()


@pytest.mark.parametrize(("value", "code"), [("0", 0), ("no", 0), ("yes", 0), ("1", 0), ("maybe", 2)])
def test_environment_variables_say_yes_or_no(tmp_path, value, code):
    out = str(tmp_path / "data.safetensors")
    done = run(["prepare", *settings("mnist_vae"), "--out", out], LSGM_DOWNLOAD=value)
    assert done.returncode == code
    assert ("LSGM_DOWNLOAD" in done.stderr) == (code == 2)
