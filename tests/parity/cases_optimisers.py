"""h_optim: six steps of each optimiser on four tensors, through the branch that training uses, with the average."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import Parameter

from lsgm.config import PretrainConfig, TrainConfig
from lsgm.training.optim import Ema, LearningRate, ParamGroup, joint_optimiser, pretrain_optimiser

from .case import Case, Exclusion
from .vectors import Vectors

FILE = "h_optim"
NAMES, STEPS = "abcd", 6


class Run:
    """The recorded gradients taken one after the other; what is kept is keyed like the vectors."""

    def __init__(self, vectors: Vectors, name: str) -> None:
        self.vectors, self.name = vectors, name
        self.parameters = [Parameter(vectors.values[f"p0/{tensor}"].clone()) for tensor in NAMES]
        self.results: dict[str, Tensor] = {}

    def steps(self, optimiser: Callable, rate: LearningRate, after: Callable[[int], None]) -> dict[str, Tensor]:
        """Take all steps; `after` is called with the number of each."""
        branch = ParamGroup(self.parameters, optimiser, rate)
        for step in range(STEPS):
            gradients = [self.vectors.values[f"grad{step}/{tensor}"] for tensor in NAMES]
            branch.update(step, branch.take_gradients(gradients).item())
            self.keep(f"step{step + 1}")
            after(step + 1)
        return self.results

    def keep(self, key: str) -> None:
        """Note the present values."""
        for tensor, parameter in zip(NAMES, self.parameters, strict=True):
            self.results[f"{self.name}/{key}/{tensor}"] = parameter.detach().clone()


def adamax(vectors: Vectors) -> dict[str, Tensor]:
    """Stage 1, in its warm-up."""
    config = PretrainConfig()
    rate = LearningRate(config.lr, config.lr_min, epochs=10, warmup_epochs=5, steps_per_epoch=1)
    run = Run(vectors, "adamax_official")
    return run.steps(lambda flat: pretrain_optimiser(flat, config), rate, lambda step: None)


def adam(vectors: Vectors, name: str, form: str) -> dict[str, Tensor]:
    """Stage 2 with either form of weight decay, and the average."""
    config = TrainConfig(weight_decay_form=form)
    run = Run(vectors, name)
    ema = Ema(run.parameters, decay=0.9)

    def average(step: int) -> None:
        ema.update()
        with ema.swapped_in():
            run.keep(f"ema{step}")

    rate = LearningRate(3e-4, 3e-4, epochs=10, warmup_epochs=3, steps_per_epoch=1)
    return run.steps(lambda flat: joint_optimiser(flat, "prior", config), rate, average)


CASES = [Case(FILE, "Adamax", "adamax_official/.*", adamax)] + [
    Case(FILE, label, f"{name}/.*", partial(adam, name=name, form=form))
    for label, name, form in (
        ("Adam with L2 decay, and the average", "adam_torch_L2_ema", "l2"),
        ("AdamW, and the average", "adamw_apexlike_ema", "decoupled"),
    )
]
EXCLUSIONS = [Exclusion(FILE, "p0/.|grad./.", "inputs")]
