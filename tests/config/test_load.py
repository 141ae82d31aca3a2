"""Settings: resolution order, every kind of mistake in one line, and the files that ship with the project."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lsgm.config import ConfigError, ExperimentConfig, PriorConfig, TrainConfig, load_experiment
from lsgm.config.load import merge, parse_override, read_yaml
from lsgm.config.plan import dataset_key, read_resources, read_runs
from lsgm.config.text_files import parse_yaml

CONFIG = Path(__file__).parents[2] / "config"
RUNS = read_runs(CONFIG)
SCALES = sorted((CONFIG / "scales").glob("*.yaml"))
MNIST = CONFIG / "experiments" / "mnist.yaml"


@pytest.mark.parametrize("scale", SCALES, ids=lambda path: path.stem)
@pytest.mark.parametrize("run", RUNS)
def test_every_run_resolves_at_every_scale(run, scale):
    config = load_experiment(RUNS[run].file, scale, RUNS[run].cell)
    assert config.scale == scale.stem
    assert config.backbone == RUNS[run].backbone
    assert config.cell == RUNS[run].cell
    assert ExperimentConfig.model_validate(json.loads(config.model_dump_json())) == config


@pytest.mark.parametrize("scale", SCALES, ids=lambda path: path.stem)
def test_runs_share_their_backbone(scale):
    """A VAE is trained once: what decides it must be the same for all runs that build on it."""
    for run in RUNS.values():
        if run.backbone is None:
            continue
        config = load_experiment(run.file, scale, run.cell)
        backbone = load_experiment(run.file.with_name(f"{run.backbone}.yaml"), scale)
        assert config.data == backbone.data
        assert config.vae == backbone.vae
        assert config.pretrain == backbone.pretrain
        assert config.fingerprint("pretrain") == backbone.fingerprint("pretrain")


@pytest.mark.parametrize("scale", SCALES, ids=lambda path: path.stem)
def test_every_scale_states_its_resources(scale):
    assert read_resources(scale).train.threads >= 1


@pytest.mark.parametrize("scale", ["test", "demo"])
@pytest.mark.parametrize("run", RUNS)
def test_small_scales_are_small_for_every_run(run, scale):
    """A run that a small scale forgets would keep the paper's length: days instead of a minute."""
    config = load_experiment(RUNS[run].file, CONFIG / "scales" / f"{scale}.yaml", RUNS[run].cell)
    assert config.scaled_down
    assert config.data.name in ("digits", "patches")
    images = {"digits": 1297, "patches": 10_000}[config.data.name] if config.data.num_train is None else 160
    stages = [config.pretrain] if config.is_vae else [config.pretrain, config.train]
    assert all(stage.epochs * images // stage.batch_size <= 1300 for stage in stages)
    assert config.sample.num_samples <= 1000


def test_later_layers_win(tmp_path):
    experiments = tmp_path / "experiments"
    experiments.mkdir()
    (experiments / "v.yaml").write_text("data: {name: digits, binarise: true}\nvae: {output: bernoulli}\nseed: 2\n")
    (experiments / "x.yaml").write_text("backbone: v\ntrain: {epochs: 7, lr_sgm: 1.0e-3}\n")
    scale = tmp_path / "small.yaml"
    scale.write_text(
        "all: {train: {epochs: 5}}\n"
        "experiments:\n  v: {vae: {num_channels: 8}, train: {epochs: 9}}\n  x: {train: {batch_size: 3}}\n"
    )
    config = load_experiment(experiments / "x.yaml", scale, overrides=["train.batch_size=4", "train.lr_vae=1e-5"])
    assert (config.train.epochs, config.train.batch_size) == (5, 4)
    assert (config.train.lr_sgm, config.train.lr_vae) == (1e-3, 1e-5)
    assert config.vae.num_channels == 8
    assert config.seed == 1, "of a backbone only data, vae and pretrain are taken over"
    assert (config.name, config.scale) == ("x", "small")


def _chain(folder: Path, **files: str) -> Path:
    experiments = folder / "experiments"
    experiments.mkdir()
    for name, text in files.items():
        (experiments / f"{name}.yaml").write_text(text)
    return experiments


def test_a_backbone_may_have_a_backbone(tmp_path):
    """Stage 3 of a run takes the VAE of stage 2, which took that of stage 1."""
    experiments = _chain(
        tmp_path,
        one="data: {name: digits, flip: true}\nvae: {num_channels: 8, num_flows: 3}\npretrain: {epochs: 2}\n",
        two="backbone: one\ndata: {flip: false}\nprior: {num_channels: 16}\ntrain: {epochs: 3}\n",
        three="backbone: two\ntrain: {train_vae: false}\n",
    )
    scale = tmp_path / "small.yaml"
    scale.write_text(
        "experiments:\n  one: {vae: {num_channels: 4, num_flows: 1}}\n"
        "  two: {vae: {num_flows: 2}, train: {epochs: 9}}\n"
    )
    config = load_experiment(experiments / "three.yaml")
    assert (config.vae.num_channels, config.vae.num_flows, config.pretrain.epochs) == (8, 3, 2)
    assert not config.data.flip, "the nearer backbone wins"
    assert (config.prior, config.train.epochs) == (PriorConfig(), TrainConfig().epochs), "of its prior nothing is taken"
    small = load_experiment(experiments / "three.yaml", scale)
    assert (small.vae.num_channels, small.vae.num_flows) == (4, 2)
    assert small.train.epochs == TrainConfig().epochs
    assert read_runs(tmp_path)["three"].backbone == "two"


@pytest.mark.parametrize("start", ["one", "two"])
def test_backbones_in_a_circle_are_refused(tmp_path, start):
    data = "data: {name: digits}\n"
    experiments = _chain(
        tmp_path, one=f"backbone: two\n{data}", two=f"backbone: three\n{data}", three="backbone: two\n"
    )
    with pytest.raises(ConfigError, match=r"backbone goes in a circle, .*two -> three -> two; "):
        load_experiment(experiments / f"{start}.yaml")


@pytest.mark.parametrize("backbone", ["two", "../one"])
def test_an_absent_backbone_lists_the_experiments_that_there_are(tmp_path, backbone):
    experiments = _chain(tmp_path, one=f"backbone: {backbone}\ndata: {{name: digits}}\n")
    with pytest.raises(ConfigError, match=r"no such file; there are: "):
        load_experiment(experiments / "one.yaml")


@pytest.mark.parametrize("run", RUNS)
def test_the_settings_beside_a_model_are_read_back_without_their_backbone(run, tmp_path):
    config = load_experiment(RUNS[run].file, CONFIG / "scales" / "demo.yaml", RUNS[run].cell)
    beside = tmp_path / "model.config.yaml"
    beside.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    assert load_experiment(beside) == config
    assert load_experiment(beside, overrides=["sample.tol=1e-2"]).sample.tol == 1e-2


def test_a_file_that_lacks_a_section_still_needs_its_backbone(tmp_path):
    tree = load_experiment(MNIST).model_dump(mode="json")
    del tree["vae"]
    beside = tmp_path / "model.config.yaml"
    beside.write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError, match=r"mnist_vae\.yaml: no such file"):
        load_experiment(beside)


