"""Several seeds of a run: mean and spread in the tables, every seed in the csv file, diverged ones counted."""

from __future__ import annotations

import io
import statistics
from pathlib import Path

import pandas as pd
import pytest
from fake_metrics import STAND_IN, make_metrics, make_vae

from lsgm.config import ConfigError
from lsgm.reporting import build_table, write_table
from lsgm.reporting.columns.spread import Spread

VALUES = {1: 3.0, 2: 3.1, 3: 3.5}
DIVERGED = {"status": "diverged", "reason": "loss not finite", "nelbo": None, "frechet": None}
NLL, FID = "NLL (bits/dim), mean of 3 seeds", "FID, mean of 3 seeds"


def seeds(experiment="cifar10_balanced", changes=None, **common):
    """Three seeds of one run, whose NELBO is in VALUES and whose FID is twice that; `changes` by seed."""
    runs = []
    for seed, value in VALUES.items():
        numbers = {"nelbo__value": value, "nelbo__stderr": 0.01 * seed, "frechet__value": 2 * value}
        own = numbers | common | (changes or {}).get(seed, {})
        if own.get("nelbo", True) is None:
            own = {key: entry for key, entry in own.items() if key.split("__")[0] not in ("nelbo", "frechet")} | {
                "nelbo": None,
                "frechet": None,
            }
        runs.append(make_metrics(experiment, provenance__seed=seed, provenance__config_hash=f"hash{seed}", **own))
    return runs


@pytest.fixture
def build(config, store):
    def make(number, *runs):
        files: dict[str, list[Path]] = {}
        for run in runs:
            files.setdefault(run.cell or run.experiment, []).append(store(run))
        return build_table(number, config / "paper" / f"table{number}.yaml", config / "ablation.csv", files)

    return make


def printed(table, method="LSGM (balanced)"):
    return table.display[table.display[("", "method")] == method].iloc[0]


def in_csv(table, method="LSGM (balanced)"):
    return pd.read_csv(io.StringIO(table.csv), dtype=str, keep_default_na=False).set_index("method").loc[method]


def test_mean_and_standard_deviation_take_the_place_of_the_standard_error(build):
    table = build(2, *seeds())
    mean, deviation = statistics.mean(VALUES.values()), statistics.stdev(VALUES.values())
    assert printed(table)["ours", NLL] == f"≤ {mean:.2f} ± {deviation:.2f}"
    assert printed(table)["ours", FID] == f"{2 * mean:.2f} ± {2 * deviation:.2f}"
    text = table.markdown(Path())
    assert "standard deviation over the seeds" in text and "± standard error" not in text
    assert "seeds 1, 2, 3" in text


def test_csv_has_every_seed_and_both_errors(build):
    row = in_csv(build(2, *seeds()))
    assert float(row[f"ours: {NLL}"]) == pytest.approx(3.2)
    assert float(row[f"ours: {NLL}, standard error"]) == pytest.approx(0.02)
    assert float(row[f"ours: {NLL}, standard deviation over seeds"]) == pytest.approx(statistics.stdev(VALUES.values()))
    assert (row[f"ours: {NLL}, seeds"], row[f"ours: {NLL}, seeds diverged"]) == ("3", "0")
    assert row[f"ours: {NLL}, each seed"] == "3.0; 3.1; 3.5"
    assert row["our_seed"] == "1; 2; 3"
    assert row["our_config_hash"] == "hash1; hash2; hash3"
    folder = "results/paper/cifar10_balanced"
    files = f"{folder}/metrics.json; {folder}/seed-2/metrics.json; {folder}/seed-3/metrics.json"
    assert row["our_metrics_file"] == files
    assert f"ours: {FID}, standard error" not in row


@pytest.mark.parametrize(
    ("failed", "text"),
    [
        ({2}, "≤ 3.25 ± 0.35 (1 of 3 diverged)"),
        ({2, 3}, "≤ 3.00 (2 of 3 diverged)"),
        ({1, 2, 3}, "NaN"),
    ],
)
def test_diverged_seeds_are_counted(build, failed, text):
    table = build(2, *seeds(changes={seed: DIVERGED for seed in failed}))
    heading = NLL if len(failed) < 3 else "NLL (bits/dim), mean of 3 seeds"
    assert printed(table)["ours", heading] == text
    assert in_csv(table)[f"ours: {heading}, seeds diverged"] == str(len(failed))
    reason = "loss not finite" if len(failed) == 3 else "; ".join(f"seed {seed}: loss not finite" for seed in failed)
    notes = " ".join([*table.notes, *table.run_notes])
    assert f"diverged: {reason}" in notes
    assert text.replace("≤", r"$\leq$").replace("±", r"$\pm$").split(" (")[0] in table.latex


