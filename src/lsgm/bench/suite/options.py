"""Options of a training step that trade time for memory, or the start for the rest: each against the usual step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.memory import StepCase, peak_mb
from lsgm.bench.networks import Network
from lsgm.bench.row import Row, timed_row
from lsgm.bench.steps import build_stage, own_step, prepared, step_flop
from lsgm.bench.timing import in_turns
from lsgm.config import ConfigError

from .floor import Convolution, precisions

WAY = "algorithm 1"
USUAL = "as usual"


def run(setting: Setting) -> Iterator[Row]:
    """The options of the scale, for its first network (compilations take minutes), in the fastest precision."""
    options = {USUAL: {}, **setting.scale.options}
    yield from _compare(setting, setting.scale.networks[0], precisions(setting.device)[-1], options)


def _compare(
    setting: Setting, network: Network, precision: str, options: Mapping[str, Mapping[str, object]]
) -> Iterator[Row]:
    device, batch = setting.device, setting.scale.batch
    convolution, steps = Convolution(device, precision), {}
    title = f"{network.title}, {WAY}, {precision}"
    with ExitStack() as stack:
        for name, changes in options.items():
            config = network.config(WAY, batch, precision, **changes)
            stage = build_stage(network, config, device)
            try:
                stack.enter_context(prepared(stage, config))
            except ConfigError as error:
                yield Row(BENCHMARK.name, f"{title}, {name}", note=f"left out: {error}")
                continue
            steps[name] = own_step(stage, stage.inputs(0))
        timings = in_turns(steps | {"floor": convolution}, setting.repeats, device, warm_up=2)
        del stage, steps
    floor, flop = (timings.pop("floor"), convolution.flop), step_flop(network, config, device)
    for name, timing in timings.items():
        memory = None
        if WAY in setting.scale.memory:
            memory = peak_mb(StepCase(network, WAY, False, batch, precision, options[name]), device)
        yield timed_row(BENCHMARK.name, f"{title}, {name}", timing, timings[USUAL], floor, flop, memory_mb=memory)


BENCHMARK = Benchmark(
    name="options",
    title="Options of a training step",
    compares="As the benchmark `step`, over the usual step. Activations recomputed: only the inputs of residual cells "
    "and blocks are kept for the backward pass (checkpoint_activations). Batch in four parts: accumulate=4. Compiled: "
    "torch.compile of cells and blocks (compile), without the minutes that its first start takes.",
    run=run,
    columns={"ratio_to_plain": "x usual"},
)
