"""Sizes that the authors' scripts do not keep among their arguments, read off the shapes of the tensors.

These are the image's shape, which the data set decides, and the widths of the score network, which their code knows by
the number of levels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from lsgm.config import ConfigError

from .checkpoint import Checkpoint

CONSTANT = "prior_ftr0"
STEM = "stem.weight"
# Of the numbered modules, residual blocks alone project the time.
RESIDUAL_BLOCK = re.compile(r"all_modules\.(\d+)\.Dense_0\.weight")
LARGEST = 4096


def image_shape(checkpoint: Checkpoint) -> tuple[int, int, int]:
    """Return (C, H, W) of the VAE's input, padding included.

    Args:
        checkpoint: its weights and arguments.

    Raises:
        ConfigError: tensors are absent or of impossible shapes, or the arguments name sizes beyond what they hold.

    Source: method.md: NVAE backbone.
    """
    blocks, scales = _size(checkpoint, "num_preprocess_blocks"), _size(checkpoint, "num_latent_scales")
    _require_bounded(checkpoint, blocks, scales)
    _, height, width = _shape(checkpoint, CONSTANT, 3)
    channels = _shape(checkpoint, STEM, 4)[1]
    factor = 2 ** (blocks + scales - 1)
    return channels, height * factor, width * factor


def channel_mult(checkpoint: Checkpoint) -> tuple[int, ...] | None:
    """Return the width of each level of the score network in units of the first's; None for a VAE alone.

    The blocks on the way down are numbered from the first level on: those of a level, then one that halves the
    resolution.

    Args:
        checkpoint: its weights and arguments.

    Raises:
        ConfigError: the arguments contradict the number of residual blocks or their widths.

    Source: method.md: Score network.
    """
    score = checkpoint.score
    if score is None:
        return None
    base, levels = _size(checkpoint, "num_channels_dae"), _size(checkpoint, "num_scales_dae")
    cells = _size(checkpoint, "num_cell_per_scale_dae")
    blocks = _residual_blocks(score)
    expected = levels * (2 * cells + 3)
    if len(blocks) != expected:
        raise ConfigError(
            f"{checkpoint.source}: dae_state_dict has {len(blocks)} residual blocks, but num_scales_dae = {levels} and "
            f"num_cell_per_scale_dae = {cells} in its args mean {expected}"
        )
    widths = [_width(checkpoint, f"all_modules.{blocks[level * (cells + 1)]}.Conv_0.weight") for level in range(levels)]
    # Their first level always has the base width.
    if widths[0] != base or any(width % base for width in widths):
        raise ConfigError(
            f"{checkpoint.source}: the score network's levels have {widths} channels, but num_channels_dae = {base} in "
            f"its args"
        )
    return tuple(width // base for width in widths)


def _residual_blocks(score: Mapping[str, Tensor]) -> list[int]:
    matches = (RESIDUAL_BLOCK.fullmatch(name) for name in score)
    return sorted(int(match[1]) for match in matches if match)


def _width(checkpoint: Checkpoint, name: str) -> int:
    tensor = checkpoint.score.get(name)
    if tensor is None or tensor.ndim != 4:
        raise ConfigError(f"{checkpoint.source}: dae_state_dict has no convolution {name}")
    return tensor.shape[0]


def _shape(checkpoint: Checkpoint, name: str, ndim: int) -> list[int]:
    tensor = checkpoint.vae.get(name)
    if tensor is None:
        raise ConfigError(f"{checkpoint.source}: the VAE's state dict lacks {name}")
    shape = list(tensor.shape)
    if tensor.ndim != ndim:
        raise ConfigError(f"{checkpoint.source}: {name} is {shape}, expected {ndim} dimensions")
    return shape


def _size(checkpoint: Checkpoint, name: str, least: int = 1) -> int:
    if name not in checkpoint.args:
        raise ConfigError(f"{checkpoint.source}: its args lack {name}, without which the network cannot be rebuilt")
    value = checkpoint.args[name]
    if type(value) is not int or not least <= value <= LARGEST:
        raise ConfigError(f"{checkpoint.source}: {name} = {value!r} in its args is not a whole number from {least} up")
    return value


def _require_bounded(checkpoint: Checkpoint, blocks: int, scales: int) -> None:
    """Refuse arguments whose network would have more cells than there are tensors, before any of it is built."""
    flags = ("num_groups_per_scale", "num_cell_per_cond_enc", "num_cell_per_cond_dec")
    groups, encoder, decoder = (_size(checkpoint, name) for name in flags)
    before, after = (_size(checkpoint, name) for name in ("num_preprocess_cells", "num_postprocess_cells"))
    flows = _size(checkpoint, "num_nf", least=0) if "num_nf" in checkpoint.args else 0
    cells = scales * groups * (encoder + decoder + flows) + blocks * (before + after)
    if cells > len(checkpoint.vae) or blocks + scales > 32:
        raise ConfigError(
            f"{checkpoint.source}: its args describe a VAE of {cells} cells, but its state dict has only "
            f"{len(checkpoint.vae)} tensors; compare {', '.join(flags)} and num_preprocess_blocks"
        )
