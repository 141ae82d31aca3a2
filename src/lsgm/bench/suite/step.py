"""Training steps: each algorithm against its plain version and the floor."""

from __future__ import annotations

from collections.abc import Iterator

from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.memory import StepCase, peak_mb
from lsgm.bench.networks import Network
from lsgm.bench.row import Row, timed_row
from lsgm.bench.scales import WAYS
from lsgm.bench.steps import build_plain, build_stage, own_step, plain_step, step_flop
from lsgm.bench.timing import in_turns

from .floor import Convolution, precisions


def run(setting: Setting) -> Iterator[Row]:
    """Two rows for every way of training, network and precision."""
    for network in setting.scale.networks:
        for precision in precisions(setting.device):
            for way in WAYS:
                yield from _compare(setting, network, way, precision)


def _compare(setting: Setting, network: Network, way: str, precision: str) -> Iterator[Row]:
    device, batch = setting.device, setting.scale.batch
    config = network.config(way, batch, precision)
    stage, plain, convolution = (
        build_stage(network, config, device),
        build_plain(network, config, device),
        Convolution(device, precision),
    )
    flop, inputs = step_flop(network, config, device), stage.inputs(0)
    versions = {
        "own": own_step(stage, inputs),
        "plain": plain_step(plain, stage.kl_coeff(0), inputs),
        "floor": convolution,
    }
    timings = in_turns(versions, setting.repeats, device)
    floor = timings["floor"], convolution.flop
    # Their memory is needed for what follows.
    del stage, plain, versions
    for version, reference in (("own", timings["plain"]), ("plain", None)):
        memory = None
        if way in setting.scale.memory:
            memory = peak_mb(StepCase(network, way, version == "plain", batch, precision), device)
        case = f"{network.title}, {way}, {precision}{', plain' if version == 'plain' else ''}"
        yield timed_row(BENCHMARK.name, case, timings[version], reference, floor, flop, memory_mb=memory)


BENCHMARK = Benchmark(
    name="step",
    title="One training step",
    compares="Gradients, update and average on inputs that are there (no data, no curve, no checkpoint). Plain: the "
    "same networks, but a full backward pass for each objective (algorithm 1 as published: one loss), an optimiser and "
    "an average that take one parameter after the other. GFLOP: the networks' products and convolutions, forward and "
    "twice that for backward (algorithm 2: two forward passes of the score network, and for one of them no gradients "
    "of weights). Peak MB: on the CPU of a process that takes two such steps and nothing else, libraries included; on "
    "a GPU of tensors.",
    run=run,
)
