"""`lsgm table`: one of the paper's tables, or one that it does not have, from measurements: csv, Markdown and LaTeX."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from lsgm.cli import options
from lsgm.config import ConfigError
from lsgm.config.catalogue import Catalogue
from lsgm.config.scope import ALL_TABLES, EXTRA_TABLE

COST = "cost"


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "table",
        help="make a table of the paper, of the extra axes, or of the sampling cost",
        description="Make Table 2, 3, 4, 5 or 6: the paper's rows and numbers, and ours beside them, each with the "
        "data it was measured on. Or the table of the axes that the paper does not have (config/axes.yaml). Their "
        "numbers come from metrics files only. Or the table of the sampling cost, from the file of `lsgm cost`.",
    )
    parser.add_argument("which", choices=(*map(str, ALL_TABLES), COST), help="which table")
    parser.add_argument(
        "--config-dir", type=Path, default=Path("config"), metavar="DIR", help="folder of settings (default: config)"
    )
    parser.add_argument(
        "--metrics",
        nargs="*",
        default=[],
        metavar="RUN=FILE",
        help="metrics files by run, e.g. mnist=results/demo/mnist/metrics.json; cells of Table 6 by their name; a run "
        "with several seeds once for each",
    )
    parser.add_argument("--cost", type=Path, metavar="FILE", help="file of `lsgm cost`, for the table of that name")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="files to write, without their ending")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write the table as a page, for the report")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Build the table and write its three files, and the page if it is wanted."""
    metrics = files_by_run(args.metrics)
    _require_its_files(args)
    options.require_output_folder(args.out)
    if args.html is not None:
        options.require_output_folder(args.html)
    from lsgm.cli.records.current_settings import is_current
    from lsgm.reporting import build_cost_table, build_extra_table, build_table, write_table
    from lsgm.whole_file import write_text_whole

    catalogue = Catalogue(args.config_dir)
    compare = partial(is_current, catalogue)
    if args.which == COST:
        paper = args.config_dir / "paper" / "sampling_cost.yaml"
        table = build_cost_table(paper, args.cost, partial(is_current, catalogue, stage="cost"))
    elif args.which == EXTRA_TABLE:
        table = build_extra_table(catalogue.axes, metrics, compare)
    else:
        paper = args.config_dir / "paper" / f"table{args.which}.yaml"
        table = build_table(int(args.which), paper, args.config_dir / "ablation.csv", metrics, compare)
    write_table(table, args.out)
    if args.html is not None:
        write_text_whole(args.html, table.html)


def _require_its_files(args: argparse.Namespace) -> None:
    if (args.which == COST) != (args.cost is not None):
        raise ConfigError(f"table {args.which}: --cost FILE belongs to the table {COST!r}, and to no other")
    if args.which == COST and args.metrics:
        raise ConfigError(f"table {COST}: is made from --cost FILE, leave --metrics out")


def files_by_run(words: list[str]) -> dict[str, list[Path]]:
    """Read words `RUN=FILE`; a run that stands there several times has several seeds.

    Raises:
        ConfigError: a word of another form.
    """
    files: dict[str, list[Path]] = {}
    for name, path in map(_named_file, words):
        files.setdefault(name, []).append(path)
    return files


def named_files(words: list[str]) -> dict[str, Path]:
    """Read words `RUN=FILE`.

    Raises:
        ConfigError: a word of another form, or a run given twice.
    """
    files: dict[str, Path] = {}
    for word in words:
        name, path = _named_file(word)
        if name in files:
            raise ConfigError(f"{word!r}: the run {name!r} is given twice")
        files[name] = path
    return files


def _named_file(word: str) -> tuple[str, Path]:
    name, sign, path = word.partition("=")
    if not (name and sign and path):
        raise ConfigError(f"{word!r}: expected RUN=FILE, e.g. mnist=results/demo/mnist/metrics.json")
    return name, Path(path)
