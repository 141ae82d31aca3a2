"""`lsgm samplers`: the adaptive ODE, Heun's method and the multistep solver side by side, for a figure."""

from __future__ import annotations

import argparse

from lsgm.cli.opened_run import add_options, open_run


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "samplers",
        help="measure error and Fréchet distance of the samplers against their evaluations",
        description="Draw images with the adaptive ODE at each tolerance in figures.tolerances, and with Heun's method "
        "and the multistep solver at each number in figures.evaluations, all from the same noise. Measure their "
        "Fréchet distance, and the error of their latents against a tight solution of the ODE (figures.reference_tol).",
    )
    add_options(parser, "model to draw from")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and write the file; a model that cannot be sampled gives one that says so."""
    opened = open_run(args)
    from lsgm.cli.records.sampler_sweep import SamplerSweep, compare_samplers, num_images, num_latents
    from lsgm.reporting.records.figure_measurements import SamplerStudy
    from lsgm.reporting.records.section_file import write_section

    config, found = opened.config, SamplerSweep(problems=opened.problems)
    if not found.problems:
        found = compare_samplers(opened.model, opened.dataset, config, opened.root, opened.device)
    measured = SamplerStudy(
        **opened.described("samplers", found.problems),
        sde=config.sde.type,
        num_samples=num_images(config),
        batch_size=min(config.sample.batch_size, num_images(config)),
        num_latents=num_latents(config),
        time_end=config.sample.time_end,
        reference_tol=config.figures.reference_tol,
        reference_nfe=found.reference_nfe,
        latent_std=found.latent_std,
        points=found.points,
    )
    write_section(args.out, measured)
    print(measured.reason or f"{len(found.points)} points in {measured.provenance.wall_seconds:.0f} s -> {args.out}")
