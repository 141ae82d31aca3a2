"""The measurement as a whole: names, protocols, notes, errors, the cache, and an order that makes sense."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lsgm.config import ConfigError, FrechetConfig
from lsgm.data import part_of
from lsgm.evaluation.frechet import FEATURES, GaussianStatistics, build_features, frechet_distance, gaussian_distance
from lsgm.evaluation.frechet.extractor import find_weights

RANDOM = FrechetConfig(features="random_conv", batch_size=64)


def images(count: int, shape=(3, 8, 8), seed: int = 0) -> torch.Tensor:
    """Smooth random images, uint8."""
    noise = torch.rand(count, shape[0], 3, 3, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=shape[1:], mode="bilinear").mul(255).to(torch.uint8)


def test_identical_sets_are_at_distance_zero():
    real = images(200)
    result = frechet_distance(real / 255, real, RANDOM)
    assert result.value == pytest.approx(0, abs=1e-8)
    assert (result.num_samples, result.num_reference, result.note, result.weights_sha256) == (200, 200, None, None)
    assert result.name == "Fréchet distance, random-convolution features"
    assert result.features == "random_conv-v1"
    assert "8 bits" in result.protocol


def test_distance_grows_with_the_corruption():
    real, fresh = images(400, seed=1), images(400, seed=2) / 255
    noise = torch.randn(fresh.shape, generator=torch.Generator().manual_seed(3))
    values = [frechet_distance((fresh + s * noise).clamp(0, 1), real, RANDOM).value for s in (0, 0.05, 0.15, 0.5)]
    assert values == sorted(values)
    assert values[2] > 2 * values[0]


def test_contrast_counts():
    real, fresh = images(400, seed=1), images(400, seed=2) / 255
    same = frechet_distance(fresh, real, RANDOM).value
    assert frechet_distance(0.5 + 0.6 * (fresh - 0.5), real, RANDOM).value > 3 * same


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (1, 28, 28), (3, 33, 17)])
def test_random_features_are_fixed_numbers(shape):
    batch = images(5, shape) / 255
    first, second = build_features(RANDOM, None), build_features(RANDOM, None)
    assert first(batch).shape == (5, first.dimension)
    assert torch.equal(first(batch), second(batch))
    torch.testing.assert_close(first(batch)[2:3], first(batch[2:3]))


def test_random_features_of_version_one():
    # The numbers define the version: if they change, so must the name.
    features = build_features(RANDOM, None)(torch.linspace(0, 1, 192).view(1, 3, 8, 8))[0]
    torch.testing.assert_close(features[[0, 1, 2, 32, 33, 34]], torch.tensor(VERSION_ONE), rtol=1e-4, atol=1e-5)


def test_gray_equals_its_three_channel_copy():
    real, fresh = images(100, (1, 8, 8), 1), images(100, (1, 8, 8), 2)
    gray = frechet_distance(fresh, real, RANDOM).value
    colour = frechet_distance(fresh.expand(-1, 3, -1, -1), real.expand(-1, 3, -1, -1), RANDOM).value
    assert gray == pytest.approx(colour, rel=1e-6)


def test_reference_is_padded_like_the_model_input():
    real = images(90, (1, 8, 8))
    padded = torch.nn.functional.pad(real, (2, 2, 2, 2))
    result = frechet_distance(padded / 255, real, RANDOM)
    assert result.value == pytest.approx(0, abs=1e-8)
    assert "zero-padded to 12x12" in result.protocol
    with pytest.raises(ValueError, match="cannot be compared"):
        frechet_distance(images(90, (1, 9, 8)), real, RANDOM)
    with pytest.raises(ValueError, match="cannot be compared"):
        frechet_distance(images(90, (3, 8, 8)), real, RANDOM)


def test_few_images_give_a_warning():
    note = frechet_distance(images(64), images(80), RANDOM).note
    assert note is not None
    assert "rank-deficient covariance: 64 samples for 64 features" in note
    assert "real images" not in note


def test_number_of_reference_images():
    config = RANDOM.model_copy(update={"num_reference": 70})
    real = images(100)
    result = frechet_distance(real[torch.tensor(part_of(100, 70))], real, config)
    assert (result.num_reference, result.value) == (70, pytest.approx(0, abs=1e-8))
    assert "70 of 100 real images, drawn" in result.protocol
    ordered = torch.cat([torch.zeros_like(real), real])
    assert frechet_distance(real, ordered, config).value > 10 * frechet_distance(ordered[50:150], ordered, config).value


def test_official_processes_average_the_parts_of_the_samples():
    """Ten, ten and nine samples; three means and covariances, each with its own n - 1, averaged."""
    real, fresh = images(60, seed=1), images(29, seed=2) / 255
    features = build_features(RANDOM, None)
    parts = np.split(features(fresh).double().numpy(), [10, 20])
    mean = np.mean([part.mean(0) for part in parts], axis=0)
    covariance = np.mean([np.cov(part, rowvar=False) for part in parts], axis=0)
    of_real = features(real / 255).double().numpy()
    pooled = GaussianStatistics(*map(torch.from_numpy, (of_real.mean(0), np.cov(of_real, rowvar=False))), 60)
    expected = gaussian_distance(GaussianStatistics(torch.from_numpy(mean), torch.from_numpy(covariance), 29), pooled)

    for batch_size in (4, 64):
        config = RANDOM.model_copy(update={"official_processes": 3, "batch_size": batch_size})
        result = frechet_distance(fresh, real, config)
        assert result.value == pytest.approx(expected, rel=1e-4)
        assert "3 parts of the samples averaged" in result.protocol
        assert (result.num_samples, result.num_reference) == (29, 60)
    own = frechet_distance(fresh, real, RANDOM)
    assert own.value != pytest.approx(expected, rel=1e-2) and "averaged" not in own.protocol


def test_too_many_processes_are_refused():
    config = RANDOM.model_copy(update={"official_processes": 6})
    with pytest.raises(ConfigError, match=r"evaluate\.frechet\.official_processes = 6: .* there are 11"):
        frechet_distance(images(11), images(20), config)
    assert frechet_distance(images(12), images(20), config).value > 0


def test_bad_images_are_errors():
    real = images(10)
    broken = real / 255
    broken[3, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        frechet_distance(broken, real, RANDOM)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        frechet_distance(real / 127.5 - 1, real, RANDOM)
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(real[:1], real, RANDOM)
    with pytest.raises(ValueError, match="uint8"):
        frechet_distance(real, real / 255, RANDOM)
    with pytest.raises(ConfigError, match="8x8"):
        frechet_distance(images(10, (1, 7, 8)), images(10, (1, 7, 8)), RANDOM)


def test_cache_is_used_renewed_and_harmless(tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "reference.safetensors"
    real, fresh = images(100, seed=1), images(100, seed=2)
    plain = frechet_distance(fresh, real, RANDOM).value
    assert frechet_distance(fresh, real, RANDOM, cache=cache).value == plain
    before = cache.read_bytes()
    assert frechet_distance(fresh, real, RANDOM, cache=cache).value == plain
    assert cache.read_bytes() == before
    other = frechet_distance(fresh, fresh, RANDOM, cache=cache).value  # other images: not from the cache
    assert other == pytest.approx(0, abs=1e-8)
    cache.write_bytes(before[: len(before) // 2])
    assert frechet_distance(fresh, real, RANDOM, cache=cache).value == plain
    assert cache.read_bytes() == before
    assert [file.name for file in cache.parent.iterdir()] == [cache.name]


def test_cache_saves_the_work(tmp_path, monkeypatch):
    cache = tmp_path / "reference.safetensors"
    real, seen = images(100, seed=1), []
    original = FEATURES["random_conv"]

    def counting(*arguments):
        extractor = original(*arguments)
        call = type(extractor).__call__

        class Counting(type(extractor)):
            def __call__(self, batch):
                seen.append(len(batch))
                return call(self, batch)

        extractor.__class__ = Counting
        return extractor

    monkeypatch.setitem(FEATURES, "random_conv", counting)
    frechet_distance(images(50, seed=2), real, RANDOM, cache=cache)
    first, seen[:] = sum(seen), []
    frechet_distance(images(50, seed=2), real, RANDOM, cache=cache)
    assert (first, sum(seen)) == (150, 50)


@pytest.mark.parametrize("features", [name for name in FEATURES if name != "random_conv"])
def test_absent_weights_say_which_file_goes_where(features, tmp_path):
    config = FrechetConfig(features=features)
    with pytest.raises(ConfigError, match=r"nothing is downloaded") as error:
        frechet_distance(images(10), images(10), config, tmp_path)
    assert str(tmp_path) in str(error.value)
    with pytest.raises(ConfigError, match="data root"):
        frechet_distance(images(10), images(10), config, None)


def test_weights_may_be_a_file_or_a_folder(tmp_path):
    (tmp_path / "nets").mkdir()
    file = tmp_path / "nets" / "net.npz"
    file.write_bytes(b"x")
    for weights in ("nets", "nets/net.npz", str(file)):
        config = FrechetConfig(features="resnet56_cifar10", weights=weights)
        assert find_weights(config, tmp_path, "elsewhere/net.npz") == file


def test_features_none_is_refused():
    with pytest.raises(ConfigError, match="nothing to measure"):
        frechet_distance(images(10), images(10), FrechetConfig(features="none"))


VERSION_ONE = [0.75741, 0.0, 1.59716, 0.04911, 0.0, 0.00398]
