"""What is typed: help, dry runs, and mistakes that must be caught before any work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import chain
import pytest
import yaml

from lsgm.cli.main import VERBS, build_parser, main
from lsgm.config import ExperimentConfig

SCHEMA = chain.ROOT / "workflow" / "schemas" / "experiment.schema.json"
NAMES = [verb.__name__.rpartition(".")[2].replace("_", "-") for verb in VERBS]


def test_help_names_every_verb():
    done = subprocess.run([sys.executable, "-m", "lsgm.cli.main", "--help"], capture_output=True, text=True)
    for verb in NAMES:
        assert verb in done.stdout


def test_help_plan_and_schema_do_not_wait_for_slow_libraries():
    calls = [["--help"], *([verb, "--help"] for verb in NAMES), ["schema"]]
    calls.append(["plan", "--scale", chain.SMALL[1]])
    code = f"""
import sys
from lsgm.cli.main import main
for call in {calls}:
    try:
        code = main(call)
    except SystemExit as end:
        code = end.code
    assert code == 0, call
print(sorted({{"torch", "numpy", "pandas", "matplotlib"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("\n[]\n"), done.stderr


@pytest.mark.parametrize("verb", NAMES)
def test_help_of_each_verb_explains_every_option(verb, capsys):
    with pytest.raises(SystemExit) as end:
        build_parser().parse_args([verb, "--help"])
    assert end.value.code == 0
    assert "usage: lsgm" in capsys.readouterr().out


def test_schema_in_the_workflow_is_that_of_the_package(capsys):
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == SCHEMA.read_text()
    schema = json.loads(SCHEMA.read_text())
    assert set(schema["properties"]) == set(ExperimentConfig.model_fields)


def test_dry_run_prints_settings_that_can_be_read_back_and_parameter_counts(capsys, tmp_path):
    out = tmp_path / "m.safetensors"
    words = ["--config", str(chain.EXPERIMENTS / "mnist.yaml"), "--set", "train.epochs=3", "--dry-run"]
    assert main(["train", *words, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    config = ExperimentConfig.model_validate(yaml.safe_load(printed))
    assert config.train.epochs == 3
    assert "# parameters of vae: 3,005,822" in printed
    assert "# parameters of prior: 63,774,544" in printed
    assert "# trains: algorithm 1" in printed
    assert not out.exists()


def mistakes(folder: Path) -> dict[str, tuple[list[str], str]]:
    out = ["--out", str(folder / "out.safetensors")]
    data = ["--data", str(folder / "absent.safetensors")]
    small = chain.settings("mnist_vae")
    return {
        "unknown key": (["prepare", *chain.settings("mnist", "train.epoch=3"), *out], "train.epoch"),
        "absent config": (["prepare", "--config", str(folder / "x.yaml"), *out], "x.yaml"),
        "absent data": (["pretrain", *small, *data, *out], "absent.safetensors"),
        "absent model": (["sample", *small, "--model", str(folder / "absent.safetensors"), *out], "no such model file"),
        "absent data root": (
            ["prepare", "--config", str(chain.EXPERIMENTS / "mnist_vae.yaml"), "--data-root", str(folder / "no"), *out],
            "no such folder",
        ),
        "output is a folder": (["prepare", *small, "--out", str(folder)], "is a folder"),
        "no such device": (["pretrain", *small, *data, *out, "--device", "cuda:99"], "--device cuda:99"),
        "no threads": (["pretrain", *small, *data, *out, "--threads", "0"], "--threads 0"),
        "LSGM where a VAE is pretrained": (["pretrain", *chain.settings("mnist"), *data, *out], "mnist_vae.yaml"),
        "VAE where an LSGM is trained": (["train", *small, *data, "--backbone", "x", *out], "no `backbone`"),
        "no metrics file": (
            ["table", "5", "--config-dir", str(chain.ROOT / "config"), "--metrics", "mnist=absent.json", *out],
            "absent.json",
        ),
        "missing file": (["pretrain", *small, *out], "--data FILE is missing"),
        "metrics without a run": (["table", "5", "--metrics", "absent.json", *out], "expected RUN=FILE"),
    }


@pytest.mark.parametrize("name", mistakes(Path()))
def test_mistakes_end_with_code_2_and_one_line(name, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("LSGM_DATA", raising=False)
    words, expected = mistakes(tmp_path)[name]
    assert main(words) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.startswith(f"lsgm {words[0]}: error: ") and message.count("\n") == 1
    assert not (tmp_path / "out.safetensors").exists()


def test_a_data_set_that_is_not_there_says_which_file_to_put_where(tmp_path, capsys):
    words = ["prepare", "--config", str(chain.EXPERIMENTS / "mnist_vae.yaml"), "--data-root", str(tmp_path)]
    assert main([*words, "--out", str(tmp_path / "out.safetensors")]) == 2
    assert "train-images-idx3-ubyte.gz" in capsys.readouterr().err


def test_plan_counts_jobs_and_hours(capsys):
    scale = chain.ROOT / "config" / "scales" / "paper.yaml"
    assert main(["plan", "--scale", str(scale), "--seeds", "1", "2"]) == 0
    printed = capsys.readouterr().out
    assert "upper bounds, not measured" in printed and "2 seeds of each run" in printed
    assert re.search(r"^table 6 +1 +1 +34 +34 +34 +1 +105 +7,[0-9]+\.0$", printed, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scale", "config/scales/official.yaml"], "no tables"),
        (["--scale", "config/scales/pape.yaml"], "there are: cpu, demo"),
        (["--scale", "config/scales/paper.yaml", "--seeds", "1", "1"], "each once"),
    ],
)
def test_plans_that_cannot_be_made(words, message, capsys, monkeypatch):
    monkeypatch.chdir(chain.ROOT)
    assert main(["plan", *words]) == 2
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1
