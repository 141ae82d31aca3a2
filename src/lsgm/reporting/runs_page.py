"""The page on all runs: an overview with what they share and what not, then each run with everything on record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import yaml

from lsgm.config import ExperimentConfig

from .formats.html_page import Markup, bullets, facts, folded, grid, listing, marked, page
from .notes.differences import backbone_note, difference_notes
from .notes.run_facts import (
    duration,
    provenance_facts,
    result_facts,
    sampling_facts,
    short_commit,
    training_facts,
    versions,
)
from .records.run_records import RunRecord, differing_settings, records_of
from .records.runs import Run

TITLE = "Runs: settings and provenance"
ALWAYS_SHOWN = ("run", "model", "status", "seed")
NEVER_SHOWN = ("versions",)  # in a column: too long; the notes name those that differ
LEGEND = (
    "training, measurement: wall time; the measurement includes neither sampling nor data preparation.",
    "A star behind a commit: the code had changes that were not committed.",
    "config hash: of all settings that the numbers depend on; changed since: config/ says something else by now.",
)
PaperSettings = Callable[[RunRecord], ExperimentConfig | None]


def runs_page(runs: Sequence[Run], trained: Sequence[RunRecord], paper: PaperSettings) -> str:
    """Make the page.

    Args:
        runs: runs that were measured, in the order of the page.
        trained: runs that were trained only; they come last.
        paper: settings of a run at the paper's scale; None where they are not known.

    Raises:
        ConfigError: the training record or the settings of a run are absent or damaged.
    """
    records = [record for run in runs for record in records_of(run)] + list(trained)
    if not records:
        return page(TITLE, bullets(["There are no runs."]))
    lines = [_overview(record) for record in records]
    columns = {name: [line[name] for line in lines] for name in lines[0]}
    shared = {} if len(records) == 1 else _shared(columns)
    shown = {name: values for name, values in columns.items() if name not in (*shared, *NEVER_SHOWN)}
    notes = [*difference_notes(list(runs)), *backbone_note(list(runs))]
    return page(
        TITLE,
        *(["<h2>The same for all runs</h2>", facts(shared)] if shared else []),
        *(["<h2>To mind when runs are compared</h2>", bullets(notes)] if notes else []),
        "<h2>Overview</h2>",
        grid([(name,) for name in shown], list(zip(*shown.values(), strict=True))),
        bullets(LEGEND),
        "<h2>Each run</h2>",
        *(_section(record, paper(record)) for record in records),
    )


def _shared(columns: Mapping[str, Sequence[object]]) -> dict[str, object]:
    """What is the same for all runs of which it is known."""
    distinct = {name: list(dict.fromkeys(filter(None, values))) for name, values in columns.items()}
    return {name: found[0] for name, found in distinct.items() if len(found) == 1 and name not in ALWAYS_SHOWN}


def _overview(record: RunRecord) -> dict[str, object]:
    """One line of the overview."""
    settings, training = record.settings, record.training
    metrics = record.measured.metrics if record.measured else None
    origin = metrics.provenance if metrics else None
    changed = " (changed since)" if record.measured and record.measured.is_current is False else ""
    parts = [training, *filter(None, [metrics.sampling, origin] if metrics else [])]
    return {
        "run": Markup(f'<a href="#{anchor(record.name)}">{marked(record.name)}</a>'),
        "model": {"vae": "VAE", "lsgm": "LSGM"}[settings.kind],
        "status": record.status if metrics else f"{record.status}, trained only",
        "seed": settings.seed,
        "scale": settings.scale,
        "scaled down": settings.scaled_down or "nothing",
        "data": metrics.data.title if metrics else "",
        "config hash": origin.config_hash + changed if origin else "",
        "commit": _distinct(short_commit(part.commit, part.dirty) for part in parts if part.commit),
        "device": _distinct(part.device for part in parts),
        "steps": f"{training.steps:,}",
        "training": "" if training.seconds is None else duration(training.seconds),
        "measurement": duration(origin.wall_seconds) if origin else "",
        "data SHA-256": origin.data_checksum.removeprefix("sha256:")[:12] if origin else "",
        "model SHA-256": (origin.model_sha256 or "")[:12] if origin else "",
        "versions": versions(origin.versions) if origin else "",
    }


def _distinct(values: Iterable[str | None]) -> str:
    """What is known of training, sampling and measurement, once if it is the same."""
    return "; ".join(dict.fromkeys(filter(None, values)))


def _section(record: RunRecord, paper: ExperimentConfig | None) -> str:
    """Everything on record of one run, folded."""
    blocks = {
        "Results": result_facts(record),
        "Sampling": sampling_facts(record),
        "Provenance of the results": provenance_facts(record),
        "Training": training_facts(record),
    }
    beside = [f"<div><h3>{name}</h3>{facts(found)}</div>" for name, found in blocks.items() if found]
    title = Markup(f"<b>{marked(record.name)}</b> &middot; {marked(record.status)}")
    return folded(
        title,
        f'<div class="anchor beside" id="{anchor(record.name)}">{"".join(beside)}</div>',
        *_settings(record, paper),
        folded("Last line of the training's log", facts(record.training.final)) if record.training.final else "",
    )


def _settings(record: RunRecord, paper: ExperimentConfig | None) -> list[str]:
    blocks = []
    if not record.is_measured_as_set:
        blocks.append(bullets(["Sampled or evaluated with other settings than those of the training, shown here."]))
    differing = differing_settings(record.settings, paper) if paper is not None else []
    if differing:
        table = grid([("setting",), ("here",), ("in the paper's size",)], differing)
        blocks.append(folded(f"{len(differing)} settings that differ from those of the paper's size", table))
    text = yaml.safe_dump(record.settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return [*blocks, folded("All settings", listing(text))]


def anchor(name: str) -> str:
    """Where in the page a run stands: its name with what a link cannot have replaced."""
    return "run-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
