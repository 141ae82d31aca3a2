"""Names of runs and what they stand for: cells, variants, seeds, backbones; and the jobs that they need."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lsgm.config import ConfigError
from lsgm.config.catalogue import Catalogue
from lsgm.config.command_line import workflow_settings
from lsgm.config.jobs import ALL, EXTRA, Job, jobs_of_run, make_plan
from lsgm.config.load import yaml_files
from lsgm.config.plan import dataset_key, read_resources
from lsgm.config.run_names import RunName

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.json"
CONFIG = Path(__file__).parents[2] / "config"
CATALOGUE = Catalogue(CONFIG)
CELL = "ablation/vpsde-un-is-rew"


@pytest.fixture
def folder(tmp_path):
    """A copy of the project's settings."""
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def add_axis(folder: Path, name: str, **changes: object) -> None:
    entry = {"title": "t", "base": "b", "variant": "v", "settings": {"train": {"epochs": 7}}, **changes}
    text = (folder / "axes.yaml").read_text() + yaml.safe_dump({name: entry})
    (folder / "axes.yaml").write_text(text)


@given(
    st.sampled_from(list(CATALOGUE.runs)),
    st.lists(st.sampled_from(list(CATALOGUE.axes)), max_size=2),
    st.none() | st.integers(0, 10**6),
)
def test_a_name_is_read_back_and_matches_the_pattern(base, variants, seed):
    name = RunName(base, tuple(variants), seed)
    assert RunName.parse(str(name)) == name
    assert re.fullmatch(CATALOGUE.pattern(CATALOGUE.runs), str(name))


@pytest.mark.parametrize("name", ["mnist/seed-02", "mnist/seed-", "mnist/seed--1", "mnist+", "mnist/seed-1+frozen", ""])
def test_names_of_another_form_are_no_runs(name):
    assert not re.fullmatch(CATALOGUE.pattern(CATALOGUE.runs), name)
    with pytest.raises(ConfigError):
        CATALOGUE.settings(name, "test")


def test_a_seed_changes_the_seed_and_nothing_else():
    own, other = CATALOGUE.settings(CELL, "demo"), CATALOGUE.settings(f"{CELL}/seed-7", "demo")
    assert (own.seed, other.seed) == (1, 7)
    assert other.model_copy(update={"seed": 1}) == own
    assert CATALOGUE.fingerprint(CELL, "demo", "train") != CATALOGUE.fingerprint(f"{CELL}/seed-7", "demo", "train")
    assert CATALOGUE.fingerprint(CELL, "demo", "prepare") == CATALOGUE.fingerprint(f"{CELL}/seed-7", "demo", "prepare")


@pytest.mark.parametrize(
    ("name", "section", "key", "base", "changed"),
    [("frozen", "train", "train_vae", True, False), ("unmixed", "prior", "mixed_score", True, False)],
)
def test_the_two_axes_that_ship_change_one_setting(name, section, key, base, changed):
    plain, variant = (CATALOGUE.settings(run, "demo").model_dump() for run in (CELL, f"{CELL}+{name}"))
    assert (plain[section][key], variant[section][key]) == (base, changed)
    variant[section][key] = base
    assert variant | {"variant": None} == plain
    assert CELL in CATALOGUE.axes[name].runs


def test_all_seeds_share_a_backbone_unless_told_otherwise():
    assert CATALOGUE.backbone(CELL, share=True) == CATALOGUE.backbone(f"{CELL}+frozen/seed-3", share=True)
    assert CATALOGUE.backbone(f"{CELL}+frozen/seed-3", share=True) == "cifar10_vae1"
    assert CATALOGUE.backbone(f"{CELL}+frozen/seed-3", share=False) == "cifar10_vae1/seed-3"
    assert CATALOGUE.backbone("mnist_vae/seed-3", share=False) is None


