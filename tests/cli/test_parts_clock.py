"""Where the time of a batch goes: seconds that tick at each look, so that parts are counted and not measured."""

from __future__ import annotations

import copy

import chain
import pytest
import torch

from lsgm.cli.records.parts_clock import Instant, PartsClock
from lsgm.config.catalogue import Catalogue
from lsgm.models import build_lsgm
from lsgm.sampling import iterate_images


@pytest.fixture(scope="module")
def model():
    config = Catalogue(chain.ROOT / "config").settings("cifar10_balanced", "test")
    return build_lsgm(config, (3, 8, 8))


@pytest.fixture
def ticking(monkeypatch):
    """Every look at the clock is one second later than the one before, and half a second of processor time."""
    looks = iter(range(10_000))
    monkeypatch.setattr(PartsClock, "_read", staticmethod(lambda: Instant(float(look := next(looks)), look / 2)))


def batches(model, **changes):
    config = Catalogue(chain.ROOT / "config").settings("cifar10_balanced", "test")
    settings = config.sample.model_copy(update={"num_samples": 4, "batch_size": 2, **changes})
    return iterate_images(model, settings, 1, "cpu")


def test_each_evaluation_is_the_networks_and_all_before_the_decoder_the_priors(model, ticking):
    drawn = batches(model, solver="multistep", evaluations=5)
    for _ in range(2):
        clock = PartsClock(torch.device("cpu"))
        with clock.watching(model):
            assert next(drawn).nfe == 5
            times = clock.finish()
        assert times.network == Instant(5, 2.5)
        # The first look, then two for each evaluation, then that of the decoder; the end is one more.
        assert times.prior == Instant(11, 5.5)
        assert times.decoder == Instant(1, 0.5)
        assert times.batch == Instant(12, 6)


def test_the_model_is_as_it_was_whatever_happens(model):
    def is_untouched():
        network = model.prior.network
        return "decode" not in vars(model.vae) and not network._forward_hooks and not network._forward_pre_hooks

    clock = PartsClock(torch.device("cpu"))
    with clock.watching(model):
        next(batches(model, solver="multistep", evaluations=4))
        assert not is_untouched()
    assert is_untouched()
    with pytest.raises(KeyboardInterrupt), clock.watching(model):
        raise KeyboardInterrupt
    assert is_untouched()


class Event:
    """Stands in for a CUDA event: records come a millisecond after one another."""

    now = 0

    def __init__(self, enable_timing):
        assert enable_timing

    def record(self, stream):
        Event.now += 1
        self.at = Event.now

    def elapsed_time(self, end):
        return end.at - self.at


def test_on_a_gpu_events_time_the_evaluations_and_the_host_waits_three_times(model, ticking, monkeypatch):
    waits = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", waits.append)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    clock = PartsClock(torch.device("cuda"))
    with clock.watching(model):
        next(batches(model, solver="multistep", evaluations=6))
        times = clock.finish()
    assert times.network == Instant(pytest.approx(0.006), 3)
    assert len(waits) == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and there is none here")
def test_parts_of_a_batch_on_a_gpu(model):
    model = copy.deepcopy(model).to("cuda")
    clock = PartsClock(torch.device("cuda"))
    with clock.watching(model):
        config = Catalogue(chain.ROOT / "config").settings("cifar10_balanced", "test")
        settings = config.sample.model_copy(update={"num_samples": 4, "batch_size": 4})
        next(iterate_images(model, settings, 1, "cuda"))
        times = clock.finish()
    assert 0 < times.network.wall <= 1.01 * times.prior.wall < 1.01 * times.batch.wall


def test_without_a_batch_there_are_no_times(model):
    clock = PartsClock(torch.device("cpu"))
    with clock.watching(model), pytest.raises(RuntimeError, match="no batch"):
        clock.finish()
