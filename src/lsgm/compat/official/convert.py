"""From a checkpoint of the authors' scripts to a model of ours.

Shapes are compared before any network is built in memory, and every tensor must find its place: names, shapes and
values are those of the file to the last weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lsgm.config import ConfigError, ExperimentConfig
from lsgm.models import Lsgm, MixedScorePrior, build_lsgm, build_vae
from lsgm.sde import build_sde

from .arguments import experiment_of, unknown_flags
from .checkpoint import Checkpoint, read_checkpoint
from .ema import averaged_score, has_average
from .score_names import from_official, official_names, to_official
from .shapes import channel_mult, image_shape
from .state import require_same_tensors
from .vae_layers import ALIAS
from .vae_names import official_state, official_vae_state

MIXING_LOGIT = "mixing_logit"
# Channels found inactive start at -15 and hardly move; all others start at -3 or -6.
INACTIVE_BELOW = -10.0


@dataclass(frozen=True)
class OfficialModel:
    """What a checkpoint of the authors' scripts amounts to.

    Attributes:
        model: on the CPU, in eval mode.
        config: settings inferred from the arguments and from the shapes.
        image_shape: (C, H, W) of the raw images, without padding.
        steps: optimiser steps done.
        epochs: epochs done.
        has_ema: whether the optimiser's state holds averages of the score network's weights.
        num_inactive: channels that the network did not see in training (`drop_inactive_var`), whether masked or not.
        left_out: entries of the file, and `args.<name>` of its arguments, that nothing here is made of.
    """

    model: Lsgm
    config: ExperimentConfig
    image_shape: tuple[int, int, int]
    steps: int
    epochs: float
    has_ema: bool
    num_inactive: int
    left_out: tuple[str, ...]


def load(path: Path | str, ema: bool = False, device: torch.device | str = "cpu", mask_inactive: bool = False) -> Lsgm:
    """Return the model of a checkpoint, in eval mode.

    Args:
        path: the checkpoint.
        ema: as for `read`.
        device: where the model goes.
        mask_inactive: as for `read`.

    Raises:
        ConfigError: as `read` does.
    """
    return read(path, ema, mask_inactive=mask_inactive).model.to(device)


def read(
    path: Path | str,
    ema: bool = False,
    kind: Literal["vae", "lsgm"] | None = None,
    mask_inactive: bool = False,
) -> OfficialModel:
    """Read a checkpoint of the authors' scripts; nothing in it is executed.

    Args:
        path: the checkpoint, of stage 1 or of an LSGM.
        ema: take the average that the optimiser keeps for the score network's weights. That is right for
            `checkpoint.pt`. The best checkpoints (`checkpoint_fid.pt`, `checkpoint_nll.pt`) have the average in place,
            and where `checkpoint.pt` has the average they have the raw weights.
        kind: what the file must hold; None accepts both.
        mask_inactive: hide from the network the channels that it did not see in training. The authors' evaluation does
            not, and its numbers are without (method.md: Where the published code differs).

    Raises:
        ConfigError: the file is damaged, would run code, is of another kind, lacks a tensor, has one that has no place
            in the model, contradicts its arguments, or has arguments that we have no settings for; one line that
            starts with the path.
    """
    checkpoint = read_checkpoint(Path(path), kind)
    shape = image_shape(checkpoint)
    config = experiment_of(checkpoint.args, shape, channel_mult(checkpoint), checkpoint.source)
    raw_shape = (shape[0], shape[1] - 2 * config.data.pad, shape[2] - 2 * config.data.pad)
    weights = _weights(checkpoint, _skeleton(config, raw_shape, checkpoint.source), ema)
    model = build_lsgm(config, raw_shape)
    model.load_state_dict(weights)
    inactive = _inactive(model.prior, config)
    if mask_inactive:
        _mask(model.prior, inactive, checkpoint.source)
    return OfficialModel(
        model=model.eval(),
        config=config,
        image_shape=raw_shape,
        steps=checkpoint.steps,
        epochs=checkpoint.epochs,
        has_ema=has_average(checkpoint),
        num_inactive=int(inactive.sum()),
        left_out=checkpoint.left_out + tuple(f"args.{name}" for name in unknown_flags(checkpoint.args)),
    )


def _skeleton(config: ExperimentConfig, raw_shape: tuple[int, int, int], source: str) -> Lsgm:
    """Build the model without memory for its weights, to compare shapes with."""
    try:
        sde = None if config.is_vae else build_sde(config.sde)
        with torch.device("meta"):
            vae = build_vae(config, raw_shape)
            return Lsgm(vae, None if sde is None else MixedScorePrior(config.prior, vae.prior_shape, sde))
    except (ConfigError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{source}: its args describe no network that can be built ({reason})") from None


def _weights(checkpoint: Checkpoint, skeleton: Lsgm, ema: bool) -> dict[str, Tensor]:
    """Translate the tensors of a checkpoint to the model's, after comparing the two."""
    source = f"{checkpoint.source}: the VAE's state dict"
    vae = skeleton.vae
    wanted = official_state(vae.state_dict(), vae.config)
    # Second names of a weight need not be there.
    wanted = {name: tensor for name, tensor in wanted.items() if name in checkpoint.vae or not name.endswith(ALIAS)}
    require_same_tensors(checkpoint.vae, wanted, source)
    try:
        ours = official_vae_state(checkpoint.vae, vae.config)
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None
    weights = {f"vae.{name}": tensor for name, tensor in ours.items()}
    if skeleton.prior is None:
        if ema:
            raise ConfigError(f"{checkpoint.source}: holds a VAE of stage 1, of which no average (EMA) is kept")
        return weights
    return weights | _prior_weights(checkpoint, skeleton.prior, ema)


def _prior_weights(checkpoint: Checkpoint, prior: MixedScorePrior, ema: bool) -> dict[str, Tensor]:
    network, source = prior.network, f"{checkpoint.source}: dae_state_dict"
    wanted = to_official(network, network.state_dict())
    if prior.mixing_logit is not None:
        wanted[MIXING_LOGIT] = prior.mixing_logit
    require_same_tensors(checkpoint.score, wanted, source)
    score = checkpoint.score
    if ema:
        names = official_names(network)
        score = averaged_score(checkpoint, {names[name] for name, _ in network.named_buffers() if name in names})
        require_same_tensors(score, wanted, f"{source}, averaged")
    weights = {"prior.active": torch.ones(prior.active.shape)}
    if prior.mixing_logit is not None:
        weights[f"prior.{MIXING_LOGIT}"] = score[MIXING_LOGIT]
    own = from_official(network, {name: tensor for name, tensor in score.items() if name != MIXING_LOGIT})
    return weights | {f"prior.network.{name}": tensor for name, tensor in own.items()}


def _inactive(prior: MixedScorePrior | None, config: ExperimentConfig) -> Tensor:
    """Which channels of the latent the network did not see in training, (channels,), bool."""
    if prior is None or prior.mixing_logit is None or not config.train.drop_inactive:
        return torch.zeros(0, dtype=torch.bool)
    return prior.mixing_logit.detach().flatten() < INACTIVE_BELOW


def _mask(prior: MixedScorePrior | None, inactive: Tensor, source: str) -> None:
    if not len(inactive):
        raise ConfigError(f"{source}: no channels to mask, its run did not drop inactive ones (drop_inactive_var)")
    # Only the mask: the logits have moved in training, and stay as they are.
    prior.active.masked_fill_(inactive[None, :, None, None], 0.0)
