"""How much memory a training step needs on its device, counted without allocating any.

Numbers per trained parameter are known: the weight, its gradient (twice: as autograd returns it, and in the flat tensor
of the optimiser), two moments, and for the prior an average. Activations are counted: the networks run on the meta
device, and every tensor that autograd keeps for the backward pass counts once.

Not counted: what a layer needs while it runs (workspaces of convolutions, the gradients of activations in flight), the
data set, and what the allocator and the GPU's libraries keep for themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lsgm.config import ExperimentConfig
from lsgm.models import Lsgm
from lsgm.models.lsgm import build_outline

from .regions import regions

NUMBER_BYTES = 4
# Weight, gradient as autograd returns it, gradient in the flat tensor, two moments.
NUMBERS_PER_TRAINED_WEIGHT = 5


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes of one training step in float32.

    Attributes:
        images: how many go through the networks at a time.
        parameters: weights, gradients, moments and averages.
        activations: what the backward pass needs of the forward pass.
        recomputed: the same with `checkpoint_activations`: the inputs of all regions, and the inside of the largest.
    """

    images: int
    parameters: int
    activations: int
    recomputed: int


def estimate_memory(config: ExperimentConfig, image_shape: tuple[int, int, int]) -> MemoryEstimate:
    """Count the memory of a step of the stage that an experiment ends with, in one process.

    Args:
        config: the experiment; pretraining if it is a VAE alone, else the joint stage.
        image_shape: (C, H, W) of the raw images, before `data.pad`.

    Raises:
        ConfigError: images, VAE and score network do not fit together.
    """
    model = build_outline(config, image_shape)
    stage = config.pretrain if config.is_vae else config.train
    images = stage.batch_size // stage.accumulate
    trains_vae = config.is_vae or config.train.train_vae
    model.vae.requires_grad_(trains_vae)
    numbers = _size(model.vae) * (NUMBERS_PER_TRAINED_WEIGHT if trains_vae else 1)
    if model.prior is not None:
        numbers += _size(model.prior) * (NUMBERS_PER_TRAINED_WEIGHT + 1)
    kept = kept_for_backward(model, lambda: _forward(model, config, images))
    return MemoryEstimate(images, NUMBER_BYTES * numbers, kept.total, kept.recomputed)


@dataclass
class Kept:
    """Tensors that a backward pass needs, each once.

    Attributes:
        outside: bytes of those from outside of regions.
        inside: bytes of those from inside of each region, in the order in which they ran.
        inputs: bytes of the regions' inputs that are not counted in `outside`.
    """

    outside: int = 0
    inside: list[int] = field(default_factory=list)
    inputs: int = 0

    @property
    def total(self) -> int:
        """All that is kept if nothing is computed twice."""
        return self.outside + sum(self.inside)

    @property
    def recomputed(self) -> int:
        """What is kept at most if regions keep their inputs only, and are computed again one after the other."""
        return self.outside + self.inputs + max(self.inside, default=0)


def kept_for_backward(network: nn.Module, forward: Callable[[], object]) -> Kept:
    """Count what autograd keeps of a forward pass, in bytes.

    Args:
        network: whose parameters and buffers do not count.
        forward: the pass.
    """
    kept = Kept()
    # Storages stay referenced, so that none is taken for another one that came to lie in its place.
    seen = {_key(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    inputs: dict[int, Tensor] = {}
    is_inside = False

    def pack(tensor: Tensor) -> Tensor:
        if _key(tensor) not in seen:
            seen[_key(tensor)] = tensor
            if is_inside:
                kept.inside[-1] += _bytes(tensor)
            else:
                kept.outside += _bytes(tensor)
        return tensor

    def enter(_region: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        nonlocal is_inside
        is_inside = True
        kept.inside.append(0)
        for argument in arguments:
            if _key(argument) not in seen:
                inputs[_key(argument)] = argument

    def leave(_region: nn.Module, _arguments: tuple[Tensor, ...], _output: Tensor) -> None:
        nonlocal is_inside
        is_inside = False

    with _watched(regions(network), enter, leave), torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept):
        forward()
    kept.inputs = sum(_bytes(tensor) for tensor in inputs.values())
    return kept


@contextmanager
def _watched(found: list[nn.Module], enter: Callable[..., None], leave: Callable[..., None]) -> Iterator[None]:
    with ExitStack() as stack:
        for region in found:
            stack.enter_context(region.register_forward_pre_hook(enter))
            stack.enter_context(region.register_forward_hook(leave))
        yield


def _forward(model: Lsgm, config: ExperimentConfig, images: int) -> Tensor:
    """The forward pass of a step; the loss's own tensors are small."""
    vae, device = model.vae.train(config.is_vae or config.train.train_vae), torch.device("meta")
    noises = [torch.empty(images, *shape, device=device) for shape in vae.latent_shapes]
    output = vae(torch.empty(images, *vae.image_shape, device=device), noises)
    if model.prior is None:
        return output.params
    latent = vae.join(output.latents)
    # The two passes of algorithm 2 follow one another: the first one's tensors are gone when the second begins.
    return model.prior.train().network_prediction(latent, torch.empty(len(latent), device=device))


def _size(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _bytes(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes()
