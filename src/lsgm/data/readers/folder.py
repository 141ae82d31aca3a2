"""A folder of images of one's own, all of one size and one mode.

With subfolders `train/` and `test/` these are the parts. Otherwise every image below the folder is for testing or
not by a hash of its relative name, so adding images later moves none from one part to the other.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from lsgm.config import ConfigError, DataConfig
from lsgm.data.image_files import read_images
from lsgm.data.raw import RawImages, repeat_notes, subset, subset_note
from lsgm.data_files import PARTS, has_parts, list_images, own_path, split_by_name


def read_folder(config: DataConfig, root: Path | None, download: bool) -> RawImages:
    """Read the images below `data.path`.

    Args:
        config: `path`, `test_fraction`, `num_train` and `num_test`.
        root: a relative `path` is looked for below it first, then below the current folder.
        download: not used.

    Returns:
        Images uint8 (N, C, H, W), grey or RGB, in order of their names.

    Raises:
        ConfigError: the folder is absent or a part of it empty; an image is damaged or differs from the others.
    """
    folder = own_path(config, root)
    if not folder.is_dir():
        raise ConfigError(f"data.path {config.path!r}: {folder} is not a folder; name a folder of images")
    is_split = has_parts(folder)
    found = list_images(folder)
    if is_split:
        parts = {part: list_images(folder / part).files for part in PARTS}
        split_note = "split: the subfolders train/ and test/"
        outside = len(found.files) - sum(map(len, parts.values()))
        found = replace(found, left_out=Counter(found.left_out) + Counter({"outside of train/ and test/": outside}))
    else:
        parts = split_by_name(folder, found.files, config.test_fraction)
        split_note = f"split by a hash of the file name, test fraction {config.test_fraction:g}"
    for part, files in parts.items():
        if not files:
            cure = "put images there" if is_split else "add images, or make subfolders train/ and test/"
            raise ConfigError(f"{folder}: no image files for the part {part!r} ({split_note}); {cure}")
    # A name need not be text; in a title it must.
    name = os.fsencode(folder.resolve().name).decode("utf-8", "replace")
    title = f"{name} (own images)"
    limits = {"train": config.num_train, "test": config.num_test}
    kept = {part: subset(len(files), limits[part], part, title) for part, files in parts.items()}
    chosen = [parts[part][index] for part in PARTS for index in kept[part]]
    stack = read_images(chosen, folder)
    train, test = stack.images[: len(kept["train"])], stack.images[len(kept["train"]) :]
    return RawImages(
        title=title,
        train=train,
        test=test,
        sources={f"{name}/ ({len(chosen):,} files)": stack.checksum},
        notes=(
            split_note,
            *(note for part in PARTS for note in subset_note(len(parts[part]), len(kept[part]), part)),
            *found.notes,
            *stack.notes,
            *repeat_notes(train, test),
        ),
    )
