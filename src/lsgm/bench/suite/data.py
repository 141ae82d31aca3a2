"""Batches of network inputs from images in memory, and their share of a training step."""

from __future__ import annotations

from collections.abc import Iterator

from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.networks import PRETRAINING, Network, cifar10
from lsgm.bench.row import Row, timed_row
from lsgm.bench.steps import build_stage, own_step
from lsgm.bench.timing import in_turns, repeated

from .floor import precisions

STEPS_PER_EPOCH = 50


def run(setting: Setting) -> Iterator[Row]:
    """Binarised and mirrored images, and all that a step takes from outside."""
    network = setting.scale.networks[0]
    for each in {each.title: each for each in (network, cifar10())}.values():
        yield _images(setting, each)
    yield from _share(setting, network)


def _images(setting: Setting, network: Network) -> Row:
    config = network.config(PRETRAINING, setting.scale.batch)
    batches = network.batches(config, setting.device, STEPS_PER_EPOCH)
    steps, count = iter(range(10**9)), setting.scale.data_batches
    make = repeated(lambda: batches.batch(next(steps)), count)
    timing = in_turns({"make": make}, setting.repeats, setting.device)["make"].per(count)
    changes = [name for name in ("binarise", "flip") if getattr(config.data, name)]
    channels, height, width = network.image_shape
    case = f"batch of {batches.size} images, {channels}x{height}x{width}, {' and '.join(changes)}"
    return timed_row(BENCHMARK.name, case, timing, rate=batches.size / timing.median)


def _share(setting: Setting, network: Network) -> Iterator[Row]:
    way, batch = "algorithm 1", setting.scale.batch
    config = network.config(way, batch, precisions(setting.device)[-1])
    stage = build_stage(network, config, setting.device, STEPS_PER_EPOCH)
    steps, step = iter(range(10**9)), own_step(stage, stage.inputs(0))
    versions = {"inputs": lambda: stage.inputs(next(steps)), "step": step}
    timings = in_turns(versions, setting.repeats, setting.device)
    case = f"{network.title}, {way}, inputs of a step (images, noises, times)"
    yield timed_row(BENCHMARK.name, case, timings["inputs"], timings["step"], rate=batch / timings["inputs"].median)
    yield timed_row(BENCHMARK.name, f"{network.title}, {way}, the step itself", timings["step"])


BENCHMARK = Benchmark(
    name="data",
    title="Data",
    compares="Batches made from images in the device's memory, one after the other in one thread, with all draws keyed "
    "by the step. Share: time over that of the training step that takes them; on a GPU a thread beside it makes them.",
    run=run,
    columns={"ratio_to_plain": "share of a step", "rate": "images per second"},
)
