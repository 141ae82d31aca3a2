"""The published checkpoints' names of the score network's tensors, and how they become ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor, nn

from lsgm.models.score import ScoreNetwork
from lsgm.models.score.attention import Attention
from lsgm.models.score.conv_resampling import ConvDown, ConvUp
from lsgm.models.score.pyramid import InputSkip, OutputStart, PyramidStep, Residual
from lsgm.models.score.residual_block import ResidualBlock
from lsgm.models.score.time_embedding import FourierFeatures

BLOCK_LAYERS = {
    "norm_in": "GroupNorm_0",
    "conv_in": "Conv_0",
    "time_projection": "Dense_0",
    "norm_out": "GroupNorm_1",
    "conv_out": "Conv_1",
    "skip": "Conv_2",
}
ATTENTION_LAYERS = {"query": "NIN_0", "key": "NIN_1", "value": "NIN_2", "output": "NIN_3"}


FREQUENCIES = ("embedding.features.frequencies", "temb_fun.w")


def official_names(network: ScoreNetwork) -> dict[str, str]:
    """Return our name -> published name for every tensor of the network's state dict."""
    own = {module: name for name, module in network.named_modules()}
    names = dict([FREQUENCIES]) if isinstance(network.embedding.features, FourierFeatures) else {}
    for index, module in enumerate(_in_order(network)):
        for layer, published in _layers(module):
            weight, bias = ("W", "b") if "NIN" in published else ("weight", "bias")
            prefix = f"all_modules.{index}.{published}"
            names[f"{own[layer]}.weight"] = f"{prefix}{weight}"
            names[f"{own[layer]}.bias"] = f"{prefix}{bias}"
    return names


def from_official(network: ScoreNetwork, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the network's state dict made of published tensors.

    Args:
        network: says which tensors there are; it is not changed.
        tensors: published name -> tensor, for exactly the tensors of the network. Shapes are not checked.

    Returns:
        Our name -> tensor, a view of the given one.

    Raises:
        KeyError: names every tensor that is missing and every one that the network has no place for.
    """
    names = official_names(network)
    _check_names(names.values(), tensors.keys())
    return {own: _converted(theirs, tensors[theirs], (-1,)) for own, theirs in names.items()}


def to_official(network: ScoreNetwork, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return published tensors made of ours: the inverse of `from_official`.

    Args:
        network: says which tensors there are; it is not changed.
        tensors: our name -> tensor, for exactly the tensors of the network's state dict. Shapes are not checked.

    Returns:
        Published name -> tensor, a view of the given one.

    Raises:
        KeyError: names every tensor that is missing and every one that the network has no place for.
    """
    names = official_names(network)
    _check_names(names.keys(), tensors.keys())
    return {theirs: _converted(theirs, tensors[own], (1, -1)) for own, theirs in names.items()}


def _check_names(expected: Iterable[str], found: Iterable[str]) -> None:
    expected, found = set(expected), set(found)
    wrong = {"missing": expected - found, "not consumed": found - expected}
    if any(wrong.values()):
        raise KeyError("; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in wrong.items() if names))


def _converted(theirs: str, tensor: Tensor, frequencies_shape: tuple[int, ...]) -> Tensor:
    """Turn theirs into ours or back: their per-pixel linear layers store (in, out), their frequencies have two axes."""
    if theirs.endswith(".W"):
        return tensor.T
    return tensor.reshape(frequencies_shape) if theirs == FREQUENCIES[1] else tensor


def _in_order(network: ScoreNetwork) -> Iterator[nn.Module]:
    """Modules in the order in which they run: a published name counts them."""
    yield from (network.embedding.first, network.embedding.second, network.conv_in)
    for level in network.down:
        for block, attention in zip(level.blocks, level.attentions, strict=True):
            yield block
            yield from _if_any(attention)
        yield from _if_any(level.resample)
        yield from _of_step(level.pyramid_step)
    yield from (network.middle_in, network.middle_attention, network.middle_out)
    for level in network.up:
        yield from level.blocks
        yield from _if_any(level.attention)
        yield from _of_step(level.pyramid_step)
        yield from _if_any(level.resample)
    yield from _if_any(network.norm_out)
    yield from _if_any(network.conv_out)


def _if_any(module: nn.Module | None) -> Iterator[nn.Module]:
    if module is not None and not isinstance(module, nn.Identity):
        yield module


def _of_step(step: PyramidStep | None) -> Iterator[nn.Module]:
    if isinstance(step, InputSkip):
        yield step
    elif isinstance(step, Residual):
        yield step.resample
    elif isinstance(step, OutputStart):
        yield from (step.norm, step.conv)


def _layers(module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    if isinstance(module, ResidualBlock):
        for own, published in BLOCK_LAYERS.items():
            if not isinstance(getattr(module, own), nn.Identity):
                yield getattr(module, own), f"{published}."
    elif isinstance(module, Attention):
        yield module.norm, "GroupNorm_0."
        for own, published in ATTENTION_LAYERS.items():
            yield getattr(module, own), f"{published}."
    elif isinstance(module, InputSkip):
        yield module.conv, "Conv_0."
    elif isinstance(module, ConvDown | ConvUp):
        yield module.conv, "Conv_0." if module.filter is None else "Conv2d_0."
    else:
        yield module, ""
