"""A folder of one's own images."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from lsgm.config import ConfigError, DataConfig
from lsgm.data import image_files
from lsgm.data.readers.folder import read_folder
from lsgm.data_files import own_path, split_by_name

RNG = np.random.default_rng(0)
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n%%EndComments\nshowpage\n%%EOF\n"


def write(path: Path, size=(8, 6), mode: str = "RGB") -> np.ndarray:
    """A random image of (width, height); returns its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels, mode="RGBA" if mode == "RGBA" else None).save(path)
    return pixels


def read(folder: Path, **settings):
    return read_folder(DataConfig(name="folder", path=str(folder), **settings), None, False)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_subfolders_are_the_parts(tmp_path, mode):
    pixels = {name: write(tmp_path / name, mode=mode) for name in ("train/b.png", "train/sub/a.PNG", "test/c.png")}
    write(tmp_path / "train" / ".hidden.png", (3, 3))
    (tmp_path / "train" / "notes.txt").write_text("no image")
    raw = read(tmp_path)
    expected = [pixels["train/b.png"], pixels["train/sub/a.PNG"], pixels["test/c.png"]]
    found = [*raw.train, *raw.test]
    assert len(raw.train) == 2
    for image, wanted in zip(found, expected, strict=True):
        assert np.array_equal(image.transpose(1, 2, 0) if mode == "RGB" else image[0], wanted)


def test_without_subfolders_a_hash_of_the_name_splits(tmp_path):
    names = [tmp_path / f"{index}.png" for index in range(2000)]
    parts = split_by_name(tmp_path, names, 0.1)
    assert 150 < len(parts["test"]) < 250 and len(parts["train"]) + len(parts["test"]) == 2000
    fewer = split_by_name(tmp_path, names[:1000], 0.1)
    assert set(fewer["test"]) == set(parts["test"]) & set(names[:1000])
    moved = split_by_name(tmp_path / "x", [tmp_path / "x" / name.name for name in names], 0.1)
    assert [path.name for path in moved["test"]] == [path.name for path in parts["test"]]


def test_split_folder_is_read_whole_and_the_same_every_time(tmp_path):
    for index in range(30):
        write(tmp_path / f"{index}.png")
    first, second = (read(tmp_path, test_fraction=0.3) for _ in range(2))
    assert len(first.train) + len(first.test) == 30
    assert np.array_equal(first.test, second.test) and first.sources == second.sources


