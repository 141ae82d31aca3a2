"""Settings of a model in pixel space: what they keep, what they refuse, and that they leave all others alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lsgm.config import ConfigError, ExperimentConfig, VaeConfig, load_experiment
from lsgm.config.catalogue import Catalogue
from lsgm.config.jobs import jobs_of_run
from lsgm.config.plan import dataset_key
from lsgm.config.scope import ALL_TABLES

CONFIG = Path(__file__).parents[2] / "config"
SCALES = sorted(path.stem for path in (CONFIG / "scales").glob("*.yaml"))
PIXELS = CONFIG / "experiments" / "cifar10_pixels.yaml"
ALONE = CONFIG / "experiments" / "cifar10_pixels_vae.yaml"
KEPT = {"arch": "pixels", "output": "intensity"}


def test_sizes_of_a_network_that_there_is_not_are_not_kept():
    config = VaeConfig(arch="pixels", num_channels=4, channel_mult=(1, 2, 3))
    assert config == VaeConfig(arch="pixels") == VaeConfig(**KEPT)
    assert config.model_dump(mode="json") == config.model_dump() == KEPT
    assert json.loads(config.model_dump_json()) == KEPT
    assert (config.downsampling, config.has_weights) == (1, False)


def test_all_other_vaes_keep_all_their_keys():
    for config in (VaeConfig(), VaeConfig(arch="res_mbconv", output="bernoulli")):
        assert list(config.model_dump(mode="json")) == list(VaeConfig.model_fields)
        assert config.has_weights


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("file", [PIXELS, ALONE], ids=lambda path: path.stem)
def test_the_experiments_are_pixels_at_every_scale(file, scale):
    config = load_experiment(file, CONFIG / "scales" / f"{scale}.yaml")
    assert config.model_dump()["vae"] == KEPT
    assert ExperimentConfig.model_validate(json.loads(config.model_dump_json())) == config
    assert config.is_vae or not (config.train.train_vae or config.prior.mixed_score)


@pytest.mark.parametrize("scale", ["paper", "gpu", "demo", "test"])
def test_score_networks_and_training_are_those_of_the_lsgm_that_it_is_compared_with(scale):
    pixels, lsgm = (
        load_experiment(PIXELS.with_name(f"{name}.yaml"), CONFIG / "scales" / f"{scale}.yaml")
        for name in ("cifar10_pixels", "cifar10_balanced")
    )
    assert pixels.prior.model_copy(update={"mixed_score": True}) == lsgm.prior
    assert pixels.objective == lsgm.objective
    assert pixels.sde.model_copy(update={"time_eps": lsgm.sde.time_eps}) == lsgm.sde
    assert pixels.train.batch_size == lsgm.train.batch_size
    assert dataset_key(pixels.data) == dataset_key(lsgm.data)


MISTAKES = {
    "vae.output=normal": r"vae\.arch = pixels and vae\.output = intensity go .*'normal'; .*leave vae\.output out",
    "data.binarise=true": r"data\.binarise = true, but with vae\.arch = pixels .*set it to false",
    "data.pad=2": r"data\.pad = 2, but with vae\.arch = pixels .*set it to 0",
    "train.train_vae=true": r"train\.train_vae = true, but with vae\.arch = pixels .*set it to false",
    "vae.num_chanels=4": r"unknown key 'vae\.num_chanels'",
}


@pytest.mark.parametrize("word", MISTAKES)
def test_what_makes_no_sense_is_one_line(word):
    with pytest.raises(ConfigError, match=MISTAKES[word]) as error:
        load_experiment(PIXELS, overrides=[word])
    assert "\n" not in str(error.value)


def test_the_output_of_pixels_belongs_to_no_network():
    with pytest.raises(ConfigError, match=r"vae\.arch is 'res_bnswish', vae\.output is 'intensity'"):
        load_experiment(CONFIG / "experiments" / "cifar10_vae1.yaml", overrides=["vae.output=intensity"])


def test_any_vae_of_images_with_intensities_can_be_replaced_by_the_pixels():
    config = load_experiment(CONFIG / "experiments" / "celebahq256_vae.yaml", overrides=["vae.arch=pixels"])
    assert config.vae == VaeConfig(arch="pixels")


def test_alone_it_does_not_matter_what_a_stage_that_is_not_run_would_train():
    assert load_experiment(ALONE).train.train_vae


def test_the_workflow_makes_it_on_demand_only():
    catalogue = Catalogue(CONFIG)
    tabled = {run for table in ALL_TABLES for run in catalogue.runs_of_table(table, "paper")}
    assert not {"cifar10_pixels", "cifar10_pixels_vae"} & tabled
    jobs = jobs_of_run(catalogue, "cifar10_pixels", "paper", share_backbone=True)
    assert {(job.stage, job.name) for job in jobs} == {
        ("prepare", "cifar10"),
        ("pretrain", "cifar10_pixels_vae"),
        ("train", "cifar10_pixels"),
        ("sample", "cifar10_pixels"),
        ("evaluate", "cifar10_pixels"),
    }


@pytest.mark.parametrize("scale", [scale for scale in SCALES if scale != "official"])
def test_data_are_prepared_with_the_settings_of_a_vae_that_is_trained(scale):
    """Otherwise this experiment, whose name comes first, would have changed the command that prepares CIFAR-10."""
    catalogue = Catalogue(CONFIG)
    key = dataset_key(catalogue.settings("cifar10_pixels_vae", scale).data)
    assert catalogue.vae_of_dataset(key, scale) == "cifar10_vae1"


def test_data_of_pixels_alone_are_found_as_well(tmp_path):
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    (folder / "experiments" / "alone.yaml").write_text("data: {name: omniglot, num_train: 77}\nvae: {arch: pixels}\n")
    catalogue = Catalogue(folder)
    key = dataset_key(catalogue.settings("alone", "paper").data)
    assert catalogue.vae_of_dataset(key, "paper") == "alone"
