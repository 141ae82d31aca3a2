"""Training steps: every way of training against its naive baseline and the roofline, and options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lsgm.config import ConfigError, ExperimentConfig
from lsgm.models import build_lsgm
from lsgm.training.joint import JointStage
from lsgm.training.noise import StepInputs, seed_dropout
from lsgm.training.pretrain import PretrainStage
from lsgm.training.regions import prepared_regions
from lsgm.training.stage import Stage

from .naive import make_naive
from .networks import WAYS, Network, Scale
from .timing import MEGA, Row, Work, convolution, interleaved, precisions, timed_row

# Passes through the score network that the mathematics asks for, in units of one forward pass of the batch. Algorithm 2
# has two batches of times: two forward passes, and two backward ones of which the encoder's needs no weight gradients.
FORWARD_AND_BACKWARD = 3
PRIOR_PASSES = {1: 3, 2: 5, 3: 3}
ROOFLINE, WAY = "roofline", "algorithm 1"


@dataclass(frozen=True)
class Case:
    """One training step."""

    network: Network
    way: str
    batch: int  # images
    device: torch.device
    precision: str = "float32"
    options: Mapping[str, object] = field(default_factory=dict)  # settings of the stage's loop
    is_naive: bool = False

    @property
    def config(self) -> ExperimentConfig:
        """Settings of the experiment."""
        config = self.network.config(self.way, self.batch, self.precision, **self.options)
        if self.is_naive and self.way == "algorithm 1":
            # As published it has one loss, and so one pass; with two it would be no baseline.
            return config.model_copy(
                update={"objective": config.objective.model_copy(update={"official_kl_coeff": True})}
            )
        return config


def ways(scale: Scale, device: torch.device) -> Iterator[Row]:
    """Two rows for every network, precision and way of training: the package's step and the naive baseline."""
    for network in scale.networks:
        for precision in precisions(device):
            for way in WAYS:
                case, title = Case(network, way, scale.batch, device, precision), f"{network.title}, {way}, {precision}"
                naive = f"{title}, naive baseline"
                yield from _compared({title: case, naive: replace(case, is_naive=True)}, naive, scale)


def options(scale: Scale, device: torch.device) -> Iterator[Row]:
    """Options of the training loop for one network (compilations take minutes), in the fastest precision."""
    case = Case(scale.networks[0], WAY, scale.batch, device, precisions(device)[-1])
    title, compared = f"{case.network.title}, {WAY}, {case.precision}, ", {"as usual": {}, **scale.options}
    cases = {title + name: replace(case, options=changes) for name, changes in compared.items()}
    yield from _compared(cases, f"{title}as usual", scale)


def _compared(cases: Mapping[str, Case], reference: str, scale: Scale) -> Iterator[Row]:
    """Time cases and the roofline in turns, then take their peak memory; all count the operations of the reference."""
    usual = cases[reference]
    convolve, flop_of_one = convolution(usual.device, usual.precision)
    flop, works = step_flop(usual), {ROOFLINE: convolve}
    with ExitStack() as stack:
        for title, case in cases.items():
            try:
                works[title] = stack.enter_context(steps(case))
            except ConfigError as error:
                yield Row(case=title, note=f"left out: {error}")
        timings = interleaved(works, scale.rounds, usual.device, warm_up=2)
        works.clear()
    roofline = timings.pop(ROOFLINE), flop_of_one
    if usual.device.type == "cuda":
        torch.cuda.empty_cache()
    for title, seconds in timings.items():
        memory = peak_mb(cases[title]) if cases[title].way in scale.memory else None
        yield timed_row(title, seconds, timings[reference], roofline, flop, memory_mb=memory)


@contextmanager
def steps(case: Case) -> Iterator[Work]:
    """Give a step on inputs that are there, to be taken again and again.

    Raises:
        ConfigError: this machine cannot compile, and should.
    """
    config, stage, numbers = case.config, build_stage(case), count()
    inputs, settings = stage.inputs(0), config.pretrain if config.is_vae else config.train
    if case.is_naive:
        make_naive(stage, config.train.ema_decay)
    with prepared_regions(nn.ModuleDict(stage.networks), settings):
        yield lambda: bare_step(stage, inputs, next(numbers))


def build_stage(case: Case) -> Stage:
    """The stage that the settings mean, with fresh weights, as the training loop drives it."""
    config, device = case.config, case.device
    model = build_lsgm(config, case.network.image_shape).to(device)
    batches = case.network.batches(config, device)
    if config.is_vae:
        return PretrainStage(config, model.vae, batches, device)
    return JointStage(config, model, batches, device)


def bare_step(stage: Stage, inputs: StepInputs, step: int) -> None:
    """One step of a stage without what the loop does for safety: gradients, update, average."""
    if stage.has_dropout:
        seed_dropout(stage.seed, step)
    gradients = stage.gradients(inputs, step)
    for name, branch in stage.branches.items():
        norm = branch.take_gradients(getattr(gradients, name), stage.precision.scale)
        branch.update(step, norm)
    stage.after_update()


@torch.no_grad()
def step_flop(case: Case) -> float:
    """Operations of the networks' products and convolutions in one step; regularisers and updates do not count."""

    def counted(work: Callable[[], object]) -> float:
        with FlopCounterMode(display=False) as counter:
            work()
        return float(counter.get_total_flops())

    config, device, batch = case.config, case.device, case.batch
    model = build_lsgm(config, case.network.image_shape).to(device).requires_grad_(False)
    images = case.network.batches(config, device).batch(0)
    noises = [torch.zeros(batch, *shape, device=device) for shape in model.vae.latent_shapes]
    vae = counted(lambda: model.vae(images, noises))
    if config.is_vae:
        return FORWARD_AND_BACKWARD * vae
    latent = torch.zeros(batch, *model.vae.prior_shape, device=device)
    prior = counted(lambda: model.prior(latent, torch.full((batch,), 0.5, device=device)))
    if not config.train.train_vae:
        return vae + FORWARD_AND_BACKWARD * prior
    return FORWARD_AND_BACKWARD * vae + PRIOR_PASSES[config.objective.algorithm] * prior


def peak_mb(case: Case) -> float | None:
    """Peak memory of a step, 1e6 bytes, in a process that does nothing else.

    On a CUDA device it is that of tensors; on the CPU, where nobody counts those, all that the process ever had,
    libraries included (some 300 MB).
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_take_steps, case, torch.get_num_threads()).result()


def _take_steps(case: Case, threads: int) -> float | None:
    torch.set_num_threads(threads)
    with steps(case) as step:
        is_cuda = case.device.type == "cuda"
        if is_cuda:
            torch.cuda.reset_peak_memory_stats(case.device)
        # The first step makes the optimiser's state, so the second one has the peak.
        step()
        step()
        return torch.cuda.max_memory_allocated(case.device) / MEGA if is_cuda else peak_resident_mb()


def peak_resident_mb(status: Path = Path("/proc/self/status")) -> float | None:
    """Most physical memory that this process has had since its program started; None where the system does not say.

    `getrusage` says something else: a process starts there with the peak of the one that it was forked from.
    """
    found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    return None if found is None else int(found[1]) * 1024 / MEGA
