"""Inception features (2048) through clean-fid: the only ones whose Fréchet distance is called FID.

The network is clean-fid's, from a local file `inception-2015-12-05.pt`; nothing is ever downloaded. Two ways to bring
images to its 299x299 input: clean-fid's (8-bit images, antialiased bicubic) and the paper's (float images, bilinear;
method.md: Fréchet distances). The numbers of the two differ, so the result names the way.

The file holds code. With its checksum in `evaluate.frechet.sha256` it is loaded as it is; without, what was checked of
it (script_archive.py). Either way it is tried on one image before anything is measured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lsgm.config import ConfigError
from lsgm.config.evaluation import WEIGHT_FILES
from lsgm.data.source_files import refusing_damage

from .extractor import FeatureExtractor, three_channels, verify_weights
from .script_archive import CURE, copy_network_only
from .torchvision_import import import_torchvision

DEFAULT_FILE = WEIGHT_FILES["inception"]
INPUT_SIZE = 299
Protocol = Literal["clean-fid", "paper"]

PROTOCOLS: dict[Protocol, str] = {
    "clean-fid": "clean-fid: 8-bit images, antialiased bicubic resize to 299x299 (PIL)",
    "paper": "paper: float images, bilinear resize to 299x299 (align_corners = False)",
}


class Inception(FeatureExtractor):
    """InceptionV3 of 2015-12-05 as a TorchScript file, as clean-fid wraps it.

    Args:
        path: the local file, named `inception-2015-12-05.pt`.
        sha256: expected checksum, None to accept any (it is recorded).
        device: where the network runs.
        protocol: how images are resized.

    Raises:
        ConfigError: another file name or checksum, damaged file, clean-fid not installed.
    """

    name = "inception"
    measure = "FID"
    dimension = 2048

    def __init__(
        self, path: Path, sha256: str | None, device: torch.device | str = "cpu", protocol: Protocol = "clean-fid"
    ) -> None:
        if path.name != DEFAULT_FILE:
            raise ConfigError(
                f"evaluate.frechet.weights: clean-fid wants the file name {DEFAULT_FILE}, not {path.name}"
            )
        self.weights_sha256 = verify_weights(path, sha256)
        self.device = torch.device(device)
        self.protocol = PROTOCOLS[protocol] + ", gray repeated over 3 channels"
        import_torchvision()
        try:
            from cleanfid.inception_torchscript import InceptionV3W
            from cleanfid.resize import build_resizer
        except ModuleNotFoundError as error:
            raise ConfigError(f"{error}; install the extra: pip install 'lsgm[fid]'") from None
        with tempfile.TemporaryDirectory(prefix="lsgm-inception-") as checked:
            if sha256 is None:
                copy_network_only(path, Path(checked) / DEFAULT_FILE)
            with refusing_damage(str(path), "a TorchScript file of the Inception network", CURE):
                folder = path.parent if sha256 is not None else checked
                self.network = InceptionV3W(str(folder), download=False).to(self.device).eval()
        self.path = path
        self.resize: Callable[[Tensor], Tensor]
        self.resize = _CleanResize(build_resizer("clean"), self.device) if protocol == "clean-fid" else self._bilinear
        self(torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE))

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """Take all gray and colour images."""

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, 2048) of images (B, C, H, W) in [0, 1].

        Raises:
            ConfigError: the network fails, or gives something else than finite features.
        """
        resized = self.resize(three_channels(images))
        try:
            features = self.network(resized)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # its code decides what is raised
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise ConfigError(f"{self.path}: its network does not take images ({reason}); {CURE}") from error
        self._require_features(features, len(images))
        return features

    def _require_features(self, features: object, count: int) -> None:
        is_right = isinstance(features, Tensor) and features.shape == (count, self.dimension)
        if not is_right or not features.is_floating_point():
            kind = f"{features.dtype} {tuple(features.shape)}" if isinstance(features, Tensor) else type(features)
            raise ConfigError(f"{self.path}: its network gives {kind}, not {count} x {self.dimension} features; {CURE}")
        if not torch.isfinite(features).all():
            raise ConfigError(f"{self.path}: its network gives features that are not finite; {CURE}")

    def _bilinear(self, images: Tensor) -> Tensor:
        size = (INPUT_SIZE, INPUT_SIZE)
        resized = F.interpolate(images.to(self.device), size=size, mode="bilinear", align_corners=False)
        # The network subtracts 128 and divides by 128: 256 x becomes 2 x - 1, the paper's range.
        return resized * 256


class _CleanResize:
    """clean-fid's own resize, image by image, on 8-bit values."""

    def __init__(self, resizer: Callable[[np.ndarray], np.ndarray], device: torch.device) -> None:
        self.resizer = resizer
        self.device = device

    def __call__(self, images: Tensor) -> Tensor:
        pixels = images.mul(255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        resized = np.stack([self.resizer(image) for image in pixels])
        return torch.from_numpy(resized).permute(0, 3, 1, 2).to(self.device)
