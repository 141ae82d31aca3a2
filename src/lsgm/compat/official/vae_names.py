"""Official names of the VAE's tensors: a state dict of theirs made ours, and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from lsgm.config import VaeConfig

from .vae_layers import ALIAS, vae_layers


def official_vae_names(config: VaeConfig) -> dict[str, str]:
    """Map every tensor of the official state dict to ours; an alias to the tensor that it repeats."""
    names = {"prior_ftr0": "decoder.constant"}
    for layer in vae_layers(config):
        names |= {f"{layer.official}.{theirs}": f"{layer.ours}.{own}" for theirs, own in layer.tensors.items()}
    return names


def official_vae_state(state: Mapping[str, Tensor], config: VaeConfig) -> dict[str, Tensor]:
    """Return the state dict of our `NVAE` that an official state dict amounts to.

    Args:
        state: tensors under official names; aliases may be absent.
        config: sizes of the VAE that they belong to.

    Raises:
        KeyError: tensors of such a VAE are missing, or some belong to no part of it; all of them are named.
        ValueError: an alias differs from its weight, so one cannot tell which of them is meant.
    """
    names = official_vae_names(config)
    _check_names(state, names, optional=set(filter(_is_alias, names)))
    for name in filter(_is_alias, state):
        weight = state[name.removesuffix(ALIAS) + "weight"]
        # Names may be translated in place of tensors.
        if isinstance(weight, Tensor) and not torch.equal(state[name], weight):
            raise ValueError(f"{name} differs from the weight beside it")
    return {ours: state[theirs] for theirs, ours in names.items() if not _is_alias(theirs)}


def official_state(ours: Mapping[str, Tensor], config: VaeConfig) -> dict[str, Tensor]:
    """Return the official state dict that ours amounts to: the inverse of `official_vae_state`, aliases added.

    Args:
        ours: state dict of our `NVAE`.
        config: its sizes.

    Raises:
        KeyError: tensors of such a VAE are missing, or some belong to no part of it; all of them are named.
    """
    names = official_vae_names(config)
    _check_names(ours, set(names.values()))
    return {theirs: ours[own] for theirs, own in names.items()}


def _is_alias(name: str) -> bool:
    return name.endswith(f".{ALIAS}")


def _check_names(found: Collection[str], expected: Collection[str], optional: Collection[str] = ()) -> None:
    missing = [name for name in expected if name not in found and name not in optional]
    left_over = [name for name in found if name not in expected]
    lists = {"missing": missing, "left over": left_over}
    if missing or left_over:
        raise KeyError("; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in lists.items() if names))
