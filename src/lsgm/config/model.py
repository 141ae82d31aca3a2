"""Sizes of the two networks (method.md: NVAE backbone). Defaults are those of the paper's CIFAR-10 runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from .base import ConfigError, Section

PIXELS, INTENSITY = "pixels", "intensity"
_KEYS_OF_PIXELS = ("arch", "output")


class VaeConfig(Section):
    """The NVAE backbone. Field names follow the authors' tables (method.md: NVAE backbone).

    With `arch` pixels there is no network: the latent is the image. The sizes below then mean nothing, so they are not
    kept, whatever a scale file says of all VAEs; resolved settings show `arch` and `output` alone.
    """

    arch: Literal["res_bnswish", "res_mbconv", "pixels"] = Field(
        "res_bnswish",
        description="residual cells of the NVAE; or pixels: no VAE, the prior models the image itself, and of this "
        "section only `output` has a meaning beside `arch`",
    )
    num_channels: int = Field(128, ge=1, description="C_e: width of the finest level")
    num_channels_decoder: int | None = Field(None, ge=1, description="C_d, the decoder's; null: as the encoder's")
    channel_mult: tuple[int, ...] = Field((1, 2), description="width of each level in units of num_channels")
    num_preprocess_blocks: int = Field(1, ge=1, description="P: halvings of the resolution before the latent scales")
    num_pre_post_cells: int = Field(2, ge=1, description="cells per pre-process block")
    num_post_cells: int | None = Field(None, ge=1, description="cells per post-process block; null: as before")
    num_latent_scales: int = Field(1, ge=1, description="S: resolutions at which there are latents")
    num_groups_per_scale: int = Field(20, ge=1, description="G: latent groups at each scale")
    num_latent_per_group: int = Field(9, ge=1, description="z: channels of one group")
    num_cells_per_group: int = Field(2, ge=1, description="residual cells per group of the encoder")
    num_cells_per_group_decoder: int | None = Field(None, ge=1, description="the decoder's; null: as the encoder's")
    num_flows: int = Field(0, ge=0, description="pairs of autoregressive flows per group")
    progressive_input: Literal["none", "input_skip"] = "none"
    use_se: bool = Field(True, description="squeeze and excitation in every residual cell")
    log_sigma_limit: float = Field(5.0, gt=0, description="L: soft clamp of the posterior's log standard deviation")
    output: Literal["bernoulli", "discretised_logistic_mixture", "discretised_logistic", "normal", "intensity"] = Field(
        "discretised_logistic_mixture", description="p(x|z); intensity is that of arch pixels, and of no other"
    )

    @model_validator(mode="before")
    @classmethod
    def _without_sizes(cls, values: object) -> object:
        if not isinstance(values, Mapping) or values.get("arch") != PIXELS:
            return values
        kept = {key: value for key, value in values.items() if key in _KEYS_OF_PIXELS or key not in cls.model_fields}
        return {"output": INTENSITY, **kept}

    @model_validator(mode="after")
    def _consistent(self) -> VaeConfig:
        if (self.arch == PIXELS) != (self.output == INTENSITY):
            raise ValueError(
                f"vae.arch = pixels and vae.output = intensity go together: vae.arch is {self.arch!r}, vae.output is "
                f"{self.output!r}; change one of them, or leave vae.output out"
            )
        levels = self.num_preprocess_blocks + self.num_latent_scales
        if len(self.channel_mult) != levels or min(self.channel_mult) < 1:
            raise ValueError(
                f"vae.channel_mult needs {levels} positive entries (num_preprocess_blocks + num_latent_scales), "
                f"not {list(self.channel_mult)}"
            )
        return self

    @model_serializer(mode="wrap")
    def _kept(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        tree = handler(self)
        return tree if self.has_weights else {key: tree[key] for key in _KEYS_OF_PIXELS if key in tree}

    @property
    def has_weights(self) -> bool:
        """Whether there is a network, and so something to train."""
        return self.arch != PIXELS

    @property
    def decoder_channels(self) -> int:
        """C_d: width of the decoder's finest level."""
        return self.num_channels_decoder or self.num_channels

    @property
    def post_cells(self) -> int:
        """Cells per post-process block."""
        return self.num_post_cells or self.num_pre_post_cells

    @property
    def decoder_cells(self) -> int:
        """Residual cells per group of the decoder."""
        return self.num_cells_per_group_decoder or self.num_cells_per_group

    @property
    def downsampling(self) -> int:
        """Factor between the image's side and that of the coarsest latents."""
        return 2 ** (self.num_preprocess_blocks + self.num_latent_scales - 1) if self.has_weights else 1

    def require_sides(self, height: int, width: int, pad: int) -> None:
        """Refuse images that cannot be halved as often as the settings ask.

        Args:
            height: of the raw images, in pixels.
            width: likewise.
            pad: zero pixels added at each side.

        Raises:
            ConfigError: with the next larger `data.pad` that helps, where there is one.
        """
        factor = self.downsampling
        fits = [p for p in range(factor) if (height + 2 * p) % factor == 0 and (width + 2 * p) % factor == 0]
        if pad % factor in fits:
            return
        padding = next((p for p in range(pad, pad + factor) if p % factor in fits), None)
        cure = "resize or crop the images" if padding is None else f"set data.pad = {padding}"
        raise ConfigError(
            f"images of {height}x{width} pixels with data.pad = {pad} cannot be divided by {factor} = "
            f"2^(vae.num_preprocess_blocks + vae.num_latent_scales - 1); {cure}, or lower one of these"
        )


class PriorConfig(Section):
    """The score network and the mixed score (method.md: Score network, method.md: Mixed score)."""

    num_channels: int = Field(512, ge=4, description="F: width of the first level")
    channel_mult: tuple[int, ...] = Field((1, 1, 1), description="width of each level in units of num_channels")
    num_cells_per_scale: int = Field(8, ge=1, description="N_b: residual blocks per level on the way down")
    dropout: float = Field(0.2, ge=0, lt=1)
    fir: bool = Field(True, description="[1,3,3,1] filtered resampling instead of nearest / mean")
    attention_resolutions: tuple[int, ...] = Field((16,), description="attention at these sides, and in the middle")
    embedding: Literal["positional", "fourier"] = "positional"
    embedding_dim: int = Field(128, ge=4, multiple_of=2)
    embedding_scale: float = Field(1000.0, gt=0)
    progressive: Literal["none", "output_skip", "residual"] = Field(
        "none", description="the output is built level by level: summed, or fed on as a residual"
    )
    progressive_input: Literal["none", "input_skip", "residual"] = Field(
        "none", description="every level also sees the latent at its own resolution"
    )
    progressive_combine: Literal["sum", "cat"] = Field("sum", description="how input_skip joins the two")
    mixed_score: bool = Field(True, description="mix with the Normal score; false means alpha = 1 everywhere")
    mixing_logit_init: float = Field(-3.0, description="initial logit of alpha, one per latent channel")

    @model_validator(mode="after")
    def _consistent(self) -> PriorConfig:
        if not self.channel_mult or min(self.channel_mult) < 1:
            raise ValueError(f"prior.channel_mult needs positive entries, not {list(self.channel_mult)}")
        for mult in self.channel_mult:
            channels = self.num_channels * mult
            groups = min(channels // 4, 32)
            if channels % groups:
                raise ValueError(
                    f"prior.num_channels x channel_mult gives {channels} channels, which {groups} normalisation groups "
                    f"do not divide; take a multiple of 4 below 128, or of 32"
                )
        return self
