"""All faults that are injected; one more is one more entry in its module."""

from __future__ import annotations

from . import cases_files, cases_kill, cases_load, cases_two_at_once, cases_workflow

FAULTS = (
    *cases_kill.FAULTS,
    *cases_files.FAULTS,
    *cases_two_at_once.FAULTS,
    *cases_workflow.FAULTS,
    *cases_load.FAULTS,
)