def test_a_change_of_the_vae_is_trained_from_its_own_backbone(folder):
    add_axis(folder, "no-se", settings={"vae": {"use_se": False}})
    catalogue = Catalogue(folder)
    assert catalogue.backbone("mnist+frozen+no-se", share=True) == "mnist_vae+no-se"
    assert not catalogue.settings("mnist_vae+no-se", "test").vae.use_se
    assert catalogue.fingerprint("mnist+no-se", "test", "pretrain") == catalogue.fingerprint(
        "mnist_vae+no-se", "test", "pretrain"
    )


def test_a_change_of_the_data_has_its_own_data_set(folder):
    add_axis(folder, "fewer", settings={"data": {"num_train": 50}})
    catalogue = Catalogue(folder)
    key = dataset_key(catalogue.settings("mnist+fewer", "test").data)
    assert key != dataset_key(catalogue.settings("mnist", "test").data)
    found = catalogue.vae_of_dataset(key, "test")
    assert dataset_key(catalogue.settings(found, "test").data) == key
    with pytest.raises(ConfigError, match=r"no data set 'x' at scale 'test'; there are: .*digits"):
        catalogue.vae_of_dataset("x", "test")


def test_own_seeds_keep_their_names():
    assert CATALOGUE.with_seeds(["mnist"], [1, 2], "demo") == ["mnist", "mnist/seed-2"]
    assert CATALOGUE.with_seeds(["mnist"], [3], "demo") == ["mnist/seed-3"]
    assert CATALOGUE.with_seeds(["mnist"], None, "demo") == ["mnist"]


MISTAKES = {
    "ablation/vpsde-xx": r"'vpsde-xx' is not a cell of .*; there are: .*vpsde-un-is-rew",
    "ablation/geometric-un-is-rew": r"does not exist: r_un is not defined",
    "mnst": r"no run 'mnst'; there are: .*mnist",
    f"{CELL}+frosen": r"no variant 'frosen'; config/axes.yaml has: unmixed, frozen",
    f"{CELL}+frozen+unmixed": r"each once: unmixed\+frozen",
    f"{CELL}+frozen+frozen": r"each once: frozen",
    "mnist/seed-1": r"1 is its own seed, so this run is named mnist$",
    "mnist_vae+frozen": r"'frozen' changes nothing, so this run is named mnist_vae$",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_run_that_there_is_not_is_one_line(name):
    with pytest.raises(ConfigError, match=MISTAKES[name]) as error:
        CATALOGUE.settings(name, "demo")
    assert "\n" not in str(error.value)
    if name.startswith("ablation/vpsde-xx"):
        assert "geometric-un-is-rew" not in str(error.value), "cells that do not exist are not offered"


@pytest.mark.parametrize("name", ["mnist/seed-2", "mnist+frozen"])
def test_published_weights_have_neither_seeds_nor_variants(name):
    with pytest.raises(ConfigError, match="nothing is trained"):
        CATALOGUE.settings(name, "official")


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("more", {"runs": ["mnst"]}, r"more.runs has 'mnst'; there are: .*mnist"),
        ("more", {"settings": {"seed": {"x": 2}}}, r"settings.seed is not a section; there are: .*train"),
        ("more", {"settings": {}}, "settings"),
        ("more", {"seting": 1}, "unknown key 'seting'"),
        ("Mo+re", {}, r"'Mo\+re' cannot be part of a run's name"),
    ],
)
def test_a_wrong_axis_is_one_line(folder, name, changes, message):
    add_axis(folder, name, **changes)
    with pytest.raises(ConfigError, match=message) as error:
        Catalogue(folder).runs_of_axes()
    assert "axes.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_third_axis_is_one_entry(folder):
    add_axis(folder, "short", runs=["mnist", CELL])
    catalogue = Catalogue(folder)
    assert catalogue.settings(f"{CELL}+short", "demo").train.epochs == 7
    assert {"mnist+short", f"{CELL}+short"} <= set(catalogue.runs_of_axes())
    assert len(catalogue.runs_of_axes()) == len(set(catalogue.runs_of_axes()))


