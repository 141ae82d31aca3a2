"""The benchmarks by name, one file each, in the order in which they run."""

from __future__ import annotations

from lsgm.bench.benchmark import Benchmark

from . import data, floor, guards, likelihood, options, sampling, scaling, startup, step

BENCHMARKS: dict[str, Benchmark] = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (floor, step, options, guards, sampling, likelihood, data, scaling, startup)
}