BAD = {
    "unknown key": (["train.epoch=3"], "unknown key 'train.epoch'"),
    "unknown section": (["trian.epochs=3"], "unknown key 'trian'"),
    "wrong type": (["train.epochs=many"], "train.epochs = 'many'"),
    "out of range": (["train.ema_decay=1.5"], "train.ema_decay = 1.5"),
    "not finite": (["train.lr_vae=.nan"], "train.lr_vae"),
    "no sign": (["train.epochs"], "expected section.key=value"),
    "empty key": (["=3"], "expected section.key=value"),
    "r_un with a geometric SDE": (
        ["sde.type=geometric", "sde.sigma2_0=3e-5", "objective.weighting=un", "objective.time=is"],
        "not defined for sde.type = geometric",
    ),
    "sigma2_min above sigma2_max": (
        ["sde.type=geometric", "sde.sigma2_min=0.5", "sde.sigma2_max=0.1"],
        "sde.sigma2_min (0.5) must be below sde.sigma2_max (0.1)",
    ),
    "groups that do not divide": (["prior.num_channels=130"], "normalisation groups do not divide"),
    "channel_mult": (["vae.channel_mult=[1]"], "vae.channel_mult needs 3 positive entries"),
    "VESDE start": (["sde.type=vesde", "sde.sigma2_max=null"], "a VESDE needs sde.sigma2_0 = sde.sigma2_min"),
    "disjoint with one batch of times": (["objective.disjoint=true"], "objective.disjoint needs objective.q_time"),
    "bernoulli on grey images": (["data.binarise=false"], "go together"),
    "path for a set without one": (["data.path=/x"], "data.path is needed by the readers folder and npz"),
    "ancestral on a VESDE": (
        ["sde.type=vesde", "sde.sigma2_0=3e-5", "sample.solver=ancestral"],
        "needs a variance-preserving SDE",
    ),
}


