"""Arguments of the authors' scripts and our settings: every official run, every kind of refusal."""

from __future__ import annotations

import pytest
from compat.official.official_runs import (
    EXPERIMENTS,
    IMAGE_SHAPES,
    RUNS,
    SHAPE,
    arguments,
    small,
    small_arguments,
)

from lsgm.compat.official import flags
from lsgm.compat.official.arguments import experiment_of
from lsgm.compat.official.data_sets import FOLDERS, SIDES
from lsgm.compat.official.namespace import arguments_of
from lsgm.config import ConfigError, DataConfig, ExperimentConfig, load_experiment
from lsgm.config.plan import read_runs
from lsgm.data import image_shape

ALL_RUNS = read_runs(EXPERIMENTS.parent)
# Their code has no models in pixel space.
WITHOUT_VAE = {"cifar10_pixels", "cifar10_pixels_vae"}
# How a run was trained by the authors' code, which our experiment files do not imitate.
PARITY = {"objective.official_weights": True, "objective.official_kl_coeff": True, "train.official_spectral": True}
# Flags of the script for evaluation, which no training argument tells.
OF_EVALUATION = {
    "celeba256_quant": {"sample.tol": 1.0e-5, "sample.batch_statistics": False, "sample.batch_size": 100},
    "celeba256_qual": {"sample.batch_statistics": False, "sample.batch_size": 100},
    "celeba256_qual_stage3": {"sample.batch_statistics": False, "sample.batch_size": 100},
}


def flat(tree: dict, above: str = "") -> dict[str, object]:
    values: dict[str, object] = {}
    for key, value in tree.items():
        values |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
    return values


def differences(found: ExperimentConfig, expected: ExperimentConfig) -> dict[str, object]:
    """What `found` has where the two differ."""
    ours = flat(expected.model_dump())
    return {key: value for key, value in flat(found.model_dump()).items() if value != ours[key]}


@pytest.mark.parametrize("name", RUNS)
def test_an_official_lsgm_is_our_experiment(reference, name):
    """All but the name, the stage-1 training (not in its arguments), and what is listed above with its reason."""
    args = arguments(reference, name)
    dataset = args["dataset"]
    found = experiment_of(args, IMAGE_SHAPES[dataset], RUNS[name].widths, "x.pt")
    expected = load_experiment(EXPERIMENTS / f"{RUNS[name].lsgm}.yaml")
    allowed = {"name": f"official_{dataset}", "backbone": f"official_{dataset}_vae"} | PARITY
    allowed |= OF_EVALUATION.get(name, {})
    if not expected.train.train_vae:
        allowed["train.official_frozen_vae"] = True
    different = differences(found, expected)
    assert {key: value for key, value in different.items() if not key.startswith("pretrain.")} == allowed
    assert found.pretrain == ExperimentConfig.model_fields["pretrain"].default


@pytest.mark.parametrize("name", RUNS)
def test_an_official_vae_is_our_experiment(reference, name):
    args = arguments(reference, name, stage=1)
    found = experiment_of(args, IMAGE_SHAPES[args["dataset"]], None, "x.pt")
    expected = load_experiment(EXPERIMENTS / f"{RUNS[name].vae}.yaml")
    assert differences(found, expected) == {"name": f"official_{args['dataset']}_vae"}
    assert found.is_vae


@pytest.mark.parametrize("stage", [1, 2])
@pytest.mark.parametrize("name", RUNS)
def test_the_way_back_gives_the_same_arguments(reference, name, stage):
    args = arguments(reference, name, stage)
    shape = IMAGE_SHAPES[args["dataset"]]
    back = arguments_of(experiment_of(args, shape, None if stage == 1 else RUNS[name].widths, "x.pt"), shape)
    assert back.keys() == args.keys()
    processes = ("batch_size", "num_proc_node", "num_process_per_node")
    meant = {flag for flag in args if flag not in flags.WITHOUT_MEANING and flag not in processes}
    assert {flag: back[flag] for flag in meant} == {flag: args[flag] for flag in meant}
    batch, nodes, per_node = (args[flag] for flag in processes)
    assert (back["batch_size"], back["num_proc_node"], back["num_process_per_node"]) == (batch * nodes * per_node, 1, 1)


