"""`lsgm pretrain`: stage 1, the VAE with a standard Normal prior (alpha = 0)."""

from __future__ import annotations

import argparse

from lsgm.cli import options
from lsgm.cli.jobs import time_slot
from lsgm.config import ConfigError


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "pretrain",
        help="stage 1: train a VAE backbone",
        description="Train the NVAE backbone with a standard Normal prior. Interrupted, it writes a checkpoint; the "
        "same command goes on from there. A VAE without weights (vae.arch = pixels) is written at once.",
    )
    options.add_settings(parser)
    options.add_file(parser, "--data", "file written by `lsgm prepare`")
    options.add_compute(parser)
    options.add_processes(parser)
    options.add_minutes(parser)
    options.add_again(parser)
    options.add_file(parser, "--out", "model to write (.safetensors)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train the VAE and write the model, its settings, its training record and its curves."""
    config = options.settings(args)
    if not config.is_vae:
        file = args.config.with_name(f"{config.backbone}.yaml")
        raise ConfigError(f"{args.config}: is an LSGM; pretrain its backbone with --config {file}")
    options.require_output_folder(args.out)
    with time_slot.starting(args.verb):
        device = options.start_compute(args)
        from lsgm import distributed
        from lsgm.cli.records.training_run import is_finished, only_run, work_folder, write_outcome
        from lsgm.data import load_dataset
        from lsgm.training import StopRequest, pretrain

        deadline = time_slot.deadline(args)
        dataset = load_dataset(args.data, config.data)
        work = work_folder(args.out, config.fingerprint("pretrain"))
        lock = only_run(args.out, deadline)
    # To the end of the writing: what is trained must not be lost to a signal after the last step.
    with lock, StopRequest(deadline) as stop:
        if is_finished(args, work, dataset):
            return
        result = pretrain(config, dataset, work, device, stop=stop)
        if distributed.is_first():
            write_outcome(args.out, work, result, dataset, device)
