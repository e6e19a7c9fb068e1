"""TIFFs of every byte order, compression, depth and layout: read rightly, or refused in words that name the kind.

tifffile writes them; what is expected is worked out here from the values that it was given.
"""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from conftest import needs_pillow_13
from PIL import Image

from kmeans_fast import read_image
from kmeans_fast.imaging.files import read_picture

HEIGHT, WIDTH = 37, 45  # two tiles of 32 in each direction, the last of them cut

# Byte order, compression, difference to the left neighbour before that, tiles.
WAYS = [
    (order, compression, predictor, tile)
    for order in "<>"
    for compression in (None, "zlib", "lzw", "packbits", "zstd")
    for predictor in ((False, True) if compression in ("zlib", "lzw", "zstd") else (False,))
    for tile in (None, (32, 32))
]

OTHER_KINDS = ["uint32", "int32", "float32", "float64", "int8", "uint64", "complex64"]
# Each kind with a third of the ways, and each way with two or three of the kinds; floats, which differ most, with all.
KINDS_IN_WAYS = [
    (way, dtype)
    for n, way in enumerate(WAYS)
    for place, dtype in enumerate(OTHER_KINDS)
    if (n + place) % 3 == 0 or dtype == "float32"
]


def tiff(values, way, **options):
    order, compression, predictor, tile = way
    file = io.BytesIO()
    options |= {"byteorder": order, "compression": compression, "predictor": predictor, "tile": tile}
    options |= {} if tile else {"rowsperstrip": 7}
    tifffile.imwrite(file, values, metadata=None, **options)
    return file.getvalue()


def random(dtype, *shape):
    limits = np.iinfo(dtype)
    values = np.random.default_rng(0).integers(limits.min, limits.max, shape, dtype, endpoint=True)
    values.flat[:2] = limits.min, limits.max
    return values


def to_8_bits(values, top=65535):
    return np.rint(values.astype(float) / top * 255).astype(np.uint8)


