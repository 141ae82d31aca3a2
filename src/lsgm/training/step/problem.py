"""What one step of the joint stage acts on: the networks, and the quantities that every algorithm is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn import Parameter

from lsgm.diffusion import cross_entropy_terms, denoising_error
from lsgm.models import Lsgm
from lsgm.models.nvae import VaeOutput
from lsgm.training.optimisation.ema import Ema

from .accumulation import counted
from .draws import Diffusion
from .objective import Nelbo, nelbo
from .precision import Precision


@dataclass(frozen=True)
class JointProblem:
    """What the algorithms act on.

    Attributes:
        model: VAE and prior.
        vae_parameters: phi and psi, in a fixed order.
        prior_parameters: theta.
        vae_regulariser: lambda_vae R_vae.
        prior_regulariser: lambda_sgm R_sgm.
        precision: type of the networks' arithmetic.
        ema: average of theta, for the algorithm that lets the VAE see it; else None.
        official_kappa: parity switch, algorithm 1 only: the KL terms' coefficients multiply the prior's loss as well.
    """

    model: Lsgm
    vae_parameters: list[Parameter]
    prior_parameters: list[Parameter]
    vae_regulariser: Callable[[], Tensor | None]
    prior_regulariser: Callable[[], Tensor | None]
    precision: Precision
    ema: Ema | None = None
    official_kappa: bool = False

    def regularised(self, times: float) -> JointProblem:
        """The same problem, in which the regularisers count `times` times."""
        regularisers = [counted(each, times) for each in (self.vae_regulariser, self.prior_regulariser)]
        return replace(self, vae_regulariser=regularisers[0], prior_regulariser=regularisers[1])

    def encode(self, x: Tensor, noises: list[Tensor]) -> tuple[VaeOutput, Tensor]:
        """Return the VAE's output and the prior's latent z0."""
        with self.precision.autocast():
            output = self.model.vae(x, noises)
        return output, self.model.vae.join(output.latents)

    def squared_error(self, z0: Tensor, diffusion: Diffusion) -> Tensor:
        """(eps - eps_theta)^2 elementwise at the diffused z0."""
        return denoising_error(self.model.prior.sde, self._predict, z0, diffusion.noise, diffusion.times)

    def bound(self, output: VaeOutput, x: Tensor, squared_error: Tensor, diffusion: Diffusion) -> Nelbo:
        """The NELBO whose cross entropy is estimated from `squared_error` with the weights lambda_q."""
        weight = diffusion.times.vae_weight
        return nelbo(self.model.vae, output, x, cross_entropy_terms(self.model.prior.sde, squared_error, weight))

    def _predict(self, z: Tensor, time: Tensor) -> Tensor:
        with self.precision.autocast():
            return self.model.prior(z, time)
