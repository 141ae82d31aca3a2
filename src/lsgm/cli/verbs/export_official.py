"""`lsgm export-official`: a model file becomes a checkpoint that the authors' scripts can load."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from lsgm.cli import options
from lsgm.config import ConfigError
from lsgm.config.text_files import read_json


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "export-official",
        help="turn a model file into a checkpoint for the authors' scripts",
        description="Write the weights of a model under the names of the authors' scripts, with the arguments from "
        "which those build the same networks.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file to convert")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="checkpoint to write (.pt)")
    parser.add_argument(
        "--drop-mask",
        action="store_true",
        help="export although the network does not see all channels, which such a checkpoint cannot say",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Convert the model file."""
    options.require_output_folder(args.out)
    from lsgm.compat import official
    from lsgm.models import beside, load_model

    loaded = load_model(args.model)
    steps, epochs = _length(beside(args.model, "training.json"))
    official.write(
        args.out,
        loaded.model,
        loaded.config,
        loaded.image_shape,
        steps=steps,
        epochs=epochs,
        drop_mask=args.drop_mask,
    )
    print(f"{args.model}: {loaded.model.kind} -> {args.out}")


def _length(record: Path) -> tuple[int, int]:
    """Steps and epochs of the training, zero where no record lies beside the model.

    Raises:
        ConfigError: the record is damaged.
    """
    try:
        content = read_json(record, "remove it to export without the length of the training")
    except FileNotFoundError:
        return 0, 0
    steps, epochs = content.get("steps"), content.get("epochs")
    if not all(isinstance(count, (int, float)) and math.isfinite(count) for count in (steps, epochs)):
        raise ConfigError(f"{record}: damaged, steps and epochs are no numbers; remove it to export without them")
    return int(steps), int(epochs)
