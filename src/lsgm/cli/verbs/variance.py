"""`lsgm variance`: how noisy the prior's training objective is under each distribution of times."""

from __future__ import annotations

import argparse

from lsgm.cli.opened_run import add_options, open_run


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "variance",
        help="measure the variance of the training objective under each time distribution",
        description="Measure mean and standard deviation of one term of the prior's objective over images, noises and "
        "times, for each weighting (w_ll, w_un, w_re) and each distribution of times (uniform, r_ll, r_un, r_re), on "
        "encodings of training images by the trained model.",
    )
    add_options(parser, "model to measure", needs_weights=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and write the file; a model that diverged gives one that says so."""
    opened = open_run(args)
    import math

    from lsgm.evaluation.time_variance import measure_time_variance
    from lsgm.reporting.records.figure_measurements import VariancePoint, VarianceStudy
    from lsgm.reporting.records.section_file import write_section
    from lsgm.sampling import NumericalError

    config, train, problems, points = opened.config, opened.dataset.train, opened.problems, []
    if not problems:
        try:
            points = measure_time_variance(opened.model, train, config, config.seed, opened.device)
        except NumericalError as error:
            problems = [str(error)]
    measured = VarianceStudy(
        **opened.described("variance", problems),
        sde=config.sde.type,
        num_images=min(config.figures.variance_images, len(train)),
        num_times=config.figures.variance_times,
        num_dims=math.prod(opened.model.vae.prior_shape),
        points=[VariancePoint(**vars(point)) for point in points],
    )
    write_section(args.out, measured)
    print(measured.reason or f"{len(points)} objectives in {measured.provenance.wall_seconds:.0f} s -> {args.out}")
