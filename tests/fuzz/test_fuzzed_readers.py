"""Every reader of files from outside, on changed files: it reads them rightly, or says in one line what is wrong."""

from __future__ import annotations

import pytest
from fuzz.changes import changed
from fuzz.target import Target, outcome
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, given, settings

by_name = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@by_name
def test_sound_files_reach_the_reader(target: Target, tmp_path) -> None:
    """Without this, a harness that spoils every file would find nothing wrong with any reader."""
    outcomes = [outcome(target, target.wrap(sample), tmp_path) for sample in target.samples]
    assert None in outcomes, outcomes


@by_name
def test_changed_files(target: Target, tmp_path) -> None:
    @settings(
        max_examples=target.examples // 2,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(changed(target.samples, target.is_text))
    def check(content: bytes) -> None:
        outcome(target, target.wrap(content), tmp_path)

    check()


@by_name
def test_attacks(target: Target, tmp_path) -> None:
    """Each is refused, or harmless."""
    for attack in target.attacks:
        outcome(target, attack, tmp_path)