def test_a_number_that_a_diverged_seed_has_counts(build):
    partial = {2: {"status": "diverged", "reason": "ODE cannot be solved", "frechet": None}}
    runs = seeds(changes=partial)[:1] + seeds(changes=partial)[2:]
    part = make_metrics(provenance__seed=2, nelbo__value=3.1, **partial[2])
    row = printed(build(2, *runs, part))
    assert row["ours", NLL] == "≤ 3.20 ± 0.26"
    assert row["ours", FID] == "6.50 ± 0.71 (1 of 3 diverged)"


def test_cells_of_table_6(build):
    failed = seeds("ablation", {3: DIVERGED}, cell="vpsde-un-is-rew")
    table = build(6, *failed, *seeds("ablation", cell="vpsde-ll-is-rew"))
    data = pd.read_csv(io.StringIO(table.csv), dtype=str, keep_default_na=False).set_index("cell")
    assert data.loc["vpsde-ll-is-rew", "ours: NELBO (bits/dim), mean of 3 seeds, seeds"] == "3"
    texts = table.display.to_numpy().ravel().tolist()
    assert "3.05 ± 0.07 (1 of 3 diverged) [a]" in texts or "3.05 ± 0.07 (1 of 3 diverged) [c]" in texts
    assert any(note.endswith("NaN: seed 3: loss not finite") for note in table.notes)


def test_another_number_of_seeds_has_its_own_column(build):
    table = build(2, *seeds(), make_metrics("cifar10_best_nll", provenance__seed=2))
    assert printed(table, "LSGM (NLL)")["ours", "NLL (bits/dim)"] == "≤ 3.012 ± 0.004"
    assert printed(table, "LSGM (NLL)")["ours", NLL] == "-"
    assert "different seeds: 2 (cifar10_best_nll); 1, 2, 3 (cifar10_balanced)" in " ".join(table.notes)


def test_a_stand_in_stays_in_its_own_column(build):
    table = build(2, *seeds(**{key: STAND_IN[key] for key in STAND_IN if not key.startswith("frechet")}))
    assert all(label[0] != "ours" for label in table.display.columns)


@pytest.mark.parametrize(
    ("backbones", "text"),
    [
        ("aaa", "All seeds of an LSGM were trained on one VAE backbone: the spread is that of stage 2"),
        ("abc", "Each seed of an LSGM has its own VAE backbone: the spread is that of both stages."),
        (None, None),
    ],
)
def test_the_table_says_of_which_stages_the_spread_is(build, backbones, text):
    records = [{"run": "cifar10_vae1", "seed": 1, "model_sha256": letter * 64} for letter in backbones or ""]
    changes = {seed: {"training__backbone": record} for seed, record in zip(VALUES, records, strict=False)}
    notes = build(2, *seeds(changes=changes)).notes
    if text is None:
        assert "backbone:" not in " ".join(notes)
    else:
        assert any(note.startswith(text) for note in notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"provenance__seed": 1}, "seed 1 of cifar10_balanced is also in"),
        ({"scale": "gpu"}, "scale is 'gpu', but 'paper' in"),
        ({"data__checksum": "e" * 64}, "data checksum is"),
        ({"nelbo__num_images": 500}, "nelbo.num_images is 500, but 10000 in"),
        ({"frechet__num_samples": 500}, "frechet.num_samples is 500"),
        ({"variant": "frozen"}, r"run is 'cifar10_balanced\+frozen', but 'cifar10_balanced'"),
    ],
)
def test_only_the_seed_may_differ(build, store, config, tmp_path, changes, message):
    first = store(make_metrics())
    other = store(make_metrics(**{"provenance__seed": 2} | changes))
    moved = tmp_path / "other.json"
    moved.write_bytes(other.read_bytes())
    first = store(make_metrics())
    with pytest.raises(ConfigError, match=message) as error:
        paper = config / "paper" / "table2.yaml"
        build_table(2, paper, config / "ablation.csv", {"cifar10_balanced": [first, moved]})
    assert "\n" not in str(error.value)


def test_files_do_not_depend_on_the_order_of_the_seeds(build, tmp_path):
    vaes = [make_vae(provenance__seed=seed) for seed in VALUES]
    first = write_table(build(2, *seeds(), *vaes), tmp_path / "a" / "table2")
    second = write_table(build(2, *reversed(vaes), *reversed(seeds())), tmp_path / "b" / "table2")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_spread_of_nothing_is_nothing():
    empty = Spread((None, None), 0)
    assert (empty.mean, empty.deviation, empty.remark) == (None, None, " (2 of 2 not measured)")
