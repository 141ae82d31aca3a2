"""Sizes read off the shapes of every published configuration, and the networks that follow from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lsgm.compat.official import convert
from lsgm.compat.official.arguments import experiment_of
from lsgm.compat.official.checkpoint import Checkpoint
from lsgm.compat.official.shapes import channel_mult, image_shape

PUBLISHED = {
    "mnist": ((1, 32, 32), (1, 1)),
    "omniglot": ((1, 32, 32), (1, 1, 1)),
    "cifar10_bestnll": ((3, 32, 32), (1, 1, 1)),
    "celeba256_quant": ((3, 256, 256), (1, 2, 2, 2)),
    "celeba256_qual_stage3": ((3, 256, 256), (1, 1, 2, 2, 2)),
}


def shapes(part: dict) -> dict[str, Tensor]:
    """Tensors without memory, the counters whole numbers."""
    kinds = {True: torch.int64, False: torch.float32}
    return {
        name: torch.empty(shape, dtype=kinds[name.endswith("num_batches_tracked")], device="meta")
        for name, shape in (part["params"] | part["buffers"]).items()
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configurations(reference: Path, name: str) -> None:
    record = json.loads((reference / "f_full_params.json").read_text())["configs"][name]
    checkpoint = Checkpoint("x.pt", record["vada_args"], shapes(record["vae"]), shapes(record["sgm"]), None, 0, 0, ())
    image, widths = image_shape(checkpoint), channel_mult(checkpoint)
    assert (image, widths) == PUBLISHED[name]
    config = experiment_of(checkpoint.args, image, widths, checkpoint.source)
    raw = (image[0], image[1] - 2 * config.data.pad, image[2] - 2 * config.data.pad)
    skeleton = convert._skeleton(config, raw, checkpoint.source)
    weights = convert._weights(checkpoint, skeleton, ema=False)
    assert {key: tensor.shape for key, tensor in weights.items()} == {
        key: tensor.shape for key, tensor in skeleton.state_dict().items()
    }