def test_mixed_sizes_and_modes_name_two_files(tmp_path):
    write(tmp_path / "train" / "a.png")
    write(tmp_path / "test" / "b.png", (9, 6))
    with pytest.raises(ConfigError, match=r"a\.png is 8x6 RGB, .*b\.png is 9x6 RGB"):
        read(tmp_path)
    write(tmp_path / "test" / "b.png", mode="L")
    with pytest.raises(ConfigError, match=r"a\.png is 8x6 RGB, .*b\.png is 8x6 grey"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n", EPS])
def test_unreadable_images_are_named(tmp_path, content):
    write(tmp_path / "train" / "a.png")
    write(tmp_path / "test" / "b.png")
    (tmp_path / "test" / "b.png").write_bytes(content)
    with pytest.raises(ConfigError, match=r"b\.png") as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_truncated_images_are_named(tmp_path, suffix):
    write(tmp_path / "train" / f"a{suffix}", (40, 40))
    path = tmp_path / "test" / f"b{suffix}"
    write(path, (40, 40))
    assert read(tmp_path).train.shape == (1, 3, 40, 40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ConfigError, match="b" + suffix):
        read(tmp_path)


def test_transparency_is_refused_and_lossless_modes_are_read(tmp_path):
    write(tmp_path / "train" / "a.png", mode="RGBA")
    write(tmp_path / "test" / "b.png", mode="RGBA")
    with pytest.raises(ConfigError, match=r"a\.png: has transparency"):
        read(tmp_path)
    shutil.rmtree(tmp_path / "train")
    shutil.rmtree(tmp_path / "test")
    bits = RNG.random((6, 8)) > 0.5
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        Image.fromarray(bits).save(tmp_path / part / "x.png")
    assert np.array_equal(read(tmp_path).train[0, 0], bits * np.uint8(255))


def test_too_many_pixels_are_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_PIXELS", 40)
    write(tmp_path / "train" / "a.png")
    write(tmp_path / "test" / "b.png")
    with pytest.raises(ConfigError, match="8x6 pixels; at most 40"):
        read(tmp_path)


def test_empty_folders_are_errors(tmp_path):
    with pytest.raises(ConfigError, match="no image files"):
        read(tmp_path)
    write(tmp_path / "train" / "a.png")
    (tmp_path / "test").mkdir()
    with pytest.raises(ConfigError, match="part 'test'"):
        read(tmp_path)


def test_relative_path_is_found_below_the_data_root(tmp_path):
    write(tmp_path / "mine" / "train" / "a.png")
    write(tmp_path / "mine" / "test" / "b.png")
    raw = read_folder(DataConfig(name="folder", path="mine"), tmp_path, False)
    assert raw.title == "mine (own images)"


def test_real_faces(data_root):
    if not (data_root / "celebahq_sample").is_dir():
        pytest.skip("no folder celebahq_sample in the data root")
    config = DataConfig(name="folder", path="celebahq_sample", num_train=5, num_test=2)
    assert read_folder(config, data_root, False).train.shape == (5, 3, 256, 256)


def save(path: Path, pixels: np.ndarray, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def png_of_16_bits(path: Path, colour_type: int) -> None:
    """A PNG of 16 bits per channel, which Pillow writes for grey only; 2 is RGB, 0 grey."""
    channels = 3 if colour_type == 2 else 1
    rows = b"".join(b"\0" + bytes(2 * channels * 8) for _ in range(8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 8, 8, 16, colour_type, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


GREY = RNG.integers(0, 256, (8, 8), dtype=np.uint8)
RGB = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
CHANGED = {
    "16-bit RGB png": ("a.png", lambda path: png_of_16_bits(path, 2), "16 bits"),
    "16-bit grey png": ("a.png", lambda path: png_of_16_bits(path, 0), "16 bits"),
    "16-bit tiff": ("a.tif", lambda path: Image.fromarray(GREY.astype(np.uint16) * 16).save(path), "16 bits"),
    "float tiff": ("a.tif", lambda path: Image.fromarray(GREY.astype(np.float32)).save(path), "32 bits"),
    "16-bit ppm": ("a.ppm", lambda path: path.write_bytes(b"P6\n# x\n2 2\n4095\n" + bytes(24)), "12 bits"),
    "16-bit pgm": ("a.pgm", lambda path: path.write_bytes(b"P5 2 2 65535\n" + bytes(8)), "16 bits"),
    "transparent colour of RGB": ("a.png", lambda path: save(path, RGB, transparency=(1, 2, 3)), "transparency"),
    "transparent colour of grey": ("a.png", lambda path: save(path, GREY, transparency=7), "transparency"),
    "grey with alpha": ("a.png", lambda path: Image.fromarray(GREY).convert("LA").save(path), "transparency"),
    "webp with alpha": ("a.webp", lambda path: save(path, np.dstack([RGB, GREY])), "transparency"),
    "CMYK": ("a.jpg", lambda path: Image.fromarray(RGB).convert("CMYK").save(path), "CMYK"),
    "Lab": ("a.tif", lambda path: Image.fromarray(RGB).convert("LAB").save(path), "LAB"),
    "a channel beside RGB": ("a.tif", lambda path: Image.fromarray(RGB).convert("RGBX").save(path), "channels beside"),
    "signed tiff": ("a.tif", lambda path: save(path, GREY, tiffinfo={339: 2}), "sign"),
    "animated png": (
        "a.png",
        lambda path: save(path, RGB, save_all=True, append_images=[Image.fromarray(255 - RGB)]),
        "2 frames",
    ),
    "animated webp": (
        "a.webp",
        lambda path: save(path, RGB, save_all=True, append_images=[Image.fromarray(255 - RGB)]),
        "2 frames",
    ),
    "two pages": (
        "a.tif",
        lambda path: save(path, RGB, save_all=True, append_images=[Image.fromarray(255 - RGB)]),
        "2 frames",
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_would_change_the_picture_is_refused_with_its_name(tmp_path, case):
    name, make, message = CHANGED[case]
    make(tmp_path / name)
    with pytest.raises(ConfigError, match=message) as error:
        image_files.decode_image((tmp_path / name).read_bytes(), name)
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_the_camera_is_applied(tmp_path, suffix, orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    options = {"quality": 95} if suffix == ".jpg" else {"lossless": True} if suffix == ".webp" else {}
    save(tmp_path / f"a{suffix}", np.ascontiguousarray(turned), exif=exif, **options)
    counts = Counter()
    found = image_files.decode_image((tmp_path / f"a{suffix}").read_bytes(), "a", counts)
    assert np.abs(found.transpose(1, 2, 0).astype(int) - upright).max() < 30
    assert counts[image_files.TURNED] == (orientation != 1)


def test_what_is_left_out_is_counted_by_reason_in_the_notes(tmp_path):
    for index in range(20):
        write(tmp_path / "mine" / "a" / f"{index}.png")
    write(tmp_path / "elsewhere" / "b" / "linked.png")
    (tmp_path / "mine" / "b").symlink_to(tmp_path / "elsewhere" / "b")
    (tmp_path / "mine" / "a" / "back").symlink_to(tmp_path / "mine")
    (tmp_path / "mine" / "gone.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "mine" / "none").mkdir()
    for name in ("x.gif", "y.gif", "LICENSE", ".DS_Store"):
        (tmp_path / "mine" / name).write_text("x")
    raw = read(tmp_path / "mine", test_fraction=0.3)
    assert len(raw.train) + len(raw.test) == 21, "a linked class folder is read, and no folder twice"
    (note,) = [note for note in raw.notes if note.startswith("left out")]
    for reason in (
        "1 hidden",
        "2 with the ending .gif",
        "1 without an ending",
        "1 links that lead nowhere",
        "1 empty",
        "1 folders reached",
    ):
        assert reason in note


def test_a_folder_that_may_not_be_entered_is_an_error(tmp_path, monkeypatch):
    """As for a user who has no right to; tests may run as root."""
    write(tmp_path / "train" / "a.png")
    write(tmp_path / "test" / "closed" / "b.png")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ConfigError, match=rf"closed.*{os.strerror(errno.EACCES)}"):
        read(tmp_path)


def test_repeated_images_are_noted_in_each_part_and_across_them(tmp_path):
    for name in ("train/a.png", "train/b.png", "test/c.png", "test/d.png"):
        write(tmp_path / name)
    shutil.copy(tmp_path / "train" / "a.png", tmp_path / "train" / "e.png")
    shutil.copy(tmp_path / "train" / "a.png", tmp_path / "test" / "f.png")
    notes = read(tmp_path).notes
    assert "1 training images repeat another one" in notes
    assert "1 test images are training images too" in notes
    assert not [note for note in notes if "test images repeat" in note]


def chunk_of_gamma(gamma: float) -> PngInfo:
    info = PngInfo()
    info.add(b"gAMA", struct.pack(">I", round(100_000 * gamma)))
    return info


@pytest.mark.parametrize(
    ("options", "is_noted"),
    [
        ({"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}, False),
        ({"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()}, True),
        ({"pnginfo": chunk_of_gamma(0.45455)}, False),
        ({"pnginfo": chunk_of_gamma(1.0)}, True),
    ],
    ids=["sRGB, its name in two bytes a letter", "XYZ", "gamma of sRGB", "linear"],
)
def test_other_colours_than_those_of_srgb_are_noted(tmp_path, options, is_noted):
    save(tmp_path / "a.png", RGB, **options)
    counts = Counter()
    found = image_files.decode_image((tmp_path / "a.png").read_bytes(), "a", counts)
    assert np.array_equal(found.transpose(1, 2, 0), RGB), "numbers are taken as they are"
    assert counts[image_files.PROFILE] == is_noted


def test_images_beside_the_parts_are_counted(tmp_path):
    for name in ("train/a.png", "train/b.png", "test/c.png", "val/d.png", "e.png"):
        write(tmp_path / name)
    assert any("2 outside of train/ and test/" in note for note in read(tmp_path).notes)


@pytest.mark.parametrize("names", [("train",), ("train", "val"), ("Train", "Test"), ("training", "testing"), ("test",)])
def test_half_a_split_and_other_spellings_are_an_error(tmp_path, names):
    for name in names:
        write(tmp_path / name / "a.png")
    with pytest.raises(ConfigError, match=", ".join(sorted(names))):
        read(tmp_path)


def test_the_home_folder_may_be_named_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("train/a.png", "test/c.png"):
        write(tmp_path / "mine" / name)
    assert len(read(Path("~/mine")).train) == 1
    assert own_path(DataConfig(name="folder", path="~/mine"), None) == tmp_path / "mine"
