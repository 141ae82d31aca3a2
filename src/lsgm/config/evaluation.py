"""Settings of sampling and evaluation (spec: method 9, 10 and 11)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Section

# Below the data root, unless `evaluate.frechet.weights` says otherwise. clean-fid accepts no other name for the first.
WEIGHT_FILES = {"inception": "inception-2015-12-05.pt", "resnet56_cifar10": "cifar_resnet/resnet56_cifar10.npz"}


class SampleConfig(Section):
    """How images are drawn from a trained model."""

    num_samples: int = Field(50_000, ge=1)
    batch_size: int = Field(100, ge=1)
    solver: Literal["ode", "ancestral"] = "ode"
    tol: float = Field(1.0e-5, gt=0, description="rtol = atol of the adaptive solver")
    time_end: float = Field(1.0e-5, gt=0, lt=1, description="t_o: where the ODE stops")
    num_steps: int = Field(1000, ge=2, description="T of the ancestral sampler")
    step_variance: Literal["beta", "beta_post"] = Field("beta", description="noise variance of the ancestral sampler")
    prior_temperature: float = Field(1.0, gt=0)
    vae_temperature: float = Field(1.0, gt=0)
    official_discretisation: bool = Field(
        False, description="parity switch: the ancestral sampler treats every SDE as variance preserving"
    )
    official_mask: bool = Field(
        False, description="parity switch: the network sees inactive channels too, as in the authors' evaluation"
    )
    batch_statistics: bool = Field(False, description="the decoder's batch norms use each generated batch's statistics")


class NelboConfig(Section):
    """NELBO by the probability-flow ODE (method 9)."""

    tol: float = Field(1.0e-5, gt=0)
    time_end: float = Field(1.0e-5, gt=0, lt=1)
    probe: Literal["rademacher", "gaussian"] = "rademacher"
    num_probes: int = Field(1, ge=1, description="solves per image, each with its own trace probe")
    batch_size: int = Field(100, ge=1)
    num_images: int | None = Field(None, ge=1, description="first images of the test set; null: all")
    official_probes: bool = Field(
        False, description="parity switch: Gaussian probes, drawn anew at every evaluation of the trace"
    )
    official_mask: bool = Field(
        False, description="parity switch: the network sees inactive channels too, as in the authors' evaluation"
    )
    official_processes: int = Field(
        1, ge=1, description="parity switch: first images count twice until so many processes have equally many"
    )
    num_iw_samples: int = Field(1000, ge=1, description="K of the importance-weighted bound, VAE backbone only")


class FrechetConfig(Section):
    """Which features the Fréchet distance is taken on. It is called FID only for `inception`."""

    features: Literal["inception", "resnet56_cifar10", "random_conv", "none"] = "inception"
    weights: str | None = Field(None, description="file of the feature network; relative paths start at the data root")
    sha256: str | None = Field(None, description="expected checksum of that file")
    protocol: Literal["paper", "clean-fid"] = Field(
        "paper", description="how images reach the Inception network: bilinear as in the paper, or clean-fid's bicubic"
    )
    reference: Literal["train", "train and test"] = Field("train", description="real images to compare with")
    num_reference: int | None = Field(50_000, ge=1, description="reference images at most; null: all")
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
