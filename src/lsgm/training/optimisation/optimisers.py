"""The optimisers of both stages: Adamax for the VAE's pretraining, Adam for the joint stage.

All apply weight decay to every parameter, norm scales and mixing logits included, as the paper's runs did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch.nn import Parameter
from torch.optim import Optimizer

from lsgm.config import PretrainConfig, TrainConfig

from .light_optimisers import Adam, Adamax, AdamW


def pretrain_optimiser(parameters: Sequence[Parameter], config: PretrainConfig) -> Optimizer:
    """Adamax with L2 decay; `eps` is added to |g| inside the infinity norm. The rate is set at every step."""
    return Adamax(
        parameters,
        lr=config.lr,
        betas=config.betas,
        eps=config.eps,
        weight_decay=config.weight_decay,
        foreach=True,
    )


def joint_optimiser(parameters: Sequence[Parameter], part: Literal["vae", "prior"], config: TrainConfig) -> Optimizer:
    """Adam for one of the two networks; `config.weight_decay_form` decides between AdamW's decay and L2.

    The decoupled form is the default of the fused optimiser that the authors' code prefers; the L2 form is what it
    falls back to.
    """
    lr, eps = (config.lr_vae, config.eps_vae) if part == "vae" else (config.lr_sgm, config.eps_sgm)
    kind = AdamW if config.weight_decay_form == "decoupled" else Adam
    return kind(parameters, lr=lr, betas=config.betas, eps=eps, weight_decay=config.weight_decay, fused=True)
