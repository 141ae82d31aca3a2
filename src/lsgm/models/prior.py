"""The score-based prior with the mixed score (method.md: Mixed score; LSGM section 3.2).

    epsilon(z_t, t) = (1 - alpha) M(z_t, t) + alpha epsilon'(z_t, t)

M is the best prediction if the latents were standard Normal, epsilon' the network, alpha = sigmoid(logit) one learned
number per latent channel. alpha = 0 is the standard Normal prior of the first stage, so training starts from there.
The mix is formed in float32 at least: near t = 1 the loss weights multiply its error by thousands.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lsgm.config import ConfigError, PriorConfig
from lsgm.sde import Sde

from .score import ScoreNetwork

INACTIVE_LOGIT = -15.0


class MixedScorePrior(nn.Module):
    """The prior over the latents of the coarsest scale.

    Args:
        config: sizes of the network, and whether and how the score is mixed.
        shape: (C, r, r) of the latent.
        sde: the forward process; it gives M.

    Attributes:
        network: epsilon'.
        mixing_logit: (1, C, 1, 1); None where `config.mixed_score` is false, which means alpha = 1.
        active: (1, C, 1, 1), 1 for the channels that the network sees and 0 for the others; saved with the model.

    Raises:
        ConfigError: the latent is not square, or its side does not fit the network's levels.

    Source: LSGM Eq. (6) and section 3.2.
    """

    active: Tensor

    def __init__(self, config: PriorConfig, shape: tuple[int, int, int], sde: Sde):
        super().__init__()
        channels, height, width = shape
        if height != width:
            raise ConfigError(f"the score-based prior needs square images, but its latents are {height}x{width}")
        self.shape = tuple(shape)
        self.sde = sde
        self.network = ScoreNetwork(config, channels, height)
        logit = torch.full((1, channels, 1, 1), config.mixing_logit_init)
        self.mixing_logit = nn.Parameter(logit) if config.mixed_score else None
        self.register_buffer("active", torch.ones(1, channels, 1, 1))

    @property
    def alpha(self) -> Tensor:
        """Share of the network in the prediction, (1, C, 1, 1), in [0, 1]."""
        return torch.ones_like(self.active) if self.mixing_logit is None else torch.sigmoid(self.mixing_logit)

    @property
    def normal_share(self) -> Tensor:
        """1 - alpha, (1, C, 1, 1), without cancellation where alpha is near 1."""
        return torch.zeros_like(self.active) if self.mixing_logit is None else torch.sigmoid(-self.mixing_logit)

    def forward(self, z: Tensor, time: Tensor) -> Tensor:
        """Predict the noise in z_t.

        Args:
            z: (B, C, r, r), the noisy latent.
            time: (B,), in [0, 1].

        Returns:
            (B, C, r, r): epsilon, float64 if z is, else float32. -epsilon / sigma_t is the score of the prior.

        Source: LSGM section 3.2.
        """
        predicted = self.network_prediction(z, time)
        if self.mixing_logit is None:
            return predicted
        dtype = predicted.dtype
        normal = self.sde.normal_prediction(z.to(dtype), time).to(dtype)
        return self.normal_share.to(dtype) * normal + self.alpha.to(dtype) * predicted

    def network_prediction(self, z: Tensor, time: Tensor) -> Tensor:
        """Predict the noise by the network alone: epsilon', before it is mixed; arguments as of `forward`.

        Returns:
            (B, C, r, r), float64 if z is, else float32.
        """
        dtype = torch.promote_types(z.dtype, torch.float32)
        return self.network(z.to(dtype) * self.active.to(dtype), time).to(dtype)

    def normal_coefficient(self, time: Tensor) -> Tensor:
        """Return c with which the Normal part of the prediction is c z_t, so that its trace is known exactly.

        Args:
            time: (B,), in [0, 1].

        Returns:
            (B, C, 1, 1), in the dtype of `time`: (1 - alpha) M(1, t).
        """
        unit = torch.ones(time.shape[0], 1, 1, 1, dtype=time.dtype, device=time.device)
        return self.normal_share.to(time.dtype) * self.sde.normal_prediction(unit, time)

    @torch.no_grad()
    def deactivate(self, inactive: Tensor) -> None:
        """Hide channels that the encoder does not use from the network, and give them the Normal prior.

        Args:
            inactive: (C,), bool, true for the channels to hide. Channels that are hidden already stay hidden.

        Raises:
            ValueError: wrong shape or dtype.

        Source: method.md: Inactive latent channels.
        """
        if inactive.dtype != torch.bool or inactive.shape != self.shape[:1]:
            raise ValueError(f"expected {self.shape[0]} booleans, not {tuple(inactive.shape)} of {inactive.dtype}")
        mask = inactive.to(self.active.device)[None, :, None, None]
        self.active.masked_fill_(mask, 0.0)
        if self.mixing_logit is not None:
            self.mixing_logit.masked_fill_(mask, INACTIVE_LOGIT)
