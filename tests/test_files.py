"""Pictures from files and PNGs to files: every mode comes in right, and nothing half-written ever stays."""

import errno
import io
import os
import stat
import struct
import subprocess
import sys
import textwrap
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image, ImageCms, features

import kmeans_fast
from kmeans_fast import read_image
from kmeans_fast.imaging.files import check_destination, read_picture, write_picture
from kmeans_fast.imaging.metadata import Metadata

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
POSIX = os.name == "posix"


def png_bytes(bit_depth: int, color_type: int, rows: bytes, width: int, height: int, **chunks: bytes) -> bytes:
    """Make a PNG by hand, for what Pillow can't write; `rows` has a filter byte before each row."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0)
    extra = b"".join(chunk(name.encode(), data) for name, data in chunks.items())
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def png_chunks(path: Path) -> dict[bytes, bytes]:
    """Read a PNG's chunks by name."""
    data, position, chunks = path.read_bytes(), 8, {}
    while position < len(data):
        length = int.from_bytes(data[position : position + 4])
        chunks[data[position + 4 : position + 8]] = data[position + 8 : position + 8 + length]
        position += 12 + length
    return chunks


def opened(path: Path) -> tuple[str, dict[str, Any]]:
    """Ask Pillow for a file's mode and its metadata."""
    with Image.open(path) as image:
        return image.mode, image.info


def random_image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


# ---------------------------------------------------------------------------------------------------- modes

GREY = random_image(5, 7)
RGB = random_image(5, 7, 3)
RGBA = random_image(5, 7, 4)


def test_grey_stays_grey(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), GREY)


def test_one_bit_becomes_0_and_255(tmp_path):
    Image.fromarray(GREY > 100).save(tmp_path / "a.png")
    assert opened(tmp_path / "a.png")[0] == "1"
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.where(GREY > 100, 255, 0))


def test_rgb_and_rgba(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    Image.fromarray(RGBA).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png"), RGBA)


def test_an_opaque_alpha_channel_is_left_out(tmp_path):
    opaque = np.full_like(GREY, 255)
    Image.fromarray(np.dstack([RGB, opaque])).save(tmp_path / "a.png")
    Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(opaque)]).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png"), GREY)


def test_grey_with_alpha_becomes_rgba(tmp_path):
    alpha = RGBA[..., 3]
    Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.dstack([GREY, GREY, GREY, alpha]))


@pytest.mark.parametrize("kind", ["opaque", "one transparent entry", "alpha for each entry"])
def test_palette_is_applied(tmp_path, kind):
    palette = random_image(4, 3)
    labels = GREY % 4
    image = Image.fromarray(labels)
    image.putpalette(palette.tobytes())
    alpha = np.full(4, 255, np.uint8)
    if kind == "opaque":
        image.save(tmp_path / "a.png")
    elif kind == "one transparent entry":
        alpha[2] = 0
        image.save(tmp_path / "a.png", transparency=2)
    else:
        alpha[:] = [10, 0, 255, 90]
        image.save(tmp_path / "a.png", transparency=alpha.tobytes())
    assert opened(tmp_path / "a.png")[0] == "P"
    expected = palette if kind == "opaque" else np.column_stack([palette, alpha])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected[labels])


def test_a_transparent_colour_of_rgb_and_grey_is_applied(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png", transparency=tuple(RGB[2, 3].tolist()))
    alpha = np.where((RGB[2, 3] == RGB).all(axis=2), 0, 255)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.dstack([RGB, alpha]))

    Image.fromarray(GREY).save(tmp_path / "b.png", transparency=int(GREY[2, 3]))
    alpha = np.where(GREY[2, 3] == GREY, 0, 255)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png"), np.dstack([GREY, GREY, GREY, alpha]))

    Image.fromarray(GREY > 100).save(tmp_path / "c.png", transparency=0)
    white = np.where(GREY > 100, 255, 0)
    np.testing.assert_array_equal(read_image(tmp_path / "c.png"), np.dstack([white] * 4))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_is_scaled_and_rounded(tmp_path, name):
    values = np.array([[0, 128, 129, 257, 385, 386, 32896, 65406, 65407, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / name)
    assert opened(tmp_path / name)[0].startswith("I")
    expected = [[0, 0, 1, 1, 1, 2, 128, 254, 255, 255]]
    np.testing.assert_array_equal(read_image(tmp_path / name), expected)
    np.testing.assert_array_equal(expected, np.rint(values / 257))


def test_16_bit_grey_of_the_other_byte_order(tmp_path):
    Image.frombytes("I;16B", (2, 1), struct.pack(">HH", 257, 65535)).save(tmp_path / "a.tif")
    assert opened(tmp_path / "a.tif")[0] == "I;16B"
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), [[1, 255]])


