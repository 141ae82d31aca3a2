"""A folder of images of one's own, all of one size and one mode.

With subfolders `train/` and `test/` these are the parts. Otherwise every image below the folder is for testing or
not by a hash of its relative name, so adding images later moves none from one part to the other.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from lsgm.config import ConfigError, DataConfig
from lsgm.data.image_files import image_files, name_bytes, read_images
from lsgm.data.raw import RawImages, subset, subset_note


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
    folder = resolve(config.path, root)
    if not folder.is_dir():
        raise ConfigError(f"data.path {config.path!r}: {folder} is not a folder; name a folder of images")
    has_parts = (folder / "train").is_dir() and (folder / "test").is_dir()
    if has_parts:
        parts = {part: image_files(folder / part) for part in ("train", "test")}
        split_note = "split: the subfolders train/ and test/"
    else:
        parts = split_by_name(folder, image_files(folder), config.test_fraction)
        split_note = f"split by a hash of the file name, test fraction {config.test_fraction:g}"
    for part, files in parts.items():
        if not files:
            cure = "put images there" if has_parts else "add images, or make subfolders train/ and test/"
            raise ConfigError(f"{folder}: no image files for the part {part!r} ({split_note}); {cure}")
    # A name need not be text; in a title it must.
    name = os.fsencode(folder.resolve().name).decode("utf-8", "replace")
    title = f"{name} (own images)"
    limits = {"train": config.num_train, "test": config.num_test}
    kept = {part: subset(len(files), limits[part], part, title) for part, files in parts.items()}
    chosen = [parts[part][index] for part in ("train", "test") for index in kept[part]]
    stack = read_images(chosen, folder)
    num_train = len(kept["train"])
    return RawImages(
        title=title,
        train=stack.images[:num_train],
        test=stack.images[num_train:],
        sources={f"{name}/ ({len(chosen):,} files)": stack.checksum},
        notes=(
            split_note,
            *(note for part in ("train", "test") for note in subset_note(len(parts[part]), len(kept[part]), part)),
        ),
    )


def resolve(path: str | None, root: Path | None) -> Path:
    """Where `data.path` is: as given if absolute, else below the data root, else below the current folder."""
    if path is None:
        raise ConfigError("data.path is not set; name the folder or the npz file")
    below_root = [] if root is None else [root / path]
    try:
        return next((place for place in (*below_root, Path(path)) if place.exists()), Path(path))
    except OSError as error:
        raise ConfigError(f"data.path {path!r}: cannot be found ({error.strerror}); correct it") from error


def split_by_name(folder: Path, files: list[Path], test_fraction: float) -> dict[str, list[Path]]:
    """Divide files by a hash of their names relative to the folder.

    Args:
        folder: what the names are relative to.
        files: images below it.
        test_fraction: expected fraction of test images, in (0, 1).
    """
    parts: dict[str, list[Path]] = {"train": [], "test": []}
    for path in files:
        fraction = int.from_bytes(hashlib.blake2b(name_bytes(path, folder), digest_size=8).digest(), "big") / 2**64
        parts["test" if fraction < test_fraction else "train"].append(path)
    return parts
