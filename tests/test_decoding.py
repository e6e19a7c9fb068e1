"""What Pillow leaves out or takes for something else: transparent values, depths, scales, metadata. TIFF: test_tiff."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import PIL
import pytest
from conftest import needs_pillow_13
from PIL import Image

from kmeans_fast import read_image
from kmeans_fast.imaging.files import read_picture

RGB = np.random.default_rng(0).integers(0, 256, (5, 8, 3), dtype=np.uint8)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(values, bits, *chunks):
    """Make a PNG of values (H, W) or (H, W, 3); the rows have no filters."""
    color_type = 0 if values.ndim == 2 else 2
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in values]
    else:
        shifts = np.arange(bits - 1, -1, -1)
        rows = [np.packbits(row.reshape(-1, 1) >> shifts & 1).tobytes() for row in values]
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, color_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


# ---------------------------------------------------------------------------------------------------- PNG


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_transparent_grey_of_every_depth(bits):
    top = 2**bits - 1
    values = np.arange(40).reshape(5, 8) * 1700 % (top + 1) if bits > 4 else np.arange(40).reshape(5, 8) % (top + 1)
    grey = np.rint(values / top * 255).astype(np.uint8)
    for transparent in sorted({0, 1, int(values[2, 3]), top}):
        data = png(values, bits, chunk(b"tRNS", struct.pack(">H", transparent)))
        alpha = np.where(values == transparent, 0, 255)
        expected = grey if (alpha == 255).all() else np.dstack([grey, grey, grey, alpha])
        np.testing.assert_array_equal(read_image(data), expected)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_bits_of_a_transparent_grey_beyond_the_depth_do_not_count(bits):
    values = np.arange(40).reshape(5, 8) % 2**bits
    low, high = (png(values, bits, chunk(b"tRNS", struct.pack(">H", number))) for number in (1, 1 + 2**bits * 3))
    if bits > 1:  # of 1 bit Pillow takes any number but 0 for 1
        np.testing.assert_array_equal(read_image(high), read_image(low))
    assert (read_image(low)[..., 3] == np.where(values == 1, 0, 255)).all()


def test_transparent_16_bit_colour_is_compared_in_16_bits():
    values = np.full((5, 8, 3), 0x1234)
    values[1, 2, 2] = 0x1235
    values[2, 2, 0] = 0x1134
    data = png(values, 16, chunk(b"tRNS", struct.pack(">3H", 0x1234, 0x1234, 0x1234)))
    alpha = np.where((values == 0x1234).all(axis=2), 0, 255)
    np.testing.assert_array_equal(read_image(data), np.dstack([values >> 8, alpha]))


def test_12_bits_in_a_16_bit_png_are_noted():
    values = RGB.astype(np.uint16) * 16
    values[0, 0] = 4000
    assert read_picture(png(values[..., 0], 16)).notes[0].startswith("its 16-bit values reach only 40")
    assert "at most 16 of 256 levels are left" in read_picture(png(values, 16)).notes[0]
    assert read_picture(png(values * 2, 16)).notes == ()
    assert read_picture(png(values[..., 0] // 16, 8)).notes == ()


# ---------------------------------------------------------------------------------------------------- JPEG 2000


@pytest.mark.parametrize("container", ["jp2", "j2k"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [1, 2, 4, 7, 8, 9, 10, 12, 15, 16])
def test_jpeg_2000_of_every_depth(bits, channels, container):
    top = 2**bits - 1
    values = np.random.default_rng(bits).integers(0, top, (19, 23, channels), endpoint=True)
    values[0, 0], values[0, 1] = 0, top
    values = values.astype(np.uint8 if bits <= 8 else np.uint16)
    data = imagecodecs.jpeg2k_encode(
        values.squeeze(), level=0, reversible=True, bitspersample=bits, codecformat=container
    )
    # In a JP2 Pillow takes 9 bits of grey for 8.
    if bits > 8 and (channels > 1 or (bits, container) == (9, "jp2")):
        with pytest.raises(ValueError, match=f"is a JPEG 2000 of {bits} bits in each of {channels} channels"):
            read_image(data)
        return
    expected = np.rint(values / top * 255).astype(np.uint8)
    expected = {1: expected[..., 0], 2: expected[..., [0, 0, 0, -1]]}.get(channels, expected)
    np.testing.assert_array_equal(read_image(data), expected)


# ---------------------------------------------------------------------------------------------------- FITS


def fits(values, bits, **cards):
    """Make a FITS file; its rows go from the bottom to the top."""
    header = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": 2, "NAXIS1": values.shape[1], "NAXIS2": values.shape[0]} | cards
    text = "".join(f"{name:<8}= {value:>20}".ljust(80) for name, value in header.items()) + "END".ljust(80)
    kind = {8: ">u1", 16: ">i2", 32: ">i4", -32: ">f4"}[bits]
    return text.ljust(2880).encode() + values[::-1].astype(kind).tobytes().ljust(2880, b"\0")


@needs_pillow_13
def test_fits():
    values = np.array([[0, 1, 257], [32767, 32768, 65535]])
    np.testing.assert_array_equal(read_image(fits(values - 32768, 16, BZERO=32768, BSCALE=1)), (values + 128) // 257)
    np.testing.assert_array_equal(read_image(fits(np.minimum(values, 32767), 16)), [[0, 0, 1], [127, 127, 127]])
    np.testing.assert_array_equal(read_image(fits(values % 256, 8)), values % 256)
    with pytest.raises(ValueError, match="has grey values from -5 to 100; 0 to 65535 are supported"):
        read_image(fits(np.array([[-5, 100]]), 16))


@pytest.mark.parametrize(
    ("bits", "cards"),
    [(16, {"BZERO": 5}), (16, {"BSCALE": 2}), (8, {"BZERO": -128}), (8, {"BZERO": 32768}), (32, {"BZERO": 2.0**31})],
)
def test_fits_of_another_scale_is_refused(bits, cards):
    with pytest.raises(
        ValueError, match=r"is a FITS file whose values are .* times the stored ones, which is not read"
    ):
        read_image(fits(np.array([[1, 2]]), bits, **cards))


def test_fits_that_an_older_pillow_reads_wrongly_is_refused(monkeypatch):
    monkeypatch.setattr(PIL, "__version__", "12.3.0")
    for bits in (16, 32):
        with pytest.raises(ValueError, match=r"which Pillow reads wrongly before 13, and this is 12\.3\.0; pip"):
            read_image(fits(np.array([[1, 2]]), bits))
    assert read_image(fits(np.array([[1, 2]]), 8)).tolist() == [[1, 2]]


# ---------------------------------------------------------------------------------------------------- other kinds


def test_floats_are_refused_with_their_range():
    file = io.BytesIO()
    Image.fromarray(np.array([[-0.5, np.nan, 3000]], np.float32)).save(file, "TIFF")
    with pytest.raises(ValueError, match=r"floating-point numbers from -0\.5 to 3000, and the file does not say"):
        read_image(file.getvalue())


def test_a_reader_that_closes_its_file():
    """Pillow's one for FTEX does, and imageio then knew of nothing but an unknown error."""
    data = b"FTEX" + struct.pack("<iiiii", 0, 2, 1, 1, 1) + struct.pack("<ii", 1, 32) + struct.pack("<I", 6) + bytes(6)
    assert read_image(data).shape[:2] == (1, 2)