def test_16_bit_grey_with_a_transparent_value(tmp_path):
    rows = b"\0" + struct.pack(">HH", 700, 65535)
    (tmp_path / "a.png").write_bytes(png_bytes(16, 0, rows, 2, 1, tRNS=struct.pack(">H", 700)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), [[[3, 3, 3, 0], [255, 255, 255, 255]]])


def test_16_bit_rgb_keeps_the_upper_byte(tmp_path):
    rows = b"\0" + struct.pack(">6H", 0, 257, 0x12FF, 65535, 0x8000, 0x7FFF)
    (tmp_path / "a.png").write_bytes(png_bytes(16, 2, rows, 2, 1))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), [[[0, 1, 0x12], [255, 0x80, 0x7F]]])


def test_cmyk_jpeg_is_rgb_and_not_rgba(tmp_path):
    cmyk = Image.fromarray(np.full((16, 16, 3), (200, 100, 50), np.uint8)).convert("CMYK")
    cmyk.save(tmp_path / "a.jpg", quality=100)
    assert opened(tmp_path / "a.jpg")[0] == "CMYK"
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (16, 16, 3)
    np.testing.assert_allclose(image.reshape(-1, 3), np.tile([200, 100, 50], (256, 1)), atol=4)


@pytest.mark.parametrize("suffix", ["gif", "png", "tif"])
def test_of_several_pictures_the_first_is_read(tmp_path, suffix):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], duration=100)
    with Image.open(tmp_path / f"a.{suffix}") as image:
        assert image.n_frames == 3
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), np.full((3, 4, 3), (255, 0, 0)))


def test_a_format_whose_first_picture_has_the_number_1(tmp_path):
    """Photoshop's: Pillow counts the layers from 1."""
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 5, 7, 8, 3) + bytes(12)
    (tmp_path / "a.psd").write_bytes(header + b"\0\0" + np.moveaxis(RGB, 2, 0).tobytes())
    with Image.open(tmp_path / "a.psd") as image:
        try:
            image.seek(image.tell())
        except EOFError:
            pytest.skip("this Pillow is old, and refuses to go to the layer that it is at")
    np.testing.assert_array_equal(read_image(tmp_path / "a.psd"), RGB)


def test_transparent_gif(tmp_path):
    Image.fromarray(np.array([[[255, 0, 0, 255], [0, 255, 0, 0]]], np.uint8)).save(tmp_path / "a.gif")
    image = read_image(tmp_path / "a.gif")
    assert image[0, 0].tolist() == [255, 0, 0, 255]
    assert image[0, 1, 3] == 0


def test_the_array_is_the_callers_own(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    image[...] = 0
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path, monkeypatch):
    """imageio would fetch `https:` and `imageio:` names from the network."""
    monkeypatch.chdir(tmp_path)
    for name in ("https://localhost/a.png", "imageio:chelsea.png"):
        with pytest.raises((FileNotFoundError, OSError), match=r"imageio:chelsea|https:"):
            read_image(name)


# ---------------------------------------------------------------------------------------------------- orientation

