"""The published checkpoints' names of the score network's tensors, and how they become ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from lsgm.models.score import ScoreNetwork
from lsgm.models.score.attention import Attention
from lsgm.models.score.residual_block import ResidualBlock

BLOCK_LAYERS = {
    "norm_in": "GroupNorm_0",
    "conv_in": "Conv_0",
    "time_projection": "Dense_0",
    "norm_out": "GroupNorm_1",
    "conv_out": "Conv_1",
    "skip": "Conv_2",
}
ATTENTION_LAYERS = {"query": "NIN_0", "key": "NIN_1", "value": "NIN_2", "output": "NIN_3"}


def official_names(network: ScoreNetwork) -> dict[str, str]:
    """Return our name -> published name for every tensor of the network."""
    own = {module: name for name, module in network.named_modules()}
    names: dict[str, str] = {}
    for index, module in enumerate(_in_order(network)):
        for layer, published in _layers(module):
            weight, bias = ("W", "b") if "NIN" in published else ("weight", "bias")
            prefix = f"all_modules.{index}.{published}"
            names[f"{own[layer]}.weight"] = f"{prefix}{weight}"
            names[f"{own[layer]}.bias"] = f"{prefix}{bias}"
    return names


def from_official(network: ScoreNetwork, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the network's state dict made of published tensors; KeyError if one is absent or left over."""
    names = official_names(network)
    left_over = tensors.keys() - names.values()
    if left_over:
        raise KeyError(f"not consumed: {sorted(left_over)}")
    # Their per-pixel linear layers store (in, out).
    return {own: tensors[theirs].T if theirs.endswith(".W") else tensors[theirs] for own, theirs in names.items()}


def _in_order(network: ScoreNetwork) -> Iterator[nn.Module]:
    """Modules in the order in which they run: a published name counts them."""
    yield from (network.embedding.first, network.embedding.second, network.conv_in)
    for level in network.down:
        for block, attention in zip(level.blocks, level.attentions, strict=True):
            yield block
            yield from _if_any(attention)
        yield from _if_any(level.resample)
    yield from (network.middle_in, network.middle_attention, network.middle_out)
    for level in network.up:
        yield from level.blocks
        yield from _if_any(level.attention)
        yield from _if_any(level.resample)
    yield from (network.norm_out, network.conv_out)


def _if_any(module: nn.Module | None) -> Iterator[nn.Module]:
    if module is not None and not isinstance(module, nn.Identity):
        yield module


def _layers(module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    if isinstance(module, ResidualBlock):
        for own, published in BLOCK_LAYERS.items():
            if not isinstance(getattr(module, own), nn.Identity):
                yield getattr(module, own), f"{published}."
    elif isinstance(module, Attention):
        yield module.norm, "GroupNorm_0."
        for own, published in ATTENTION_LAYERS.items():
            yield getattr(module, own), f"{published}."
    else:
        yield module, ""
