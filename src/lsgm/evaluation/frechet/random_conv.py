"""Features of a fixed random convolutional network: no weights to fetch, any image of 8x8 or more.

Random convolutions with pooled statistics tell textures, colours and strokes apart, enough to rank models of one data
set. The distance on them has a scale of its own and is never called FID.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from lsgm import randomness
from lsgm.config import ConfigError

from .extractor import FeatureExtractor, three_channels

SEED = 2021  # part of the definition of the features, not of the run
CHANNELS = (3, 16, 32, 32)
STRIDES = (1, 2, 2)
BIAS_SCALE = 0.2  # without biases the network would be homogeneous: contrast would only scale its features
SMALLEST = 8


class RandomConv(FeatureExtractor):
    """Three random 3x3 convolutions (He-normal) with ReLU; mean and standard deviation over positions: 64 features.

    Args:
        device: where the network runs. Its weights are drawn on the CPU and are the same everywhere.
    """

    name = "random_conv-v1"
    measure = "Fréchet distance, random-convolution features"
    protocol = "no resize, float images in [-1, 1], gray repeated over 3 channels"
    dimension = 2 * CHANNELS[-1]

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.layers = []
        for layer, (inputs, outputs) in enumerate(pairwise(CHANNELS)):
            weight = randomness.normal((outputs, inputs, 3, 3), SEED, f"{self.name} weight", layer)
            bias = randomness.normal((outputs,), SEED, f"{self.name} bias", layer)
            if layer > 0:
                # Inputs are not negative here: filters that sum to zero see their pattern, and few channels are dead.
                weight = weight - weight.mean(dim=(1, 2, 3), keepdim=True)
            self.layers.append((weight.mul(math.sqrt(2 / (9 * inputs))).to(device), bias.mul(BIAS_SCALE).to(device)))

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """Refuse images below 8x8, whose last layer would have no positions to pool over."""
        if min(image_shape[1:]) < SMALLEST:
            raise ConfigError(f"random_conv features need images of {SMALLEST}x{SMALLEST} or more, not {image_shape}")

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, 64) of images (B, C, H, W) in [0, 1]."""
        hidden = three_channels(images.to(self.device)) * 2 - 1
        for (weight, bias), stride in zip(self.layers, STRIDES, strict=True):
            padded = F.pad(hidden, (1, 1, 1, 1), mode="reflect")
            hidden = F.conv2d(padded, weight, bias, stride=stride).relu()
        return torch.cat([hidden.mean(dim=(2, 3)), hidden.std(dim=(2, 3), correction=0)], dim=1)
