"""Hostile pictures: damaged, mislabelled, absurd or far too large; and many writers of one file.

Whatever a file holds, `read_image` returns a whole picture or raises a ValueError that names the file, and it neither
takes the memory that the file asks for nor starts a program. See fuzz_pictures.py for the long search.
"""

import io
import os
import struct
import subprocess
import sys
import textwrap
import threading
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

import kmeans_fast
from kmeans_fast import compress, read_image
from kmeans_fast.imaging import headers
from kmeans_fast.imaging.files import write_picture

ROOT = str(Path(kmeans_fast.__file__).parents[1])
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}
POSIX = os.name == "posix"


def read_or_refuse(path, **options):
    """Read a picture; returns a well-formed array, or the message of the ValueError."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            image = read_image(path, **options)
        except ValueError as error:
            image = str(error)
    if isinstance(image, str):
        assert image.startswith(repr(str(path))), "somebody else's error"
    else:
        assert image.dtype == np.uint8
        assert image.size > 0
        assert image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))
    # Pillow warns of a TIFF's damaged tags and of an icon of another size, and reads on: that is for the user to know.
    known = ("TiffImagePlugin.py", "IcoImagePlugin.py")
    unknown = [item for item in caught if item.category is not UserWarning or not item.filename.endswith(known)]
    assert not unknown, [str(item) for item in unknown]
    return image


def written(folder, data, name="a.png"):
    path = folder / name
    path.write_bytes(data)
    return path


# ---------------------------------------------------------------------------------------------------- files by hand


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, *chunks, rows=b"", color_type=2, bits=8, after=()):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + b"".join(after) + chunk(b"IEND", b"")


def gif(screen, *blocks, flags=0):
    return b"GIF89a" + struct.pack("<HHBBB", *screen, flags, 0, 0) + b"".join(blocks) + b";"


def gif_frame(left, top, width, height):
    """Make a frame whose only pixel is of index 1; the others are missing."""
    return b"," + struct.pack("<HHHHB", left, top, width, height, 0) + b"\x02\x02\x4c\x01\x00"


def gif_disposal(method):
    return b"!\xf9\x04" + bytes([method << 2, 0, 0, 0, 0])


def bmp(width, height, colors=b"", bits=24, pixels=b""):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, 0, 0, 0, len(colors) // 4, 0)
    start = 14 + len(head) + len(colors)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + head + colors + pixels


def tiff(tags, pixels=b"\0" * 64):
    """Make a TIFF of tags {number: value}, the pixels of which begin at byte 8."""
    start = 8 + len(pixels)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<I", start) + pixels + struct.pack("<H", len(tags)) + entries + bytes(4)


def tiff_tags(width, height):
    # width, height, bits, compression, photometric, where it is, channels, rows of a strip, how many bytes it has
    return {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: 64}


def tiled_tiff(side):
    tags = tiff_tags(8, 8) | {259: 8, 322: side, 323: side, 324: 8, 325: 64}
    return tiff({tag: value for tag, value in tags.items() if tag not in (273, 278, 279)})


def ico(part):
    """Make an icon whose directory says 16 x 16, whatever `part` is."""
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(part), 22) + part


def icns(name, part, *more):
    parts = b"".join(name + struct.pack(">I", 8 + len(part)) + part for name, part in ((name, part), *more))
    return b"icns" + struct.pack(">I", 8 + len(parts)) + parts


def webp_canvas(side):
    picture = saved("WEBP")[12:]
    canvas = b"VP8X" + struct.pack("<II", 10, 0) + (side - 1).to_bytes(3, "little") * 2
    return b"RIFF" + struct.pack("<I", 4 + len(canvas) + len(picture)) + b"WEBP" + canvas + picture


def psd(width, height, rows, length=0):
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, height, width, 8, 3)
    return head + struct.pack(">III", length, 0, 0) + b"\0\0" + rows


def iptc(part):
    fields = {(3, 60): b"\1\0", (3, 20): b"\0\x20", (3, 30): b"\0\x20", (3, 120): b"\5", (8, 10): part}
    return b"".join(struct.pack(">BBBH", 0x1C, *key, len(data)) + data for key, data in fields.items())


def jpeg_of_another_size(width, height):
    data = bytearray(saved("JPEG"))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


def jp2_of_another_size(side):
    data = bytearray(saved("JPEG2000"))
    struct.pack_into(">II", data, data.index(b"ihdr") + 4, side, side)
    return bytes(data)


def fli(frame_length):
    head = struct.pack("<IHHHHHHI", 0, 0xAF11, 1, 5, 7, 8, 0, 0).ljust(128, b"\0")
    return head + struct.pack("<IHH", frame_length, 0xF1FA, 1).ljust(16, b"\0") + bytes(40)


PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (14, 21, 3), dtype=np.uint8))


def saved(format_, mode="RGB", **options):
    file = io.BytesIO()
    grey16 = Image.fromarray(np.asarray(PICTURE)[..., 0] * np.uint16(257))
    (grey16 if mode == "I;16" else PICTURE.convert(mode)).save(file, format_, **options)
    return file.getvalue()


def samples():
    """One picture in all common formats, and in the ways of writing them that are read differently."""
    Image.init()
    found = {format_: saved(format_) for format_ in ("BMP", "DDS", "DIB", "GIF", "JPEG", "MPO", "PCX")}
    found |= {format_: saved(format_) for format_ in ("PNG", "PPM", "SGI", "TGA", "TIFF", "JPEG2000")}
    found |= {format_: saved(format_) for format_ in ("WEBP", "AVIF") if format_ in Image.SAVE}
    # by hand, as Pillow's would have a part of 1024 x 1024 pixels
    small, large = (png(side, side, rows=(b"\0" + bytes(range(3)) * side) * side) for side in (16, 32))
    found["ICNS"] = icns(b"icp4", small, (b"icp5", large))
    found["GIF interlaced"] = saved("GIF", "P", interlace=1)
    found["ICO"] = saved("ICO", sizes=[(16, 10)])
    found["ICO of BMP"] = saved("ICO", "RGBA", bitmap_format="bmp", sizes=[(16, 10)])
    found["JPEG progressive"] = saved("JPEG", progressive=True)
    found["PNG palette"] = saved("PNG", "P", transparency=3)
    found["PNG 16 bits"] = saved("PNG", "I;16")
    found["TGA run lengths"] = saved("TGA", compression="tga_rle")
    found["TIFF LZW"] = saved("TIFF", compression="tiff_lzw")
    found["TIFF packbits"] = saved("TIFF", "L", compression="packbits")
    if features.check("webp"):
        found["WEBP lossless"] = saved("WEBP", lossless=True)
    return found


SAMPLES = samples()

# ---------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_can_be_read(tmp_path, name):
    image = read_or_refuse(written(tmp_path, SAMPLES[name]))
    assert isinstance(image, np.ndarray), image


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "eps", "xyz"])
def test_zero_bytes(tmp_path, suffix):
    assert "is empty (0 bytes)" in read_or_refuse(written(tmp_path, b"", f"a.{suffix}"))


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_at_many_places(tmp_path, name):
    data = SAMPLES[name]
    places = {*range(1, min(len(data), 64), 3), *np.linspace(1, len(data) - 1, 40).astype(int).tolist()}
    outcomes = [read_or_refuse(written(tmp_path, data[:place])) for place in sorted(places)]
    assert any(isinstance(outcome, str) for outcome in outcomes)


@pytest.mark.parametrize("name", SAMPLES)
def test_single_bits_flipped(tmp_path, name):
    rng = np.random.default_rng(len(name))
    for _ in range(60):
        data = bytearray(SAMPLES[name])
        end = len(data) if rng.random() < 0.5 else min(len(data), 100)  # half of them in the header
        data[rng.integers(end)] ^= 1 << int(rng.integers(8))
        read_or_refuse(written(tmp_path, data), max_pixels=10**6)


# Lengths and positions far beyond the end of the file. The FLI, found by the search, made Python ask for 4 GB.
FAR_BEYOND = {
    "FLI, frame": fli(2**32 - 1),
    "PSD, palette": psd(7, 5, bytes(105), length=2**32 - 1),
    "PNG, chunk": png(3, 3)[:33] + struct.pack(">I", 2**32 - 1) + b"tEXtabc",
    "TIFF, strip": tiff(tiff_tags(8, 8) | {279: 2**32 - 1}),
    "TIFF, position": tiff(tiff_tags(8, 8) | {273: 2**32 - 1}),
    "BMP, position": bmp(3, 3)[:10] + struct.pack("<I", 2**32 - 1) + bmp(3, 3)[14:],
}


@pytest.mark.parametrize("name", FAR_BEYOND)
def test_a_length_or_position_far_beyond_the_file(tmp_path, name):
    read_or_refuse(written(tmp_path, FAR_BEYOND[name]))


def test_wrong_lengths_and_positions_are_not_blamed_on_the_disk(tmp_path):
    with headers.Source(written(tmp_path, b"abcdef")) as file:
        assert file.read(2**40) == b"abcdef"
        file.seek(2)
        assert (file.read(3), file.read(-1), file.read(), file.read(2**40)) == (b"cde", b"f", b"", b"")
        with pytest.raises(ValueError, match="there is no position -1 in the file"):
            file.seek(-1)
        file.seek(0)
        with pytest.raises(ValueError, match="there is no position -2 in the file"):
            file.seek(-2, os.SEEK_CUR)
        assert file.read(None) == b"abcdef"


# ---------------------------------------------------------------------------------------------------- wrong labels


@pytest.mark.parametrize("name", ["a.jpg", "a.gif", "a.eps", "a.txt", "a", "a.png.exe"])
def test_a_picture_is_what_it_holds_and_not_what_it_is_called(tmp_path, name):
    for format_ in ("PNG", "BMP", "TIFF", "PPM"):
        np.testing.assert_array_equal(read_or_refuse(written(tmp_path, SAMPLES[format_], name)), np.asarray(PICTURE))


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", SAMPLES["PNG"])
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"Dear Sir or Madam,\n" * 50,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
        b"\x7fELF\x02\x01\x01" + bytes(500),
        bytes(10_000),
        zipped(),
        "🐈".encode("utf-16"),
    ],
    ids=["text", "svg", "pdf", "program", "zeros", "zip", "utf-16"],
)
def test_what_is_no_picture_is_refused_as_such(tmp_path, data):
    assert "is not a picture in a format that Pillow knows" in read_or_refuse(written(tmp_path, data))


# ---------------------------------------------------------------------------------------------------- other programs

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"
WMF = struct.pack("<IHhhhhHIH", 0x9AC6CDD7, 0, 0, 0, 500, 500, 72, 0, 0) + b"\1\0\x09\0" + bytes(50)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (EPS, "EPS is a program"),
        (b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 32, len(EPS)) + bytes(20) + EPS, "EPS is a program"),
        (iptc(EPS), "IPTC wraps"),
        (iptc(SAMPLES["PNG"]), "IPTC wraps"),
        (WMF, "a metafile is"),
    ],
    ids=["EPS", "EPS with a preview", "EPS in IPTC", "PNG in IPTC", "WMF"],
)
def test_no_picture_starts_a_program(tmp_path, monkeypatch, data, reason):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *command, **_: started.append(command))
    for name in ("a.eps", "a.png"):
        assert f"has a format that is not read: {reason}" in read_or_refuse(written(tmp_path, data, name))
    assert started == []


# ---------------------------------------------------------------------------------------------------- palettes


def test_png_with_fewer_colours_than_it_uses(tmp_path):
    data = png(4, 1, chunk(b"PLTE", bytes([1, 2, 3, 4, 5, 6])), rows=bytes([0, 0, 1, 2, 255]), color_type=3)
    image = read_or_refuse(written(tmp_path, data))
    assert image[0, :2].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert image.shape == (1, 4, 3)


@pytest.mark.parametrize(
    "palette",
    [(), (b"",), (b"\1",), (b"\1\2\3\4",), (b"\1\2\3", b"\4\5\6"), (bytes(3 * 300),)],
    ids=["none", "empty", "a third", "one and a third", "two palettes", "300 colours"],
)
@pytest.mark.parametrize("transparency", [None, b"", b"\0", bytes(300)], ids=["opaque", "0", "1", "300"])
def test_png_with_a_broken_palette(tmp_path, palette, transparency):
    chunks = [chunk(b"PLTE", colors) for colors in palette]
    chunks += [] if transparency is None else [chunk(b"tRNS", transparency)]
    read_or_refuse(written(tmp_path, png(4, 1, *chunks, rows=bytes([0, 0, 1, 2, 255]), color_type=3)))


def test_gif_without_colours_is_grey(tmp_path):
    assert read_or_refuse(written(tmp_path, gif((1, 1), gif_frame(0, 0, 1, 1)))).tolist() == [[1]]


@pytest.mark.parametrize("flags", range(0x80, 0x88))
def test_gif_with_a_palette_that_is_cut(tmp_path, flags):
    for n_bytes in (0, 1, 3, 5, 6, 200):
        read_or_refuse(written(tmp_path, gif((1, 1), bytes(range(n_bytes)), gif_frame(0, 0, 1, 1), flags=flags)))


@pytest.mark.parametrize("n_colors", [0, 1, 2, 300])
def test_bmp_with_fewer_colours_than_it_uses(tmp_path, n_colors):
    read_or_refuse(written(tmp_path, bmp(4, 1, bytes(range(4)) * n_colors, 8, bytes([0, 1, 2, 255]))))


def test_tiff_without_its_palette(tmp_path):
    read_or_refuse(written(tmp_path, tiff(tiff_tags(8, 8) | {262: 3})))


# ---------------------------------------------------------------------------------------------------- sizes

HUGE = 2**31 - 1
# Each is a few hundred bytes or less, and says that it has many more than a million pixels.
TOO_LARGE = {
    "PNG": png(HUGE, HUGE),
    "PNG, one row": png(HUGE, 1),
    "PNG, one column": png(1, HUGE),
    "PNG, a little too large": png(1001, 1000),
    "PNG, the second header": png(1, 1, chunk(b"IHDR", struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0))),
    "BMP": bmp(HUGE, HUGE),
    "BMP, one row": bmp(HUGE, 1),
    "BMP, upside down": bmp(30_000, -30_000),
    "GIF": gif((65_535, 65_535), gif_frame(0, 0, 1, 1)),
    "GIF, frame": gif((1, 1), gif_frame(0, 0, 13_000, 13_000)),
    "GIF, frame far away": gif((1, 1), gif_frame(65_535, 65_535, 1, 1)),
    "GIF, frame and disposal": gif((1, 1), gif_disposal(2), gif_frame(0, 0, 13_000, 13_000)),
    "GIF, frame after a comment": gif((1, 1), b"!\xfe\3abc\1d\0", gif_frame(0, 0, 13_000, 13_000)),
    "TIFF": tiff(tiff_tags(HUGE, HUGE)),
    "TIFF, one column": tiff(tiff_tags(1, HUGE)),
    "TIFF, tiles": tiled_tiff(40_000),
    "PPM": b"P6 99999 99999 255\n",
    "PSD": psd(30_000, 30_000, b""),
    "TGA": b"\0\0\2" + bytes(9) + struct.pack("<HHBB", 65_535, 65_535, 24, 0),
    "JPEG": jpeg_of_another_size(65_535, 65_535),
    "JPEG 2000": jp2_of_another_size(13_000),
    "ICO of PNG": ico(png(13_000, 13_000)),
    "ICO of BMP": ico(bmp(13_000, 13_000)[14:]),
    "ICNS of PNG": icns(b"ic07", png(13_000, 13_000)),
    "ICNS of JPEG 2000": icns(b"ic07", jp2_of_another_size(13_000)),
}
if features.check("webp"):
    TOO_LARGE["WEBP, canvas"] = webp_canvas(13_000)
    TOO_LARGE["WEBP, large canvas"] = webp_canvas(2**24)


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_many_pixels_are_refused_by_the_header(tmp_path, name):
    message = read_or_refuse(written(tmp_path, TOO_LARGE[name]), max_pixels=10**6)
    assert "pixels; at most 10" in message
    assert "raise max_pixels (--max-pixels on the command line)" in message


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_many_pixels_for_pillow_or_none_where_they_should_be(tmp_path, name):
    assert isinstance(read_or_refuse(written(tmp_path, TOO_LARGE[name])), str)


def test_the_message_says_size_and_limit(tmp_path):
    path = written(tmp_path, png(30_000, 4_000))
    assert "has 30000 x 4000 = 120000000 pixels; at most 89478485 are allowed." in read_or_refuse(path)
    assert "has 30000 x 4000 = 120000000 pixels; at most 7 are allowed." in read_or_refuse(path, max_pixels=7)
    path = written(tmp_path, png(30_000, 40_000))
    assert "Image size (1200000000 pixels)" in read_or_refuse(path)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize("make", [png, bmp, lambda *size: gif(size), lambda *size: tiff(tiff_tags(*size))])
def test_no_pixels_at_all(tmp_path, make, size):
    assert isinstance(read_or_refuse(written(tmp_path, make(*size))), str)


def test_compress_refuses_as_well_and_writes_nothing(tmp_path):
    path = written(tmp_path, TOO_LARGE["PNG, a little too large"], "bomb.png")
    with pytest.raises(ValueError, match="1001 x 1000 = 1001000 pixels; at most 1000000 are allowed"):
        compress(path, tmp_path / "a.png", max_pixels=10**6)
    assert list(tmp_path.iterdir()) == [path]


def test_an_icon_within_an_icon_may_be_as_large_as_is_allowed(tmp_path):
    path = written(tmp_path, ico(saved("PNG")))
    with pytest.warns(UserWarning, match="not the expected size"):
        assert read_image(path, max_pixels=14 * 21).shape == (14, 21, 3)
    assert "has 21 x 14 = 294 pixels; at most 293 are allowed" in read_or_refuse(path, max_pixels=293)


def test_a_small_picture_may_be_in_a_larger_tile(tmp_path):
    assert "tiles of" in read_or_refuse(written(tmp_path, tiled_tiff(1040)), max_pixels=64)
    assert "tiles of" not in read_or_refuse(written(tmp_path, tiled_tiff(1024)), max_pixels=64)


def test_of_the_icons_that_one_is_checked_that_pillow_decodes(tmp_path):
    """The directory names four, of which the second is the largest with the fewest colours; none is as large."""
    parts = [png(size, size) for size in (2000, 3000, 4000, 5000)]
    entries = [(16, 16, 0, 32), (64, 64, 16, 0), (64, 64, 0, 32), (32, 32, 2, 0)]
    data, position = struct.pack("<HHH", 0, 1, 4), 6 + 16 * 4
    for part, (width, height, colors, bits) in zip(parts, entries, strict=True):
        data += struct.pack("<BBBBHHII", width, height, colors, 0, 1, bits, len(part), position)
        position += len(part)
    assert "has 3000 x 3000" in read_or_refuse(written(tmp_path, data + b"".join(parts)), max_pixels=10**6)


# ---------------------------------------------------------------------------------------------------- zip bombs

ZEROS = zlib.compress(bytes(100_000_000))
UNZIPPED = {
    "zTXt": png(1, 1, chunk(b"zTXt", b"a\0\0" + ZEROS), rows=bytes(4)),
    "iTXt": png(1, 1, chunk(b"iTXt", b"a\0\1\0\0\0" + ZEROS), rows=bytes(4)),
    "iCCP": png(1, 1, chunk(b"iCCP", b"a\0\0" + ZEROS), rows=bytes(4)),
    "many zTXt": png(1, 1, *[chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6)))] * 300, rows=bytes(4)),
    "IDAT": png(1, 1, rows=bytes(100_000_000)),
    "after the pixels": png(1, 1, rows=bytes(4), after=[chunk(b"zTXt", b"a\0\0" + ZEROS)]),
}


@pytest.mark.parametrize("name", UNZIPPED)
def test_what_unzips_to_much_more(tmp_path, name):
    assert isinstance(read_or_refuse(written(tmp_path, UNZIPPED[name])), (str, np.ndarray))


@pytest.mark.parametrize("kind", ["profile", "exif", "both"])
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_large_metadata(tmp_path, kind, format_):
    if format_ == "WEBP" and not features.check("webp"):
        pytest.skip("this Pillow was built without WebP")
    tags = Image.Exif()
    tags[0x010E] = "x" * 5_000_000
    options = {"icc_profile": bytes(900_000)} if kind != "exif" else {}
    options |= {"exif": tags} if kind != "profile" else {}
    image = read_or_refuse(written(tmp_path, saved(format_, **options)))
    assert image.shape == (14, 21, 3)


# Runs in a process of its own, which may take 300 MB more than it has at the start; Linux only.
READ_IN_LITTLE_MEMORY = """
import resource, sys, warnings
from pathlib import Path
from PIL import Image
from kmeans_fast import read_image
folder = Path(sys.argv[1])
Image.new("RGB", (9, 9)).save(folder / "warm.png")
read_image(folder / "warm.png")
Image.init()
warnings.simplefilter("ignore")
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 300_000_000,) * 2)
for path in sorted(folder.iterdir()):
    try:
        print(path.name, read_image(path, max_pixels=1_000_000).shape)
    except ValueError as error:
        print(path.name, "ValueError", error)
    except MemoryError:
        print(path.name, "MemoryError")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its size from Linux's /proc")
