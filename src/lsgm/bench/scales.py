"""How much a benchmark run measures: seconds for a test, minutes for the MNIST networks, the CIFAR-10 ones on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from .networks import ALGORITHMS, PRETRAINING, Network, cifar10, mnist, small


@dataclass(frozen=True)
class Scaling:
    """Which steps are compared by the benchmark of that name.

    Attributes:
        network: makes the networks, of a width and for images of a side.
        batches: images in a step.
        widths: channels of the score network.
        sides: pixels of an image, with its padding.
        processes: numbers of them.
        launches: times that each group of processes is started.
        width: of the score network where something else is varied.
        side: of the images where something else is varied.
    """

    network: Callable[[int, int], Network]
    batches: tuple[int, ...]
    widths: tuple[int, ...]
    sides: tuple[int, ...]
    processes: tuple[int, ...]
    launches: int
    width: int
    side: int


@dataclass(frozen=True)
class Scale:
    """Sizes of all benchmarks.

    Attributes:
        name: on the command line.
        networks: whose steps are measured; the first one samples as well.
        batch: images in a step, and in a batch of samples.
        repeats: rounds, unless the command line says otherwise.
        memory: ways of training whose peak memory is measured (on the CPU in a process of its own each).
        options: settings of the training loop that the benchmark of that name compares, by what tables call them.
        blocks: steps in a block of the benchmark `guards`, for a small network and for `networks[0]`.
        evaluations: of samplers that take a number of them, the larger one last.
        ancestral_steps: of the stochastic samplers.
        tolerances: of adaptive solvers, the tightest last, with which the others are compared.
        latent: (C, r, r) of the mixture on which errors are measured.
        exact_tol: tolerance of the solution that errors of samples are measured against.
        likelihood_steps: of solvers with a fixed number.
        latents: in a batch of likelihoods.
        data_batches: batches whose making is timed as one.
        scaling: of the benchmark of that name.
        dry_verbs: verbs of the command line whose `--dry-run` is timed.
        workflow: whether a dry run of the whole workflow is.
    """

    name: str
    networks: tuple[Network, ...]
    batch: int
    repeats: int
    memory: tuple[str, ...]
    options: Mapping[str, Mapping[str, object]]
    blocks: tuple[int, int]
    evaluations: tuple[int, ...]
    ancestral_steps: int
    tolerances: tuple[float, ...]
    latent: tuple[int, int, int]
    exact_tol: float
    likelihood_steps: tuple[int, ...]
    latents: int
    data_batches: int
    scaling: Scaling
    dry_verbs: tuple[str, ...]
    workflow: bool


WAYS = (PRETRAINING, *ALGORITHMS)
RECOMPUTED, FOUR_PARTS, COMPILED = {"checkpoint_activations": True}, {"accumulate": 4}, {"compile": True}
DRY_VERBS = ("prepare", "pretrain", "train", "sample", "evaluate")

QUICK = Scale(
    name="quick",
    networks=(small(),),
    batch=8,
    repeats=3,
    memory=("algorithm 3",),
    options={"activations recomputed": RECOMPUTED},
    blocks=(10, 10),
    evaluations=(6, 10),
    ancestral_steps=10,
    tolerances=(1e-2, 1e-3),
    latent=(2, 4, 4),
    exact_tol=1e-8,
    likelihood_steps=(10,),
    latents=8,
    data_batches=10,
    scaling=Scaling(
        small, batches=(4, 8), widths=(16, 32), sides=(8, 16), processes=(1, 2), launches=1, width=16, side=8
    ),
    dry_verbs=("prepare",),
    workflow=False,
)
MNIST = Scale(
    name="mnist",
    networks=(mnist(64), mnist(256)),
    batch=16,
    repeats=5,
    memory=WAYS,
    options={"activations recomputed": RECOMPUTED, "batch in four parts": FOUR_PARTS, "compiled": COMPILED},
    blocks=(100, 4),
    evaluations=(10, 20),
    ancestral_steps=100,
    tolerances=(1e-2, 1e-3, 1e-5),
    latent=(10, 16, 16),
    exact_tol=1e-9,
    likelihood_steps=(25, 50, 75),
    latents=16,
    data_batches=100,
    scaling=Scaling(
        mnist,
        batches=(4, 8, 16, 32),
        widths=(32, 64, 128, 256),
        sides=(16, 32, 64),
        processes=(1, 2),
        launches=2,
        width=64,
        side=32,
    ),
    dry_verbs=DRY_VERBS,
    workflow=True,
)
CIFAR10 = replace(
    MNIST,
    name="cifar10",
    networks=(cifar10(),),
    blocks=(100, 20),
    scaling=replace(
        MNIST.scaling,
        batches=(16, 32, 64, 128),
        widths=(64, 128, 256, 512),
        sides=(32, 64),
        launches=1,
        width=256,
    ),
)
SCALES = {scale.name: scale for scale in (QUICK, MNIST, CIFAR10)}
