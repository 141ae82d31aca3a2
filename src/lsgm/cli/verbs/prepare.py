"""`lsgm prepare`: a data set's own files to one checked array file."""

from __future__ import annotations

import argparse

from lsgm.cli import options


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "prepare",
        help="read a data set and write it as one checked array file",
        description="Read the data set that the experiment names, check it, and write its raw 8-bit images, training "
        "and test, into one file. Digits and patches are embedded in scikit-learn; the others lie in the data root.",
    )
    options.add_settings(parser)
    options.add_data_root(parser)
    parser.add_argument(
        "--download",
        action="store_true",
        default=None,
        help="fetch what is missing in the data root, if it can be (default: where $LSGM_DOWNLOAD is yes)",
    )
    options.add_file(parser, "--out", "array file to write (.safetensors)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prepare the data set and say what is in it."""
    config = options.settings(args)
    root = options.data_root(args)
    options.require_output_folder(args.out)
    from lsgm.data import prepare

    download = options.is_on(args.download, "LSGM_DOWNLOAD")
    summary = prepare(config.data, root, args.out, download)
    channels, height, width = summary.image_shape
    kind = "grey" if channels == 1 else "RGB"
    counts = f"{summary.num_train} training and {summary.num_test} test images, {width}x{height} {kind}"
    print(f"{summary.title}: {counts} -> {args.out}")
    for note in summary.notes:
        print(f"  {note}")
