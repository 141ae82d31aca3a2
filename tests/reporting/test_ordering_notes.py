"""What Table 6 says of its cells' ordering: counts worked out by hand, in words that suit the data and the distance."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_metrics import STAND_IN, make_metrics

from lsgm.reporting import build_table

# NELBO of three seeds. The paper has 2.97, 3.03, 2.98 and 2.98, so that the pairs with the second alone are no ties.
LL, RE, UN, UN_LL = "vpsde-ll-uniform-rew", "vpsde-re-is-rew", "vpsde-un-is-rew", "vpsde-un-is-ll"
NELBO = {LL: (3.0, 3.1, 3.2), RE: (3.5, 3.6, 3.7), UN: (4.0, 4.1, 4.2), UN_LL: (3.4, 3.8, 3.7)}
# FID: 6.15, 15.12, 5.39, 5.39 in the paper.
FID = {LL: (6.0, 6.2, 6.1), RE: (15.0, 15.2, 15.1), UN: (5.0, 5.2, 5.1), UN_LL: (5.0, 5.2, 5.1)}
NANS = "vpsde-un-uniform-rew"  # NaN in the paper
FAILED = {"status": "diverged", "reason": "loss not finite", "nelbo": None, "frechet": None}


def runs(cells=NELBO, seeds=(1, 2, 3), **changes):
    """Metrics of these cells and seeds, with the numbers above."""
    return [
        make_metrics(
            "ablation",
            cell=name,
            **{
                "provenance__seed": seed,
                "nelbo__value": NELBO[name][seed - 1],
                "frechet__value": FID[name][seed - 1],
                **changes,
            },
        )
        for name in cells
        for seed in seeds
    ]


def diverged(name, seed=1):
    return make_metrics("ablation", cell=name, provenance__seed=seed, **FAILED)


@pytest.fixture
def build(config, store):
    def make(*metrics):
        files: dict[str, list[Path]] = {}
        for one in metrics:
            files.setdefault(one.cell, []).append(store(one))
        return build_table(6, config / "paper" / "table6.yaml", config / "ablation.csv", files)

    return make


def notes(table, start="Ordering"):
    return [note for note in table.notes if note.startswith(start)]


def test_one_note_per_kind_of_number_with_the_counts(build):
    by_fid, by_nelbo = notes(build(*runs()))
    assert by_fid.startswith("Ordering by FID, ours: the paper's ordering holds. Pairs of cells")
    assert "both sides: 6; apart in the paper by more than its rounding (0.01): 5; of these" in by_fid
    assert "ordered alike: 5, the other way round: 0, undecided: 0." in by_fid
    assert by_nelbo.startswith("Ordering by NELBO (bits/dim), ours: the paper's ordering holds in part. Pairs of cells")
    assert "both sides: 6; apart in the paper by more than its rounding (0.01): 3; of these" in by_nelbo
    assert f"alike: 1, the other way round: 1 ({RE} below {UN}), undecided: 1." in by_nelbo
    assert "95% interval of Student's t, for the differences over 3 seeds" in by_nelbo
    assert "each pair by itself, so about 5% of the pairs without a difference would be decided by chance." in by_nelbo
    assert "Kendall's tau-b of the paper's numbers and ours: 0.18 (4 cells)." in by_nelbo  # 1 / sqrt(5 * 6)
    assert "second seed" not in by_nelbo + by_fid and "ours is the ordering" not in by_nelbo + by_fid


def test_whether_the_cells_differ_at_all_is_said_of_all_that_have_seeds_in_common(build):
    """Two-way layout of the numbers above, worked out apart: F = 85.857 with 3 and 6 degrees of freedom."""
    (_, by_nelbo) = notes(build(*runs()))
    assert "That our 4 cells do not differ at all: p = 2.6e-05 (F test)." in by_nelbo
    assert "the standard deviation over 3 seeds is 0.076 beside what a seed does to every cell" in by_nelbo
    assert "(6 degrees of freedom); two cells then differ, each pair by itself, if their means are" in by_nelbo
    assert by_nelbo.endswith("further apart than 0.15 (95%).")
    assert not any("F test" in note for note in notes(build(*runs(seeds=(1,)))))


def test_the_same_notes_stand_in_every_printed_form(build):
    table = build(*runs())
    markdown, latex, page = table.markdown(Path()), table.latex, table.html
    for note in notes(table):
        assert note in markdown
        assert note.replace("%", r"\%") in latex
        assert note.replace("'", "&#x27;") in page


def test_one_seed_decides_nothing(build):
    for note in notes(build(*runs(seeds=(1,)))):
        assert "whether the paper's ordering holds is not decided" in note
        assert "(for want of a second seed: one has no spread)" in note
        assert "Student" not in note
        assert "Kendall" in note


def test_cells_with_one_seed_are_compared_with_those_that_have_several(build):
    by_fid, _ = notes(build(*runs([LL, RE]), *runs([UN], seeds=(1,))))
    assert "both sides: 3;" in by_fid and "the paper's ordering holds where ours is decided" in by_fid
    assert "alike: 1, the other way round: 0, undecided: 2 (for want of a second seed" in by_fid


def test_an_ordering_that_is_turned_round(build):
    changed = runs([LL], frechet__value=20.0) + runs([RE])
    by_fid, _ = notes(build(*changed))
    assert (
        "the paper's ordering does not hold. Pairs of cells with a number on both sides: 1;" in by_fid
        and f"1 ({RE} below {LL})" in by_fid
    )


def test_ties_alone_are_no_ordering(build):
    by_fid, by_nelbo = notes(build(*runs([UN, UN_LL])))
    for note in (by_fid, by_nelbo):
        assert "so there is no ordering to compare with" in note
        assert "(0.01): 0." in note and "of these" not in note and "ours is the ordering" not in note
        assert "Student" not in note and "Kendall" not in note


def test_other_data_and_another_distance_are_said(build):
    by_fid, by_nelbo = notes(build(*runs(**STAND_IN)))
    where = "ours on photo_patches 8x8 & more (stand-in)"
    limits = "(ours is the ordering on other data, of runs that are scaled down"
    assert by_fid.startswith(f"Ordering by Fréchet distance, random-convolution features, {where}: ")
    assert f"{limits}, by another distance than the FID)." in by_fid
    assert by_nelbo.startswith(f"Ordering by NELBO (bits/dim), {where}: ")
    assert f"{limits})." in by_nelbo


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scaled_down": "widths"}, ["(ours is the ordering of runs that are scaled down)"] * 2),
        ({"frechet__num_samples": 10_000}, ["by an FID that is measured in another way)", ""]),
        ({"frechet__name": "Fréchet distance, ResNet-56"}, ["by another distance than the FID)", ""]),
    ],
)
def test_what_differs_on_the_papers_own_data_is_said(build, changes, words):
    for note, expected in zip(notes(build(*runs(**changes))), words, strict=True):
        assert expected in note if expected else "ours is the ordering" not in note


def test_data_sets_are_not_mixed(build):
    small = {key: value for key, value in STAND_IN.items() if key != "scale"}
    found = notes(build(*runs([LL, RE]), *runs([UN, UN_LL], **small)))
    assert len(found) == 4
    assert [("ours is the ordering" in note, "(stand-in)" in note) for note in found] == [
        (False, False),
        (False, True),
    ] * 2


def test_scales_are_not_mixed(build):
    gpu, cpu = runs([LL, RE], scale="gpu", scaled_down="x"), runs([UN, UN_LL], scale="cpu", scaled_down="y")
    found = notes(build(*gpu, *cpu))
    assert [note.partition(":")[0] for note in found] == [
        "Ordering by FID, ours, scaled down, scale gpu",
        "Ordering by FID, ours, scaled down, scale cpu",
        "Ordering by NELBO (bits/dim), ours, scaled down, scale gpu",
        "Ordering by NELBO (bits/dim), ours, scaled down, scale cpu",
    ]
    assert all("both sides: 1;" in note for note in found)


def test_cells_that_diverged_are_named_once_for_all_columns(build):
    trained = make_metrics("ablation", cell=NANS)
    table = build(*runs([LL, UN], seeds=(1,)), trained, diverged(RE), diverged("vpsde-re-uniform-rew"))
    assert notes(table, "Divergence") == [
        f"Divergence, ours: the paper reports NaN, ours trained: {NANS}; ours diverged, the paper has a number: {RE}; "
        f"NaN on both sides: vpsde-re-uniform-rew."
    ]
    assert all("both sides: 1;" in note for note in notes(table)), "they are in no pair"


def test_seeds_that_diverged_are_counted_and_a_column_may_have_its_own_account(build):
    partial = [make_metrics("ablation", cell=LL, provenance__seed=3, status="diverged", reason="no end", frechet=None)]
    table = build(*runs([LL], seeds=(1, 2)), *partial, *runs([RE]))
    assert notes(table, "Divergence") == [
        f"Divergence (FID), ours: ours diverged, the paper has a number: {LL} (1 of 3 seeds diverged)."
    ]
    assert "alike: 1" in notes(table)[0], "the two seeds that are left"


def test_nothing_is_said_where_there_is_nothing_to_compare(build):
    for table in (build(), build(*runs([LL]))):
        assert notes(table) == notes(table, "Divergence") == []


def test_cells_that_were_not_run_are_named(build):
    table = build(*runs(seeds=(1,)))
    (note,) = notes(table, "13 of the 17 cells that exist were not run (-): ")
    assert "geometric-ll-uniform-rew" in note and "vpsde-ll-is-rew" in note
    assert "geometric-un-is-rew" not in note, "it does not exist"
    assert LL not in note
    assert not [note for note in build().notes if "were not run" in note], "no run at all is another note"
