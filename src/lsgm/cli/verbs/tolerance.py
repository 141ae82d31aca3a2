"""`lsgm tolerance`: what a looser tolerance of the sampling ODE saves and costs, for Figure 4."""

from __future__ import annotations

import argparse

from lsgm.cli import options


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "tolerance",
        help="measure Fréchet distance, evaluations and time against the ODE's tolerance",
        description="Draw images at each tolerance in figures.tolerances, from the same noise, and measure their "
        "Fréchet distance, the evaluations of the prior and the wall time of a batch. Figure 4 is made from this.",
    )
    options.add_settings(parser)
    options.add_file(parser, "--data", "file written by `lsgm prepare`")
    options.add_data_root(parser)
    options.add_compute(parser)
    options.add_file(parser, "--model", "model to draw from")
    options.add_file(parser, "--out", "file of measurements to write (.json)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and write the file; a model that cannot be sampled gives one that says so."""
    config = options.settings(args)
    options.require_prior(args, config)
    root = options.data_root(args)
    options.require_output_folder(args.out)
    device = options.start_compute(args)
    from lsgm.cli.records.origin import Clock, divergence, header, provenance
    from lsgm.cli.records.tolerance_sweep import sweep, sweep_settings
    from lsgm.data import load_dataset
    from lsgm.models import load_model, sha256_of
    from lsgm.reporting.figure_measurements import ToleranceSweep
    from lsgm.reporting.section_file import write_section

    clock = Clock()
    dataset = load_dataset(args.data, config.data)
    model_sha256, loaded = sha256_of(args.model), load_model(args.model, config, device)
    problems, points = divergence(loaded), []
    if not problems:
        points, problems = sweep(loaded.model, dataset, config, root, device)
    sample = sweep_settings(config, config.figures.tolerances[0])
    measured = ToleranceSweep(
        **header(config, dataset),
        status="diverged" if problems else "ok",
        reason="; ".join(problems) or None,
        num_samples=sample.num_samples,
        batch_size=min(sample.batch_size, sample.num_samples),
        time_end=sample.time_end,
        points=points,
        provenance=provenance(config, "tolerance", model_sha256, dataset, device, clock),
    )
    write_section(args.out, measured)
    print(measured.reason or f"{len(points)} tolerances in {measured.provenance.wall_seconds:.0f} s -> {args.out}")
