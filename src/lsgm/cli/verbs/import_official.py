"""`lsgm import-official`: a checkpoint of the authors' scripts becomes a model file that every other verb takes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.cli import options
from lsgm.config import ExperimentConfig, load_experiment

if TYPE_CHECKING:
    from lsgm.compat.official import OfficialModel


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "import-official",
        help="turn a checkpoint of the authors' scripts into a model file",
        description="Read a checkpoint of the authors' scripts (stage 1 or LSGM), infer its settings and write a model "
        "file, its settings beside it (<model>.config.yaml, which --config of the other verbs takes) and a training "
        "record. Nothing in the checkpoint is executed.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="file that the authors' scripts saved")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="model to write (.safetensors)")
    parser.add_argument(
        "--ema",
        action="store_true",
        help="take the average of the prior's weights out of the optimiser's state (checkpoint.pt); the best "
        "checkpoints (checkpoint_fid.pt, checkpoint_nll.pt) have it in place already",
    )
    parser.add_argument(
        "--mask-inactive",
        action="store_true",
        help="hide from the network the channels that it did not see in training; the authors' evaluation does not",
    )
    parser.add_argument("--kind", choices=["vae", "lsgm"], help="what the checkpoint must hold (default: either)")
    parser.add_argument(
        "--expect",
        type=Path,
        metavar="EXPERIMENT",
        help="refuse other networks than those of this experiment, e.g. config/experiments/mnist.yaml",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Convert the checkpoint; say what was found and what was left out."""
    expected = None if args.expect is None else load_experiment(args.expect)
    from lsgm.compat import official
    from lsgm.models import beside, save_model, sha256_of
    from lsgm.whole_file import write_text_whole

    kind = args.kind or (expected and expected.kind)
    found = official.read(args.checkpoint, ema=args.ema, kind=kind, mask_inactive=args.mask_inactive)
    # Only now: a checkpoint that is refused leaves nothing behind, no empty folder either.
    options.require_output_folder(args.out)
    config = found.config if expected is None else _as_expected(found, expected, args.checkpoint)
    digest = sha256_of(args.checkpoint)
    source = f"checkpoint of the authors' scripts, SHA-256 {digest[:12]}{_choices(args)}"
    record = {
        "status": "ok",
        "reason": None,
        "steps": found.steps,
        "epochs": found.epochs,
        "seconds": None,
        "source": source,
        "checkpoint_sha256": digest,
    }
    write_text_whole(beside(args.out, "training.json"), json.dumps(record, indent=2) + "\n")
    save_model(args.out, found.model, config, found.image_shape, {"status": "ok", "reason": "", "source": source})
    for line in _report(found, args):
        print(line)


def _as_expected(found: OfficialModel, expected: ExperimentConfig, source: Path) -> ExperimentConfig:
    """The imported settings under the experiment's name, once the networks are found to be the same."""
    from lsgm.models.file_header import FileHeader

    header = FileHeader(found.image_shape, found.model.vae.prior_shape, found.config, {})
    header.require_same_architecture(expected, None, str(source))
    return found.config.model_copy(update={"name": expected.name, "backbone": expected.backbone})


def _choices(args: argparse.Namespace) -> str:
    return ", averaged prior (EMA)" * args.ema + ", inactive channels masked" * args.mask_inactive


def _report(found: OfficialModel, args: argparse.Namespace) -> list[str]:
    parts = [("VAE", found.model.vae), ("score-based prior", found.model.prior)]
    counts = [
        f"{name} {sum(weight.numel() for weight in part.parameters()):,}" for name, part in parts if part is not None
    ]
    lines = [f"{args.checkpoint}: parameters of {', '.join(counts)}; {found.steps:,} steps -> {args.out}"]
    if found.has_ema and not args.ema:
        lines.append("note: the checkpoint also holds an average (EMA) of the prior's weights; --ema takes it")
    if found.num_inactive and not args.mask_inactive:
        lines.append(
            f"note: {found.num_inactive} latent channels were hidden from the network in training; --mask-inactive "
            f"hides them again"
        )
    if found.left_out:
        lines.append(f"left out: {', '.join(found.left_out)}")
    return lines
