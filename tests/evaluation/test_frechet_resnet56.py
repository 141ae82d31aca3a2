"""The ResNet-56 features: the weights reach their accuracy on real test images only if every layer is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from lsgm.config import ConfigError, FrechetConfig
from lsgm.evaluation.frechet import build_features, frechet_distance

CONFIG = FrechetConfig(features="resnet56_cifar10")


@pytest.fixture(scope="module")
def cifar(data_root):
    folder = data_root / "cifar10"
    file = folder / "cifar10_test_0.png"
    if not file.is_file():
        pytest.skip("no CIFAR-10 images in the data root")
    pixels = np.asarray(Image.open(file).convert("RGB")).reshape(-1, 32, 32, 3)[:500].copy()
    labels = np.load(folder / "cifar10_meta.npz")["test_labels"][:500]
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels).long()


@pytest.fixture(scope="module")
def network(data_root):
    if not (data_root / "cifar_resnet").is_dir():
        pytest.skip("no ResNet-56 weights in the data root")
    return build_features(CONFIG, data_root)


def test_accuracy(network, cifar):
    pixels, labels = cifar
    right = (network.logits(pixels[:300] / 255).argmax(1) == labels[:300]).double().mean()
    assert right > 0.88


def test_distance_between_real_images_is_small(network, cifar, data_root):
    pixels, _ = cifar
    halves = frechet_distance(pixels[:120], pixels[200:320], CONFIG, data_root)
    noise = torch.rand(120, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(noise, pixels[200:320], CONFIG, data_root).value > 5 * halves.value
    assert halves.name == "Fréchet distance, CIFAR-10 ResNet-56 features"
    assert len(halves.weights_sha256) == 64


def test_wrong_checksum(network, cifar, data_root):
    config = CONFIG.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(ConfigError, match="SHA-256"):
        frechet_distance(cifar[0], cifar[0], config, data_root)


def test_other_shapes_are_refused(network, data_root):
    gray = torch.zeros(4, 1, 32, 32, dtype=torch.uint8)
    with pytest.raises(ConfigError, match=r"\(3, 32, 32\)"):
        frechet_distance(gray, gray, CONFIG, data_root)


@pytest.mark.parametrize("content", [b"", b"not an npz", "incomplete"])
def test_damaged_weights(tmp_path, content):
    file = tmp_path / "net.npz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        np.savez(file, **{"conv1.weight": np.zeros((16, 3, 3, 3), np.float32)})
    pixels = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(ConfigError, match=r"npz file|ResNet-56"):
        frechet_distance(pixels, pixels, FrechetConfig(features="resnet56_cifar10", weights=str(file)))