def planar(values):
    return np.ascontiguousarray(np.moveaxis(values, 2, 0))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey(way, dtype):
    values = random(dtype, HEIGHT, WIDTH)
    expected = to_8_bits(values, np.iinfo(dtype).max)
    np.testing.assert_array_equal(read_image(tiff(values, way, photometric="minisblack")), expected)
    np.testing.assert_array_equal(read_image(tiff(values, way, photometric="miniswhite")), 255 - expected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", ["contig", "separate"])
def test_8_bit_colour(way, layout):
    arranged = planar if layout == "separate" else np.asarray
    options = {"photometric": "rgb", "planarconfig": layout}
    values = random("uint8", HEIGHT, WIDTH, 4)
    np.testing.assert_array_equal(read_image(tiff(arranged(values[..., :3]), way, **options)), values[..., :3])
    straight = tiff(arranged(values), way, extrasamples=["unassalpha"], **options)
    np.testing.assert_array_equal(read_image(straight), values)
    other = tiff(arranged(values), way, extrasamples=["unspecified"], **options)
    np.testing.assert_array_equal(read_image(other), values[..., :3])
    assert read_picture(other).notes == ("a channel of no known meaning was left out",)
    inks = tiff(arranged(values), way, photometric="separated", planarconfig=layout)
    np.testing.assert_array_equal(read_image(inks), np.asarray(Image.fromarray(values, "CMYK").convert("RGB")))


@pytest.mark.parametrize("way", WAYS)
def test_16_bit_colour_in_planes_is_rounded(way):
    values = random("uint16", HEIGHT, WIDTH, 4)
    expected = to_8_bits(values)
    options = {"photometric": "rgb", "planarconfig": "separate"}
    np.testing.assert_array_equal(read_image(tiff(planar(values[..., :3]), way, **options)), expected[..., :3])
    straight = tiff(planar(values), way, extrasamples=["unassalpha"], **options)
    np.testing.assert_array_equal(read_image(straight), expected)
    other = tiff(planar(values), way, extrasamples=["unspecified"], **options)
    np.testing.assert_array_equal(read_image(other), expected[..., :3])
    inks = tiff(planar(values), way, photometric="separated", planarconfig="separate")
    np.testing.assert_array_equal(read_image(inks), np.asarray(Image.fromarray(expected, "CMYK").convert("RGB")))


@pytest.mark.parametrize("way", WAYS)
def test_16_bit_colour_side_by_side_keeps_the_upper_byte(way):
    values = random("uint16", HEIGHT, WIDTH, 4)
    expected = (values >> 8).astype(np.uint8)
    np.testing.assert_array_equal(read_image(tiff(values[..., :3], way, photometric="rgb")), expected[..., :3])
    straight = tiff(values, way, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read_image(straight), expected)
    inks = tiff(values, way, photometric="separated")
    np.testing.assert_array_equal(read_image(inks), np.asarray(Image.fromarray(expected, "CMYK").convert("RGB")))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_premultiplied_colour_is_divided_by_alpha(way, dtype, layout):
    top = np.iinfo(dtype).max
    straight = random(dtype, HEIGHT, WIDTH, 4)
    alpha = straight[..., 3:].astype(float)
    values = np.concatenate([np.rint(straight[..., :3] * (alpha / top)), alpha], axis=2).astype(dtype)
    arranged = planar(values) if layout == "separate" else values
    image = read_image(tiff(arranged, way, photometric="rgb", planarconfig=layout, extrasamples=["assocalpha"])).astype(
        int
    )
    step = 2 if layout == "contig" else 1
    assert abs(image[..., 3] - to_8_bits(alpha[..., 0], top)).max() <= step - 1
    # The fainter the pixel, the less its colour is known.
    known = 255 / np.maximum(image[..., 3], 1) + step
    difference = abs(image[..., :3] - to_8_bits(straight[..., :3], top).astype(int)).max(axis=2)
    assert (difference <= known)[image[..., 3] > 0].all()


@pytest.mark.parametrize("way", WAYS)
def test_signed_16_bits_are_read_if_none_is_negative(way):
    values = random("int16", HEIGHT, WIDTH)
    with pytest.raises(ValueError, match="the picture has grey values from -32768 to 32767; 0 to 65535 are supported"):
        read_image(tiff(values, way, photometric="minisblack"))
    values = np.maximum(values, 0)
    np.testing.assert_array_equal(read_image(tiff(values, way, photometric="minisblack")), to_8_bits(values))


@pytest.mark.parametrize(("way", "dtype"), KINDS_IN_WAYS)
def test_values_of_other_kinds_are_named(way, dtype):
    if np.dtype(dtype).itemsize > 4:  # of these tifffile makes no differences
        way = (*way[:2], False, way[3])
    values = (np.arange(HEIGHT * WIDTH) - 40).reshape(HEIGHT, WIDTH).astype(dtype)
    if way[2] and dtype == "float32":
        way = (*way[:2], 3, way[3])
    with pytest.raises(ValueError, match="the picture ") as caught:
        read_image(tiff(values, way, photometric="minisblack"))
    message = str(caught.value)
    names = {"u": "unsigned integers", "i": "signed integers", "f": "floating-point numbers", "c": "of another kind"}
    extent = f"from {values.min():g} to {values.max():g}" if dtype == "float32" else f"{values.min()} to {values.max()}"
    kind = f"TIFF with 1 channel of {8 * values.itemsize}-bit "
    assert (kind in message and names[values.dtype.kind] in message) or extent in message
    assert "kmeans" in message


def test_unsigned_32_bits_have_their_own_range():
    """Pillow takes them for signed."""
    values = np.array([[5, 2**32 - 1]], np.uint32)
    with pytest.raises(ValueError, match="has grey values from 5 to 4294967295; 0 to 65535 are supported"):
        read_image(tiff(values, ("<", None, False, None), photometric="minisblack"))


# ---------------------------------------------------------------------------------------------------- 12 bits


def packed(values, order, *, deflated, photometric, n_planes=1):
    """Make a TIFF of 12-bit values (n, H, W) by hand: tifffile doesn't pack them."""
    strips = []
    for plane in values:
        rows = [np.pad(row, (0, row.size % 2)) for row in plane]
        pairs = [(row[0::2].astype(int) << 12 | row[1::2]) for row in rows]
        packed_rows = [b"".join(int(pair).to_bytes(3) for pair in row) for row in pairs]
        n_bytes = (plane.shape[1] * 12 + 7) // 8
        data = b"".join(row[:n_bytes] for row in packed_rows)
        strips.append(zlib.compress(data) if deflated else data)
    n, height, width = values.shape
    starts = [8 + sum(map(len, strips[:index])) for index in range(n)]
    tags = {256: [width], 257: [height], 258: [12] * n, 259: [8 if deflated else 1], 262: [photometric]}
    tags |= {273: starts, 277: [n], 278: [height], 279: list(map(len, strips)), 284: [2 if n > 1 else 1]}
    data = b"".join(strips)
    start = 8 + len(data) + 2 + 12 * len(tags) + 4
    entries = values_of_tags = b""
    for tag, numbers in sorted(tags.items()):
        content = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            values_of_tags += content
            content = struct.pack(f"{order}I", start + len(values_of_tags) - len(content))
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + content
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values_of_tags


@pytest.mark.parametrize("width", [6, 7])
@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_12_bits_reach_from_0_to_255(order, deflated, width):
    values = np.random.default_rng(0).integers(0, 4096, (3, 5, width))
    values[:, 0, :2] = 0, 4095
    expected = to_8_bits(values, 4095)
    for photometric, grey in ((1, expected[0]), (0, 255 - expected[0])):
        data = packed(values[:1], order, deflated=deflated, photometric=photometric)
        np.testing.assert_array_equal(read_image(data), grey)
    data = packed(values, order, deflated=deflated, photometric=2)
    np.testing.assert_array_equal(read_image(data), np.moveaxis(expected, 0, 2))


def test_12_bits_in_16_are_noted():
    way = ("<", None, False, None)
    values = random("uint16", HEIGHT, WIDTH, 3) >> 4
    few = ("its 16-bit values reach only 4095, so that at most 16 of 256 levels are left",)
    assert read_picture(tiff(values[..., 0], way, photometric="minisblack")).notes == few
    assert read_picture(tiff(planar(values), way, photometric="rgb", planarconfig="separate")).notes == few
    assert read_picture(tiff(values, way, photometric="rgb")).notes == few
    assert read_picture(tiff(values * 2, way, photometric="rgb")).notes == ()
    assert read_picture(tiff((values >> 4).astype(np.uint8), way, photometric="rgb")).notes == ()


# ---------------------------------------------------------------------------------------------------- the rest

PLAIN = ("<", None, False, None)


def test_channels_that_are_no_colours_are_named():
    data = tiff(random("uint8", 5, HEIGHT, WIDTH), PLAIN, photometric="minisblack", planarconfig="separate")
    with pytest.raises(
        ValueError, match=r"is a TIFF with 5 channels of 8-bit unsigned integers \(grey, each stored by"
    ):
        read_image(data)
    data = tiff(random("uint16", HEIGHT, WIDTH, 2), PLAIN, photometric="minisblack", planarconfig="contig")
    with pytest.raises(ValueError, match=r"TIFF with 2 channels of 16-bit .*tifffile\.imread gives its values"):
        read_image(data)


def test_grey_with_alpha_in_planes():
    values = random("uint16", HEIGHT, WIDTH, 2)
    options = {"photometric": "minisblack", "planarconfig": "separate", "extrasamples": ["unassalpha"]}
    expected = to_8_bits(values)[..., [0, 0, 0, 1]]
    np.testing.assert_array_equal(read_image(tiff(planar(values), PLAIN, **options)), expected)
    values[..., 1] = 65535
    np.testing.assert_array_equal(read_image(tiff(planar(values), PLAIN, **options)), expected[..., 0])


@needs_pillow_13
def test_premultiplied_grey():
    """Pillow's mode La, which it converts to nothing but LA."""
    values = np.array([[[40, 80], [0, 0], [255, 255]]], np.uint8)
    options = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["assocalpha"]}
    image = read_image(tiff(values, PLAIN, **options))
    assert image[0, [0, 2]].tolist() == [[127, 127, 127, 80], [255, 255, 255, 255]]
    assert image[0, 1, 3] == 0


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_orientation_and_profile_of_a_picture_in_planes(dtype):
    values = random(dtype, HEIGHT, WIDTH, 3)
    profile = b"\0" * 16 + b"RGB " + bytes(100)
    options = {"photometric": "rgb", "planarconfig": "separate", "iccprofile": profile}
    data = tiff(planar(values), PLAIN, extratags=[(274, 3, 1, 6, True)], **options)
    picture = read_picture(data)
    np.testing.assert_array_equal(picture.pixels, np.rot90(to_8_bits(values, np.iinfo(dtype).max), -1))
    assert picture.icc_profile == profile


