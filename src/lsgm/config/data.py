"""Which data set, and how its arrays become network inputs (method.md: Data)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Section

DatasetName = Literal[
    "digits", "patches", "mnist", "omniglot", "omniglot_originals", "cifar10", "celebahq256", "folder", "npz"
]


class DataConfig(Section):
    """One data set and its preparation. Arrays on disk are raw 8-bit images; all else happens when a batch is made."""

    name: DatasetName = Field(description="reader to use")
    path: str | None = Field(None, description="folder or npz file, for the readers `folder` and `npz` only")
    binarise: bool = Field(False, description="draw each pixel from Bernoulli(intensity) afresh at every access")
    pad: int = Field(0, ge=0, description="zero pixels added at each side; likelihoods count the centre only")
    flip: bool = Field(False, description="horizontal flips in training")
    num_bits: int = Field(8, ge=1, le=8, description="bits per colour channel that the model sees")
    patch_size: int = Field(8, ge=4, description="side of a patch in pixels, for the reader `patches`")
    num_train: int | None = Field(None, ge=1, description="number of training images: made (patches) or kept (others)")
    num_test: int | None = Field(None, ge=1, description="number of test images: made (patches) or kept (others)")
    test_fraction: float = Field(0.1, gt=0, lt=1, description="held out from a `folder` or npz without a test part")

    @model_validator(mode="after")
    def _consistent(self) -> DataConfig:
        if (self.path is not None) != (self.name in ("folder", "npz")):
            raise ValueError(
                f"data.path is needed by the readers folder and npz, and by no other: data.name is {self.name!r}, "
                f"data.path is {self.path!r}"
            )
        if self.binarise and self.num_bits != 8:
            raise ValueError(f"data.num_bits must be 8 when data.binarise is true, not {self.num_bits}")
        return self
