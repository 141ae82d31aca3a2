"""From a model of ours to a checkpoint that the authors' scripts can load."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from lsgm.config import ConfigError, ExperimentConfig
from lsgm.models import Lsgm
from lsgm.models.files import first_non_finite
from lsgm.whole_file import write_whole

from .checkpoint import SCORE_ENTRY, VAE_ENTRIES
from .convert import MIXING_LOGIT
from .namespace import arguments_of
from .score_names import to_official
from .vae_names import official_state


def write(
    path: Path | str,
    model: Lsgm,
    config: ExperimentConfig,
    image_shape: tuple[int, int, int],
    steps: int = 0,
    epochs: float = 0,
    drop_mask: bool = False,
) -> None:
    """Write a checkpoint as the authors' scripts do: arguments and state dicts under their names, no optimisers.

    The weights of an LSGM are those that `model` has, its average if it came out of training. A stage-1 VAE is written
    under both names under which the scripts look for one.

    Args:
        path: the file; its folder is made if absent. It appears whole or not at all.
        model: the model, on any device.
        config: its settings.
        image_shape: (C, H, W) of the raw images, without padding.
        steps: optimiser steps done.
        epochs: epochs done.
        drop_mask: write a model although its network does not see all channels, which the format cannot say: the
            authors' code will show it all of them, and get other numbers.

    Raises:
        ConfigError: their format or their code has no place for something in the model; nothing is written.
        ValueError: `model`, `config` and `image_shape` do not belong together.
    """
    path = Path(path)
    padded = _padded(image_shape, config.data.pad)
    if (model.prior is None) != config.is_vae or tuple(model.vae.image_shape) != padded:
        raise ValueError(f"{path}: the model does not belong to the settings of {config.name!r}")
    try:
        content = _content(model, config, padded, drop_mask)
    except ConfigError as error:
        raise ConfigError(f"{path}: not written, {error}") from None
    content = {"epoch": epochs, "global_step": steps} | content
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda temporary: _save(content, temporary))


def _content(model: Lsgm, config: ExperimentConfig, padded: tuple[int, int, int], drop_mask: bool) -> dict[str, object]:
    args = argparse.Namespace(**arguments_of(config, padded))
    if model.prior is not None and model.prior.mixing_logit is None:
        raise ConfigError("prior.mixed_score is false, and the authors' code always mixes the score")
    hidden = 0 if model.prior is None else int((model.prior.active == 0).sum())
    if hidden and not drop_mask:
        raise ConfigError(
            f"the network does not see {hidden} inactive channels of the latent, which their format cannot say and "
            f"their evaluation ignores; drop the mask (--drop-mask) if other numbers are acceptable"
        )
    bad = first_non_finite(model.state_dict())
    if bad is not None:
        raise ConfigError(f"{bad} has entries that are not finite")
    vae = _on_cpu(official_state(model.vae.state_dict(), model.vae.config))
    if model.prior is None:
        return {"args": args, **dict.fromkeys(VAE_ENTRIES, vae)}
    network = model.prior.network
    # Their optimiser counts parameters in this order, the logits first.
    score = {MIXING_LOGIT: model.prior.mixing_logit, **to_official(network, network.state_dict())}
    return {"args": args, "vae_state_dict": vae, SCORE_ENTRY: _on_cpu(score)}


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _padded(image_shape: tuple[int, int, int], pad: int) -> tuple[int, int, int]:
    channels, height, width = image_shape
    return channels, height + 2 * pad, width + 2 * pad


def _save(content: dict[str, object], path: Path) -> None:
    # An open file rather than a path, whose name torch would put into the archive: equal models give equal files.
    with path.open("wb") as file:
        torch.save(content, file)
