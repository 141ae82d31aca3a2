"""Several GPUs in one machine: the one key that says so also says how many processes share a training."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")

from small_checkout import RUN, call, make_checkout

MODEL = f"results/test/{RUN}/model.safetensors"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose pretraining asks for four GPUs."""
    folder = tmp_path_factory.mktemp("workstation")
    make_checkout(folder)
    scale = folder / "config" / "scales" / "test.yaml"
    text, count = re.subn(r"^(  pretrain: \{threads.*)\}", r"\1, gpu: 4}", scale.read_text(), flags=re.MULTILINE)
    assert count == 1
    scale.write_text(text)
    return folder


@pytest.mark.parametrize(("words", "expected"), [((), 1), (("--resources", "gpu=2"), 2), (("--resources", "gpu=8"), 4)])
def test_as_many_processes_as_gpus_whichever_are_fewer(checkout: Path, words: tuple[str, ...], expected: int) -> None:
    command = (sys.executable, "-m", "snakemake", MODEL, "--dry-run", "--nolock", "--printshellcmds", *words)
    printed = call(checkout, *command)
    (job,) = re.findall(r"exec lsgm pretrain .* --processes (\d+) --nodes 1", printed)

    assert int(job) == expected