# How the picture [[0, 1, 2], [3, 4, 5]] is to be shown.
UPRIGHT = {
    1: [[0, 1, 2], [3, 4, 5]],
    2: [[2, 1, 0], [5, 4, 3]],
    3: [[5, 4, 3], [2, 1, 0]],
    4: [[3, 4, 5], [0, 1, 2]],
    5: [[0, 3], [1, 4], [2, 5]],
    6: [[3, 0], [4, 1], [5, 2]],
    7: [[5, 2], [4, 1], [3, 0]],
    8: [[2, 5], [1, 4], [0, 3]],
}
SIX_COLORS = np.array([[9, 90, 200], [255, 0, 1], [2, 255, 30], [70, 71, 72], [0, 0, 255], [250, 240, 5]], np.uint8)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("name", ["a.png", "a.tif", "deflated.tif", "a.webp"])
def test_orientation_is_applied_once(tmp_path, name, orientation):
    if name == "a.webp" and not features.check("webp"):
        pytest.skip("this Pillow was built without WebP")
    options = {"a.webp": {"lossless": True}, "deflated.tif": {"compression": "tiff_adobe_deflate"}}.get(name, {})
    picture = Image.fromarray(SIX_COLORS[UPRIGHT[1]])
    picture.save(tmp_path / name, exif=exif(orientation), **options)
    np.testing.assert_array_equal(read_image(tmp_path / name), SIX_COLORS[UPRIGHT[orientation]])


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_of_a_jpeg(tmp_path, orientation):
    blocks = np.kron(UPRIGHT[1], np.ones((16, 16), int))
    Image.fromarray(SIX_COLORS[blocks]).save(tmp_path / "a.jpg", exif=exif(orientation), quality=95, subsampling=0)
    middles = read_image(tmp_path / "a.jpg")[8::16, 8::16].astype(int)
    np.testing.assert_allclose(middles, SIX_COLORS[UPRIGHT[orientation]], atol=8)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("mode", ["L", "LA", "P", "P with transparency", "I;16"])
def test_orientation_moves_pixels_and_never_channels(tmp_path, mode, orientation):
    labels = np.array(UPRIGHT[1], np.uint8)
    options = {}
    if mode == "L":
        image, expected = Image.fromarray(labels * 10), np.arange(6) * 10
    elif mode == "LA":
        image = Image.merge("LA", [Image.fromarray(labels * 10), Image.fromarray(labels * 20)])
        expected = np.column_stack([np.arange(6) * 10] * 3 + [np.arange(6) * 20])
    elif mode == "I;16":
        image, expected = Image.fromarray(labels.astype(np.uint16) * 257), np.arange(6)
    else:
        image, expected = Image.fromarray(labels), SIX_COLORS
        image.putpalette(SIX_COLORS.tobytes())
        if mode != "P":
            options = {"transparency": b"\x05\xff\x09"}
            expected = np.column_stack([SIX_COLORS, [5, 255, 9, 255, 255, 255]])
    image.save(tmp_path / "a.png", exif=exif(orientation), **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected[UPRIGHT[orientation]])


@pytest.mark.parametrize("orientation", [0, 9, 4000])
def test_an_orientation_that_does_not_exist_changes_nothing(tmp_path, orientation):
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif(orientation))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


# ---------------------------------------------------------------------------------------------------- profile


def test_only_a_profile_for_rgb_is_carried_over(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "rgb.png", icc_profile=SRGB)
    grey = SRGB[:16] + b"GRAY" + SRGB[20:]
    Image.fromarray(GREY).save(tmp_path / "grey.png", icc_profile=grey)
    cmyk = SRGB[:16] + b"CMYK" + SRGB[20:]
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "cmyk.jpg", icc_profile=cmyk)
    Image.fromarray(RGB).save(tmp_path / "none.png")
    assert read_picture(tmp_path / "rgb.png").icc_profile == SRGB
    assert opened(tmp_path / "grey.png")[1]["icc_profile"] == grey
    assert read_picture(tmp_path / "grey.png").icc_profile is None
    assert read_picture(tmp_path / "cmyk.jpg").icc_profile is None
    assert read_picture(tmp_path / "none.png").icc_profile is None


