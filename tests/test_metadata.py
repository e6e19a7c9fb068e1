"""What a file says beside its pixels: what stays, what goes, and that no orientation is written twice."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

import kmeans_fast as kf

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
GAMMA = struct.pack(">I", 50000)
CHROMATICITIES = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
CODE_POINTS = bytes([9, 16, 0, 1])
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="cat"/></x:xmpmeta>'


def saved(format_, pixels=PIXELS, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=format_, **options)
    return file.getvalue()


def compressed(data, format_="png", **options):
    file = io.BytesIO()
    report = kf.compress(data, file, 4, format=format_, **options)
    return file.getvalue(), report


def chunks(data):
    """A PNG's chunks, as (name, content) in their order."""
    position, found = 8, []
    while position < len(data):
        length = int.from_bytes(data[position : position + 4])
        content = data[position + 4 : position + 8 + length]
        assert zlib.crc32(content) == int.from_bytes(data[position + 8 + length : position + 12 + length])
        found.append((content[:4], content[4:]))
        position += 12 + length
    return found


def with_chunks(*extra, data=None):
    """A PNG with chunks before its pixels, as Pillow doesn't write all of them."""
    data = data or saved("PNG")
    parts = [data[:33]]
    for name, content in extra:
        parts.append(struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content)))
    return b"".join([*parts, data[33:]])


def info(data):
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.info


def test_chunks_that_say_how_colours_are_meant_stay_as_they_are():
    extra = [(b"cICP", CODE_POINTS), (b"gAMA", GAMMA), (b"cHRM", CHROMATICITIES), (b"sRGB", b"\1")]
    written = chunks(compressed(with_chunks(*extra))[0])
    assert [chunk for chunk in written if chunk[0] in dict(extra)] == extra
    names = [name for name, _ in written]
    assert max(map(names.index, dict(extra))) < names.index(b"PLTE")


def test_chunks_of_a_wrong_size_mean_nothing():
    image = saved("PNG")
    written = chunks(compressed(with_chunks((b"cICP", b"\1"), data=image))[0])
    assert b"cICP" not in dict(written)


def test_a_profile_and_the_size_go_along():
    data, report = compressed(saved("PNG", icc_profile=PROFILE, dpi=(300, 150)))
    assert info(data)["icc_profile"] == PROFILE
    assert dict(chunks(data))[b"pHYs"] == struct.pack(">IIB", 11811, 5906, 1)
    assert report.notes[1:] == ()


@pytest.mark.parametrize("from_", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("to", ["png", "tiff", "bmp"])
def test_dots_per_inch_in_every_format_that_has_them(from_, to):
    data, _ = compressed(saved(from_, dpi=(300, 150)), to)
    np.testing.assert_allclose([float(value) for value in info(data)["dpi"]], (300, 150), atol=0.02)


def test_dots_per_centimetre():
    data, _ = compressed(saved("TIFF", resolution_unit=3, x_resolution=100, y_resolution=50))
    assert dict(chunks(data))[b"pHYs"] == struct.pack(">IIB", 10000, 5000, 1)


def test_dots_per_inch_of_a_tiff_that_is_read_by_planes():
    grey = np.arange(54, dtype=np.uint16).reshape(6, 9) * 1000
    data, _ = compressed(saved("TIFF", grey, dpi=(300, 150)))
    assert dict(chunks(data))[b"pHYs"] == struct.pack(">IIB", 11811, 5906, 1)


def test_a_size_that_means_nothing_is_not_written():
    assert b"pHYs" not in dict(chunks(compressed(saved("BMP", dpi=(0, 0)))[0]))
    assert b"pHYs" not in dict(chunks(compressed(saved("PNG"))[0]))


def test_a_quarter_turn_exchanges_dots_per_inch():
    tags = Image.Exif()
    tags[0x0112] = 6
    data, report = compressed(saved("JPEG", dpi=(300, 150), exif=tags))
    assert (report.width, report.height) == (6, 9)
    assert dict(chunks(data))[b"pHYs"] == struct.pack(">IIB", 5906, 11811, 1)


def camera_file(format_="JPEG", orientation=6):
    tags = Image.Exif()
    tags[0x0112], tags[0x010F], tags[0x9286] = orientation, "Maker", "not one of the first directory"
    tags[0x8769] = {0x9003: "2024:05:06 07:08:09", 0xA002: 9, 0xA003: 6}
    tags[0x8825] = {1: "N", 2: (50.0, 30.0, 0.0)}
    options = {"comment": "a comment"} if format_ == "JPEG" else {}
    return saved(format_, exif=tags, xmp=XMP, dpi=(300, 150), **options)


def test_all_else_is_dropped():
    data, _ = compressed(camera_file())
    assert {name for name, _ in chunks(data)} == {b"IHDR", b"pHYs", b"PLTE", b"IDAT", b"IEND"}


@pytest.mark.parametrize("format_", ["png", "webp", "tiff"])
def test_what_is_kept_if_asked_for(format_):
    data, _ = compressed(camera_file(), format_, keep_metadata=True)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        exif = image.getexif()
        assert exif[0x010F] == "Maker"
        assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert exif.get_ifd(0x8825)[2] == (50.0, 30.0, 0.0)
        assert b'dc:title="cat"' in image.info["xmp"]
        assert format_ != "tiff" or image.info["compression"] == "tiff_adobe_deflate"
        np.testing.assert_allclose([float(exif[tag]) for tag in (282, 283)], (150, 300), atol=0.02)


@pytest.mark.parametrize("format_", ["png", "webp", "tiff"])
def test_an_orientation_that_was_applied_is_not_written_again(format_):
    data, report = compressed(camera_file(), format_, keep_metadata=True)
    assert (report.width, report.height) == (6, 9)
    assert b"rientation" not in data
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (6, 9)
        assert image.getexif().get(0x0112, 1) == 1
        assert [image.getexif().get_ifd(0x8769)[tag] for tag in (0xA002, 0xA003)] == [6, 9]
    assert kf.read_image(data).shape[:2] == (9, 6)


def test_texts_are_kept_if_asked_for():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "cat")
    texts.add_itxt("Author", "Zoë", "en", "Author")
    texts.add_text("Raw profile type exif", "orientation in disguise")
    data, _ = compressed(saved("PNG", pnginfo=texts), keep_metadata=True)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.text == {"Title": "cat", "Author": "Zoë"}
    data, _ = compressed(camera_file(), keep_metadata=True)
    assert dict(chunks(data))[b"tEXt"] == b"Comment\0a comment"


