"""`lsgm variance`: how noisy the prior's training objective is under each distribution of times."""

from __future__ import annotations

import argparse

from lsgm.cli import options


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "variance",
        help="measure the variance of the training objective under each time distribution",
        description="Measure mean and standard deviation of one term of the prior's objective over images, noises and "
        "times, for each weighting (w_ll, w_un, w_re) and each distribution of times (uniform, r_ll, r_un, r_re), on "
        "encodings of training images by the trained model.",
    )
    options.add_settings(parser)
    options.add_file(parser, "--data", "file written by `lsgm prepare`")
    options.add_compute(parser)
    options.add_file(parser, "--model", "model to measure")
    options.add_file(parser, "--out", "file of measurements to write (.json)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and write the file; a model that diverged gives one that says so."""
    config = options.settings(args)
    options.require_prior(args, config)
    options.require_output_folder(args.out)
    device = options.start_compute(args)
    import math

    from lsgm.cli.records.origin import Clock, divergence, header, provenance
    from lsgm.data import load_dataset
    from lsgm.evaluation.time_variance import measure_time_variance
    from lsgm.models import load_model, sha256_of
    from lsgm.reporting.figure_measurements import VariancePoint, VarianceStudy
    from lsgm.reporting.section_file import write_section
    from lsgm.sampling import NumericalError

    clock = Clock()
    dataset = load_dataset(args.data, config.data)
    model_sha256, loaded = sha256_of(args.model), load_model(args.model, config, device)
    problems, points = divergence(loaded), []
    if not problems:
        try:
            points = measure_time_variance(loaded.model, dataset.train, config, config.seed, device)
        except NumericalError as error:
            problems = [str(error)]
    measured = VarianceStudy(
        **header(config, dataset),
        status="diverged" if problems else "ok",
        reason="; ".join(problems) or None,
        sde=config.sde.type,
        num_images=min(config.figures.variance_images, len(dataset.train)),
        num_times=config.figures.variance_times,
        num_dims=math.prod(loaded.model.vae.prior_shape),
        points=[VariancePoint(**vars(point)) for point in points],
        provenance=provenance(config, "variance", model_sha256, dataset, device, clock),
    )
    write_section(args.out, measured)
    print(measured.reason or f"{len(points)} objectives in {measured.provenance.wall_seconds:.0f} s -> {args.out}")
