"""What the safety of training costs: the training loop against a bare one, and a checkpoint."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from lsgm.bench.alternating import loop_and_bare_loop
from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.networks import Network, small
from lsgm.bench.row import MEGA, Row, timed_row
from lsgm.bench.steps import bare_step, build_stage
from lsgm.bench.timing import in_turns
from lsgm.training.checkpoint import CheckpointStore

from .floor import precisions

WAY = "algorithm 1"


def run(setting: Setting) -> Iterator[Row]:
    """A small network, for which everything around it counts most, and the scale's first one."""
    networks = {network.title: network for network in (small(), setting.scale.networks[0])}
    blocks = dict(zip((small().title, setting.scale.networks[0].title), setting.scale.blocks, strict=True))
    for title, network in networks.items():
        yield from _loops(setting, network, blocks[title])
        yield _checkpoint(setting, network)


def _loops(setting: Setting, network: Network, block: int) -> Iterator[Row]:
    loop = {"log_every": block, "checkpoint_every": 10**9, "epochs": setting.repeats + 1}
    config = network.config(WAY, setting.scale.batch, precisions(setting.device)[-1], **loop)
    stage, bare = (build_stage(network, config, setting.device, block) for _ in range(2))
    with tempfile.TemporaryDirectory() as folder:
        own, other = loop_and_bare_loop(stage, bare, config.train, block, Path(folder))
    case = f"{network.title}, {WAY}, step"
    yield timed_row(
        BENCHMARK.name,
        f"{case} in the training loop",
        own,
        other,
        note=f"blocks of {block} steps, one line of the curve each",
    )
    yield timed_row(BENCHMARK.name, f"{case} in a bare loop", other)


def _checkpoint(setting: Setting, network: Network) -> Row:
    stage = build_stage(network, network.config(WAY, setting.scale.batch), setting.device)
    # So that the optimiser and the average have the state that they have in a run.
    bare_step(stage, stage.inputs(0), 0)
    with tempfile.TemporaryDirectory() as folder:
        store, steps = CheckpointStore(Path(folder), {}, print), iter(range(1, 1000))

        def save() -> None:
            state = {name: part.state_dict() for name, part in stage.parts.items()}
            store.save(next(steps), state)

        timing = in_turns({"save": save}, setting.repeats, setting.device)["save"]
        megabytes = max(file.stat().st_size for file in Path(folder).iterdir()) / MEGA
    return timed_row(
        BENCHMARK.name,
        f"{network.title}, {WAY}, a checkpoint",
        timing,
        rate=megabytes / timing.median,
        note=f"{megabytes:.1f} MB, flushed to the disk, with its checksum",
    )


BENCHMARK = Benchmark(
    name="guards",
    title="What the safety of training costs",
    compares="A step of the training loop (checks for values that are not finite, statistics kept for a step back, "
    "recent values, means for the curve, looks for a stop signal and the end of the time slot) over one of a bare loop "
    "(inputs, gradients, update, average) of the same networks. A checkpoint by itself: one comes every 1000 steps.",
    run=run,
    columns={"ratio_to_plain": "x bare loop", "rate": "MB per second"},
)
