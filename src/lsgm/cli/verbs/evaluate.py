"""`lsgm evaluate`: NELBO and Fréchet distance of a trained model, into one metrics file."""

from __future__ import annotations

import argparse

from lsgm.cli import options


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "evaluate",
        help="measure NELBO and Fréchet distance, write metrics.json",
        description="Measure the NELBO on the test images (probability-flow ODE with a Hutchinson trace), the "
        "importance-weighted bound for a VAE backbone, and the Fréchet distance of the samples to training images.",
    )
    options.add_settings(parser)
    options.add_file(parser, "--data", "file written by `lsgm prepare`")
    options.add_data_root(parser)
    options.add_compute(parser)
    options.add_processes(parser)
    options.add_file(parser, "--model", "model to measure")
    options.add_file(parser, "--samples", "file written by `lsgm sample`")
    options.add_file(parser, "--out", "metrics file to write (.json)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and write the metrics file; a diverged run gives one with that status."""
    config = options.settings(args)
    root = options.data_root(args)
    options.require_output_folder(args.out)
    device = options.start_compute(args)
    from lsgm import distributed
    from lsgm.cli.records.measurement import measure
    from lsgm.cli.records.samples_file import read_samples
    from lsgm.data import load_dataset
    from lsgm.models import load_model
    from lsgm.reporting.metrics import write_metrics

    dataset = load_dataset(args.data, config.data)
    loaded = load_model(args.model, config, device)
    images, record = read_samples(args.samples)
    metrics = measure(args.model, loaded, dataset, images, record, config, root, device)
    if not distributed.is_first():
        return
    write_metrics(args.out, metrics)
    print(f"{config.name}: {metrics.status} -> {args.out}")
