"""`lsgm sample`: images from a trained model, by the probability-flow ODE or ancestral sampling."""

from __future__ import annotations

import argparse

from lsgm.cli import options


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "sample",
        help="draw images from a trained model",
        description="Draw images: the prior latent by the probability-flow ODE (or ancestral sampling), the image as "
        "the decoder's mean. Sample i depends on the seed and i only, not on the batch size.",
    )
    options.add_settings(parser)
    options.add_compute(parser)
    options.add_processes(parser)
    options.add_file(parser, "--model", "model to draw from")
    options.add_file(parser, "--out", "file of images to write (.safetensors)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Draw the images; a model that cannot be sampled gives a file that says so."""
    config = options.settings(args)
    options.require_output_folder(args.out)
    device = options.start_compute(args)
    import torch

    from lsgm import distributed
    from lsgm.cli.provenance import commit, device_name
    from lsgm.cli.samples_file import SamplesRecord, write_samples
    from lsgm.models import load_model, sha256_of
    from lsgm.sampling import NumericalError, sample_images

    loaded = load_model(args.model, config, device)
    reason, nfe, seconds = None, None, 0.0
    channels, height, width = loaded.image_shape
    images = torch.empty(0, channels, height, width)
    if loaded.extra.get("status") == "diverged":
        reason = f"training diverged: {loaded.extra.get('reason')}"
    else:
        try:
            drawn = sample_images(loaded.model, config.sample, config.seed, device)
            if drawn.images is not None:
                pad = config.data.pad
                images = drawn.images[..., pad : pad + height, pad : pad + width]
            nfe, seconds = drawn.nfe_mean, drawn.seconds
        except NumericalError as error:
            reason = f"sampling failed: {error}"
    if not distributed.is_first():
        return
    solver = "prior N(0, I)" if config.is_vae else config.sample.solver
    record = SamplesRecord(
        sha256_of(args.model), solver, config.sample.tol, nfe, seconds, reason, device_name(device), commit()[0]
    )
    write_samples(args.out, images, record)
    print(reason or f"{len(images)} images in {seconds:.0f} s, {nfe or 0:.0f} evaluations of the prior -> {args.out}")