def test_size_of_the_file(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").n_bytes == (tmp_path / "a.png").stat().st_size


# ---------------------------------------------------------------------------------------------------- bad input


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file") as caught:
        read_image(tmp_path / "a.png")
    assert caught.value.filename == str(tmp_path / "a.png")


def test_folder(tmp_path):
    with pytest.raises(IsADirectoryError, match="this is a folder, not a picture"):
        read_image(tmp_path)


def test_empty_file(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ValueError, match=r"a\.png' is empty \(0 bytes\)"):
        read_image(tmp_path / "a.png")


@pytest.mark.skipif(not POSIX, reason="Windows has no named pipes in folders")
def test_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match="is not a regular file"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"x", b"hello, world\n" * 100, b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff"])
def test_not_a_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.png' is not a picture in a format that Pillow knows"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif"])
def test_truncated_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(random_image(200, 200, 3)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"a\.{suffix}' cannot be decoded; it may be damaged or cut short"):
        read_image(path)


def test_damaged_data(tmp_path):
    Image.fromarray(random_image(200, 200, 3)).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[1000:1100] = bytes(100)
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.png' cannot be decoded; it may be damaged or cut short"):
        read_image(tmp_path / "a.png")


def test_float_pixels(tmp_path):
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a\.tif' has pixels of Pillow's mode 'F'; convert it to 8-bit grey, RGB"):
        read_image(tmp_path / "a.tif")


def test_integers_beyond_16_bits(tmp_path):
    Image.fromarray(np.array([[5, 70000]], np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="has grey values from 5 to 70000; 0 to 65535 are supported"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("limit", [30, 10], ids=["Pillow would warn", "Pillow raises"])
@pytest.mark.parametrize("given", ["by Pillow", "to us"])
def test_too_many_pixels(tmp_path, monkeypatch, limit, given):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    if given == "by Pillow":
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    before = list(warnings.filters)
    size = "too many" if given == "by Pillow" and limit == 10 else "7 x 5 = 35"
    with pytest.raises(ValueError, match=rf"a\.png' has {size} pixels; at most {limit} are allowed\. If you trust"):
        read_image(tmp_path / "a.png", **({} if given == "by Pillow" else {"max_pixels": limit}))
    assert warnings.filters == before


def test_as_many_pixels_as_are_allowed(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    for n in (35, np.int64(35), 10**30):
        np.testing.assert_array_equal(read_image(tmp_path / "a.png", max_pixels=n), RGB)


@pytest.mark.parametrize("suffix", ["png", "gif", "tif", "webp", "ico"])
def test_up_to_twice_what_pillow_allows_is_read_without_a_warning(tmp_path, monkeypatch, suffix):
    Image.new("RGB", (20, 20), "red").save(
        tmp_path / f"a.{suffix}", **({"sizes": [(20, 20)]} if suffix == "ico" else {})
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(ValueError, match="20 x 20 = 400 pixels; at most 200 are allowed"):
        read_image(tmp_path / f"a.{suffix}")
    assert read_image(tmp_path / f"a.{suffix}", max_pixels=400).shape == (20, 20, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 199)
    with pytest.raises(ValueError, match=r"has too many pixels; at most 400 are allowed.*MAX_IMAGE_PIXELS as well"):
        read_image(tmp_path / f"a.{suffix}", max_pixels=400)


def test_pillow_without_a_limit(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)
    with pytest.raises(ValueError, match="7 x 5 = 35 pixels; at most 34 are allowed"):
        read_image(tmp_path / "a.png", max_pixels=34)


@pytest.mark.parametrize(
    ("limit", "error", "message"),
    [
        (0, ValueError, "max_pixels must be at least 1, got 0"),
        (-5, ValueError, "max_pixels must be at least 1, got -5"),
        (1e6, TypeError, r"max_pixels must be an integer, got 1000000\.0"),
        (True, TypeError, "max_pixels must be an integer, got True"),
        ("9", TypeError, "max_pixels must be an integer, got '9'"),
    ],
)
def test_a_limit_that_makes_no_sense(tmp_path, limit, error, message):
    with pytest.raises(error, match=message):
        read_image(tmp_path / "no such file", max_pixels=limit)


def test_threads_that_read_at_once_leave_the_warning_filters_alone(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(read_image, [tmp_path / "a.png"] * 200))
    assert warnings.filters == before
    assert all(np.array_equal(image, RGB) for image in images)


def test_a_failing_disk_is_not_blamed_on_the_picture(tmp_path, monkeypatch):
    def read(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr("imageio.plugins.pillow.PillowPlugin.read", read)
    with pytest.raises(OSError, match="Input/output error") as caught:
        read_image(tmp_path / "a.png")
    assert caught.value.errno == errno.EIO


def test_a_lack_of_memory_is_not_blamed_on_the_picture(tmp_path, monkeypatch):
    def read(*args, **kwargs):
        raise MemoryError

    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr("imageio.plugins.pillow.PillowPlugin.read", read)
    with pytest.raises(MemoryError):
        read_image(tmp_path / "a.png")


# ---------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    ("n_colors", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (255, 8), (256, 8)]
)
@pytest.mark.parametrize("n_channels", [1, 3, 4])
def test_indexed_png(tmp_path, n_colors, bits, n_channels):
    path = tmp_path / "a.png"
    codes = np.random.default_rng(1).permutation(256)[:n_colors].astype(np.uint8)
    palette = np.column_stack([codes, ~codes, codes // 2, codes])[:, :n_channels]
    labels = np.arange(33 * 21).reshape(21, 33) % n_colors
    size = write_picture(path, palette, labels.astype(np.uint8))

    chunks = png_chunks(path)
    assert path.stat().st_size == size
    assert chunks[b"IHDR"][8] == bits
    assert chunks[b"IHDR"][9] == 3, "not of the indexed colour type"
    colors = np.repeat(palette, 3, axis=1) if n_channels == 1 else palette[:, :3]
    assert chunks[b"PLTE"] == colors.tobytes()
    if n_channels == 4:
        assert chunks[b"tRNS"] == palette[:, 3].tobytes().rstrip(b"\xff")
        np.testing.assert_array_equal(read_image(path), palette[labels])
    else:
        assert b"tRNS" not in chunks
        np.testing.assert_array_equal(iio.imread(path, mode="RGB"), colors[labels])


def test_opaque_rgba_palette_needs_no_transparency(tmp_path):
    write_picture(tmp_path / "a.png", np.array([[1, 2, 3, 255], [4, 5, 6, 255]], np.uint8), np.eye(4, dtype=np.uint8))
    assert b"tRNS" not in png_chunks(tmp_path / "a.png")


@pytest.mark.parametrize(("n_channels", "color_type"), [(3, 2), (4, 6)])
def test_more_than_256_colours_are_written_as_truecolour(tmp_path, n_channels, color_type):
    index = np.arange(257, dtype=np.uint16)
    palette = np.column_stack([index % 256, index // 256, index * 0, index % 200]).astype(np.uint8)[:, :n_channels]
    labels = index.reshape(1, 257)
    write_picture(tmp_path / "a.png", palette, labels, metadata=Metadata(SRGB))
    assert png_chunks(tmp_path / "a.png")[b"IHDR"][8:10] == bytes([8, color_type])
    np.testing.assert_array_equal(iio.imread(tmp_path / "a.png"), palette[labels])
    assert opened(tmp_path / "a.png")[1]["icc_profile"] == SRGB


def test_profile_is_written(tmp_path):
    write_picture(tmp_path / "a.png", RGB[0], GREY % 7, metadata=Metadata(SRGB))
    assert opened(tmp_path / "a.png")[1]["icc_profile"] == SRGB
    write_picture(tmp_path / "a.png", RGB[0], GREY % 7)
    assert "icc_profile" not in opened(tmp_path / "a.png")[1]


def test_packed_pixels_are_compressed_in_the_better_of_two_ways(tmp_path):
    """A photo's noise packs better filtered, by runs; a drawing's repetitions by strings, and not filtered."""
    palette = RGB[0, :4]
    noise = (np.random.default_rng(2).random((200, 200)) < 0.05).astype(np.uint8)
    repetition = np.tile(np.random.default_rng(3).integers(0, 4, (10, 40), np.uint8), (20, 5))
    for labels, smaller_by_runs in ((noise, True), (repetition, False)):
        sizes = {}
        for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_RLE):
            image = Image.fromarray(labels)
            image.putpalette(palette.tobytes())
            image.save(tmp_path / "pillow.png", compress_type=strategy, compress_level=5)
            sizes[strategy] = (tmp_path / "pillow.png").stat().st_size
        assert (sizes[zlib.Z_RLE] < sizes[zlib.Z_DEFAULT_STRATEGY]) == smaller_by_runs, sizes
        written = write_picture(tmp_path / "a.png", palette, labels, compress_level=5)
        assert written == sizes[zlib.Z_RLE] if smaller_by_runs else written < min(sizes.values())


@pytest.mark.parametrize("n_colors", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("width", [1, 7, 8, 9])
@pytest.mark.parametrize("level", [0, 6])
def test_rows_of_any_width_that_share_bytes(n_colors, width, level):
    palette = np.arange(3 * n_colors, dtype=np.uint8).reshape(-1, 3) * 5
    labels = np.tile(np.random.default_rng(width).integers(0, n_colors, (1, width)), (30, 1))
    file = io.BytesIO()
    write_picture(file, palette, labels, format="png", compress_level=level)
    picture = Image.open(file)
    np.testing.assert_array_equal(np.asarray(picture), labels)
    assert picture.getpalette()[: 3 * n_colors] == palette.reshape(-1).tolist()


def test_a_small_drawing_is_compressed_at_the_highest_level_too():
    """A large one isn't, and nothing is for which another level was asked for."""
    palette = np.arange(60, dtype=np.uint8).reshape(20, 3)
    repetition = np.tile(np.random.default_rng(3).integers(0, 20, (40, 40)), (10, 10))
    repetition[np.random.default_rng(4).random(repetition.shape) < 0.02] = 0

    def size(labels, **options):
        return write_picture(io.BytesIO(), palette, labels, format="png", **options)

    assert size(repetition) == size(repetition, compress_level=9) < size(repetition, compress_level=7)
    large = np.zeros((600, 600), np.uint8)
    large[:400, :400] = repetition
    assert size(large) > size(large, compress_level=9)


# ---------------------------------------------------------------------------------------------------- destinations

TWO_COLORS = np.array([[1, 2, 3], [200, 100, 0]], np.uint8)
LABELS = np.eye(30, dtype=np.uint8)


@pytest.mark.parametrize("name", ["a.jpg", "a", "png", "a.gif.eps", ".png"])
def test_the_name_must_say_the_format(tmp_path, name):
    with pytest.raises(ValueError, match=rf"the output's name must end in \.png, .* or \.bmp, got '{name}'"):
        write_picture(tmp_path / name, TWO_COLORS, LABELS)
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_may_be_in_capitals(tmp_path):
    write_picture(tmp_path / "A.PNG", TWO_COLORS, LABELS)
    assert (tmp_path / "A.PNG").is_file()


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder for the output does not exist") as caught:
        write_picture(tmp_path / "no" / "a.png", TWO_COLORS, LABELS)
    assert caught.value.filename == str(tmp_path / "no")


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError, match="the folder for the output is not a folder"):
        write_picture(tmp_path / "file" / "a.png", TWO_COLORS, LABELS)


def test_destination_that_is_a_folder(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(IsADirectoryError, match="this is a folder; name a file in it"):
        write_picture(tmp_path / "a.png", TWO_COLORS, LABELS)


@pytest.mark.skipif(not POSIX, reason="needs a device that is a file")
def test_a_device_is_never_replaced(tmp_path):
    (tmp_path / "a.png").symlink_to(os.devnull)
    with pytest.raises(ValueError, match="is not a regular file, so it cannot be replaced"):
        write_picture(tmp_path / "a.png", TWO_COLORS, LABELS)
    assert Path(os.devnull).is_char_device()


def test_the_source_is_never_the_destination(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "a.png")
    for name in ("a.png", "hard.png", "./a.png"):
        with pytest.raises(ValueError, match="is the source itself, which is never overwritten"):
            check_destination(f"{tmp_path}/{name}", tmp_path / "a.png")
    check_destination(tmp_path / "b.png", tmp_path / "a.png")


# ---------------------------------------------------------------------------------------------------- all or nothing


@pytest.fixture(params=["new file", "existing file"])
def destination(request, tmp_path):
    path = tmp_path / "a.png"
    if request.param == "existing file":
        path.write_bytes(b"a good file")
    yield path
    left = list(tmp_path.iterdir())
    if request.param == "existing file":
        assert left == [path]
        assert path.read_bytes() == b"a good file"
    else:
        assert left == []


def test_disk_that_fills(destination, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_picture(destination, TWO_COLORS, LABELS)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(destination), "the temporary file's name is none of the user's business"


def test_interrupt(destination, monkeypatch):
    def fsync(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KeyboardInterrupt):
        write_picture(destination, TWO_COLORS, LABELS)


def test_failing_rename(destination, monkeypatch):
    def replace(*paths):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionError, match="Permission denied"):
        write_picture(destination, TWO_COLORS, LABELS)


def run_python(script: str, *arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = str(Path(kmeans_fast.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.skipif(not POSIX, reason="file size limits are POSIX")
def test_write_that_really_stops_half_way(destination):
    """The limit lets the first 1000 of some 90,000 bytes through, as a disk does that fills."""
    script = """
        import resource, sys, numpy as np
        from kmeans_fast.imaging.files import write_picture
        labels = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
        palette = np.arange(768).reshape(256, 3).astype(np.uint8)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_picture(sys.argv[1], palette, labels)
        except OSError as error:
            print(error.errno, error.filename)
    """
    result = run_python(script, destination)
    assert result.stdout == f"{errno.EFBIG} {destination}\n", result.stderr


@pytest.mark.skipif(not POSIX, reason="permissions of folders are POSIX")
def test_folder_that_may_not_be_written(destination):
    """Seen before any work, or when it is written. Root may write everywhere, so the writer is somebody else."""
    script = """
        import os, numpy as np
        from PIL import PngImagePlugin
        from kmeans_fast.imaging.files import write_picture
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)
        for check in (os.access, lambda *arguments: True):
            os.access = check
            try:
                write_picture("a.png", np.zeros((1, 3), np.uint8), np.zeros((2, 2), np.uint8))
            except PermissionError as error:
                print(error.filename)
    """
    destination.parent.chmod(0o555)
    try:
        result = run_python(script, folder=destination.parent)
    finally:
        destination.parent.chmod(0o755)
    assert result.stdout == ".\na.png\n", result.stderr


def test_existing_file_is_replaced_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    path.chmod(0o600)
    before = stat.S_IMODE(path.stat().st_mode)
    write_picture(path, TWO_COLORS, LABELS)
    np.testing.assert_array_equal(read_image(path), TWO_COLORS[LABELS])
    assert stat.S_IMODE(path.stat().st_mode) == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not POSIX, reason="umask is POSIX")
def test_new_file_gets_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write_picture(tmp_path / "a.png", TWO_COLORS, LABELS)
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.skipif(not POSIX, reason="links need a privilege on Windows")
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.png").symlink_to(tmp_path / "folder" / "target.png")
    write_picture(tmp_path / "a.png", TWO_COLORS, LABELS)
    assert (tmp_path / "a.png").is_symlink()
    np.testing.assert_array_equal(read_image(tmp_path / "folder" / "target.png"), TWO_COLORS[LABELS])


def test_importing_the_package_imports_no_pillow():
    result = run_python("import sys, kmeans_fast.imaging; print([m for m in ('PIL', 'imageio') if m in sys.modules])")
    assert result.stdout == "[]\n", result.stderr
