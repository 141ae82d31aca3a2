"""`lsgm publish`: tables, figures and metrics files of one scale into a folder that git keeps.

The results themselves are too large for git. This copies what is small and final, in the layout of the results, and
refuses metrics of a table that were made with other settings than the present ones; what was measured for figures
(tolerance, samplers, variance) is then left out. A scale that makes some tables or some cells of Table 6 only (`tables`
and `cells` of its file) has those published.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.config import ConfigError
from lsgm.config.catalogue import Catalogue
from lsgm.config.scope import EXTRA_TABLE, TableName

if TYPE_CHECKING:
    from lsgm.reporting import Metrics

METRICS, NUMBERS, TABLES, FIGURES, EXTRA = "metrics.json", "numbers", "tables", "figures", "extra_ablation"
COST = "sampling_cost"


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "publish",
        help="copy tables, figures and metrics files to a folder that git keeps",
        description="Copy a scale's tables, figures (png), metrics files and what was measured for figures, and write "
        "the main numbers of each run to numbers/<run>.json, for `dvc metrics show`. Metrics that do not belong to the "
        "present settings are refused where a table shows them, else left out.",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of one scale, e.g. results/demo")
    parser.add_argument(
        "--config-dir", type=Path, default=Path("config"), metavar="DIR", help="folder of settings (default: config)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write, e.g. docs/demo")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Check every metrics file, then copy."""
    if not _tables(args.results):
        raise ConfigError(f"{args.results}: no tables there; `snakemake all_tables` makes them")
    from lsgm.cli.records.current_settings import is_current
    from lsgm.reporting import read_metrics

    catalogue = Catalogue(args.config_dir)
    scale = args.results.resolve().name
    tables = []
    for table in _tables(args.results):
        if _table_name(table) in catalogue.scope(scale).made:
            tables.append(table)
        else:
            print(f"left out, no table that the scale {scale} makes: {table}")
    in_tables = _runs_of_tables(tables, catalogue, scale)
    chosen: dict[Path, Metrics] = {}
    for file in sorted(args.results.rglob(METRICS)):
        run_name = file.parent.relative_to(args.results)
        metrics = read_metrics(file)
        if is_current(catalogue, metrics):
            chosen[run_name] = metrics
        elif not in_tables.isdisjoint(path.as_posix() for path in (run_name, *run_name.parents)):
            raise ConfigError(
                f"{file}: made with other settings than those in {args.config_dir} now; run `snakemake all_tables`, "
                f"and if that finds nothing to do, delete {file.parent} and run it again"
            )
        else:
            print(f"left out, made with other settings: {file}")
    measurements = _current_measurements(args.results, catalogue)

    copied = [*tables, *_cost_files(args.results), *_figures(args.results), *measurements]
    for file in copied:
        _copy(file, args.out / file.relative_to(args.results))
    for run_name, metrics in chosen.items():
        _copy(args.results / run_name / METRICS, args.out / run_name / METRICS)
        file = _numbers_file(args.out, run_name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(numbers(metrics), indent=2) + "\n", encoding="utf-8")
    _remove_others(args.out, args.results, copied, list(chosen))
    print(f"{len(tables)} files of tables, {len(chosen)} metrics files, {len(measurements)} for figures -> {args.out}")


def numbers(metrics: Metrics) -> dict[str, float | str | None]:
    """The main numbers of one run, flat; null where it was not measured."""
    nelbo, nll, frechet, sampling = metrics.nelbo, metrics.nll, metrics.frechet, metrics.sampling
    return {
        "status": metrics.status,
        "nelbo": nelbo.value if nelbo else None,
        "nelbo_stderr": nelbo.stderr if nelbo else None,
        "unit": nelbo.unit if nelbo else None,
        "nll": nll.value if nll else None,
        "frechet": frechet.value if frechet else None,
        "nfe": sampling.nfe if sampling else None,
    }


def _tables(folder: Path) -> list[Path]:
    return sorted(path for name in ("table*.*", f"{EXTRA}.*") for path in (folder / TABLES).glob(name))


def _cost_files(folder: Path) -> list[Path]:
    """The table of the sampling cost, which says what it was measured with, and the measurement."""
    return sorted([*folder.glob(f"{COST}.json"), *(folder / TABLES).glob(f"{COST}.*")])


def _figures(folder: Path) -> list[Path]:
    """Each says at its lower edge what it was made from, so no settings are compared."""
    return sorted((folder / FIGURES).rglob("*.png"))


def _measurements(folder: Path) -> list[Path]:
    """What was measured for figures: beside the metrics of its run, named by the stage that measures it."""
    from lsgm.reporting.records.figure_measurements import READERS

    return sorted(file for stage in READERS for file in folder.rglob(f"{stage}.json"))


def _current_measurements(folder: Path, catalogue: Catalogue) -> list[Path]:
    """Those of the present settings; of the others it is said that they are left out."""
    from lsgm.cli.records.current_settings import is_current
    from lsgm.reporting.records.figure_measurements import READERS

    current = []
    for file in _measurements(folder):
        run_name = file.parent.relative_to(folder).as_posix()
        if is_current(catalogue, READERS[file.stem](file), file.stem, run_name):
            current.append(file)
        else:
            print(f"left out, made with other settings: {file}")
    return current


def _table_name(file: Path) -> TableName:
    return EXTRA_TABLE if file.stem == EXTRA else int(file.stem.removeprefix("table"))


def _runs_of_tables(tables: list[Path], catalogue: Catalogue, scale: str) -> set[str]:
    names = set(map(_table_name, tables))
    return {run_name for name in names for run_name in catalogue.runs_of_table(name, scale)}


def _numbers_file(out: Path, run_name: Path) -> Path:
    return out / NUMBERS / run_name.with_name(f"{run_name.name}.json")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _remove_others(out: Path, results: Path, copied: list[Path], runs: list[Path]) -> None:
    """Remove what an earlier call wrote of files and runs that there are no more."""
    kept = {out / file.relative_to(results) for file in copied}
    kept |= {out / run_name / METRICS for run_name in runs}
    kept |= {_numbers_file(out, run_name) for run_name in runs}
    earlier = [*out.rglob(METRICS), *(out / NUMBERS).rglob("*.json"), *_tables(out), *_cost_files(out)]
    earlier += [*_figures(out), *_measurements(out)]
    for file in earlier:
        if file not in kept:
            file.unlink()
