"""Peak memory of a training step.

On a CUDA device it is what the tensors of one version, its weights included, took at most. On the CPU nobody counts
tensors: a process of its own takes two steps and reports the most physical memory that it ever had, weights and
libraries (some 300 MB) included.
"""

from __future__ import annotations

import gc
import pickle
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch

from .networks import Network
from .row import MEGA
from .steps import build_plain, build_stage, own_step, plain_step, prepared

# The first step makes the optimiser's state, so the second one has the peak.
STEPS = 2


@dataclass(frozen=True)
class StepCase:
    """One training step.

    Attributes:
        network: which.
        way: of training.
        is_plain: whether it is the plain version.
        batch: images.
        precision: type of the networks' arithmetic.
        options: settings of the stage's loop.
    """

    network: Network
    way: str
    is_plain: bool
    batch: int
    precision: str = "float32"
    options: Mapping[str, object] = field(default_factory=dict)


def peak_mb(case: StepCase, device: torch.device) -> float | None:
    """Peak memory, 1e6 bytes; None where the system does not say."""
    if device.type == "cuda":
        gc.collect()
        others = torch.cuda.memory_allocated(device)
        _take_steps(case, device)
        return (torch.cuda.max_memory_allocated(device) - others) / MEGA
    words = [sys.executable, "-m", "lsgm.bench.memory"]
    done = subprocess.run(words, input=pickle.dumps((case, torch.get_num_threads())), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed: {done.stderr.decode(errors='replace').strip()}")
    text = done.stdout.decode().strip()
    return float(text) if text else None


def peak_resident_mb(status: Path = Path("/proc/self/status")) -> float | None:
    """Most physical memory that this process has had since its program started; None where the system does not say.

    `getrusage` says something else: a process starts there with the peak of the one that it was forked from.
    """
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1]) * 1024 / MEGA


def _take_steps(case: StepCase, device: torch.device) -> None:
    config = case.network.config(case.way, case.batch, case.precision, **case.options)
    stage = build_stage(case.network, config, device)
    inputs, kl_coeff = stage.inputs(0), stage.kl_coeff(0)
    if case.is_plain:
        # The stage was needed for its inputs only.
        del stage
        gc.collect()
        step = plain_step(build_plain(case.network, config, device), kl_coeff, inputs)
    else:
        step = own_step(stage, inputs)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with nullcontext() if case.is_plain else prepared(stage, config):
        for _ in range(STEPS):
            step()


def _main() -> None:
    # From the parent process, which is this program.
    case, threads = pickle.load(sys.stdin.buffer)
    torch.set_num_threads(threads)
    _take_steps(case, torch.device("cpu"))
    peak = peak_resident_mb()
    print("" if peak is None else peak)


if __name__ == "__main__":
    _main()
