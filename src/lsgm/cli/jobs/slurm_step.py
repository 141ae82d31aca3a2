"""`--nodes M` in a Slurm job: the command starts itself with `srun`, once on each node, and the copies find each other.

The first node of the job is the rendezvous. Slurm signals the processes of a step on all nodes; what reaches only this
process is passed on.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from lsgm.config import ConfigError
from lsgm.stop_signals import passed_on

# Below the ports that systems hand out by themselves; one for each job, since jobs may share a node.
FIRST_PORT, NUM_PORTS = 20000, 10000
# Seconds from the end of the first copy to the end of all: more than a process has to save itself.
WAIT_SECONDS = 120
PATIENCE = 60


@dataclass(frozen=True)
class Place:
    """The nodes of this Slurm job that are to work.

    Attributes:
        hosts: their names.
        rendezvous: HOST:PORT of the first.
        is_step: whether this process is one of those that `srun` has started, one on each.
    """

    hosts: tuple[str, ...]
    rendezvous: str
    is_step: bool


def find(nodes: int) -> Place:
    """Ask Slurm for the nodes of the job around this process.

    Raises:
        ConfigError: there is none, it has fewer nodes, or Slurm does not answer.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or shutil.which("srun") is None:
        raise ConfigError(
            f"--nodes {nodes}: this is no Slurm job; start the same command on each node, with --rendezvous HOST:PORT, "
            f"HOST being one of them; or take --nodes 1"
        )
    names = _ask("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip()
    hosts = _ask("scontrol", "show", "hostnames", names).split()
    if len(hosts) < nodes:
        raise ConfigError(f"--nodes {nodes}: job {job} has {len(hosts)}, {names}; ask for more, or take --nodes 1")
    found = re.search(r"NodeAddr=(\S+)", _ask("scontrol", "--oneliner", "show", "node", hosts[0]))
    address = found.group(1) if found else hosts[0]
    is_step = os.environ.get("SLURM_STEP_NUM_TASKS") == str(nodes)
    return Place(tuple(hosts[:nodes]), f"{address}:{FIRST_PORT + int(job) % NUM_PORTS}", is_step)


def start(place: Place, module: str, words: Sequence[str], verb: str, threads: int | None) -> int:
    """Run `python -m module words --rendezvous HOST:PORT` on each node; return the highest of their exit codes.

    It is that of the process that failed first: 2 and 75 are higher than the 1 of those that fail for want of others.
    """
    command = [
        "srun",
        f"--nodes={len(place.hosts)}",
        f"--ntasks={len(place.hosts)}",
        "--ntasks-per-node=1",
        f"--nodelist={','.join(place.hosts)}",
        *([] if threads is None else [f"--cpus-per-task={threads}"]),
        "--overlap",  # with a step that may be around this process
        "--mpi=none",
        "--kill-on-bad-exit=0",  # the others may still be saving
        f"--wait={WAIT_SECONDS}",
        f"--job-name=lsgm-{verb}",
        *(sys.executable, "-m", module, *words, "--rendezvous", place.rendezvous),
    ]
    # In a session of its own, out of reach of Ctrl-C: SIGINT and SIGTERM make `srun` kill what it has started, while
    # SIGUSR2 is passed on by it, and lets a training save itself.
    steps: list[subprocess.Popen] = []
    early: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        for step in steps:
            step.send_signal(signal.SIGUSR2)
        if not steps:
            early.append(number)

    before = {number: signal.signal(number, pass_on) for number in passed_on()}
    try:
        with subprocess.Popen(command, start_new_session=True) as step:
            steps.append(step)
            if early:
                step.send_signal(signal.SIGUSR2)
            return step.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask(*words: str) -> str:
    """What a command of Slurm prints."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"`{' '.join(words)}` failed: {error}") from None
    if done.returncode != 0:
        raise ConfigError(f"`{' '.join(words)}` failed: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout
