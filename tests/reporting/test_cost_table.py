"""The table of the sampling cost: the paper's rows, ours below them, and what failed."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError
from reporting.cost_cases import LSGM, PIXELS, SAMPLERS, make_cost, make_model, make_point

from lsgm.config import ConfigError
from lsgm.reporting import build_cost_table, write_table
from lsgm.reporting.records.section_file import write_section
from lsgm.reporting.tables.cost_table import three_digits

ODE, CORRECTED = SAMPLERS
OURS = 3  # rows of the paper before ours
FAILED = {"status": "diverged", "reason": "training diverged: loss is nan", "points": []}


@pytest.fixture
def build(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(**changes):
        write_section(Path("sampling_cost.json"), make_cost(**changes))
        return build_cost_table(config / "paper" / "sampling_cost.yaml", Path("sampling_cost.json"))

    return make


def rows(table):
    return [tuple(row) for row in table.display.to_numpy().tolist()]


def data(table):
    return pd.read_csv(io.StringIO(table.csv), keep_default_na=False)


def test_the_papers_rows_come_first_and_say_what_is_uncertain(build):
    assert rows(build())[:OURS] == [
        ("paper, CelebA-HQ-256", "LSGM", "ode, tol 0.01", "23", "-", "4.15", "-", "-", "1.00", "-", "-"),
        ("", "score model of pixels", "ode", "335 (uncertain)", "-", "234", "-", "-", "56.4", "-", "-"),
        (
            "",
            "score model of pixels",
            "predictor_corrector",
            "4000 (uncertain)",
            "-",
            "2700",
            "-",
            "-",
            "651",
            "-",
            "-",
        ),
    ]


def test_ours_are_rows_of_their_own_under_their_data(build):
    assert rows(build())[OURS:] == [
        (
            "ours, scaled down, CIFAR-10",
            f"{LSGM} (1)",
            ODE,
            "138",
            "130",
            "8.40",
            "7.56",
            "0.420",
            "1.00",
            "1.05",
            "2.35",
        ),
        ("", "", CORRECTED, "2000", "2000", "80.0", "72.0", "4.00", "9.52", "10.0", "2.35"),
        ("", f"{PIXELS} (2)", ODE, "138", "130", "33.6", "30.2", "0.420", "4.00", "4.20", "2.35"),
        ("", "", CORRECTED, "2000", "2000", "320", "288", "4.00", "38.1", "40.0", "2.35"),
    ]
    columns = [": ".join(filter(None, label)) for label in build().display.columns]
    assert columns[-3:] == ["over the reference: wall time", "over the reference: processor time", "images: FID"]


def test_notes_name_the_reference_the_file_and_what_differs(build):
    table = build()
    notes = " ".join(table.notes)
    assert f"Reference of the ratios: {LSGM}, {ODE};" in notes and "read from sampling_cost.json" in notes
    assert "the data (CIFAR-10 in place of CelebA-HQ-256)" in notes and "the size of networks and training" in notes
    assert "has 125 images, a row 500" in notes and "median over 3 batches" in notes
    assert "both uncertain" in notes
    assert "46,080 numbers of an image, the latents of a VAE (180x16x16)" in table.run_notes[0]
    assert "3,072 numbers of an image, the pixels (3x32x32)" in table.run_notes[1]
    assert "](sampling_cost.json)" in table.markdown(Path())


def test_a_diverged_model_is_a_row_of_nan(build):
    table = build(models=[make_model(LSGM), make_model(PIXELS, **FAILED)])
    assert rows(table)[-1] == ("", f"{PIXELS} (2)", "-", *["NaN"] * 8)
    assert "diverged: training diverged: loss is nan" in table.run_notes[1]
    last = data(table).iloc[-1]
    assert (last["model"], last["wall_seconds"], last["status"]) == (PIXELS, "NaN", "diverged")


def test_a_diverged_reference_leaves_no_ratios(build):
    points = [make_point(sampler, ratio=None, cpu_ratio=None) for sampler in SAMPLERS]
    table = build(models=[make_model(LSGM, **FAILED), make_model(PIXELS, points=points)])
    assert [row[8] for row in rows(table)[OURS:]] == ["NaN", "-", "-"]
    assert f"Reference of the ratios: {LSGM}, which has none" in " ".join(table.notes)


def test_a_sampler_that_failed_is_nan_beside_the_others(build):
    points = [make_point(ODE), {"sampler": CORRECTED, "solver": "predictor_corrector"}]
    reason = f"{CORRECTED}: non-finite latent"
    table = build(models=[make_model(LSGM, points=points, status="diverged", reason=reason)])
    assert rows(table)[-1] == ("", "", CORRECTED, *["NaN"] * 8)
    assert rows(table)[-2][-1] == "2.35"
    assert reason in table.run_notes[0]


def test_without_features_there_is_only_the_cost(build):
    points = [make_point(sampler, frechet=None) for sampler in SAMPLERS]
    table = build(models=[make_model(LSGM, points=points)])
    assert {row[-1] for row in rows(table)} == {"-"}
    assert table.display.columns[-1][1] == "Fréchet distance"


def test_the_csv_file_has_every_digit_and_every_origin(build):
    found = data(build())
    assert len(found) == OURS + 4
    paper, ours = found.iloc[2], found.iloc[OURS]
    assert (paper["nfe"], paper["nfe_source"], paper["wall_seconds_source"]) == (4000, "memory, uncertain", "text")
    assert float(ours["wall_seconds"]) == 8.4 and float(ours["cpu_seconds"]) == 16.8
    assert float(found.iloc[-1]["ratio"]) == pytest.approx(320 / 8.4)
    assert (ours["prior_shape"], ours["config_hash"], ours["file"]) == (
        "180x16x16",
        "0123456789ab",
        "sampling_cost.json",
    )
    assert (ours["frechet_name"], ours["batches_timed"]) == ("FID", "3")


def test_other_settings_are_told(config, tmp_path):
    write_section(tmp_path / "a.json", make_cost())
    paper = config / "paper" / "sampling_cost.yaml"
    table = build_cost_table(paper, tmp_path / "a.json", lambda model: model.run != PIXELS)
    assert f"other settings than those in the config folder now: {PIXELS}." in table.notes[-1]


def test_files(build, tmp_path):
    files = write_table(build(), tmp_path / "tables" / "sampling_cost")
    assert [file.name for file in files] == ["sampling_cost.csv", "sampling_cost.md", "sampling_cost.tex"]
    assert r"\label{tab:lsgmcost}" in files[2].read_text() and r"\begin{tabular}" in files[2].read_text()
    assert "What drawing images takes" in build().html


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0.000000"), (0.0123, "0.0123"), (1.0, "1.00"), (99.96, "100"), (650.6, "651"), (2700, "2700")],
)
def test_three_digits_count(value, text):
    assert three_digits(value) == text


def test_counts_must_agree():
    with pytest.raises(ValidationError, match=r"num_samples 501 is not batch_size 125 times 3 \+ 1 batches"):
        make_cost(num_samples=501)
    with pytest.raises(ValidationError, match="a run twice"):
        make_cost(models=[make_model(LSGM), make_model(LSGM)])


def test_a_damaged_paper_file_is_named(build, config, tmp_path):
    build()
    text = (config / "paper" / "sampling_cost.yaml").read_text()
    (tmp_path / "paper.yaml").write_text(text.replace("mark: other", "mark: rumour"))
    with pytest.raises(ConfigError, match=r"paper\.yaml.*rumour"):
        build_cost_table(tmp_path / "paper.yaml", Path("sampling_cost.json"))
