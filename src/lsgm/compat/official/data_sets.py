"""Data sets of the authors' scripts and ours: names, and what each implies for the images and their Fréchet distance.

Sets of theirs that we have no reader for become a `folder` of that name in the data root: a model file can be sampled
from without it, and `data.path` says where to put images for the rest. So does a colour set at another size than its
own. Sets of ours that they do not know keep our
name, which is read back here; their scripts will refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping

from lsgm.config import ConfigError, DataConfig

READERS = {"mnist": "mnist", "omniglot": "omniglot", "cifar10": "cifar10", "celeba_256": "celebahq256"}
FOLDERS = (
    *("celeba_64", "imagenet_32", "ffhq"),
    *("lsun_bedroom_128", "lsun_church_256", "lsun_tower_256", "lsun_cat_256"),
)
OURS = ("digits", "patches", "omniglot_originals", "folder", "npz")

# Sides of the images as they are read; the padding is what the network's input has beyond them.
SIDES = {"mnist": 28, "omniglot": 28, "omniglot_originals": 28, "digits": 8, "cifar10": 32, "celebahq256": 256}


def data_of(name: str, path: str, is_binary: bool, side: int, source: str) -> dict[str, object]:
    """Settings of the section `data`, all but the number of bits.

    Args:
        name: the flag `dataset`.
        path: the flag `data`, which counts for our own readers `folder` and `npz` only.
        is_binary: whether the decoder is a Bernoulli one.
        side: of the network's input, padding included, in pixels.
        source: the file, for messages.

    Raises:
        ConfigError: no such data set, or its images do not give an input of that side.
    """
    reader = READERS.get(name, name)
    is_colour_set = name in READERS and not is_binary
    if name in FOLDERS or (is_colour_set and side != SIDES[reader]):
        # No reader gives such images (the second: a set at another size than its own).
        return {"name": "folder", "path": name, "flip": True}
    if name not in READERS and name not in OURS:
        known = ", ".join((*READERS, *FOLDERS))
        raise ConfigError(f"{source}: dataset = {name!r} is not a data set of the authors' scripts; there are: {known}")
    settings: dict[str, object] = {"name": reader, "binarise": is_binary, "flip": is_colour_set}
    if reader in ("folder", "npz"):
        settings["path"] = path or reader
    if reader == "patches":
        settings["patch_size"] = side
    padding = side - SIDES.get(reader, side)
    if padding < 0 or padding % 2:
        raise ConfigError(
            f"{source}: dataset = {name!r} has images of {SIDES[reader]} pixels, but the network's input has {side}; "
            f"for images of your own its args must say dataset = 'folder'"
        )
    settings["pad"] = padding // 2
    return settings


def frechet_of(data: Mapping[str, object]) -> dict[str, object]:
    """What the Fréchet distance is taken on where the paper says other than our defaults."""
    if data.get("binarise"):
        return {"features": "none"}
    if data["name"] == "celebahq256":
        return {"reference": "train and test", "num_reference": None}
    return {}


def dataset_of(data: DataConfig) -> dict[str, str]:
    """The flags `dataset` and `data` for our settings."""
    if data.name == "folder" and data.path in (*FOLDERS, *READERS):
        return {"dataset": data.path, "data": ""}
    official = {ours: theirs for theirs, ours in READERS.items()}
    return {"dataset": official.get(data.name, data.name), "data": data.path or ""}
