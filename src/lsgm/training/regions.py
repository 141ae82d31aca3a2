"""What may be done to the networks' repeated parts for the time of a training: compile them, or compute them twice.

A region is one residual cell of the VAE or one residual block of the score network. Nearly all of a step's time and
memory is spent inside regions, and a dozen different ones make up a network of hundreds. Two options of a stage:

- `compile`: `torch.compile` of every region. Regions of equal shape share their code, so a network takes a dozen
  compilations, which torch keeps on disk for the next run.
- `checkpoint_activations`: what a region computes inside is not kept for the backward pass but computed again there,
  from the region's input (Chen et al. 2016). Batch norms' running statistics move in the first pass only, and dropout's
  masks are drawn again from the same state, so that gradients are those of the usual way.

Both are undone at the end. Neither changes a parameter's name, so that checkpoints and models do not show them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from lsgm import distributed
from lsgm.config import ConfigError, LoopConfig
from lsgm.models.nvae import ResidualCell, WNConv2d
from lsgm.models.score import ResidualBlock

REGIONS = (ResidualCell, ResidualBlock)


def regions(network: nn.Module) -> list[nn.Module]:
    """The regions of a network, in the order of its modules."""
    return [module for module in network.modules() if isinstance(module, REGIONS)]


@contextmanager
def prepared_regions(network: nn.Module, config: LoopConfig) -> Iterator[None]:
    """Inside the block, the regions of a network run as the stage's settings say.

    Args:
        network: all that is trained; with each part in the mode that it will have.
        config: its `compile` and `checkpoint_activations` count.

    Raises:
        ConfigError: the regions are to be compiled, but this machine has no compiler, or there are several processes.
    """
    found = regions(network)
    with ExitStack() as stack:
        if config.compile:
            stack.enter_context(_compiler(config.section, next(network.parameters()).device, len(found)))
        change = _compiled if config.compile else _recomputed if config.checkpoint_activations else None
        for region in found if change else ():
            # An attribute hides the method of that name; the module and its tensors stay as they are.
            region.forward = change(region)
            stack.callback(delattr, region, "forward")
        yield


def _compiled(region: nn.Module) -> Callable[..., Tensor]:
    return torch.compile(region.forward, dynamic=False)


def _recomputed(region: nn.Module) -> Callable[..., Tensor]:
    forward = region.forward
    has_dropout = any(isinstance(module, nn.Dropout) and module.p > 0 for module in region.modules())

    def compute(*inputs: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return forward(*inputs)
        return checkpoint(
            forward,
            *inputs,
            use_reentrant=False,
            preserve_rng_state=has_dropout,
            context_fn=partial(_first_and_second_pass, region),
        )

    return compute


def _first_and_second_pass(region: nn.Module) -> tuple[AbstractContextManager, AbstractContextManager]:
    return nullcontext(), _SecondPass(region)


class _SecondPass(AbstractContextManager):
    """Inside the block, a forward pass leaves nothing behind in the region.

    It may be entered again: a graph that is differentiated twice is computed again twice.
    """

    def __init__(self, region: nn.Module) -> None:
        self._region = region
        self._undo: list[tuple[nn.Module, str, object]] = []

    def __enter__(self) -> None:
        layers = [layer for layer in self._region.modules() if isinstance(layer, WNConv2d)]
        self._undo = [(layer, "last_weight", layer.last_weight) for layer in layers]
        for norm in self._region.modules():
            if isinstance(norm, _BatchNorm) and norm.training:
                # Copies move in their stead: without any, a norm would not save as many tensors as in the first pass.
                for name, buffer in list(norm.named_buffers(recurse=False)):
                    self._undo.append((norm, name, buffer))
                    setattr(norm, name, buffer.clone())

    def __exit__(self, *error: object) -> None:
        for module, name, value in self._undo:
            setattr(module, name, value)
        self._undo = []


def _compiler(section: str, device: torch.device, count: int) -> AbstractContextManager:
    """Settings of the compiler for so many regions; it may compile anew for each of them."""
    if distributed.size() > 1:
        raise ConfigError(
            f"{section}.compile = true is for one process, and there are {distributed.size()}; set it to false"
        )
    # Imported here: it takes seconds, and hardly any run needs it.
    import torch._dynamo

    missing = _missing_compiler(device)
    if missing is not None:
        raise ConfigError(f"{section}.compile = true needs {missing}; install it, or set {section}.compile to false")
    return torch._dynamo.config.patch(recompile_limit=max(count, torch._dynamo.config.recompile_limit))


def _missing_compiler(device: torch.device) -> str | None:
    """What `torch.compile` would need on a device and does not find; None if all is there."""
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        return None if has_triton() else "Triton, which PyTorch for CUDA brings along, and a GPU that it supports"
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return "a C++ compiler such as g++, which was not found (CXX may name one)"
    return None
