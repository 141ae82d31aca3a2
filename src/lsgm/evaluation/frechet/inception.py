"""Inception features (2048) through clean-fid: the only ones whose Fréchet distance is called FID.

The network is clean-fid's, from a local file `inception-2015-12-05.pt`; nothing is ever downloaded. Two ways to bring
images to its 299x299 input: clean-fid's (8-bit images, antialiased bicubic) and the paper's (float images, bilinear;
method 11). The numbers of the two differ, so the result names the way.
"""

from __future__ import annotations

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
from .script_archive import CURE, require_network_only
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
        require_network_only(path)
        with refusing_damage(str(path), "a TorchScript file of the Inception network", CURE):
            self.network = InceptionV3W(str(path.parent), download=False).to(self.device).eval()
        self.path = path
        self.resize: Callable[[Tensor], Tensor]
        self.resize = _CleanResize(build_resizer("clean"), self.device) if protocol == "clean-fid" else self._bilinear

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """Take all gray and colour images."""

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, 2048) of images (B, C, H, W) in [0, 1]."""
        resized = self.resize(three_channels(images))
        try:
            return self.network(resized)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ConfigError(f"{self.path}: its network does not take images ({reason}); {CURE}") from error

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