BAD = {
    "data set": ({"dataset": "svhn"}, "dataset = 'svhn' is not a data set of the authors' scripts; there are: mnist,"),
    "image side": ({"dataset": "celeba_256"}, "dataset = 'celeba_256' has images of 256 pixels, but the network's"),
    "architecture": ({"arch_instance": "res_mbconv_attn"}, "arch_instance = 'res_mbconv_attn' cannot be expressed"),
    "not a word": ({"arch_instance": ["res_mbconv"]}, "arch_instance = ['res_mbconv'] cannot be expressed here; only:"),
    "blocks": ({"num_postprocess_blocks": 1}, "num_postprocess_blocks = 1 cannot be expressed here: it must be"),
    "decoder": ({"decoder_dist": "bernoulli"}, "decoder_dist = 'bernoulli' cannot be expressed here; only: bin, dml"),
    "score network": ({"dae_arch": "unet"}, "dae_arch = 'unet' cannot be expressed here; only: ncsnpp"),
    "process": ({"sde_type": "cosine"}, "sde_type = 'cosine' cannot be expressed here; only: vpsde, geometric_sde"),
    "standard deviations": ({"denoising_stddevs": "learn"}, "denoising_stddevs = 'learn' cannot be expressed here"),
    "times": ({"iw_sample_p": "ll"}, "iw_sample_p = 'll' cannot be expressed here; only: ll_uniform, ll_iw"),
    "times of q": ({"iw_sample_q": "drop_all_iw"}, "iw_sample_q = 'drop_all_iw' cannot be expressed here"),
    "not a number": ({"batch_size": "32"}, "batch_size = '32' is not a number"),
    "out of range": ({"num_nf": -1}, "vae.num_flows = -1"),
    "impossible": ({"num_latent_scales": 2}, "vae.channel_mult needs 4 positive entries"),
    "binary decoder": ({"dataset": "ffhq", "num_x_bits": 99}, "data.num_bits = 99"),
}


@pytest.mark.parametrize("changes, message", BAD.values(), ids=BAD)
def test_what_cannot_be_expressed_is_one_line_that_names_it(changes, message):
    with pytest.raises(ConfigError) as error:
        small(**changes)
    assert str(error.value).startswith("x.pt: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dataset", FOLDERS)
def test_sets_without_a_reader_become_folders(dataset):
    """Their models can be sampled from without the data."""
    config = small(dataset=dataset, decoder_dist="dml", num_x_bits=5)
    assert (config.data.name, config.data.path, config.data.num_bits) == ("folder", dataset, 5)
    back = arguments_of(config, (3, 64, 64))
    assert (back["dataset"], back["data"]) == (dataset, "")


def test_sides_are_those_of_our_readers():
    assert {name: image_shape(DataConfig(name=name))[1] for name in SIDES} == SIDES


@pytest.mark.parametrize("run", [name for name in ALL_RUNS if name not in WITHOUT_VAE])
def test_our_runs_come_back_from_their_arguments(run):
    """Data sets of ours included, at a scale with other sizes than the paper's."""
    config = load_experiment(ALL_RUNS[run].file, EXPERIMENTS.parent / "scales" / "demo.yaml", ALL_RUNS[run].cell)
    channels, side, _ = image_shape(config.data)
    shape = (channels, side + 2 * config.data.pad, side + 2 * config.data.pad)
    widths = None if config.is_vae else config.prior.channel_mult
    found = experiment_of(arguments_of(config, shape), shape, widths, "x.pt")
    sections = ("data", "vae", "pretrain") if config.is_vae else ("data", "vae", "prior", "sde", "objective", "train")
    allowed = set() if config.is_vae else set(PARITY) | {"train.official_frozen_vae"}
    # Not among their flags.
    allowed |= {f"{stage}.{key}" for stage in ("pretrain", "train") for key in ("log_every", "checkpoint_every")}
    different = {key for key in differences(found, config) if key.split(".")[0] in sections}
    assert different <= allowed


@pytest.mark.parametrize("run", sorted(WITHOUT_VAE))
def test_models_in_pixel_space_are_refused(run):
    config = load_experiment(ALL_RUNS[run].file)
    with pytest.raises(ConfigError, match=r"vae\.arch is pixels, and the authors' code has no model without a VAE"):
        arguments_of(config, (3, 32, 32))


def test_padding_is_what_the_network_has_beyond_the_images():
    plain = experiment_of(small_arguments(), (1, 28, 28), (1, 1), "x.pt")
    assert (plain.data.pad, small().data.pad) == (0, 2)


def test_a_colour_set_at_another_size_is_a_folder_of_images():
    args = small_arguments() | {"dataset": "celeba_256", "decoder_dist": "dml", "num_x_bits": 5}
    config = experiment_of(args | {"num_scales_dae": 3}, (3, 32, 32), (1, 1, 1), "x.pt")
    assert (config.data.name, config.data.path, config.data.pad) == ("folder", "celeba_256", 0)
    assert arguments_of(config, (3, 32, 32))["dataset"] == "celeba_256"


NOT_THEIRS = {
    "widths": ("prior.channel_mult=[1, 2]", "prior.channel_mult = [1, 2]: the authors' code has [1, 1] for"),
    "attention": ("prior.attention_resolutions=[8]", "prior.attention_resolutions = [8]: the authors' code"),
}


@pytest.mark.parametrize("changes, message", NOT_THEIRS.values(), ids=NOT_THEIRS)
def test_networks_that_their_code_cannot_build_are_refused(changes, message):
    config = load_experiment(EXPERIMENTS / "mnist.yaml", overrides=[changes])
    with pytest.raises(ConfigError) as error:
        arguments_of(config, SHAPE)
    assert message in str(error.value)


def test_attention_at_sides_that_there_are_not_is_no_difference():
    config = load_experiment(EXPERIMENTS / "mnist.yaml", overrides=["prior.attention_resolutions=[64]"])
    assert arguments_of(config, SHAPE) == arguments_of(load_experiment(EXPERIMENTS / "mnist.yaml"), SHAPE)