def test_texts_after_the_pixels():
    data = saved("PNG")
    text = with_chunks((b"tEXt", b"Title\0late"), data=bytes(33))[33:]
    data, _ = compressed(data[:-12] + text + data[-12:], keep_metadata=True)
    assert dict(chunks(data))[b"tEXt"] == b"Title\0late"


def animation(format_, **options):
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    file = io.BytesIO()
    frames[0].save(file, format=format_, save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


def test_what_animations_say_stays_and_goes_like_that_of_pictures():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "cat")
    source = with_chunks((b"gAMA", GAMMA), data=animation("PNG", pnginfo=texts, dpi=(300, 150)))
    for options, expected in (({}, {b"gAMA", b"pHYs"}), ({"strip": True}, set())):
        data, report = compressed(source, **options)
        assert report.n_frames == 2
        assert {name for name, _ in chunks(data)} & {b"gAMA", b"pHYs", b"tEXt"} == expected
    assert dict(chunks(compressed(source, keep_metadata=True)[0]))[b"tEXt"] == b"Title\0cat"
    commented = animation("GIF", comment="a comment")
    assert dict(chunks(compressed(commented, keep_metadata=True)[0]))[b"tEXt"] == b"Comment\0a comment"


def test_an_animation_is_turned_once():
    tags = Image.Exif()
    tags[0x0112] = 6
    data, report = compressed(animation("WEBP", exif=tags, lossless=True), keep_metadata=True)
    assert (report.width, report.height, report.n_frames) == (6, 9, 2)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (6, 9)
        assert image.getexif().get(0x0112, 1) == 1


def test_damaged_exif_data_are_left_out():
    data, _ = compressed(saved("PNG", exif=b"Exif\0\0nonsense"), keep_metadata=True)
    assert b"eXIf" not in dict(chunks(data))


@pytest.mark.parametrize("format_", ["png", "webp", "tiff", "gif", "bmp"])
def test_strip_leaves_pixels_alone(format_):
    source = with_chunks((b"gAMA", GAMMA), data=saved("PNG", icc_profile=PROFILE, dpi=(300, 300)))
    bare, report = compressed(source, format_, strip=True)
    file = io.BytesIO()
    kf.quantize(PIXELS, 4, sort="luma").save(file, format=format_)
    assert bare == file.getvalue()
    assert not any("dropped" in note for note in report.notes)


def test_loss_of_what_changes_colours_is_told():
    notes = compressed(with_chunks((b"gAMA", GAMMA), data=saved("PNG", icc_profile=PROFILE)), "gif")[1].notes
    assert "its colour profile was dropped, for which GIF has no place" in notes
    assert "what it says of its colours (gAMA) was dropped, which only PNG holds" in notes
    plain = compressed(with_chunks((b"sRGB", b"\0"), (b"gAMA", GAMMA)), "webp")[1].notes
    assert not any("dropped" in note for note in plain)
    kept = compressed(camera_file(), "webp", keep_metadata=True)[1].notes
    assert "its texts were dropped, for which WebP has no place" in kept


def test_options_that_contradict():
    with pytest.raises(ValueError, match="strip drops what keep_metadata keeps"):
        compressed(saved("PNG"), strip=True, keep_metadata=True)
    with pytest.raises(ValueError, match="BMP holds no metadata that keep_metadata keeps; PNG, WebP and TIFF can"):
        compressed(saved("PNG"), "bmp", keep_metadata=True)
    with pytest.raises(TypeError, match="strip must be True or False, got 'no'"):
        compressed(saved("PNG"), strip="no")


def test_pages_of_a_tiff_keep_what_the_first_says():
    source = animation("TIFF", exif=Image.open(io.BytesIO(camera_file(orientation=1))).getexif().tobytes())
    data, report = compressed(source, "tiff", keep_metadata=True)
    assert report.n_frames == 2
    np.testing.assert_array_equal(kf.read_frames(data).pixels, kf.read_frames(compressed(source, "tiff")[0]).pixels)
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x010F] == "Maker"
        assert image.getexif().get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert len(file.pages) == 2
        assert file.pages[0].tags["ExifTag"].value["DateTimeOriginal"] == "2024:05:06 07:08:09"
