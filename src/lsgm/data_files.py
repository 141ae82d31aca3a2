"""Which files a data set is read from, by name, size and time only: nothing is read, nothing heavy imported.

`lsgm doctor` looks at a slow file system with it, and the workflow notices that images were added or replaced.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lsgm.config import ConfigError, DataConfig, ExperimentConfig
from lsgm.config.evaluation import WEIGHT_FILES
from lsgm.whole_file import explained

PARTS = ("train", "test")
SPLIT_NAMES = {*PARTS, "training", "testing", "tests", "val", "valid", "validation", "eval", "evaluation", "dev"}
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})
EMBEDDED = ("digits", "patches")
"""Data sets that come with a dependency."""
OWN = ("folder", "npz")
"""Readers of a path that the experiment names."""
PATTERNS = {
    "mnist": ("mnist/train-images-idx3-ubyte*", "MNIST/raw/train-images-idx3-ubyte*"),
    "omniglot": ("omniglot/chardata.mat", "omniglot_iwae/chardata.mat", "chardata.mat"),
    "omniglot_originals": (
        "omniglot/images_background.*",
        "omniglot_originals/images_background.*",
        "omniglot-py/images_background.zip",
    ),
    "cifar10": (
        "cifar10/cifar-10-python.tar.gz",
        "cifar-10-python.tar.gz",
        "cifar10/*.npz",
        "cifar10/cifar10_batch_*.png",
    ),
    "celebahq256": ("celebahq256/train*", "celeba_hq/train*"),
}
"""Where the reader of each set looks below the data root; one match is enough here, the reader then checks."""

# Forms without a published checksum: another file may give other images. Every other form that is taken has the same.
UNVERIFIED = {
    "omniglot": PATTERNS["omniglot"],
    "omniglot_originals": (*PATTERNS["omniglot_originals"], "omniglot*/images_evaluation.*"),
    "cifar10": (*PATTERNS["cifar10"], "cifar10/cifar10_test_*.png"),
    "celebahq256": ("celebahq256", "celeba_hq"),
}
VERIFIED_SUFFIXES = (".tar.gz", ".zip")


@dataclass(frozen=True)
class Listing:
    """What is known of files that are not read.

    Attributes:
        digest: of their relative names, sizes and times; empty where there are none.
        newest: time of the youngest, in nanoseconds; 0 where there are none.
    """

    digest: str = ""
    newest: int = 0


@dataclass(frozen=True)
class FolderImages:
    """Image files below a folder, in order of their relative names, and how much was left out, by reason."""

    files: list[Path]
    left_out: Mapping[str, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, as a note; nothing if there is nothing."""
        if not self.left_out:
            return ()
        return ("left out: " + ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.left_out.items())),)


def own_path(config: DataConfig, root: Path | None) -> Path:
    """Where `data.path` is: as given if absolute (or from ~), else below the data root, else below the current folder.

    Raises:
        ConfigError: it is not set, or cannot be looked for.
    """
    if config.path is None:
        raise ConfigError("data.path is not set; name the folder or the npz file")
    try:
        path = Path(config.path).expanduser()
        places = [path] if root is None else [root / path, path]
        return next((place for place in places if place.exists()), path)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"data.path {config.path!r}: cannot be found ({reason}); correct it") from error


def listing(config: DataConfig, root: Path | None) -> Listing:
    """Names, sizes and times of the files that a data set is read from; nothing where every file has the same content.

    Names are relative, so that another place of the same files is the same listing.

    Raises:
        ConfigError: `data.path` is not set, or a folder may not be entered.
    """
    if config.name in OWN:
        return _listing([own_path(config, root)])
    if root is None or config.name not in UNVERIFIED:
        return Listing()
    found = (place for pattern in UNVERIFIED[config.name] for place in root.glob(pattern))
    return _listing(place for place in found if place.suffix != ".part")


def weights_listing(file: Path) -> Listing:
    """Size and time of the file of a feature network's weights; nothing if it is absent."""
    return _listing([file])


def _listing(places: Iterable[Path]) -> Listing:
    entries = {name: status for place in places for name, status in _entries(place)}
    if not entries:
        return Listing()
    digest = hashlib.sha256()
    for name, (status, _) in sorted(entries.items()):
        digest.update(os.fsencode(name) + f"\0{status}\n".encode())
    return Listing(digest.hexdigest()[:16], max(time for _, time in entries.values()))


def _entries(place: Path) -> Iterator[tuple[str, tuple[str, int]]]:
    """Relative name of each file below a place, with size and time; a file alone has the name of itself."""
    if place.is_dir():
        for file in folder_files(place, Counter()):
            yield file.relative_to(place).as_posix(), _status(file)
    elif place.exists():
        yield place.name, ("verified", 0) if place.name.endswith(VERIFIED_SUFFIXES) else _status(place)


def _status(path: Path) -> tuple[str, int]:
    try:
        found = path.stat()
    except OSError as error:
        return f"unreadable: {error.strerror}", 0
    return f"{found.st_size} {found.st_mtime_ns}", found.st_mtime_ns


