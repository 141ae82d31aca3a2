"""Settings: experiments, scales, axes, cells, the paper's tables, words of the command line."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from fuzz.target import Target

from lsgm.config import ConfigError, ExperimentConfig, load_experiment, read_cells, validate
from lsgm.config.axes import read_axes
from lsgm.config.catalogue import Catalogue
from lsgm.config.cells import SDE_SETTINGS
from lsgm.config.command_line import workflow_settings
from lsgm.config.load import parse_override, read_yaml
from lsgm.config.plan import StageResources, read_resources
from lsgm.config.scope import ALL_TABLES, read_scope
from lsgm.reporting.paper.tables import PaperTable, read_paper_table

SCHEMA = Path(__file__).resolve().parents[2] / "workflow" / "schemas" / "config.schema.json"
CONFIG = Path(__file__).resolve().parents[2] / "config"
LAUGHS = b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b", ".join([b"*%c" % (name - 1)] * 10)) for name in range(ord("b"), ord("k"))
)
YAML_ATTACKS = (
    b"",
    b"\n",
    LAUGHS,
    b"data: &a {name: digits, more: *a}\n",
    b"data: {<<: {name: digits}, name: mnist}\n",
    b"seed: 1\nseed: 2\n",
    b"1: 2\n",
    b"? [a, b]\n: 1\n",
    b"!!python/object/apply:os.system [true]\n",
    b"name: !!python/name:os.system\n",
    b"seed: " + b"9" * 5000,
    b"seed: 0x_\n",
    b"name: 2001-99-99\n",
    b"seed: !!int x\n",
    b"seed: !!timestamp x\n",
    b"data: " + b"[" * 5000,
    b"data: " + b"{a: " * 5000,
    b"- " * 5000,
    b"data: {name: digits, num_train: .nan}\ntrain: {lr_vae: .inf}\n",
    b"backbone: [mnist]\n",
    b"backbone: {a: 1}\n",
    b"backbone: ../../../etc/passwd\n",
    b'backbone: "a\\0b"\n',
    b"backbone: " + b"a" * 5000,
    b"name: [1]\n",
    b"name: 1\n",
    b"data: 1\n",
    b"data: [1]\nvae: x\n",
    b"experiments: [1]\nall: [2]\n",
    b"experiments: {mnist: [1], mnist_vae: 2}\n",
    b"experiments: {mnist: {data: 1}}\nall: x\n",
    b"resources: [1]\n",
    b"resources: {train: {threads: 99999999999999999999999}}\n",
    b"rows: 1\n",
    b"rows: [1]\n",
    b"rows: [{run: [1]}]\n",
    b"\xff\xfename: x",
    b"\xef\xbb\xbfname: x\r\nseed: 1\r\n",
    b"name: \x00",
    b"name: \xed\xa0\x80",
    b"a: " + b"b" * 2**19,
    b"a: 'b\n" * 200,
    b"%YAML 9.9\n---\n",
    b"--- a\n--- b\n",
)


def yaml_files(*names: str) -> tuple[bytes, ...]:
    return tuple((CONFIG / name).read_bytes() for name in names)


def checkout(path: Path) -> Path:
    """The other settings, below the folder of `path`."""
    folder = path.parent.parent
    if not (folder / "ablation.csv").exists():
        shutil.copy(CONFIG / "ablation.csv", folder)
        shutil.copy(CONFIG / "axes.yaml", folder)
        for name in ("experiments", "scales", "paper"):
            for file in (CONFIG / name).glob("*.yaml"):
                (folder / name).mkdir(exist_ok=True)
                if not (folder / name / file.name).exists():
                    shutil.copy(file, folder / name)
    return folder


def read_experiment(path: Path) -> None:
    folder = checkout(path)
    require_settings(load_experiment(path, folder / "scales" / "test.yaml"))


def read_scale(path: Path) -> None:
    require_settings(load_experiment(CONFIG / "experiments" / "mnist.yaml", path))


def require_settings(config: ExperimentConfig) -> None:
    """What is read is complete: it gives the same settings again, and the same hash."""
    assert validate(ExperimentConfig, config.model_dump(mode="json"), "again") == config
    assert len(config.fingerprint("evaluate")) == 12


def read_beside(path: Path) -> None:
    require_settings(load_experiment(path))


def read_grid(path: Path) -> None:
    for name, cell in read_cells(path).items():
        assert name == cell.name and cell.sde in SDE_SETTINGS
        assert "/" not in name and "." not in name


def read_all(path: Path) -> None:
    """The whole folder of settings, of which one experiment is changed; another file may be named for it."""
    try:
        Catalogue(checkout(path)).runs_of_table(2, "test")
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {error}") from None


def read_word(path: Path) -> None:
    word = path.read_bytes().decode("utf-8", "replace")
    with suppress(ConfigError):
        workflow_settings({"data_root": word, "seeds": [word]}, SCHEMA)
    try:
        tree = parse_override(word)
        load_experiment(CONFIG / "experiments" / "mnist.yaml", None, None, [word])
    except ConfigError as error:
        assert word[:20].isprintable() is False or "--set" in str(error) or "mnist.yaml" in str(error)
        raise ConfigError(f"{path.name}: {error}") from None
    assert isinstance(tree, dict) and len(tree) == 1


def read_needs(path: Path) -> None:
    assert isinstance(read_resources(path), StageResources)


def read_made(path: Path) -> None:
    scope, cells = read_scope(path), list(read_cells(CONFIG / "ablation.csv"))
    assert scope.made and set(scope.made) <= set(ALL_TABLES)
    chosen = scope.chosen(cells, path.name)
    assert chosen == [cell for cell in cells if cell in chosen] and chosen


def read_table(path: Path) -> None:
    table = read_paper_table(path, 2)
    assert isinstance(table, PaperTable) and table.table == 2


COMPLETE = (
    read_yaml(CONFIG / "scales" / "test.yaml")
    and load_experiment(CONFIG / "experiments" / "mnist_vae.yaml", CONFIG / "scales" / "test.yaml")
    .model_dump_json()
    .encode()
)  # JSON is YAML
EXPERIMENTS = yaml_files(*(f"experiments/{name}.yaml" for name in ("mnist", "mnist_vae", "ablation", "cifar10_vae2")))
SCALES = yaml_files("scales/test.yaml", "scales/demo.yaml", "scales/paper.yaml")
WORDS = (b"train.epochs=3", b"data.path=a b", b"sde={type: vpsde}", b"vae.channel_mult=[1, 2]", b"seed=1e3", b"seed=2")
TARGETS = (
    Target(
        "experiment",
        "experiments/changed.yaml",
        EXPERIMENTS,
        read_experiment,
        is_text=True,
        examples=40,
        attacks=YAML_ATTACKS,
    ),
    Target("scale", "scales/demo.yaml", SCALES, read_scale, is_text=True, examples=30, attacks=YAML_ATTACKS),
    Target(
        "settings beside a model",
        "model.config.yaml",
        (COMPLETE,),
        read_beside,
        is_text=True,
        examples=30,
        attacks=YAML_ATTACKS,
    ),
    Target(
        "what a scale makes",
        "scales/demo.yaml",
        (b"tables: [5, 6, extra]\ncells: [vpsde-*, geometric-re-is-ll]\n", SCALES[2]),
        read_made,
        is_text=True,
        examples=40,
        attacks=(
            *YAML_ATTACKS,
            b"tables: 5\n",
            b"tables: [[5]]\n",
            b"tables: {5: 6}\n",
            b"tables: []\ncells: []\n",
            b"cells: vpsde\n",
            b"cells: [1]\n",
            b"cells: ['" + b"*a" * 2000 + b"', '[']\n",
        ),
    ),
    Target("resources", "scales/test.yaml", (SCALES[0],), read_needs, is_text=True, examples=30, attacks=YAML_ATTACKS),
    Target(
        "axes",
        "axes.yaml",
        yaml_files("axes.yaml"),
        lambda path: list(read_axes(path)),
        is_text=True,
        examples=40,
        attacks=YAML_ATTACKS,
    ),
    Target(
        "cells",
        "ablation.csv",
        yaml_files("ablation.csv"),
        read_grid,
        is_text=True,
        attacks=(
            b"",
            b"\0",
            b"cell\n" + b"a" * 2**17 + b"\n",
            b'"',
            b"\xff",
            b"a" * 2**19,
            b"cell,sde,weighting,time,q_time,not_applicable\nvpsde-../x-is-rew,vpsde,../x,is,rew,\n",
            b"\xef\xbb\xbf" + (CONFIG / "ablation.csv").read_bytes().replace(b"\n", b"\r\n"),
        ),
    ),
    Target(
        "table of the paper",
        "table2.yaml",
        yaml_files("paper/table2.yaml", "paper/table3.yaml"),
        read_table,
        is_text=True,
        examples=30,
        attacks=YAML_ATTACKS,
    ),
    Target(
        "folder of settings",
        "experiments/mnist.yaml",
        EXPERIMENTS[:2],
        read_all,
        is_text=True,
        examples=10,
        attacks=YAML_ATTACKS[:24],
    ),
    Target(
        "word of --set",
        "word",
        WORDS,
        read_word,
        is_text=True,
        examples=40,
        attacks=(
            b"",
            b"=",
            b"a=",
            b"." * 50 + b"=1",
            b"a." * 3000 + b"a=1",
            b"seed=" + b"9" * 5000,
            b"seed=*a",
            b"name=!!python/object/apply:os.system [true]",
            b"sde.type={a: {b: 1}}",
            b"seed=\x1b[31m",
            b"seed=" + b"[" * 5000,
            b"seed=nan",
            b"data.path=.inf",
            b"seed=0x_",
            b"name=\xef\xbb\xbf",
        ),
    ),
)
