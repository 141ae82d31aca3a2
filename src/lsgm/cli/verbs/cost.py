"""`lsgm cost`: what drawing images takes, of several models with several samplers, in turns in one process."""

from __future__ import annotations

import argparse
from pathlib import Path

from lsgm.cli import options
from lsgm.cli.opened_run import open_model
from lsgm.cli.verbs.table import named_files
from lsgm.config import ConfigError, ExperimentConfig, validate
from lsgm.config.catalogue import Catalogue
from lsgm.config.load import merge, parse_override


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "cost",
        help="measure what drawing images takes, of several models and samplers in turns",
        description="Draw images from each model with each sampler in figures.cost_samplers, batch by batch in turns, "
        "so that a busy machine slows all alike. Measure evaluations, wall and processor time of prior and decoder, "
        "and the Fréchet distance. Times are also given as multiples of the first model's with its first sampler.",
    )
    parser.add_argument(
        "--scale", type=Path, required=True, metavar="FILE", help="scale of the runs, e.g. config/scales/demo.yaml"
    )
    parser.add_argument(
        "--models",
        nargs="+",
        required=True,
        metavar="RUN=FILE",
        help="models of LSGMs by run, e.g. cifar10_balanced=results/demo/cifar10_balanced/model.safetensors",
    )
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="RUN=FILE", help="prepared data of each run; all have the same"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one setting of every run, e.g. --set figures.cost_batch_size=16; may be repeated",
    )
    options.add_data_root(parser)
    options.add_compute(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file of measurements to write (.json)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and write the file; a model that cannot be sampled is in it with the reason."""
    configs, models, data = _named_runs(args)
    root = options.data_root(args)
    options.require_output_folder(args.out)
    from lsgm.cli.records.cost_settings import require_comparable, sampler_settings

    require_comparable(configs)
    device = options.start_compute(args)
    from lsgm.cli.records.cost_record import cost_record
    from lsgm.reporting.records.section_file import write_section

    opened = {name: open_model(config, data[name], models[name], root, device) for name, config in configs.items()}
    first = next(iter(opened))
    for name, one in opened.items():
        if one.dataset.checksum != opened[first].dataset.checksum:
            raise ConfigError(f"--data {data[name]}: other images than {data[first]}; runs on the same data compare")
    samplers = {name: sampler_settings(name, config) for name, config in configs.items()}
    measured = cost_record(args.scale.stem, opened, samplers)
    write_section(args.out, measured)
    for model in measured.models:
        print(model.reason or f"{model.run}: {len(model.points)} samplers, {measured.num_samples} images each")
    print(f"{measured.models[0].provenance.wall_seconds:.0f} s -> {args.out}")


def _named_runs(args: argparse.Namespace) -> tuple[dict[str, ExperimentConfig], dict[str, Path], dict[str, Path]]:
    """Settings, model and data of each run, in the order of the models.

    Raises:
        ConfigError: a run that there is not, a VAE alone, one without model or data, or wrong settings.
    """
    models, data = named_files(args.models), named_files(args.data)
    for name in (*models, *data):
        if (name in models) != (name in data):
            raise ConfigError(f"the run {name!r} is not in both --models and --data; give a file of each")
    catalogue = Catalogue(args.scale.parent.parent)
    configs = {name: _settings(catalogue, name, args) for name in models}
    for name, config in configs.items():
        if config.is_vae:
            raise ConfigError(f"--models {name}: a VAE without a score-based prior; name an LSGM")
    return configs, models, data


def _settings(catalogue: Catalogue, name: str, args: argparse.Namespace) -> ExperimentConfig:
    config = catalogue.settings(name, args.scale.stem)
    tree = config.model_dump(mode="json")
    for word in args.set:
        tree = merge(tree, parse_override(word))
    return validate(ExperimentConfig, tree, f"{name} with --set") if args.set else config
