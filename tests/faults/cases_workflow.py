"""SIGKILL of `snakemake`, alone or with all its jobs, in a checkout of its own."""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from functools import cache, partial
from pathlib import Path

from workflow.small_checkout import RUN, edit, environment, make_checkout

from .case import Fault, Injection, Unavailable
from .chain_files import numbers

TARGET = f"results/test/{RUN}/metrics.json"
FOLDER = f"results/test/{RUN}"
LOG = "results/test/logs/pretrain/mnist_vae.log"
FINISHED = re.compile(r"^Finished jobid: \d+ \(Rule: (\w+)\)", re.MULTILINE)
JOBS = {"prepare": 1, "pretrain": 1, "sample": 1, "evaluate": 1}
PATIENCE_SECONDS = 600.0
LOOK_SECONDS = 0.05


class Checkout:
    """A checkout in which `snakemake` is typed."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("snakemake", path=environment(folder)["PATH"]) is None:
            raise Unavailable("no snakemake: pip install 'lsgm[workflow]'")
        folder.mkdir(parents=True)
        make_checkout(folder)
        scale = folder / "config/scales/test.yaml"
        edit(scale, "pretrain: {epochs: 2,", "pretrain: {checkpoint_every: 3, epochs: 3,")
        edit(scale, "log_every: 10}\n  prior", "log_every: 1}\n  prior")
        self.folder = folder
        self.finished: Counter[str] = Counter()

    def start(self, *targets: str, cores: int = 2) -> subprocess.Popen[str]:
        """Type `snakemake TARGETS`, in a process group of its own."""
        self.output = self.folder.with_name(f"{self.folder.name}.txt")
        with self.output.open("w") as file:
            return subprocess.Popen(
                ["snakemake", "--cores", str(cores), *(targets or [TARGET])],
                cwd=self.folder,
                env=environment(self.folder) | {"OMP_NUM_THREADS": "1"},
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def count(self) -> None:
        """Add the jobs that the last snakemake has finished."""
        self.finished.update(rule for rule in FINISHED.findall(self.output.read_text()) if rule in JOBS)

    def log(self) -> str:
        """What the training has said in its last job."""
        file = self.folder / LOG
        return file.read_text() if file.exists() else ""

    def outcome(self) -> dict[str, object]:
        """What a run leaves: checksums of model and data, numbers of the rest."""
        data = next((self.folder / "results/test/data").glob("*.safetensors"))
        model = self.folder / FOLDER / "model.safetensors"
        sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (data, model)}
        return sums | {name: numbers(self.folder / FOLDER / name) for name in ("metrics.json", "curves.jsonl")}


@cache
def undisturbed() -> tuple[dict[str, object], float]:
    """What a run leaves that nothing disturbs, and how long it takes."""
    checkout = Checkout(Path(KEPT.name) / "checkout")
    started = time.monotonic()
    assert checkout.start().wait(PATIENCE_SECONDS) == 0, checkout.output.read_text()
    return checkout.outcome(), time.monotonic() - started


KEPT = tempfile.TemporaryDirectory(prefix="lsgm-undisturbed-workflow-")


def in_training(kill_all: bool, folder: Path, times: int) -> list[Injection]:
    """Kill snakemake while its training is at work, and type the same command again."""
    found = []
    for number in range(times):
        checkout = Checkout(folder / f"checkout-{number}")
        started = checkout.start()
        _wait(checkout, ": step 7/")
        _kill(started, kill_all)
        checkout.count()
        begin = time.monotonic()
        again = checkout.start()
        _wait(checkout, "going on from step ")
        found.append(_finish(checkout, again, time.monotonic() - begin))
    return found


def at_random_moments(folder: Path, times: int) -> list[Injection]:
    """Kill snakemake and its jobs at moments drawn from the time that all takes, and type the same command again."""
    checkout, moments, kills = Checkout(folder / "checkout"), random.Random(2), 0
    duration, found = undisturbed()[1], []
    while len(found) + kills < times:
        started = checkout.start()
        try:
            started.wait(moments.uniform(0.0, duration))
        except subprocess.TimeoutExpired:
            _kill(started, True)
            kills += 1
        checkout.count()
        if (checkout.folder / TARGET).exists() or len(found) + kills >= times:
            begin = time.monotonic()
            last = _finish(checkout, checkout.start(), None)
            found += [Injection(last.lost, time.monotonic() - begin)] * kills
            checkout, kills = Checkout(folder / f"checkout-{len(found)}"), 0
    return found


def _wait(checkout: Checkout, said: str) -> None:
    begin = time.monotonic()
    while said not in checkout.log():
        assert time.monotonic() - begin < PATIENCE_SECONDS, checkout.output.read_text()
        time.sleep(LOOK_SECONDS)


def _kill(started: subprocess.Popen[str], kill_all: bool) -> None:
    if kill_all:
        os.killpg(started.pid, signal.SIGKILL)
    else:
        started.kill()
    started.wait()


def _finish(checkout: Checkout, started: subprocess.Popen[str], seconds: float | None) -> Injection:
    if started.wait(PATIENCE_SECONDS) != 0:
        return Injection((f"it did not go on: {checkout.output.read_text()[-1000:]}",))
    checkout.count()
    whole, found = undisturbed()[0], checkout.outcome()
    lost = tuple(f"{name}: differs" for name in whole if whole[name] != found[name])
    lost += tuple(f"{rule}: finished {count} times" for rule, count in checkout.finished.items() if count > JOBS[rule])
    return Injection(lost, seconds)


FAULTS = (
    Fault("snakemake is killed", "SIGKILL of its process during a training", partial(in_training, False), 3, slow=True),
    Fault(
        "snakemake and all its jobs are killed",
        "SIGKILL of its process group during a training",
        partial(in_training, True),
        3,
        slow=True,
    ),
    Fault(
        "snakemake and all its jobs are killed",
        "SIGKILL of its process group at a random moment",
        at_random_moments,
        10,
        2,
        slow=True,
    ),
)