@pytest.mark.parametrize("overrides, message", BAD.values(), ids=BAD)
def test_mistakes_are_one_line_that_names_them(overrides, message):
    with pytest.raises(ConfigError) as error:
        load_experiment(MNIST, overrides=overrides)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_absent_and_broken_files(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file; there are: .*mnist_vae"):
        load_experiment(CONFIG / "experiments" / "minst.yaml")
    for name, text in (("a", "x: ["), ("b", "- 1\n"), ("c", "scale: {a: b")):
        broken = tmp_path / f"{name}.yaml"
        broken.write_text(text)
        with pytest.raises(ConfigError, match=broken.name):
            load_experiment(broken)


def test_unknown_cell_lists_those_that_exist_and_a_cell_that_does_not_exist_says_why():
    ablation = CONFIG / "experiments" / "ablation.yaml"
    with pytest.raises(ConfigError, match=r"there are: .*vpsde-un-is-rew"):
        load_experiment(ablation, cell="vpsde-un-is")
    with pytest.raises(ConfigError, match="does not exist"):
        load_experiment(ablation, cell="geometric-un-is-rew")


def test_the_grid_has_twenty_cells_of_which_three_do_not_exist():
    assert sum(run.cell is not None for run in RUNS.values()) == 17


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_on_the_command_line_survive(value):
    parsed = parse_override(f"a.b={value!r}")["a"]["b"]
    assert math.isclose(parsed, value, rel_tol=0, abs_tol=0)


@given(st.text(max_size=40))
def test_any_override_is_parsed_or_refused_in_one_line(text):
    try:
        parsed = parse_override(text)
    except ConfigError as error:
        assert "\n" not in str(error).removeprefix(f"--set {text}")
    else:
        assert isinstance(parsed, dict)


def test_merge_leaves_its_arguments_alone():
    base = {"a": {"b": 1}, "c": [1]}
    assert merge(base, {"a": {"d": 2}, "c": 3}) == {"a": {"b": 1, "d": 2}, "c": 3}
    assert base == {"a": {"b": 1}, "c": [1]}


def test_fingerprints_follow_what_a_stage_depends_on():
    plain = load_experiment(MNIST)
    sampling = load_experiment(MNIST, overrides=["sample.tol=1e-3"])
    seed = load_experiment(MNIST, overrides=["seed=2"])
    training = load_experiment(MNIST, overrides=["train.epochs=3"])
    for stage, changed in {
        "pretrain": [seed],
        "train": [seed, training],
        "sample": [seed, training, sampling],
        "evaluate": [seed, training, sampling],
    }.items():
        for config in (seed, training, sampling):
            assert (config.fingerprint(stage) != plain.fingerprint(stage)) == (config in changed)


def test_dataset_key_names_what_changes_the_prepared_file():
    config = load_experiment(MNIST)
    assert dataset_key(config.data) == "mnist"
    assert dataset_key(load_experiment(MNIST, overrides=["data.flip=true"]).data) == "mnist"
    assert dataset_key(load_experiment(MNIST, overrides=["data.num_train=10"]).data) != "mnist"


def test_scale_files_refuse_unknown_keys(tmp_path):
    scale = tmp_path / "s.yaml"
    scale.write_text(yaml.safe_dump({"every": {}}))
    with pytest.raises(ConfigError, match="unknown key 'every'"):
        load_experiment(MNIST, scale)
    scale.write_text(yaml.safe_dump({"resources": {"train": {"memory": 3}}}))
    with pytest.raises(ConfigError, match=r"unknown key 'train\.memory'"):
        read_resources(scale)


def test_a_text_that_was_parsed_before_gives_values_of_its_own():
    text = "all: {train: {epochs: 3}, sizes: [1, 2]}"
    first = parse_yaml(text)
    first["all"]["train"]["epochs"] = 4
    first["all"]["sizes"].append(3)
    assert parse_yaml(text) == {"all": {"train": {"epochs": 3}, "sizes": [1, 2]}}


@pytest.mark.parametrize("text", ["010", "0x10", "0b11", "1_000", "1:30", ".inf", "-.inf", ".nan", "+010"])
def test_numbers_are_decimal_or_refused(text, tmp_path):
    with pytest.raises(ConfigError, match="decimal"):
        load_experiment(MNIST, overrides=[f"seed={text}"])
    (tmp_path / "a.yaml").write_text(f"seed: {text}\n")
    with pytest.raises(ConfigError, match="decimal"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-3", -3),
        ("0", 0),
        ("1e-3", 1e-3),
        ("1.5E+2", 150.0),
        (".5", 0.5),
        ("'010'", "010"),
        ("no", "no"),
        ("2001-01-01", "2001-01-01"),
        ("true", True),
        ("null", None),
        ("nan", "nan"),
    ],
)
def test_values_mean_what_they_look_like(text, value):
    assert parse_override(f"a={text}") == {"a": value}
