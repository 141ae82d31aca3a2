"""`lsgm tolerance`, `samplers`, `variance` and `figure`: from a trained model to pictures, and what they refuse."""

from __future__ import annotations

import json

import chain
import pytest

from lsgm.cli.main import main
from lsgm.reporting.records.figure_measurements import read_samplers, read_tolerance, read_variance

LENGTHS = ("data.num_train=64", "pretrain.epochs=1", "train.epochs=1", "pretrain.log_every=2", "train.log_every=2")
SOLVERS = ("ode", "heun", "multistep")
SMALL = (
    *LENGTHS,
    "figures.tolerances=[0.1, 1e-6]",
    "figures.reference_tol=1e-7",
    "figures.num_samples=20",
    "sample.batch_size=10",
)


def words(run="mnist", *changes):
    return chain.settings(run, *SMALL, *changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    data = ["--data", str(folder / "data.safetensors")]
    assert main(["prepare", *words("mnist_vae"), "--out", data[1]]) == 0
    vae = str(folder / "vae" / "model.safetensors")
    assert main(["pretrain", *words("mnist_vae"), *data, "--out", vae]) == 0
    lsgm = str(folder / "lsgm" / "model.safetensors")
    assert main(["train", *words(), *data, "--backbone", vae, "--out", lsgm]) == 0
    return folder


def measure(folder, verb, *changes, out):
    files = ["--data", str(folder / "data.safetensors"), "--model", str(folder / "lsgm" / "model.safetensors")]
    return main([verb, *words("mnist", *changes), *files, "--out", str(out)])


def test_tolerances_are_measured_and_drawn(folder, tmp_path):
    features = ("evaluate.frechet.features=random_conv",)
    assert measure(folder, "tolerance", *features, out=tmp_path / "tolerance.json") == 0
    found = read_tolerance(tmp_path / "tolerance.json")
    assert (found.status, found.run, found.scale) == ("ok", "mnist", "test")
    assert (found.num_samples, found.batch_size) == (20, 10)
    loose, tight = found.points
    assert (loose.tol, tight.tol) == (0.1, 1e-6)
    assert loose.nfe < tight.nfe and loose.seconds_per_batch > 0
    assert tight.frechet.name != "FID" and tight.frechet.num_samples == 20
    assert "8 bits" in tight.frechet.protocol
    stem = tmp_path / "figure4"
    assert main(["figure", "4", "--tolerance", str(tmp_path / "tolerance.json"), "--out", str(stem)]) == 0
    assert stem.with_suffix(".png").stat().st_size > 1000 and stem.with_suffix(".pdf").exists()


def test_without_features_there_is_only_the_cost(folder, tmp_path):
    assert measure(folder, "tolerance", "evaluate.frechet.features=none", out=tmp_path / "t.json") == 0
    assert all(point.frechet is None and point.nfe for point in read_tolerance(tmp_path / "t.json").points)


def test_samplers_are_measured_and_drawn(folder, tmp_path):
    changes = ("figures.evaluations=[4, 12]", "figures.reference_samples=5")
    features = ("evaluate.frechet.features=random_conv",)
    assert measure(folder, "samplers", *changes, *features, out=tmp_path / "samplers.json") == 0
    found = read_samplers(tmp_path / "samplers.json")
    assert (found.status, found.run, found.num_samples, found.num_latents) == ("ok", "mnist", 20, 5)
    by_solver = {solver: [point for point in found.points if point.solver == solver] for solver in SOLVERS}
    assert [point.setting for point in by_solver["ode"]] == [0.1, 1e-6]
    for solver in ("heun", "multistep"):
        assert [(point.setting, point.nfe) for point in by_solver[solver]] == [(4, 4), (12, 12)]
    for points in by_solver.values():
        assert 0 < points[1].latent_error < 0.05 * found.latent_std
        assert points[1].frechet.num_samples == 20 and points[1].seconds_per_batch > 0
    out = ["--out", str(tmp_path / "samplers")]
    assert main(["figure", "samplers", "--samplers", str(tmp_path / "samplers.json"), *out]) == 0
    assert (tmp_path / "samplers.png").exists() and (tmp_path / "samplers.pdf").exists()


@pytest.mark.parametrize("solver", ["heun", "multistep"])
def test_images_are_drawn_in_few_steps(folder, tmp_path, solver):
    from lsgm.cli.records.samples_file import read_samples

    model = ["--model", str(folder / "lsgm" / "model.safetensors"), "--out", str(tmp_path / "samples.safetensors")]
    changes = (f"sample.solver={solver}", "sample.evaluations=4", "sample.num_samples=4")
    assert main(["sample", *words("mnist", *changes), *model]) == 0
    images, record = read_samples(tmp_path / "samples.safetensors")
    assert len(images) == 4 and record.nfe == 4
    assert record.solver == {"heun": "heun", "multistep": "multistep"}[solver]


def test_images_are_drawn_by_predictor_and_corrector(folder, tmp_path):
    from lsgm.cli.records.samples_file import read_samples

    model = ["--model", str(folder / "lsgm" / "model.safetensors"), "--out", str(tmp_path / "samples.safetensors")]
    changes = ("sample.solver=predictor_corrector", "sample.num_steps=5", "sample.corrector_steps=2")
    assert main(["sample", *words("mnist", *changes, "sample.num_samples=4"), *model]) == 0
    images, record = read_samples(tmp_path / "samples.safetensors")
    assert len(images) == 4 and record.nfe == 15
    assert record.solver == "predictor-corrector, 5 steps of 1 + 2 evaluations, signal-to-noise ratio 0.16"


def test_variance_is_measured_and_drawn(folder, tmp_path):
    changes = ("figures.variance_images=12", "figures.variance_times=2")
    assert measure(folder, "variance", *changes, out=tmp_path / "variance.json") == 0
    found = read_variance(tmp_path / "variance.json")
    assert (found.num_images, found.num_times, found.sde, found.status) == (12, 2, "vpsde", "ok")
    assert {(point.weighting, point.times) for point in found.points} == {
        (weighting, times) for weighting in ("ll", "un", "re") for times in ("uniform", "ll", "un", "re")
    }
    out = ["--out", str(tmp_path / "variance")]
    assert main(["figure", "variance", "--variance", str(tmp_path / "variance.json"), *out]) == 0
    assert (tmp_path / "variance.pdf").exists()


@pytest.mark.parametrize(("run", "name"), [("mnist_vae", "vae"), ("mnist", "lsgm")])
def test_curves_of_both_stages(folder, tmp_path, run, name):
    curves = ["--curves", str(folder / name / "curves.jsonl"), "--out", str(tmp_path / "curves")]
    assert main(["figure", "curves", *words(run), *curves]) == 0
    assert (tmp_path / "curves.png").exists()


def test_figure_3_needs_no_run(tmp_path):
    assert main(["figure", "3", "--out", str(tmp_path / "figure3")]) == 0
    assert (tmp_path / "figure3.png").exists()


@pytest.mark.parametrize("verb", ["tolerance", "samplers", "variance"])
def test_a_diverged_training_is_a_result(folder, tmp_path, verb):
    from lsgm.models import load_model, save_model

    loaded = load_model(folder / "lsgm" / "model.safetensors")
    extra = {"status": "diverged", "reason": "loss is not finite"}
    save_model(tmp_path / "lsgm" / "model.safetensors", loaded.model, loaded.config, loaded.image_shape, extra)
    (tmp_path / "data.safetensors").write_bytes((folder / "data.safetensors").read_bytes())
    assert measure(tmp_path, verb, out=tmp_path / "m.json") == 0
    found = json.loads((tmp_path / "m.json").read_text())
    assert (found["status"], found["points"]) == ("diverged", [])
    assert "loss is not finite" in found["reason"]


@pytest.mark.parametrize("verb", ["tolerance", "samplers", "variance"])
def test_a_vae_alone_is_refused(folder, tmp_path, capsys, verb):
    files = ["--data", str(folder / "data.safetensors"), "--model", str(folder / "vae" / "model.safetensors")]
    assert main([verb, *words("mnist_vae"), *files, "--out", str(tmp_path / "m.json")]) == 2
    message = capsys.readouterr().err
    assert "mnist_vae.yaml" in message and message.count("\n") == 1
    assert not (tmp_path / "m.json").exists()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["4", "--tolerance", "absent.json"], "absent.json"),
        (["variance", "--variance", "absent.json"], "absent.json"),
        (["samplers", "--samplers", "absent.json"], "absent.json"),
        (["curves", *chain.settings("mnist"), "--curves", "absent.jsonl"], "absent.jsonl"),
        (["curves", *chain.settings("mnist")], "--curves FILE is missing"),
    ],
)
def test_mistakes_end_with_one_line(tmp_path, capsys, command, expected):
    assert main(["figure", *command, "--out", str(tmp_path / "figure")]) == 2
    message = capsys.readouterr().err
    assert expected in message and message.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        *(["tolerance"], ["samplers"], ["variance"]),
        *(["figure", name] for name in ("3", "4", "5", "samplers", "variance", "curves")),
    ],
)
def test_help_explains(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    assert f"usage: lsgm {' '.join(command)}" in capsys.readouterr().out
