"""A trained model with its settings and data, opened to be measured: what the verbs that do so for figures share.

Nothing here loads torch before a model is opened, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.cli import options
from lsgm.config import ExperimentConfig, Stage

if TYPE_CHECKING:
    from lsgm.cli.records.origin import Clock
    from lsgm.data import Dataset
    from lsgm.models import LoadedModel, Lsgm


@dataclass(frozen=True)
class OpenedRun:
    """A run whose model is to be measured.

    Attributes:
        config: resolved settings.
        root: data root, for feature weights; None where none is needed or known.
        device: where the model is.
        clock: started before the data were read.
        dataset: prepared data.
        model_sha256: of the model file.
        loaded: its content.
    """

    config: ExperimentConfig
    root: Path | None
    device: str
    clock: Clock
    dataset: Dataset
    model_sha256: str
    loaded: LoadedModel

    @property
    def model(self) -> Lsgm:
        """The model, with a prior."""
        return self.loaded.model

    @property
    def problems(self) -> list[str]:
        """Why nothing can be measured: its training diverged. Nothing for any other."""
        from lsgm.cli.records.origin import divergence

        return divergence(self.loaded)

    def described(self, stage: Stage, problems: Sequence[str]) -> dict[str, object]:
        """The fields of `FigureMeasurement`, of a measurement that ends now.

        Args:
            stage: on whose settings it depends.
            problems: why nothing, or not all, could be measured.
        """
        from lsgm.cli.records.origin import header, provenance

        return {
            **header(self.config, self.dataset),
            "status": "diverged" if problems else "ok",
            "reason": "; ".join(problems) or None,
            "provenance": provenance(self.config, stage, self.model_sha256, self.dataset, self.device, self.clock),
        }


def add_options(parser: argparse.ArgumentParser, use: str, needs_weights: bool = True) -> None:
    """Add the options that name a run, its files and the machine.

    Args:
        parser: of the verb.
        use: what the model is for, such as "model to draw from".
        needs_weights: whether a feature network is used, whose weights lie in the data root.
    """
    options.add_settings(parser)
    options.add_file(parser, "--data", "file written by `lsgm prepare`")
    if needs_weights:
        options.add_data_root(parser)
    options.add_compute(parser)
    options.add_file(parser, "--model", use)
    options.add_file(parser, "--out", "file of measurements to write (.json)")


def open_run(args: argparse.Namespace) -> OpenedRun:
    """Open the run that the options of `add_options` name.

    Raises:
        ConfigError: wrong settings, those of a VAE alone, a folder or device that is not there, damaged files.
    """
    config = options.settings(args)
    options.require_prior(args, config)
    root = options.data_root(args) if hasattr(args, "data_root") else None
    options.require_output_folder(args.out)
    device = options.start_compute(args)
    return open_model(config, args.data, args.model, root, device)


def open_model(config: ExperimentConfig, data: Path, model: Path, root: Path | None, device: str) -> OpenedRun:
    """Read the files of a run.

    Args:
        config: resolved settings of an LSGM.
        data: file written by `lsgm prepare`.
        model: file of the model.
        root: data root, for feature weights.
        device: where the model goes.

    Raises:
        ConfigError: a file is absent or damaged, or does not belong to the settings.
    """
    from lsgm.cli.records.origin import Clock
    from lsgm.data import load_dataset
    from lsgm.models import load_model, sha256_of

    clock = Clock()
    dataset, loaded = load_dataset(data, config.data), load_model(model, config, device)
    return OpenedRun(config, root, device, clock, dataset, sha256_of(model), loaded)
