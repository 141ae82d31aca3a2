"""`lsgm table`: one of the paper's tables from metrics files, as csv, Markdown and LaTeX."""

from __future__ import annotations

import argparse
from pathlib import Path

from lsgm.cli import options
from lsgm.config import ConfigError


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "table",
        help="make a table of the paper from metrics files",
        description="Make Table 2, 3, 4, 5 or 6: the paper's rows and numbers, and ours beside them, each with the "
        "data it was measured on. Numbers come from metrics files only.",
    )
    parser.add_argument("number", type=int, choices=(2, 3, 4, 5, 6), help="which table of the paper")
    parser.add_argument(
        "--config-dir", type=Path, default=Path("config"), metavar="DIR", help="folder of settings (default: config)"
    )
    parser.add_argument(
        "--metrics",
        nargs="*",
        default=[],
        metavar="RUN=FILE",
        help="metrics files by run, e.g. mnist=results/demo/mnist/metrics.json; cells of Table 6 by their name",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="files to write, without their ending")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Build the table and write its three files."""
    metrics = named_files(args.metrics)
    options.require_output_folder(args.out)
    from lsgm.reporting import build_table, write_table

    paper = args.config_dir / "paper" / f"table{args.number}.yaml"
    write_table(build_table(args.number, paper, args.config_dir / "ablation.csv", metrics), args.out)


def named_files(words: list[str]) -> dict[str, Path]:
    """Read words `RUN=FILE`.

    Raises:
        ConfigError: a word of another form, or a run given twice.
    """
    files: dict[str, Path] = {}
    for word in words:
        name, sign, path = word.partition("=")
        if not (name and sign and path):
            raise ConfigError(f"{word!r}: expected RUN=FILE, e.g. mnist=results/demo/mnist/metrics.json")
        if name in files:
            raise ConfigError(f"{word!r}: the run {name!r} is given twice")
        files[name] = Path(path)
    return files
