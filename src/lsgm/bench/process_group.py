"""A training step shared by several processes. They are started for it, and so cannot take turns step by step.

`python -m lsgm.bench.process_group FILE` reads the case from FILE, starts its processes if there is more than one,
times steps in each of them together, and the first writes its times beside FILE. It runs outside the benchmark's own
process, whose threads and signals stay as they are.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from lsgm import distributed

from .networks import Network
from .steps import build_stage, own_step
from .timing import Timing, in_turns

MODULE = "lsgm.bench.process_group"


@dataclass(frozen=True)
class GroupCase:
    """One group.

    Attributes:
        network: which.
        way: of training.
        batch: images in a step, over all processes.
        processes: number of them.
        threads: CPU threads of all of them together.
        repeats: steps that are timed.
    """

    network: Network
    way: str
    batch: int
    processes: int
    threads: int
    repeats: int


def step_in_group(case: GroupCase) -> Timing:
    """Seconds of steps on the CPU, in the first of the processes; they wait for each other in every step.

    Raises:
        RuntimeError: the processes failed; the message ends with what they said.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case"
        file.write_bytes(pickle.dumps(case))
        words = [sys.executable, "-m", MODULE, str(file)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{case.processes} processes failed: {done.stderr.strip()[-500:]}")
        return Timing(tuple(json.loads(_times(file).read_text(encoding="ascii"))))


def _times(file: Path) -> Path:
    return file.with_name("times.json")


def _main(file: Path) -> int:
    # Written by this program for itself.
    case = pickle.loads(file.read_bytes())
    if case.processes > 1 and distributed.launch().size == 1:
        return distributed.start_processes(case.processes, MODULE, [str(file)], case.threads)
    torch.set_num_threads(max(1, case.threads // case.processes))
    if case.processes > 1:
        distributed.join("cpu")
    seconds = _steps(case)
    if distributed.is_first():
        _times(file).write_text(json.dumps(seconds), encoding="ascii")
    distributed.wait_for_all()
    distributed.leave()
    return 0


def _steps(case: GroupCase) -> list[float]:
    device = torch.device("cpu")
    stage = build_stage(case.network, case.network.config(case.way, case.batch), device)
    networks = torch.nn.ModuleDict(stage.networks)
    with distributed.synchronised_batch_norms(networks):
        step = own_step(stage, stage.inputs(0))
        return list(in_turns({"step": step}, case.repeats, device)["step"].seconds)


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
