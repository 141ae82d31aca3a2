"""After each fault the same command goes on, and nothing is lost."""

from __future__ import annotations

import pytest
from faults.case import Fault, Unavailable
from faults.registry import FAULTS


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=f"{fault.name}, {fault.how}", marks=[pytest.mark.slow] if fault.slow else [])
        for fault in FAULTS
    ],
)
def test_nothing_is_lost(fault: Fault, tmp_path):
    try:
        injections = fault.inject(tmp_path, fault.times_in_test)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert len(injections) >= fault.times_in_test
    assert [injection.lost for injection in injections if injection.lost] == []
