"""`lsgm samplers`: the adaptive ODE, Heun's method and the multistep solver side by side, for a figure."""

from __future__ import annotations

import argparse

from lsgm.cli import options


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "samplers",
        help="measure error and Fréchet distance of the samplers against their evaluations",
        description="Draw images with the adaptive ODE at each tolerance in figures.tolerances, and with Heun's method "
        "and the multistep solver at each number in figures.evaluations, all from the same noise. Measure their "
        "Fréchet distance, and the error of their latents against a tight solution of the ODE (figures.reference_tol).",
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
    from lsgm.cli.records.sampler_sweep import SamplerSweep, compare_samplers, num_images, num_latents
    from lsgm.data import load_dataset
    from lsgm.models import load_model, sha256_of
    from lsgm.reporting.figure_measurements import SamplerStudy
    from lsgm.reporting.section_file import write_section

    clock = Clock()
    dataset = load_dataset(args.data, config.data)
    model_sha256, loaded = sha256_of(args.model), load_model(args.model, config, device)
    found = SamplerSweep(problems=divergence(loaded))
    if not found.problems:
        found = compare_samplers(loaded.model, dataset, config, root, device)
    measured = SamplerStudy(
        **header(config, dataset),
        status="diverged" if found.problems else "ok",
        reason="; ".join(found.problems) or None,
        sde=config.sde.type,
        order=config.sample.order,
        num_samples=num_images(config),
        batch_size=min(config.sample.batch_size, num_images(config)),
        num_latents=num_latents(config),
        time_end=config.sample.time_end,
        reference_tol=config.figures.reference_tol,
        reference_nfe=found.reference_nfe,
        latent_std=found.latent_std,
        points=found.points,
        provenance=provenance(config, "samplers", model_sha256, dataset, device, clock),
    )
    write_section(args.out, measured)
    print(measured.reason or f"{len(found.points)} points in {measured.provenance.wall_seconds:.0f} s -> {args.out}")