def test_no_bomb_takes_the_memory_that_it_asks_for(tmp_path):
    bombs = TOO_LARGE | UNZIPPED | FAR_BEYOND
    for name, data in bombs.items():
        written(tmp_path, data, name)
    command = [sys.executable, "-c", READ_IN_LITTLE_MEMORY, str(tmp_path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT, timeout=300).stdout
    assert "MemoryError" not in output
    assert len(output.splitlines()) == len(bombs) + 1


# ---------------------------------------------------------------------------------------------------- animations


def many_pages(count):
    """A TIFF of many pages; returns its bytes."""
    page = len(tiff(tiff_tags(8, 8))) - 72
    data = b"II*\0" + struct.pack("<I", 72) + bytes(64)
    for number in range(count):
        last = tiff(tiff_tags(8, 8))[72:-4]
        data += last + struct.pack("<I", 72 + (number + 1) * page if number + 1 < count else 0)
    return data


@pytest.mark.parametrize(
    "data",
    [
        gif((1, 1), *[gif_frame(0, 0, 1, 1)] * 5000),
        gif((1, 1), gif_frame(0, 0, 1, 1), gif_frame(0, 0, 65_535, 65_535)),
        gif((1, 1), gif_frame(0, 0, 1, 1), b",garbage"),
        many_pages(5000),
        many_pages(1)[:-4] + struct.pack("<I", 72),
        many_pages(1)[:-4] + struct.pack("<I", 2**32 - 1),
    ],
    ids=["GIF", "GIF, a huge frame", "GIF, garbage", "TIFF", "TIFF, a loop", "TIFF, nowhere"],
)
def test_of_an_animation_no_more_than_the_first_picture_is_looked_at(tmp_path, monkeypatch, data):
    calls = []

    def read(self, size=-1, /):
        calls.append(size)
        return real_read(self, size)

    real_read = headers.Source.read
    monkeypatch.setattr(headers.Source, "read", read)
    image = read_or_refuse(written(tmp_path, data))
    assert image.shape in ((1, 1), (8, 8))
    assert len(calls) < 400


def animated_png(n_frames, frames):
    control = chunk(b"acTL", struct.pack(">II", n_frames, 0))
    frame = struct.pack(">IIIIHHBB", 1, 1, 0, 0, 1, 1, 0, 0)
    after = []
    for number in range(frames):
        after.append(chunk(b"fcTL", struct.pack(">I", 2 * number + 1) + frame))
        after.append(chunk(b"fdAT", struct.pack(">I", 2 * number + 2) + b"garbage"))
    return png(1, 1, control, chunk(b"fcTL", bytes(4) + frame), rows=bytes([0, 7, 8, 9]), after=after)


@pytest.mark.parametrize(("n_frames", "frames"), [(3, 2), (2**31 - 1, 2), (3000, 2999), (2, 0)])
def test_later_frames_of_a_png_are_not_decoded(tmp_path, n_frames, frames):
    image = read_or_refuse(written(tmp_path, animated_png(n_frames, frames)))
    assert image.tolist() == [[[7, 8, 9]]]


def test_no_format_is_asked_for_another_frame(tmp_path, monkeypatch):
    """Pillow's readers all go to another frame by `seek`; that of the first one does nothing."""
    frames = [PICTURE, PICTURE.rotate(180)]
    names = [name for name in ("GIF", "PNG", "TIFF", "WEBP", "AVIF") if name in Image.SAVE_ALL]
    for name in names:
        frames[0].save(tmp_path / name, name, save_all=True, append_images=frames[1:])
        with Image.open(tmp_path / name) as image:
            kind = type(image)
            assert image.n_frames == 2

        def seek(self, frame, kind=kind, real_seek=kind.seek):
            assert frame == 0
            return real_seek(self, frame)

        monkeypatch.setattr(kind, "seek", seek)
        assert read_or_refuse(tmp_path / name).shape == (14, 21, 3)


# ---------------------------------------------------------------------------------------------------- many writers

WRITE = """
import sys, threading
from pathlib import Path
import numpy as np
from kmeans_fast.imaging.files import write_picture
path, enough, first = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

def write(number):
    palette = np.full((1, 3), number, np.uint8)
    while not enough.exists():
        write_picture(path, palette, np.zeros((10 + number, 300), np.uint8))

threads = [threading.Thread(target=write, args=(first + number,)) for number in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.skipif(not POSIX, reason="on Windows a file that is open for reading cannot be replaced")
def test_many_writers_of_one_file_leave_one_whole_picture(tmp_path):
    """Nine threads in three processes, and two here; each picture's size and colour say whose it is.

    They write until a hundred pictures, of several of them, have been read.
    """
    (tmp_path / "pictures").mkdir()
    path, enough = tmp_path / "pictures/a.png", tmp_path / "enough"
    write_picture(path, np.full((1, 3), 99, np.uint8), np.zeros((109, 300), np.uint8))
    command = [sys.executable, "-c", textwrap.dedent(WRITE), str(path), str(enough)]
    processes = [subprocess.Popen([*command, str(first)], env=ENVIRONMENT) for first in (0, 10, 20)]
    errors = []

    def write(number):
        try:
            while not enough.exists():
                write_picture(path, np.full((1, 3), number, np.uint8), np.zeros((10 + number, 300), np.uint8))
        except Exception as error:  # a thread's exception would get lost
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in (30, 31)]
    for thread in threads:
        thread.start()
    seen = []
    try:
        while any(process.poll() is None for process in processes) or any(thread.is_alive() for thread in threads):
            image = read_image(path)
            number = int(image[0, 0, 0])
            assert image.shape == (10 + number, 300, 3)
            assert (image == number).all()
            seen.append(number)
            if len(seen) >= 100 and len(set(seen)) >= 4:
                enough.touch()
    finally:
        enough.touch()
        for writer in processes:
            writer.wait()
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert errors == []
    assert list(path.parent.iterdir()) == [path]


def test_a_writer_that_is_killed_leaves_the_old_picture(tmp_path):
    """The temporary file stays behind then, under a name that no picture has."""
    path = tmp_path / "a.png"
    write_picture(path, np.full((1, 3), 99, np.uint8), np.zeros((4, 4), np.uint8))
    before = path.read_bytes()
    script = """
        import os, sys, numpy as np
        from kmeans_fast.imaging.files import write_picture
        os.fsync = lambda descriptor: os._exit(9)
        write_picture(sys.argv[1], np.zeros((1, 3), np.uint8), np.zeros((300, 300), np.uint8))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    assert subprocess.run(command, env=ENVIRONMENT, timeout=300, check=False).returncode == 9
    assert path.read_bytes() == before
    assert {file.suffix for file in tmp_path.iterdir()} == {".png", ".tmp"}


# ---------------------------------------------------------------------------------------------------- the search


def test_the_search_runs_and_finds_nothing(tmp_path):
    command = [sys.executable, str(Path(__file__).with_name("fuzz_pictures.py")), "--mutants", "8", "--seed", "5"]
    command += ["--keep", str(tmp_path / "found")]
    result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "8 mutants in " in result.stdout
    assert not (tmp_path / "found").exists()
