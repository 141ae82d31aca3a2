"""How a training step grows with batch, width of the score network, resolution, and number of processes."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.networks import Network
from lsgm.bench.process_group import GroupCase, step_in_group
from lsgm.bench.row import Row, timed_row
from lsgm.bench.steps import build_stage, own_step, step_flop
from lsgm.bench.timing import in_turns, joined

from .floor import Convolution, precisions

WAY = "algorithm 1"


def run(setting: Setting) -> Iterator[Row]:
    """One table of each kind; the first case of a kind is what the others are compared with."""
    scaling, batch = setting.scale.scaling, setting.scale.batch
    make, width, side = scaling.network, scaling.width, scaling.side
    yield from _compare(setting, {f"batch {size}": (make(width, side), size) for size in scaling.batches})
    yield from _compare(setting, {f"{each} channels": (make(each, side), batch) for each in scaling.widths})
    yield from _compare(setting, {f"{each}x{each} pixels": (make(width, each), batch) for each in scaling.sides})
    yield from _processes(setting, make(width, side))


def _compare(setting: Setting, cases: dict[str, tuple[Network, int]]) -> Iterator[Row]:
    device, precision = setting.device, precisions(setting.device)[-1]
    convolution = Convolution(device, precision)
    configs = {case: network.config(WAY, batch, precision) for case, (network, batch) in cases.items()}
    steps = {}
    for case, (network, _) in cases.items():
        stage = build_stage(network, configs[case], device)
        steps[case] = own_step(stage, stage.inputs(0))
    timings = in_turns(steps | {"floor": convolution}, setting.repeats, device)
    floor = timings.pop("floor"), convolution.flop
    first = next(iter(timings.values()))
    for case, timing in timings.items():
        network, batch = cases[case]
        flop = step_flop(network, configs[case], device)
        yield timed_row(BENCHMARK.name, case, timing, first, floor, flop, rate=batch / timing.median, note=precision)


def _processes(setting: Setting, network: Network) -> Iterator[Row]:
    """On the CPU only: two processes cannot share the one GPU of a comparison."""
    scaling, batch = setting.scale.scaling, setting.scale.batch
    if setting.device.type != "cpu":
        yield Row(BENCHMARK.name, "processes", note="left out: measured on the CPU only")
        return
    threads = torch.get_num_threads()
    repeats = max(1, setting.repeats // scaling.launches)
    cases = {count: GroupCase(network, WAY, batch, count, threads, repeats) for count in scaling.processes}
    launches = [{count: step_in_group(case) for count, case in cases.items()} for _ in range(scaling.launches)]
    timings = {count: joined([launch[count] for launch in launches]) for count in scaling.processes}
    for count, timing in timings.items():
        case = f"{count} {'process' if count == 1 else 'processes'}, {threads} threads in all"
        first = timings[scaling.processes[0]]
        yield timed_row(BENCHMARK.name, case, timing, first, rate=batch / timing.median, note="float32")


BENCHMARK = Benchmark(
    name="scaling",
    title="How a step scales",
    compares="A step of algorithm 1 (gradients, update, average; networks of the same family), over the first case of "
    "its kind. Processes share one batch and the threads; groups of them are started in turns, and their steps cannot "
    "be.",
    run=run,
    columns={"ratio_to_plain": "x first of its kind", "rate": "images per second"},
)
