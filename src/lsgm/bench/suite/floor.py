"""What the device can do at all: the yardstick of every other benchmark."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.row import Row, timed_row
from lsgm.bench.timing import in_turns

MATRIX = 2048
CHANNELS = 256
# Batch and side of the convolution: enough for a device with thousands of cores, not too long for one with two.
SIZES = {"cpu": (16, 16), "cuda": (128, 64)}
PRECISIONS = {"cpu": ("float32",), "cuda": ("float32", "bfloat16")}


class Convolution:
    """A 3x3 convolution of 256 channels, forward: the floor that ratios are taken to.

    Args:
        device: where.
        precision: type of its numbers.

    Attributes:
        flop: operations of one call.
    """

    def __init__(self, device: torch.device, precision: str) -> None:
        batch, side = SIZES.get(device.type, SIZES["cuda"])
        dtype = getattr(torch, precision)
        # The layout that tensor cores want; on the CPU both are the same to the library.
        layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        generator = torch.Generator().manual_seed(0)
        self._x = torch.randn(batch, CHANNELS, side, side, generator=generator).to(device, dtype, memory_format=layout)
        weight = 0.02 * torch.randn(CHANNELS, CHANNELS, 3, 3, generator=generator)
        self._weight = weight.to(device, dtype, memory_format=layout)
        self.flop = 2.0 * batch * side * side * CHANNELS * CHANNELS * 9

    @torch.no_grad()
    def __call__(self) -> None:
        """Compute it once."""
        F.conv2d(self._x, self._weight, padding=1)


def precisions(device: torch.device) -> tuple[str, ...]:
    """Types of arithmetic that are measured on a device."""
    return PRECISIONS.get(device.type, ("float32",))


def run(setting: Setting) -> Iterator[Row]:
    """Rates of the two operations in each precision."""
    works, flops = {}, {}
    for precision in precisions(setting.device):
        matrix = torch.randn(MATRIX, MATRIX).to(setting.device, getattr(torch, precision))
        case = f"matmul of {MATRIX}, {precision}"
        works[case], flops[case] = (lambda matrix=matrix: matrix @ matrix), 2.0 * MATRIX**3
        convolution = Convolution(setting.device, precision)
        case = f"3x3 convolution of {CHANNELS} channels, {precision}"
        works[case], flops[case] = convolution, convolution.flop
    for case, timing in in_turns(works, 2 * setting.repeats, setting.device, warm_up=3).items():
        yield timed_row(BENCHMARK.name, case, timing, flop=flops[case])


BENCHMARK = Benchmark(
    name="floor",
    title="Floor: what the device can do",
    compares="One matrix product and one convolution, forward. The rate of the convolution, measured again in every "
    "round of the other benchmarks, is the floor of their ratios, in the precision of the row.",
    run=run,
)
