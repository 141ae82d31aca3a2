"""`lsgm sample`: images from a trained model, by the probability-flow ODE or in stochastic steps."""

from __future__ import annotations

import argparse

from lsgm.cli import options


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "sample",
        help="draw images from a trained model",
        description="Draw images: the prior latent by the probability-flow ODE (or in stochastic steps), the image as "
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
    from lsgm.cli.records.origin import divergence
    from lsgm.cli.records.provenance import code_and_machine
    from lsgm.cli.records.samples_file import SamplesRecord, as_kept, write_samples
    from lsgm.models import load_model, sha256_of
    from lsgm.sampling import NumericalError, sample_images

    loaded, model_sha256 = load_model(args.model, config, device), sha256_of(args.model)
    reason, nfe, nfe_per_image, seconds = "; ".join(divergence(loaded)) or None, None, None, 0.0
    images = torch.empty(0, *loaded.image_shape, dtype=torch.uint8)
    if reason is None:
        try:
            drawn = sample_images(loaded.model, config.sample, config.seed, device)
            if drawn.images is not None:
                images = as_kept(drawn.images, config.data.pad, loaded.image_shape)
            nfe, nfe_per_image, seconds = drawn.nfe_mean, drawn.nfe_per_image, drawn.seconds
        except NumericalError as error:
            reason = f"sampling failed: {error}"
    if not distributed.is_first():
        return
    solver = "prior N(0, I)" if config.is_vae else config.sample.solver_words
    record = SamplesRecord(
        model_sha256,
        solver,
        config.sample.tol,
        nfe,
        seconds,
        reason,
        config_hash=config.fingerprint("sample"),
        nfe_per_image=nfe_per_image,
        **code_and_machine(device),
    )
    write_samples(args.out, images, record)
    print(reason or f"{len(images)} images in {seconds:.0f} s, {nfe or 0:.0f} evaluations of the prior -> {args.out}")
