"""What the runs of one table do not share although a fair comparison may need it: code, settings, seeds, machines."""

from __future__ import annotations

from collections.abc import Iterable

from lsgm.reporting.records.metrics import SamplingMetrics
from lsgm.reporting.records.provenance import Provenance, TrainingMetrics
from lsgm.reporting.records.runs import Run, SeedRun


def difference_notes(runs: list[Run]) -> list[str]:
    """One note for each kind of difference between the runs of a table, none if they agree."""
    seeds = [seed for run in runs for seed in run.seeds]
    notes = [
        _several("The runs were made with different commits", (commit for seed in seeds for commit in _commits(seed))),
        _named("Made with uncommitted changes in the code", [run for run in runs if any(map(_is_dirty, run.seeds))]),
        _named(
            "Made with other settings than those in the config folder now",
            [run for run in runs if any(seed.is_current is False for seed in run.seeds)],
        ),
        _several("The runs are of different scales", (seed.metrics.scale for seed in seeds)),
        _seeds(runs),
        _several("The runs were made on different devices", (name for seed in seeds for name in _devices(seed))),
        *_versions(seeds),
        _arrays(seeds),
        _named(
            "Measured on other data than they were trained on", [run for run in runs if any(map(_moved, run.seeds))]
        ),
    ]
    return [note for note in notes if note]


def backbone_note(runs: list[Run]) -> list[str]:
    """Of which stages the spread over seeds is: whether the seeds of an LSGM share their VAE backbone."""
    shared, own = [], []
    for run in runs:
        found = [seed.metrics.training.backbone for seed in run.seeds]
        if len(run.seeds) < 2 or None in found:
            continue
        models = {backbone.model_sha256 for backbone in found if backbone is not None}
        (shared if len(models) == 1 else own).append(run)
    one = "All seeds of an LSGM were trained on one VAE backbone: the spread is that of stage 2 and what follows"
    each = "Each seed of an LSGM has its own VAE backbone: the spread is that of both stages"
    is_mixed = bool(shared and own)
    return [_named(what, named) if is_mixed else f"{what}." for what, named in ((one, shared), (each, own)) if named]


def _records(seed: SeedRun) -> list[Provenance | TrainingMetrics | SamplingMetrics]:
    """What the metrics file says of each part of the run: evaluation, training and sampling."""
    metrics = seed.metrics
    return [metrics.provenance, metrics.training, *([metrics.sampling] if metrics.sampling else [])]


def _commits(seed: SeedRun) -> list[str]:
    known = [record.commit for record in _records(seed) if record.commit]
    return known if seed.metrics.provenance.commit else ["unknown", *known]


def _is_dirty(seed: SeedRun) -> bool:
    return any(record.dirty for record in _records(seed))


def _devices(seed: SeedRun) -> list[str]:
    return [record.device for record in _records(seed) if record.device]


def _moved(seed: SeedRun) -> bool:
    return seed.metrics.training.data_checksum not in (None, seed.metrics.provenance.data_checksum)


def _seeds(runs: list[Run]) -> str:
    by_seeds: dict[str, list[Run]] = {}
    for run in runs:
        by_seeds.setdefault(", ".join(str(seed.seed) for seed in run.seeds), []).append(run)
    if len(by_seeds) < 2:
        return ""
    parts = [f"{seeds} ({_names(found)})" for seeds, found in by_seeds.items()]
    return f"The runs have different seeds: {'; '.join(parts)}."


def _versions(seeds: list[SeedRun]) -> list[str]:
    """One note per library of which several versions were used, in training, sampling or evaluation."""
    found: dict[str, set[str]] = {}
    for seed in seeds:
        for record in _records(seed):
            for library, version in record.versions.items():
                found.setdefault(library, set()).add(version)
    return [_several(f"The runs were made with different versions of {name}", found[name]) for name in sorted(found)]


def _arrays(seeds: list[SeedRun]) -> str:
    checksums = {(seed.metrics.data.title, seed.metrics.provenance.data_checksum) for seed in seeds}
    if len(checksums) == len({title for title, _ in checksums}):
        return ""
    return "Runs on the same data set used different arrays (see the data checksums in the metrics files)."


def _several(what: str, values: Iterable[str]) -> str:
    distinct = sorted(set(values))
    return f"{what}: {', '.join(distinct)}." if len(distinct) > 1 else ""


def _named(what: str, runs: list[Run]) -> str:
    return f"{what}: {_names(runs)}." if runs else ""


def _names(runs: list[Run]) -> str:
    return ", ".join(sorted(run.name for run in runs))
