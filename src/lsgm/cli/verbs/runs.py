"""`lsgm runs`: a page with the settings and the provenance of every run, from the files beside its model."""

from __future__ import annotations

import argparse
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.cli import options
from lsgm.cli.verbs.table import files_by_run, named_files
from lsgm.config import ConfigError
from lsgm.config.catalogue import Catalogue
from lsgm.config.run_names import RunName

if TYPE_CHECKING:
    from lsgm.config import ExperimentConfig
    from lsgm.reporting.records.run_records import RunRecord

PAPER = "paper"


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "runs",
        help="make a page with settings and provenance of every run",
        description="Make a page that shows of every run what was measured, its provenance (commit, settings, seed, "
        "data, versions, machine, time), how it was trained, and its settings, with those that differ from the "
        "paper's. It is read from metrics files, and from training.json and model.config.yaml beside them.",
    )
    parser.add_argument(
        "--config-dir", type=Path, default=Path("config"), metavar="DIR", help="folder of settings (default: config)"
    )
    parser.add_argument(
        "--metrics",
        nargs="*",
        default=[],
        metavar="RUN=FILE",
        help="metrics files by run, e.g. mnist=results/demo/mnist/metrics.json; a run with several seeds once for each",
    )
    parser.add_argument(
        "--trained",
        nargs="*",
        default=[],
        metavar="RUN=FILE",
        help="training records of further runs, that nothing was measured on, e.g. "
        "cifar10_vae2=results/demo/cifar10_vae2/training.json",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="page to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Read all records and write the page."""
    metrics, trained = files_by_run(args.metrics), named_files(args.trained)
    options.require_output_folder(args.out)
    from lsgm.cli.records.current_settings import is_current
    from lsgm.reporting.records.run_records import read_trained
    from lsgm.reporting.records.runs import read_run
    from lsgm.reporting.runs_page import runs_page
    from lsgm.whole_file import write_text_whole

    catalogue = Catalogue(args.config_dir)
    runs = [read_run(name, files, partial(is_current, catalogue)) for name, files in metrics.items()]
    for one in runs:
        if one.metrics.run != one.name:
            raise ConfigError(f"{one.sources[0]}: holds the metrics of {one.metrics.run!r}, not of {one.name!r}")
    others = [read_trained(name, file) for name, file in trained.items()]
    write_text_whole(args.out, runs_page(runs, others, partial(paper_settings, catalogue)))


def paper_settings(catalogue: Catalogue, record: RunRecord) -> ExperimentConfig | None:
    """Settings of the same run at the paper's scale; None if the config folder has no such run."""
    settings = record.settings
    with suppress(ConfigError):
        return catalogue.settings(str(RunName.of(settings.name, settings.cell, settings.variant)), PAPER)
    return None
