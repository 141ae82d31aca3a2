"""Pooled features (64) of a ResNet-56 trained on CIFAR-10: for 32x32 colour images where Inception cannot be had.

The weights come from one npz file with the usual names of a CIFAR ResNet (conv1, bn1, layer1.0.conv1, ..., linear) and
option-A shortcuts (He et al. 2016, section 4.2): every second pixel, zeros for the new channels, no parameters.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lsgm.config import ConfigError
from lsgm.config.evaluation import WEIGHT_FILES
from lsgm.data.npz_arrays import npz_keys, read_npz

from .extractor import FeatureExtractor, verify_weights

DEFAULT_FILE = WEIGHT_FILES["resnet56_cifar10"]
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
STAGES = (1, 2, 3)
BLOCKS = 9  # per stage: 6 * 9 + 2 = 56 layers
IMAGE_SHAPE = (3, 32, 32)
WIDTHS = (16, 32, 64)
CLASSES = 10
BATCH_NORM_EPS = 1.0e-5
CURE = "get the file again"


class ResNet56(FeatureExtractor):
    """ResNet-56 in evaluation mode.

    Args:
        path: npz file of weights.
        sha256: expected checksum of the file, None to accept any.
        device: where the network runs.

    Raises:
        ConfigError: the file is damaged, has another checksum, or lacks an array.
    """

    name = "resnet56_cifar10"
    measure = "Fréchet distance, CIFAR-10 ResNet-56 features"
    protocol = "no resize, float images, ImageNet mean and standard deviation"
    dimension = 64

    def __init__(self, path: Path, sha256: str | None = None, device: torch.device | str = "cpu") -> None:
        self.weights_sha256 = verify_weights(path, sha256)
        self.path = path
        self.device = torch.device(device)
        self.weights = {name: weight.to(device) for name, weight in _read(path).items()}
        self.mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1)
        self.std = torch.tensor(STD, device=device).view(1, 3, 1, 1)
        if not torch.isfinite(self.logits(torch.zeros(1, *IMAGE_SHAPE))).all():
            raise ConfigError(f"{path}: the weights are not finite; {CURE}")

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """Refuse all but 32x32 colour images: the network knows CIFAR-10 and nothing else."""
        if tuple(image_shape) != IMAGE_SHAPE:
            raise ConfigError(f"resnet56_cifar10 features are for images (3, 32, 32), not {tuple(image_shape)}")

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, 64) after global average pooling, of images (B, 3, 32, 32) in [0, 1]."""
        hidden = (images.to(self.device) - self.mean) / self.std
        hidden = self._convolve(hidden, "conv1", "bn1").relu()
        for stage in STAGES:
            for block in range(BLOCKS):
                hidden = self._block(hidden, f"layer{stage}.{block}", stride=2 if stage > 1 and block == 0 else 1)
        return hidden.mean(dim=(2, 3))

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Class scores (B, 10), to check the weights by the accuracy that they reach."""
        return F.linear(self(images), self.weights["linear.weight"], self.weights["linear.bias"])

    def _block(self, hidden: Tensor, name: str, stride: int) -> Tensor:
        inner = self._convolve(hidden, f"{name}.conv1", f"{name}.bn1", stride).relu()
        inner = self._convolve(inner, f"{name}.conv2", f"{name}.bn2")
        new_channels = inner.shape[1] - hidden.shape[1]
        shortcut = F.pad(hidden[:, :, ::stride, ::stride], (0, 0, 0, 0, new_channels // 2, new_channels // 2))
        return (inner + shortcut).relu()

    def _convolve(self, hidden: Tensor, convolution: str, norm: str, stride: int = 1) -> Tensor:
        hidden = F.conv2d(hidden, self.weights[f"{convolution}.weight"], stride=stride, padding=1)
        mean, variance, weight, bias = (
            self.weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(hidden, mean, variance, weight, bias, eps=BATCH_NORM_EPS)


def _read(path: Path) -> dict[str, Tensor]:
    """Read all weights, of which none may have another shape."""
    expected = _shapes()
    absent = sorted(expected.keys() - set(npz_keys(path)))
    if absent:
        raise ConfigError(f"{path}: not the arrays of a CIFAR ResNet-56, {absent[0]!r} is absent; {CURE}")
    weights = {}
    for (name, shape), array in zip(expected.items(), read_npz(path, list(expected)), strict=True):
        if array.shape != shape or array.dtype != np.float32:
            raise ConfigError(f"{path}: {name} is {array.dtype} {array.shape}, expected float32 {shape}; {CURE}")
        weights[name] = torch.from_numpy(array.copy())
    return weights


def _shapes() -> dict[str, tuple[int, ...]]:
    """Shape of every array that the network needs."""
    layers = [("conv1", "bn1", IMAGE_SHAPE[0], WIDTHS[0])]
    for stage, width in zip(STAGES, WIDTHS, strict=True):
        for block in range(BLOCKS):
            name, first = f"layer{stage}.{block}", width // 2 if stage > 1 and block == 0 else width
            layers += [(f"{name}.conv1", f"{name}.bn1", first, width), (f"{name}.conv2", f"{name}.bn2", width, width)]
    shapes: dict[str, tuple[int, ...]] = {}
    for convolution, norm, inputs, outputs in layers:
        shapes[f"{convolution}.weight"] = (outputs, inputs, 3, 3)
        shapes |= {f"{norm}.{part}": (outputs,) for part in ("running_mean", "running_var", "weight", "bias")}
    return shapes | {"linear.weight": (CLASSES, WIDTHS[-1]), "linear.bias": (CLASSES,)}