def saved(format_, **options):
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, format_, **options)
    return file.getvalue()


BAD_EXIF = {
    "eXIf": lambda: png(RGB, 8, chunk(b"eXIf", b"garbage!" * 4)),
    "zTXt": lambda: png(RGB, 8, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 4\n61626364"))),
    "WebP": lambda: saved("WEBP", lossless=True, exif=b"Exif\0\0garbage!garbage!"),
}


@pytest.mark.parametrize("kind", BAD_EXIF)
def test_exif_that_nobody_can_parse_leaves_the_picture_as_it_is(kind):
    picture = read_picture(BAD_EXIF[kind]())
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert len(picture.notes) == 1
    assert picture.notes[0].startswith("its EXIF data can't be read (")


def test_damaged_pixels_are_an_error_even_if_exif_asks_for_them_first():
    data = bytearray(png(RGB, 8, chunk(b"eXIf", b"garbage!" * 4)))
    data[-60:-30] = bytes(30)
    with pytest.raises(ValueError, match="the picture cannot be decoded"):
        read_image(data)


@pytest.mark.parametrize("space", ["GRAY", "CMYK", "\0\1\2\3"])
def test_a_profile_that_does_not_fit_is_dropped_with_a_word(space):
    picture = read_picture(saved("PNG", icc_profile=bytes(16) + space.encode() + bytes(100)))
    assert picture.icc_profile is None
    assert picture.notes[0].startswith("its colour profile is for ")
    assert picture.notes[0].isprintable()


def test_a_profile_too_large_for_a_png_is_dropped_with_a_word():
    profile = bytes(16) + b"RGB " + bytes(2**20)
    picture = read_picture(saved("TIFF", icc_profile=profile))
    assert picture.icc_profile is None
    assert picture.notes == ("its colour profile has 1,048,596 bytes, more than PNG readers open, and was dropped",)


@pytest.mark.parametrize("format_", ["GIF", "PNG", "TIFF", "WEBP"])
def test_pictures_are_counted_only_if_asked(format_):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "lime", "blue")]
    file = io.BytesIO()
    frames[0].save(file, format_, save_all=True, append_images=frames[1:], duration=100)
    assert read_picture(file.getvalue()).notes == ()
    assert read_picture(file.getvalue(), count_frames=True).notes == ("of 3 pictures the first was read",)
    assert read_picture(saved(format_), count_frames=True).notes == ()
