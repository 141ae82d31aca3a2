"""The registry of feature networks: name in `evaluate.frechet.features` -> builder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from lsgm.config import ConfigError, FrechetConfig

from . import inception, resnet56
from .extractor import FeatureExtractor, find_weights
from .inception import Inception, Protocol
from .random_conv import RandomConv
from .resnet56 import ResNet56

Builder = Callable[[FrechetConfig, Path | None, torch.device, Protocol], FeatureExtractor]


def _inception(config: FrechetConfig, root: Path | None, device: torch.device, protocol: Protocol) -> FeatureExtractor:
    path = find_weights(config, root, inception.DEFAULT_FILE)
    return Inception(path, config.sha256, device, protocol)


def _resnet56(config: FrechetConfig, root: Path | None, device: torch.device, protocol: Protocol) -> FeatureExtractor:
    return ResNet56(find_weights(config, root, resnet56.DEFAULT_FILE), config.sha256, device)


def _random_conv(
    config: FrechetConfig, root: Path | None, device: torch.device, protocol: Protocol
) -> FeatureExtractor:
    return RandomConv(device)


FEATURES: dict[str, Builder] = {
    "inception": _inception,
    "resnet56_cifar10": _resnet56,
    "random_conv": _random_conv,
}


def build_features(
    config: FrechetConfig, root: Path | None, device: torch.device | str = "cpu", protocol: Protocol = "clean-fid"
) -> FeatureExtractor:
    """Build the feature network that the settings ask for.

    Args:
        config: settings.
        root: data root, where relative paths of weights start.
        device: where the network runs.
        protocol: resize for `inception`; the other networks take images as they are.

    Raises:
        ConfigError: features `none`, or weights that are absent or not as expected.
    """
    if config.features not in FEATURES:
        raise ConfigError(
            f"evaluate.frechet.features = {config.features!r}: nothing to measure; choose one of {', '.join(FEATURES)}"
        )
    return FEATURES[config.features](config, root, torch.device(device), protocol)
