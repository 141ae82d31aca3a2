"""`lsgm evaluate`: NELBO and Fréchet distance of a trained model, into one metrics file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lsgm.cli import options

if TYPE_CHECKING:
    from lsgm.reporting.records.metrics import Metrics


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "evaluate",
        help="measure NELBO and Fréchet distance, write metrics.json",
        description="Measure the NELBO on the test images (probability-flow ODE with a Hutchinson trace, and their "
        "errors), the importance-weighted bound for a VAE backbone, and the Fréchet distance of the samples to "
        "training images.",
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
    from lsgm.reporting.records.metrics import write_metrics

    dataset = load_dataset(args.data, config.data)
    loaded = load_model(args.model, config, device)
    images, record = read_samples(args.samples)
    metrics = measure(args.model, loaded, dataset, images, record, config, root, device)
    if not distributed.is_first():
        return
    write_metrics(args.out, metrics)
    print(f"{config.name}: {metrics.status}{_nelbo_words(metrics)} -> {args.out}")


def _nelbo_words(metrics: Metrics) -> str:
    """The NELBO with its errors: over the images, and of the ODE where it has one."""
    from lsgm.reporting.columns.numbers import OurNumber

    nelbo = metrics.nelbo
    if nelbo is None:
        return ""
    words = f", NELBO {OurNumber(nelbo.value, nelbo.stderr).text} {nelbo.unit}"
    parts = []
    if nelbo.errors is not None and nelbo.errors.probe_stderr is not None:
        parts.append(f"of which trace probes ± {nelbo.errors.probe_stderr:.1g}")
    if nelbo.errors is not None and nelbo.errors.halving is not None:
        parts.append(f"half the steps {nelbo.errors.halving:+.1g}")
    return words + (f" ({'; '.join(parts)})" if parts else "")
