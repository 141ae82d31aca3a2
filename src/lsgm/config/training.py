"""Settings of the two training stages (method.md: Training algorithms)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from .base import Section


class KlSchedule(Section):
    """kl_coeff(step): constant for a portion of the iterations, then linear from start to end."""

    start: float = Field(1.0, ge=0)
    end: float = Field(1.0, ge=0)
    const_portion: float = Field(0.0, ge=0, le=1)
    anneal_portion: float = Field(0.1, gt=0, le=1)


class RescueConfig(Section):
    """What a run does after `max_skipped` non-finite updates in a row: it goes back, and on more carefully."""

    rollbacks: int = Field(
        3,
        ge=0,
        le=20,
        description="times it goes back to its last good checkpoint before it ends as diverged; 0 is off",
    )
    lr_factor: float = Field(0.5, ge=0.01, le=1, description="multiplies all learning rates, at each of these times")
    sr_factor: float = Field(
        2.0, ge=1, le=100, description="multiplies sr_coeff, sr_coeff_vae and sr_coeff_sgm, at each of these times"
    )


class LoopConfig(Section):
    """What both stages share: length, batch, warm-up, guards, checkpoints."""

    section: ClassVar[str]

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1, description="global batch, over all processes")
    # Left out of a saved file and of fingerprints where it does nothing, so that it makes no earlier result stale.
    accumulate: int = Field(
        1,
        ge=1,
        exclude_if=lambda parts: parts == 1,
        description="parts that each process's share of a batch goes through the networks in, one after the other",
    )
    # Both say how a machine does the work, not what it computes: they are in no fingerprint, saved file or checkpoint,
    # so a run may go on with another choice.
    compile: bool = Field(
        False,
        exclude=True,
        description="torch.compile of the networks' residual cells and blocks: minutes at the first start, then less "
        "time per step; needs a C++ compiler on a CPU, Triton on a GPU; one process only",
    )
    checkpoint_activations: bool = Field(
        False,
        exclude=True,
        description="keep only the inputs of residual cells and blocks for the backward pass, and compute the rest "
        "again there: less memory, about a third more time",
    )
    warmup_epochs: int = Field(5, ge=0)
    weight_decay: float = Field(3.0e-4, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    grad_clip: float = Field(0.0, ge=0, description="global gradient norm; 0 is off")
    kl_balance: bool = False
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: bfloat16 where the device has it, else float32"
    )
    log_every: int = Field(100, ge=1, description="steps between two lines of the training curve")
    checkpoint_every: int = Field(1000, ge=1, description="steps between two checkpoints")
    max_skipped: int = Field(20, ge=1, description="non-finite updates in a row before the run goes back")
    # Both change nothing for a run without trouble, so that leaving the defaults out makes no earlier result stale.
    rescue: RescueConfig = Field(RescueConfig(), exclude_if=lambda rescue: rescue == RescueConfig())
    result: Literal["last", "best"] = Field(
        "last",
        exclude_if=lambda result: result == "last",
        description="weights in the model file: those of the end, or of the checkpoint (the end is one) with the "
        "lowest mean NELBO on the training batches since the checkpoint before it, whatever kl_coeff is",
    )

    @model_validator(mode="after")
    def _consistent(self) -> LoopConfig:
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"{self.section}.accumulate = {self.accumulate} does not divide {self.section}.batch_size = "
                f"{self.batch_size}; take a divisor"
            )
        if self.compile and self.checkpoint_activations:
            raise ValueError(
                f"{self.section}.compile and {self.section}.checkpoint_activations cannot both be true; "
                "set one of them to false"
            )
        return self


class PretrainConfig(LoopConfig):
    """Stage 1: the VAE with a Normal prior on every group (alpha = 0)."""

    section = "pretrain"

    epochs: int = Field(400, ge=1)
    batch_size: int = Field(256, ge=1)
    lr: float = Field(1.0e-2, gt=0)
    lr_min: float = Field(1.0e-4, ge=0)
    eps: float = Field(1.0e-3, gt=0, description="Adamax: added to |g| inside the infinity norm")
    kl: KlSchedule = KlSchedule(start=1.0e-4, end=1.0, const_portion=1.0e-4, anneal_portion=0.3)
    kl_balance: bool = True
    sr_coeff: float = Field(1.0e-2, ge=0, description="lambda of the spectral and norm-scale terms")


class TrainConfig(LoopConfig):
    """Stage 2: VAE and prior together, or the prior alone."""

    section = "train"

    epochs: int = Field(1875, ge=1)
    batch_size: int = Field(256, ge=1)
    train_vae: bool = Field(True, description="false: the VAE is frozen, in eval mode")
    official_frozen_vae: bool = Field(
        False, description="parity switch: a frozen VAE stays in training mode, its batch norms' statistics move on"
    )
    lr_vae: float = Field(1.0e-4, gt=0)
    lr_vae_min: float = Field(1.0e-5, ge=0)
    lr_sgm: float = Field(1.0e-4, gt=0)
    lr_sgm_min: float = Field(1.0e-4, ge=0)
    eps_vae: float = Field(1.0e-3, gt=0)
    eps_sgm: float = Field(1.0e-4, gt=0)
    weight_decay_form: Literal["decoupled", "l2"] = "decoupled"
    ema_decay: float = Field(0.9999, ge=0, lt=1)
    kl: KlSchedule = KlSchedule()
    sr_coeff_vae: float = Field(1.0e-2, ge=0)
    sr_coeff_sgm: float = Field(1.0e-2, ge=0)
    sr_sgm_convs: bool = Field(False, description="include the score network's convolutions in the spectral term")
    official_spectral: bool = Field(
        False,
        description="parity switch: the spectral term is computed in the type that the networks run in, and leaves out "
        "convolutions that resample with FIR filters",
    )
    drop_inactive: bool = Field(False, description="mask latent channels whose KL is below 0.1 nat at the start")
