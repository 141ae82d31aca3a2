"""`lsgm cost`: two models in turns, what the file says of them, and what is refused before any work."""

from __future__ import annotations

import chain
import pytest
import torch

from lsgm.cli.main import main
from lsgm.config import ExperimentConfig
from lsgm.config.catalogue import Catalogue
from lsgm.reporting.records.cost_measurement import read_cost
from lsgm.sampling import NumericalError

LSGM, PIXELS = "cifar10_balanced", "cifar10_pixels"
SCALE = chain.ROOT / "config" / "scales" / "test.yaml"
SAMPLERS = "[{solver: heun, evaluations: 4}, {solver: multistep, evaluations: 3}, {solver: ancestral, num_steps: 2}]"
NAMES = ["heun, evaluations 4", "multistep, evaluations 3", "ancestral, num_steps 2"]
SMALL = (
    "data.num_train=64",
    f"figures.cost_samplers={SAMPLERS}",
    "figures.num_samples=14",
    "figures.cost_batch_size=4",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data, and two models with the weights they start with."""
    from lsgm.models import build_lsgm, save_model

    folder = tmp_path_factory.mktemp("cost")
    words = chain.settings("cifar10_vae1", "data.num_train=64")
    assert main(["prepare", *words, "--out", str(folder / "data.safetensors")]) == 0
    catalogue = Catalogue(chain.ROOT / "config")
    for run in (LSGM, PIXELS):
        config = catalogue.settings(run, "test")
        save_model(folder / f"{run}.safetensors", build_lsgm(config, (3, 8, 8)), config, (3, 8, 8))
    return folder


def words(folder, out, *changes, runs=(LSGM, PIXELS), small=SMALL):
    models = [f"{run}={folder / run}.safetensors" for run in runs]
    data = [f"{run}={folder / 'data.safetensors'}" for run in runs]
    sets = [part for change in (*small, *changes) for part in ("--set", change)]
    return ["cost", "--scale", str(SCALE), "--models", *models, "--data", *data, *sets, "--out", str(out)]


@pytest.fixture(scope="module")
def measured(folder):
    """The measurement of both."""
    assert main(words(folder, folder / "cost.json")) == 0
    return folder / "cost.json"


def test_two_models_are_measured_side_by_side(measured):
    found = read_cost(measured)
    assert (found.scale, found.num_samples, found.batch_size, found.num_timed) == ("test", 12, 4, 2)
    assert [(model.run, model.backbone, model.status) for model in found.models] == [
        (LSGM, "nvae", "ok"),
        (PIXELS, "pixels", "ok"),
    ]
    assert found.models[1].prior_shape == (3, 8, 8)
    for model in found.models:
        assert [point.sampler for point in model.points] == NAMES
        assert [point.nfe for point in model.points] == [4, 3, 2]
        for point in model.points:
            assert 0 < point.network.wall <= point.prior.wall < point.batch.wall
            assert point.decoder.wall > 0 and point.prior.cpu > 0 and point.ratio > 0 < point.cpu_ratio
            assert point.fastest <= point.batch.wall <= point.slowest
            assert point.frechet.num_samples == 12 and "8 bits" in point.frechet.protocol
    reference = found.models[0].points[0]
    assert (reference.ratio, reference.cpu_ratio) == (1, 1)
    assert found.reference == f"{LSGM}, {NAMES[0]}"


def test_a_table_is_made_of_it(measured, tmp_path, monkeypatch):
    monkeypatch.chdir(chain.ROOT)
    made = ["table", "cost", "--cost", str(measured), "--out", str(tmp_path / "cost")]
    assert main([*made, "--html", str(tmp_path / "cost.html")]) == 0
    text = (tmp_path / "cost.md").read_text()
    assert NAMES[1] in text and "/cost.json)" in text and (tmp_path / "cost.html").exists()
    assert f"with other settings than those in the config folder now: {LSGM}, {PIXELS}" in text.replace("\\_", "_")


def test_one_run_is_measured_as_well(folder, tmp_path):
    changes = ("evaluate.frechet.features=none", "figures.cost_samplers=[{solver: ode, tol: 1}]")
    assert main(words(folder, tmp_path / "cost.json", *changes, runs=(PIXELS,))) == 0
    (model,) = read_cost(tmp_path / "cost.json").models
    (point,) = model.points
    assert (point.sampler, point.frechet) == ("ode, tol 1", None) and point.nfe >= point.nfe_per_image > 2


def test_models_take_turns_batch_by_batch_and_draw_what_sample_draws(folder, monkeypatch):
    from lsgm.cli.opened_run import open_model
    from lsgm.cli.records import cost_sweep
    from lsgm.cli.records.cost_settings import sampler_settings
    from lsgm.cli.records.samples_file import as_kept
    from lsgm.sampling import sample_images

    configs, order = {run: small_config(run) for run in (LSGM, PIXELS)}, []
    draw = cost_sweep.Series.draw

    def noted(series):
        order.append((series.run.config.name, series.sampler))
        draw(series)

    monkeypatch.setattr(cost_sweep.Series, "draw", noted)
    data = folder / "data.safetensors"
    runs = {
        run: open_model(config, data, folder / f"{run}.safetensors", None, "cpu") for run, config in configs.items()
    }
    samplers = {run: sampler_settings(run, config) for run, config in configs.items()}
    drawn = cost_sweep.draw_in_turns(runs, samplers)
    assert order == [(run, sampler) for _ in range(3) for sampler in NAMES for run in (LSGM, PIXELS)]
    for run, series in drawn.items():
        for one in series[1:]:
            images = sample_images(runs[run].model, samplers[run][one.sampler], configs[run].seed, "cpu").images
            assert torch.equal(torch.cat(one.images), as_kept(images, 0, (3, 8, 8)))


def small_config(run: str) -> ExperimentConfig:
    from lsgm.config.load import merge, parse_override

    tree = Catalogue(chain.ROOT / "config").settings(run, "test").model_dump(mode="json")
    for word in SMALL:
        tree = merge(tree, parse_override(word))
    return ExperimentConfig.model_validate(tree)


def test_a_diverged_training_is_a_result(folder, tmp_path):
    from lsgm.models import load_model, save_model

    loaded = load_model(folder / f"{LSGM}.safetensors")
    extra = {"status": "diverged", "reason": "loss is not finite"}
    save_model(tmp_path / f"{LSGM}.safetensors", loaded.model, loaded.config, loaded.image_shape, extra)
    for name in (f"{PIXELS}.safetensors", "data.safetensors"):
        (tmp_path / name).symlink_to(folder / name)
    assert main(words(tmp_path, tmp_path / "cost.json", "evaluate.frechet.features=none")) == 0
    diverged, other = read_cost(tmp_path / "cost.json").models
    assert (diverged.status, diverged.points) == ("diverged", ()) and "loss is not finite" in diverged.reason
    assert other.status == "ok" and [point.ratio for point in other.points] == [None] * 3
    assert all(point.batch.wall > 0 for point in other.points)


def test_a_sampler_that_fails_leaves_the_others(folder, tmp_path, monkeypatch):
    from lsgm.cli.records import cost_sweep

    draw = cost_sweep.iterate_images

    def failing(model, settings, seed, device):
        for number, batch in enumerate(draw(model, settings, seed, device)):
            if settings.solver == "multistep" and number == 2:
                raise NumericalError("latent is not finite")
            yield batch

    monkeypatch.setattr(cost_sweep, "iterate_images", failing)
    assert main(words(folder, tmp_path / "cost.json", "evaluate.frechet.features=none", runs=(PIXELS,))) == 0
    (model,) = read_cost(tmp_path / "cost.json").models
    assert (model.status, model.reason) == ("diverged", f"{NAMES[1]}: latent is not finite")
    assert [point.batch is None for point in model.points] == [False, True, False]
    assert model.points[1].sampler == NAMES[1]


MISTAKES = {
    "data of another run": (["--data", f"{PIXELS}=x"], f"{LSGM!r} is not in both --models and --data"),
    "no run of that name": (["--models", "cifar=x", "--data", "cifar=x"], "no run 'cifar'"),
    "a VAE": (["--models", "mnist_vae=x", "--data", "mnist_vae=x"], "--models mnist_vae: a VAE without"),
    "a file without its run": (["--models", "x"], "expected RUN=FILE"),
    "no such scale": (["--scale", str(SCALE.with_name("huge.yaml"))], "huge.yaml: no such file"),
    "wrong key": (["--set", "figures.cost_samplers=[{solver: ode, tool: 1}]"], "'tool' is none of"),
    "wrong value": (["--set", "figures.cost_samplers=[{solver: euler}]"], f"{LSGM}, figures.cost_samplers"),
    "odd evaluations": (["--set", "figures.cost_samplers=[{solver: heun, evaluations: 5}]"], "evaluations = 5 is odd"),
    "one batch": (["--set", "figures.cost_batch_size=12"], "leaves less than 2 batches of 14 images"),
    "wrong process": (["--set", "sde.type=vesde", "--set", "sde.sigma2_0=3e-5"], "needs a variance-preserving SDE"),
    "absent model": (["--models", f"{LSGM}=absent.safetensors", "--data", f"{LSGM}=DATA"], "absent.safetensors"),
    "absent data": (["--models", f"{LSGM}=x", "--data", f"{LSGM}=absent.data"], "absent.data"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_end_with_one_line(folder, tmp_path, capsys, name):
    changes, expected = MISTAKES[name]
    changes = [word.replace("DATA", str(folder / "data.safetensors")) for word in changes]
    assert main([*words(folder, tmp_path / "cost.json"), *changes]) == 2
    message = capsys.readouterr().err
    assert expected in message and message.count("\n") == 1
    assert not (tmp_path / "cost.json").exists()


def test_runs_that_are_drawn_or_measured_in_other_ways_do_not_compare():
    from lsgm.cli.records.cost_settings import require_comparable
    from lsgm.config import ConfigError

    one = small_config(LSGM)
    figures = one.figures.model_copy(update={"cost_samplers": ({"solver": "ode", "tol": 0.1},)})
    other = one.model_copy(update={"figures": figures})
    with pytest.raises(
        ConfigError, match=r"^b: figures\.cost_samplers is ode, tol 0\.1, but heun, evaluations 4; multistep"
    ):
        require_comparable({"a": one, "b": other})
    frechet = one.evaluate.model_copy(update={"frechet": one.evaluate.frechet.model_copy(update={"num_reference": 9})})
    with pytest.raises(ConfigError, match=r"^b: evaluate\.frechet is "):
        require_comparable({"a": one, "b": one.model_copy(update={"evaluate": frechet})})
    require_comparable({"a": one, "b": small_config(PIXELS)})


def test_other_images_do_not_compare(folder, tmp_path, capsys):
    from lsgm.models import build_lsgm, save_model

    digits, model = tmp_path / "digits.safetensors", tmp_path / "mnist.safetensors"
    assert main(["prepare", *chain.settings("mnist_vae", "data.num_train=64"), "--out", str(digits)]) == 0
    config = Catalogue(chain.ROOT / "config").settings("mnist", "test")
    save_model(model, build_lsgm(config, (1, 8, 8)), config, (1, 8, 8))
    own = folder / "data.safetensors"
    models = [f"{LSGM}={folder / LSGM}.safetensors", f"mnist={model}"]
    called = ["--models", *models, "--data", f"{LSGM}={own}", f"mnist={digits}"]
    assert main([*words(folder, tmp_path / "cost.json"), *called]) == 2
    message = capsys.readouterr().err
    assert f"--data {digits}: other images than {own}" in message and message.count("\n") == 1
    assert not (tmp_path / "cost.json").exists()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["cost"], "--cost FILE belongs to the table 'cost'"),
        (["5", "--cost", "x.json"], "--cost FILE belongs to the table 'cost'"),
        (["cost", "--cost", "x.json", "--metrics", "mnist=x"], "leave --metrics out"),
        (["cost", "--cost", "absent.json"], "absent.json: no such file; make it with `lsgm cost`"),
    ],
)
def test_mistakes_of_the_table_end_with_one_line(tmp_path, capsys, monkeypatch, command, expected):
    monkeypatch.chdir(chain.ROOT)
    assert main(["table", *command, "--out", str(tmp_path / "table")]) == 2
    message = capsys.readouterr().err
    assert expected in message and message.count("\n") == 1
    assert not list(tmp_path.iterdir())
