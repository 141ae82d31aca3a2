"""The Inception path with a small stand-in network in the TorchScript format that clean-fid loads."""

from __future__ import annotations

import hashlib

import pytest
import torch

from lsgm.config import ConfigError, FrechetConfig
from lsgm.evaluation.frechet import build_features, frechet_distance
from lsgm.evaluation.frechet.torchvision_import import import_torchvision

pytest.importorskip("cleanfid", reason="clean-fid is an extra")


class Layers(torch.nn.Module):
    """Pools the normalised input: features that reveal range, channels and resize."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = torch.nn.functional.adaptive_avg_pool2d(x, [4, 4]).flatten(1)
        return torch.nn.functional.pad(pooled, [0, 2048 - pooled.shape[1]])


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = Layers()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.jit.script(Network()).save(str(folder / "inception-2015-12-05.pt"))
    return folder


CONFIG = FrechetConfig(features="inception", batch_size=4)


def test_torchvision_imports_beside_this_torch():
    vision = import_torchvision()
    assert vision is import_torchvision()
    assert vision.transforms.functional is not None


@pytest.mark.parametrize("protocol", ["clean-fid", "paper"])
@pytest.mark.parametrize("channels", [1, 3])
def test_range_and_channels(root, protocol, channels):
    network = build_features(CONFIG, root, "cpu", protocol)
    level = torch.tensor([0.2, 0.6, 1.0]).view(1, 3, 1, 1)[:, :channels].expand(2, channels, 8, 8)
    features = network(level)[0, :48].view(3, 16).mean(1)
    bytes_in = (level[0, :, 0, 0] * 255).round()
    expected = 2 * level[0, :, 0, 0] - 1 if protocol == "paper" else (bytes_in - 128) / 128
    torch.testing.assert_close(features, expected.expand(3), rtol=0, atol=1e-4)


def test_protocols_resize_as_they_say(root):
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    paper = build_features(CONFIG, root, "cpu", "paper")
    seen = []
    paper.network = lambda resized: seen.append(resized) or resized.flatten(1)[:, :2048]
    paper(image)
    expected = torch.nn.functional.interpolate(image, size=(299, 299), mode="bilinear", align_corners=False)
    torch.testing.assert_close(seen[0], expected * 256)
    clean = build_features(CONFIG, root, "cpu", "clean-fid")
    clean.network = paper.network
    clean(image)
    assert paper.protocol.startswith("paper: float images, bilinear")
    assert seen[1].shape == (1, 3, 299, 299)
    assert not torch.allclose(seen[1], seen[0], atol=4)  # bicubic overshoots
    clean((image * 255).round() / 255)
    assert torch.equal(seen[2], seen[1])  # rounded to 8 bits


def test_result(root):
    real = torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    result = frechet_distance(real / 255, real, CONFIG, root)
    digest = hashlib.sha256((root / "inception-2015-12-05.pt").read_bytes()).hexdigest()
    assert (result.name, result.features, result.weights_sha256) == ("FID", "inception", digest)
    assert result.value == pytest.approx(0, abs=1e-6)
    assert result.protocol.startswith("clean-fid: 8-bit images")
    assert "rank-deficient" in result.note


def test_only_the_right_file(root, tmp_path):
    pixels = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ConfigError, match="SHA-256"):
        frechet_distance(pixels, pixels, CONFIG.model_copy(update={"sha256": "a" * 64}), root)
    other = tmp_path / "inception.pt"
    other.write_bytes(b"x")
    with pytest.raises(ConfigError, match="file name"):
        frechet_distance(pixels, pixels, CONFIG.model_copy(update={"weights": str(other)}), root)
    damaged = tmp_path / "inception-2015-12-05.pt"
    damaged.write_bytes(b"x")
    with pytest.raises(ConfigError, match="TorchScript"):
        frechet_distance(pixels, pixels, CONFIG.model_copy(update={"weights": str(damaged)}), root)