def folder_files(folder: Path, left_out: Counter[str]) -> Iterator[Path]:
    """All files below a folder, through linked folders too, each folder once.

    Args:
        folder: where to begin.
        left_out: counts the folders that give nothing, by reason.

    Raises:
        ConfigError: a folder may not be entered.
    """
    seen = set()
    for place, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            left_out["folders reached a second time"] += 1
            folders.clear()
            continue
        seen.add(real)
        left_out["empty folders"] += not folders and not files
        folders.sort()
        yield from (Path(place) / name for name in sorted(files))


def _refuse(error: OSError) -> None:
    raise ConfigError(f"{error.filename}: cannot be entered ({explained(error)})")


def list_images(folder: Path) -> FolderImages:
    """Find the image files below a folder, through linked files and folders; hidden ones are left out.

    Raises:
        ConfigError: a folder may not be entered.
    """
    files, left_out = [], Counter()
    for path in folder_files(folder, left_out):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            left_out["hidden"] += 1
        elif path.suffix.lower() not in SUFFIXES:
            left_out[f"with the ending {path.suffix.lower()}" if path.suffix else "without an ending"] += 1
        elif not path.is_file():
            left_out["links that lead nowhere"] += 1
        else:
            files.append(path)
    return FolderImages(sorted(files, key=lambda path: path.relative_to(folder).as_posix()), +left_out)


def sets_in(root: Path) -> dict[str, Path | None]:
    """First file or folder of each data set below the root; None where there is none."""
    return {name: _first(root, patterns) for name, patterns in PATTERNS.items()}


def weights_in(root: Path) -> dict[str, Path | None]:
    """File of each feature network's weights below the root; None where there is none."""
    return {name: _first(root, (file,)) for name, file in WEIGHT_FILES.items()}


def require_data(config: DataConfig, root: Path | None) -> None:
    """Refuse settings whose data set has no file here.

    Raises:
        ConfigError: no data root, or nothing of the data set in it.
    """
    if config.name in EMBEDDED:
        return
    if config.name in OWN:
        if not own_path(config, root).exists():
            raise ConfigError(f"data.path {config.path!r}: not visible here; name a path that this machine sees")
        return
    if root is None:
        raise ConfigError(
            f"data set {config.name} lies in the data root, and none is set; give --data-root or LSGM_DATA"
        )
    if sets_in(root)[config.name] is None:
        raise ConfigError(f"data set {config.name}: none of {', '.join(PATTERNS[config.name])} in {root}; put it there")


def name_bytes(path: Path, base: Path) -> bytes:
    """Name of a file relative to a folder, as bytes: a name need not be text in any encoding."""
    return os.fsencode(path.relative_to(base).as_posix())


def has_parts(folder: Path) -> bool:
    """Whether a folder is split into train/ and test/.

    Raises:
        ConfigError: it has half a split, or one of other names.
    """
    names = [place.name for place in folder.iterdir() if place.is_dir()]
    split = sorted(name for name in names if name.lower() in SPLIT_NAMES)
    if not split:
        return False
    if {"train", "test"} <= set(split):
        return True
    raise ConfigError(
        f"{folder}: holds the folders {', '.join(split)}, but a split needs two named train and test, spelled so; "
        "rename them, or put all images below another name"
    )


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


def require_fit(config: ExperimentConfig, root: Path | None) -> None:
    """Refuse own images that the networks cannot take, or that fill no batch, before any of them is read.

    Only headers are looked at; what cannot be known so, is left to `lsgm prepare`.

    Raises:
        ConfigError: naming the setting and the cure.
    """
    found = _own_images(config.data, root)
    if found is None:
        return
    num_train, height, width = found
    config.require_sides(height, width)
    section, stage = ("pretrain", config.pretrain) if config.is_vae else ("train", config.train)
    num_train = min(num_train, config.data.num_train or num_train)
    if num_train < stage.batch_size:
        raise ConfigError(
            f"{config.name}: {section}.batch_size is {stage.batch_size}, but data.path {config.data.path!r} has "
            f"{num_train} training images; lower it, or add images"
        )


@lru_cache(maxsize=8)  # a plan asks for every run of a data set
def _own_images(config: DataConfig, root: Path | None) -> tuple[int, int, int] | None:
    """Number of training images, height and width of the first image; None for other sets and where it is not known."""
    if config.name != "folder" or not (folder := own_path(config, root)).is_dir():
        return None
    from PIL import Image

    if has_parts(folder):
        train = list_images(folder / "train").files
    else:
        train = split_by_name(folder, list_images(folder).files, config.test_fraction)["train"]
    try:
        with Image.open(train[0]) as image:
            is_turned = image.getexif().get(274, 1) >= 5
            width, height = image.size[::-1] if is_turned else image.size
    except (IndexError, OSError, ValueError):
        return None
    return len(train), height, width


def _first(root: Path, patterns: tuple[str, ...]) -> Path | None:
    return next((match for pattern in patterns for match in sorted(root.glob(pattern))), None)