def test_a_wrong_setting_of_an_axis_names_its_key(folder):
    add_axis(folder, "typo", settings={"train": {"epoch": 7}})
    with pytest.raises(ConfigError, match=r"unknown key 'train.epoch'"):
        Catalogue(folder).settings("mnist+typo", "demo")


def test_jobs_of_a_run_follow_its_backbones():
    stages = jobs_of_run(CATALOGUE, "celebahq256_qualitative/seed-2", "paper", share_backbone=True)
    assert {(job.stage, job.name) for job in stages} == {
        ("prepare", "celebahq256"),
        ("pretrain", "celebahq256_qualitative_vae"),
        ("train", "celebahq256_qualitative_joint"),
        ("train", "celebahq256_qualitative/seed-2"),
        ("sample", "celebahq256_qualitative/seed-2"),
        ("evaluate", "celebahq256_qualitative/seed-2"),
    }


def test_gpu_hours_count_a_shared_job_once_per_table():
    resources = read_resources(CONFIG / "scales" / "paper.yaml")
    plan = make_plan(CATALOGUE, "paper", resources, None, True)
    hours = {stage: need.gpu * need.runtime / 60 for stage, need in resources}
    rest = hours["sample"] + hours["evaluate"]
    assert plan.gpu_hours(plan.tables["table 6"]) == hours["pretrain"] + 17 * (hours["train"] + rest)
    assert plan.gpu_hours(plan.tables["table 5"]) == hours["pretrain"] + hours["train"] + 2 * rest
    together = plan.tables["table 6"] | plan.tables[EXTRA]
    assert len(together) == len(plan.tables["table 6"]) + 2 * 3 + 1, "two changed runs and a table"
    assert Job("pretrain", "cifar10_vae1") in plan.tables["table 2"] & plan.tables["table 6"]
    assert plan.tables[ALL] == frozenset().union(*(jobs for table, jobs in plan.tables.items() if table != ALL))


def test_values_typed_at_snakemake_mean_what_they_mean_in_yaml():
    typed = {"download": "true", "official": "null", "seeds": ["1", "2"], "data_root": "1", "scale": "demo"}
    assert workflow_settings(typed, SCHEMA) == {
        "download": True,
        "official": None,
        "seeds": [1, 2],
        "data_root": "1",
        "scale": "demo",
    }
    assert workflow_settings({"data_root": "[x"}, SCHEMA) == {"data_root": "[x"}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"dataroot": "x"}, ("dataroot", "data_root")),
        ({"seeds": 3}, ("seeds", "[1,2,3]")),
        ({"seeds": []}, ("seeds", "list")),
        ({"seeds": [1, 1]}, ("seeds", "distinct")),
        ({"seeds": [-1]}, ("seeds", "from 0")),
        ({"seeds": ["010"]}, ("seeds", "whole numbers")),
        ({"download": "maybe"}, ("download", "true or false")),
        ({"device": "gpu"}, ("device", "cuda")),
        ({"scale": ""}, ("scale", "config/scales")),
    ],
)
def test_a_mistake_typed_at_snakemake_is_one_line(typed, words):
    with pytest.raises(ConfigError) as error:
        workflow_settings(typed, SCHEMA)
    assert all(word in str(error.value) for word in words) and "\n" not in str(error.value)


def test_hidden_files_and_folders_are_no_settings(tmp_path):
    for name in ("._mnist.yaml", ".hidden.yaml", "mnist.yaml~", "mnist.yaml"):
        (tmp_path / name).write_bytes(b"\x00\xff")
    (tmp_path / "folder.yaml").mkdir()
    assert [file.name for file in yaml_files(tmp_path)] == ["mnist.yaml"]
    (tmp_path / "my faces.yaml").touch()
    with pytest.raises(ConfigError, match="my faces"):
        yaml_files(tmp_path)
