"""The measurement files: what is written is read back, and what cannot be is refused with one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from reporting.cost_cases import make_cost
from reporting.figure_cases import make_samplers, make_study, make_sweep

from lsgm.config import ConfigError
from lsgm.reporting.records.cost_measurement import read_cost
from lsgm.reporting.records.figure_measurements import READERS, read_samplers, read_tolerance, read_variance
from lsgm.reporting.records.section_file import write_section

ROOT = Path(__file__).parents[2]
CASES = {
    "tolerance": (make_sweep, read_tolerance),
    "samplers": (make_samplers, read_samplers),
    "variance": (make_study, read_variance),
    "cost": (make_cost, read_cost),
}


@pytest.mark.parametrize("verb", CASES)
def test_what_is_written_is_read_back(verb, tmp_path):
    make, read = CASES[verb]
    write_section(tmp_path / "a.json", make())
    assert read(tmp_path / "a.json") == make()
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]


@pytest.mark.parametrize("verb", CASES)
@pytest.mark.parametrize("damage", ["absent", "cut", "list", "format", "value"])
def test_damaged_files_are_named(verb, damage, tmp_path):
    make, read = CASES[verb]
    path = tmp_path / "a.json"
    if damage != "absent":
        write_section(path, make())
        content = json.loads(path.read_text())
        changed = {"format": {**content, "format": "other 1"}, "value": {**content, "scale": 3}, "list": [content]}
        path.write_text(path.read_text()[:200] if damage == "cut" else json.dumps(changed[damage]))
    with pytest.raises(ConfigError, match=r"a\.json") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert damage == "value" or f"lsgm {verb}" in str(caught.value)


def test_one_kind_of_file_is_not_the_other(tmp_path):
    write_section(tmp_path / "a.json", make_study())
    with pytest.raises(ConfigError, match="variance 1"):
        read_tolerance(tmp_path / "a.json")


def test_a_number_may_be_missing_only_for_a_reason():
    assert make_sweep(points=[], status="diverged", reason="training diverged").points == ()
    with pytest.raises(ValidationError, match="do not go together"):
        make_sweep(status="diverged")
    with pytest.raises(ValidationError, match="do not go together"):
        make_sweep(reason="but it is ok")


def test_variation_is_relative():
    assert make_study().points[0].variation == pytest.approx(0.2)


PUBLISHED = sorted(path for stage in READERS for path in (ROOT / "docs").rglob(f"{stage}.json"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_published_measurements_are_read(path):
    assert READERS[path.stem](path).status == "ok"


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("sampling_cost.json")), ids=lambda path: path.parent.name)
def test_published_sampling_costs_are_read(path):
    assert all(model.reason is None for model in read_cost(path).models)
