"""`lsgm train`: stage 2, the score-based prior, jointly with the VAE or on a frozen one."""

from __future__ import annotations

import argparse

from lsgm.cli import options
from lsgm.cli.jobs import time_slot
from lsgm.config import ConfigError


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "train",
        help="stage 2: train the score-based prior and the VAE together",
        description="Train the score-based prior on a pretrained VAE, and the VAE with it (train.train_vae = true) or "
        "not. Interrupted, it writes a checkpoint; the same command goes on from there.",
    )
    options.add_settings(parser)
    options.add_file(parser, "--data", "file written by `lsgm prepare`")
    options.add_compute(parser)
    options.add_processes(parser)
    options.add_minutes(parser)
    options.add_again(parser)
    options.add_file(parser, "--backbone", "model written by `lsgm pretrain`")
    options.add_file(parser, "--out", "model to write (.safetensors)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train the prior and write the model, its settings, its training record and its curves."""
    config = options.settings(args)
    if config.is_vae:
        raise ConfigError(f"{args.config}: has no `backbone`, so there is no prior to train; use `lsgm pretrain`")
    options.require_output_folder(args.out)
    with time_slot.starting(args.verb):
        device = options.start_compute(args)
        from lsgm import distributed
        from lsgm.cli.records.training_run import is_finished, load_backbone, only_run, work_folder, write_outcome
        from lsgm.data import load_dataset
        from lsgm.training import StopRequest, train

        deadline = time_slot.deadline(args)
        dataset = load_dataset(args.data, config.data)
        vae, backbone = load_backbone(args.backbone, config)
        # Checkpoints hold the VAE as it has moved from this backbone, so they are of no use on another one.
        work = work_folder(args.out, f"{config.fingerprint('train')}-{backbone.model_sha256[:8]}")
        lock = only_run(args.out, deadline)
    # To the end of the writing: what is trained must not be lost to a signal after the last step.
    with lock, StopRequest(deadline) as stop:
        if is_finished(args, work, dataset):
            return
        result = train(config, dataset, vae, work, device, stop=stop)
        if distributed.is_first():
            write_outcome(args.out, work, result, dataset, device, backbone)


def stop_signal() -> type[BaseException]:
    """The exception of a training that was told to stop and has saved itself.

    Looked up only when something was raised, so that `lsgm --help` does not wait for torch.
    """
    from lsgm.training import Interrupted

    return Interrupted
