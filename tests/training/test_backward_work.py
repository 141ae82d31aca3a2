"""What the second backward pass would have done is not done: passes and weight gradients, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from training.one_backward_cases import CPU, case_of, on_algorithms, step

from lsgm import algorithms
from lsgm.bench import naive
from lsgm.models import Lsgm
from lsgm.training.stage import Precision


@contextmanager
def counted(model: Lsgm) -> Iterator[Counter[str]]:
    """How often either network is gone through, forwards and backwards."""
    found: Counter[str] = Counter()

    def count(name: str) -> Callable[..., None]:
        def forward(module: nn.Module, arguments: object, output: Tensor) -> None:
            found[f"{name} forwards"] += 1
            output.register_hook(lambda gradient: found.update([f"{name} backwards"]))

        return forward

    layers = {"vae": model.vae.encoder.stem, "prior": model.prior.network.middle_in}
    handles = [layer.register_forward_hook(count(name)) for name, layer in layers.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize(
    ("algorithm", "weighting", "is_balanced", "precision", "forwards", "backwards"),
    [
        ("algorithm_1", "ll", False, "float32", 1, 1),
        ("algorithm_1", "ll", False, "float16", 1, 1),
        ("algorithm_1", "ll", True, "float32", 1, 2),
        ("algorithm_3", "re", False, "float32", 1, 1),
        ("algorithm_3", "re", False, "bfloat16", 1, 1),
        ("algorithm_3", "re", False, "float16", 1, 2),
        ("algorithm_3", "re", True, "float32", 1, 2),
        ("algorithm_2_joint", "re", False, "float32", 2, 2),
        ("algorithm_2_disjoint", "re", True, "float32", 2, 2),
    ],
)
def test_passes_that_are_made(algorithm, weighting, is_balanced, precision, forwards, backwards):
    case = case_of(algorithm, weighting, is_balanced=is_balanced)
    with counted(case.model) as found:
        step(case, algorithm, precision=Precision(precision, CPU))
    counts = {"forwards": forwards, "backwards": backwards}
    assert found == {"vae forwards": 1, "vae backwards": 1} | {f"prior {way}": n for way, n in counts.items()}
    with counted(case.model) as found:
        step(case, algorithm, naive)
    assert found["prior backwards"] == 2


class WeightGradients(TorchDispatchMode):
    """Counts by a convolution's weight how often its gradient is taken; and the rows of all batches on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[int] = Counter()
        self.rows: set[int] = set()

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if function is torch.ops.aten.convolution_backward.default:
            gradient, _, weight, *_, mask = arguments
            self.found[weight.data_ptr()] += mask[1]
            self.rows.add(len(gradient))
        return function(*arguments, **(keywords or {}))


@on_algorithms
@pytest.mark.parametrize("is_balanced", [False, True])
def test_the_gradient_of_a_weight_of_the_prior_is_taken_once(algorithm, weighting, is_balanced):
    """And no batch is made larger by rows of zeros."""
    case = case_of(algorithm, weighting, is_balanced=is_balanced)
    layers = [layer for layer in case.model.prior.modules() if isinstance(layer, nn.Conv2d)]
    taken = {}
    for module in (algorithms, naive):
        with WeightGradients() as counter:
            step(case, algorithm, module)
        taken[module] = {counter.found[layer.weight.data_ptr()] for layer in layers}
        if module is algorithms:
            assert counter.rows == {len(case.x)}
    assert taken == {algorithms: {1}, naive: {2}}
