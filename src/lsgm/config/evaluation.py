"""Settings of sampling and evaluation (method.md: Likelihood)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Section

# Below the data root, unless `evaluate.frechet.weights` says otherwise. clean-fid accepts no other name for the first.
WEIGHT_FILES = {"inception": "inception-2015-12-05.pt", "resnet56_cifar10": "cifar_resnet/resnet56_cifar10.npz"}


class SampleConfig(Section):
    """How images are drawn from a trained model."""

    num_samples: int = Field(50_000, ge=2, description="images to draw; a distance needs two at least")
    batch_size: int = Field(100, ge=1)
    solver: Literal["ode", "multistep", "heun", "ancestral", "predictor_corrector"] = Field(
        "ode",
        description="adaptive ODE; the same ODE in few fixed steps, multistep or Heun's; ancestral sampling; or the "
        "reverse SDE with Langevin corrections",
    )
    tol: float = Field(1.0e-5, gt=0, description="rtol = atol of the adaptive solver")
    time_end: float = Field(1.0e-5, gt=0, lt=1, description="t_o: where all samplers but the ancestral one stop")
    evaluations: int = Field(
        10, ge=2, description="of the network, by the solvers of fixed steps: one a step (multistep) or two (heun)"
    )
    num_steps: int = Field(1000, ge=2, description="T of the ancestral sampler, N of the predictor-corrector sampler")
    step_variance: Literal["beta", "beta_post"] = Field("beta", description="noise variance of the ancestral sampler")
    # Both are left out of a saved file and of fingerprints at their defaults: they make no earlier result stale.
    corrector_steps: int = Field(
        1,
        ge=0,
        exclude_if=lambda steps: steps == 1,
        description="Langevin corrections before each predictor-corrector step; 0: the reverse SDE alone",
    )
    corrector_snr: float = Field(
        0.16,
        gt=0,
        lt=1,
        exclude_if=lambda ratio: ratio == 0.16,
        description="r: signal-to-noise ratio of a correction, which gives it its size; from 1 on they would diverge",
    )
    prior_temperature: float = Field(1.0, gt=0)
    vae_temperature: float = Field(1.0, gt=0)
    official_discretisation: bool = Field(
        False, description="parity switch: the ancestral sampler treats every SDE as variance preserving"
    )
    official_mask: bool = Field(
        False, description="parity switch: the network sees inactive channels too, as in the authors' evaluation"
    )
    official_error_norm: bool = Field(
        False,
        description="parity switch: the adaptive solver takes the same steps with a whole batch, by its mean error",
    )
    batch_statistics: bool = Field(False, description="the decoder's batch norms use each generated batch's statistics")

    @model_validator(mode="after")
    def _consistent(self) -> SampleConfig:
        if self.solver == "heun" and self.evaluations % 2:
            raise ValueError(
                f"sample.evaluations = {self.evaluations} is odd, but sample.solver = heun takes two in each step; "
                f"take {self.evaluations + 1}"
            )
        return self

    @property
    def solver_words(self) -> str:
        """The solver as results name it."""
        if self.solver != "predictor_corrector":
            return self.solver
        if not self.corrector_steps:
            return f"predictor-corrector, {self.num_steps} steps without corrector"
        evaluations = f"1 + {self.corrector_steps} evaluations, signal-to-noise ratio {self.corrector_snr:g}"
        return f"predictor-corrector, {self.num_steps} steps of {evaluations}"


class NelboConfig(Section):
    """NELBO by the probability-flow ODE (method.md: Likelihood)."""

    solver: Literal["multistep", "adaptive"] = Field(
        "multistep", description="fixed steps with new trace probes at each, or adaptive steps with a fixed probe"
    )
    num_steps: int = Field(75, ge=2, description="of the multistep solver; one evaluation more")
    tol: float = Field(1.0e-5, gt=0, description="rtol = atol of the adaptive solver")
    time_end: float = Field(1.0e-5, gt=0, lt=1, description="t_o: where the ODE ends that starts at t = 1")
    probe: Literal["rademacher", "gaussian"] = "rademacher"
    num_probes: int | None = Field(
        None,
        ge=1,
        description="multistep: trace probes at each evaluation (null: 2); adaptive: solves per image, each with its "
        "own probe (null: 1); at least 2 give a standard error of the probes",
    )
    batch_size: int = Field(100, ge=1)
    num_images: int | None = Field(None, ge=2, description="of the test set, drawn with a fixed seed; null: all")
    official_probes: bool = Field(
        False, description="parity switch: adaptive steps, and Gaussian probes drawn anew at every evaluation"
    )
    official_mask: bool = Field(
        False, description="parity switch: the network sees inactive channels too, as in the authors' evaluation"
    )
    official_processes: int = Field(
        1, ge=1, description="parity switch: first images count twice until so many processes have equally many"
    )
    num_iw_samples: int = Field(1000, ge=1, description="K of the importance-weighted bound, VAE backbone only")

    @property
    def takes_fixed_steps(self) -> bool:
        """Whether log p(z_0) is solved for in fixed steps; the authors' probes come with the adaptive solver."""
        return self.solver == "multistep" and not self.official_probes

    @property
    def probe_count(self) -> int:
        """`num_probes`, or what its null means for the solver."""
        return self.num_probes or (2 if self.takes_fixed_steps else 1)

    @property
    def solver_words(self) -> str:
        """The solver as results name it."""
        probes = "Gaussian" if self.official_probes or self.probe == "gaussian" else "Rademacher"
        if self.takes_fixed_steps:
            return f"multistep, {self.num_steps} steps, {self.probe_count} new {probes} probes at each"
        words = "new probes at each evaluation" if self.official_probes else "a fixed probe each"
        return f"adaptive, tolerance {self.tol:g}, {self.probe_count} solves, {probes}, {words}"


class FrechetConfig(Section):
    """Which features the Fréchet distance is taken on. It is called FID only for `inception`."""

    features: Literal["inception", "resnet56_cifar10", "random_conv", "none"] = "inception"
    weights: str | None = Field(None, description="file of the feature network; relative paths start at the data root")
    sha256: str | None = Field(None, description="expected checksum of that file")
    protocol: Literal["paper", "clean-fid"] = Field(
        "paper", description="how images reach the Inception network: bilinear as in the paper, or clean-fid's bicubic"
    )
    reference: Literal["train", "train and test"] = Field("train", description="real images to compare with")
    num_reference: int | None = Field(
        50_000, ge=2, description="reference images at most, drawn with a fixed seed; null: all"
    )
    official_processes: int = Field(
        1, ge=1, description="parity switch: means and covariances of so many parts are averaged, not pooled"
    )
    batch_size: int = Field(100, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> FrechetConfig:
        if self.features in ("random_conv", "none") and self.weights is not None:
            raise ValueError(f"evaluate.frechet.weights has no meaning for features {self.features!r}; remove it")
        return self

    @property
    def weights_file(self) -> str | None:
        """File of the feature network's weights, relative paths below the data root; None where there is none."""
        return self.weights or WEIGHT_FILES.get(self.features)


class EvaluateConfig(Section):
    """What is measured on a trained model."""

    nelbo: NelboConfig = NelboConfig()
    frechet: FrechetConfig = FrechetConfig()
