"""`lsgm tolerance`: what a looser tolerance of the sampling ODE saves and costs, for Figure 4."""

from __future__ import annotations

import argparse

from lsgm.cli.opened_run import add_options, open_run


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "tolerance",
        help="measure Fréchet distance, evaluations and time against the ODE's tolerance",
        description="Draw images at each tolerance in figures.tolerances, from the same noise, and measure their "
        "Fréchet distance, the evaluations of the prior and the wall time of a batch. Figure 4 is made from this.",
    )
    add_options(parser, "model to draw from")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and write the file; a model that cannot be sampled gives one that says so."""
    opened = open_run(args)
    from lsgm.cli.records.tolerance_sweep import sweep, sweep_settings
    from lsgm.reporting.records.figure_measurements import ToleranceSweep
    from lsgm.reporting.records.section_file import write_section

    config, problems, points = opened.config, opened.problems, []
    if not problems:
        points, problems = sweep(opened.model, opened.dataset, config, opened.root, opened.device)
    sample = sweep_settings(config, config.figures.tolerances[0])
    measured = ToleranceSweep(
        **opened.described("tolerance", problems),
        num_samples=sample.num_samples,
        batch_size=min(sample.batch_size, sample.num_samples),
        time_end=sample.time_end,
        points=points,
    )
    write_section(args.out, measured)
    print(measured.reason or f"{len(points)} tolerances in {measured.provenance.wall_seconds:.0f} s -> {args.out}")