@pytest.mark.parametrize("n_pages", [1, 3])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_pages_are_counted(photometric, n_pages):
    file = io.BytesIO()
    tifffile.imwrite(file, random("uint16", n_pages, 8, 8), photometric=photometric, byteorder=">", metadata=None)
    expected = () if n_pages == 1 else ("of 3 pictures the first was read",)
    assert read_picture(file.getvalue(), count_frames=True).notes == expected
    assert read_picture(file.getvalue()).notes == ()


def test_limits_hold_for_planes(monkeypatch):
    data = tiff(random("uint16", 3, HEIGHT, WIDTH), PLAIN, photometric="rgb", planarconfig="separate")
    with pytest.raises(ValueError, match=f"has {WIDTH} x {HEIGHT} = 1665 pixels; at most 1664 are allowed"):
        read_image(data, max_pixels=1664)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert read_image(data, max_pixels=1665).shape == (HEIGHT, WIDTH, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800)
    with pytest.raises(ValueError, match="the picture has too many pixels; at most 1665 are allowed"):
        read_image(data, max_pixels=1665)


@pytest.mark.parametrize("way", WAYS[::3])
def test_damage_in_planes_is_found(way):
    data = tiff(random("uint16", 3, 20, 33), way, photometric="rgb", planarconfig="separate")
    for place in (5, len(data) // 2, len(data) - 100):
        with pytest.raises(ValueError, match="the picture "):
            read_image(data[:place])
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        with contextlib.suppress(ValueError):  # any other exception would fail
            assert read_image(damaged, max_pixels=10**6).dtype == np.uint8
