"""State dicts of the authors' scripts: what may be in one, and how it must agree with the network of its arguments."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lsgm.config import ConfigError

# What DistributedDataParallel puts before every name.
PREFIX = "module."

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64)

# Which arguments decide the tensors whose names begin so; the first match counts.
ARGUMENTS = {
    "mixing_logit": "mixed_prediction, num_groups_per_scale and num_latent_per_group",
    "all_modules.": "num_channels_dae, num_scales_dae, num_cell_per_scale_dae, embedding_dim and num_latent_per_group",
    "stem.": "num_channels_enc",
    "image_conditional.": "num_channels_dec, decoder_dist and num_x_bits",
    "prior_ftr0": "num_channels_dec and channel_mult",
    "pre_process.": "num_channels_enc, channel_mult and num_preprocess_cells",
    "post_process.": "num_channels_dec, channel_mult and num_postprocess_cells",
    "nf_cells.": "num_nf and num_latent_per_group",
    "eps_conv.": "num_groups_per_scale and num_latent_per_group",
    "enc_": "num_channels_enc, channel_mult, num_groups_per_scale, num_latent_per_group and num_cell_per_cond_enc",
    "dec_": "num_channels_dec, channel_mult, num_groups_per_scale, num_latent_per_group and num_cell_per_cond_dec",
    "progressive_input_cells.": "progressive_input_vae and num_latent_scales",
}


def has_names(content: object) -> bool:
    """Whether this is a dict with names, which a message can quote, for its keys."""
    return isinstance(content, dict) and all(isinstance(name, str) and name.isprintable() for name in content)


def is_plain(value: object) -> bool:
    """Whether this is a tensor with one real number in memory for each of its entries."""
    if type(value) not in (Tensor, nn.Parameter) or value.layout != torch.strided or value.is_nested:
        return False
    # A small file could claim a tensor of any size by repeating its numbers.
    is_whole = value.device.type == "cpu" and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    return is_whole and value.dtype in DTYPES


def clean_state(state: object, source: str) -> dict[str, Tensor]:
    """Return a state dict with plain names, float32 and int64 tensors.

    Args:
        state: what the checkpoint has for one.
        source: file and entry, at the start of every message.

    Raises:
        ConfigError: it is not a state dict, or holds what is no weight of a network.
    """
    if not has_names(state) or not state:
        raise ConfigError(f"{source} is not a state dict: names with their tensors")
    prefix = PREFIX if all(name.startswith(PREFIX) for name in state) else ""
    return {name.removeprefix(prefix): clean_tensor(tensor, f"{source}: {name}") for name, tensor in state.items()}


def clean_tensor(tensor: object, source: str) -> Tensor:
    """Return a weight in float32, or a counter in int64, without gradient.

    Args:
        tensor: what the checkpoint has for one.
        source: file and name, at the start of every message.

    Raises:
        ConfigError: it is no tensor, of a kind that weights do not have, not finite, or more exact than float32.
    """
    if not isinstance(tensor, Tensor):
        raise ConfigError(f"{source} is not a tensor but of type {type(tensor).__name__}")
    if not is_plain(tensor):
        raise ConfigError(f"{source} is {tensor.dtype}, {tensor.layout}, on {tensor.device}; weights are plain numbers")
    tensor = tensor.detach()
    if not tensor.is_floating_point():
        return tensor
    if not torch.isfinite(tensor).all():
        raise ConfigError(f"{source} has entries that are not finite; take an earlier checkpoint of the run")
    exact = tensor.to(torch.float32)
    if not torch.equal(exact.to(tensor.dtype), tensor):
        raise ConfigError(f"{source} is {tensor.dtype} and does not fit into float32 without loss")
    return exact


def require_same_tensors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> None:
    """Compare a state dict with that of the network which the arguments describe.

    Args:
        found: the checkpoint's, from `clean_state`.
        wanted: the network's under the same names; values do not count and may be on the device `meta`.
        source: file and entry, at the start of every message.

    Raises:
        ConfigError: a tensor is missing, left over, of another shape or another kind of number; the message names it.
    """
    missing = [name for name in wanted if name not in found]
    left_over = [name for name in found if name not in wanted]
    if missing:
        raise ConfigError(f"{source} lacks {missing[0]} ({len(missing)} such tensors); {_advice(missing[0])}")
    if left_over:
        raise ConfigError(
            f"{source} has {left_over[0]} ({len(left_over)} such tensors), which has no place in the network of its "
            f"args; {_advice(left_over[0])}"
        )
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            raise ConfigError(
                f"{source}: {name} is {list(tensor.shape)}, but its args mean {list(wanted[name].shape)}; "
                f"{_advice(name)}"
            )
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise ConfigError(f"{source}: {name} was saved as whole numbers where others belong, or the reverse")


def _advice(name: str) -> str:
    decisive = next((flags for start, flags in ARGUMENTS.items() if name.startswith(start)), "the sizes")
    return f"compare {decisive} in its args"
