"""Pictures from bytes and file objects, and PNGs to them: as from and to files, with all guards."""

import io
import os
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

import kmeans_fast as kf
from kmeans_fast import quantize, read_image
from kmeans_fast.imaging.files import read_picture
from kmeans_fast.imaging.sources import Source

RGB = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)


def saved(format_, **options):
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, format_, **options)
    return file.getvalue()


FORMATS = {"PNG": {}, "TIFF": {"compression": "tiff_lzw"}, "BMP": {}, "GIF": {}, "ICO": {"sizes": [(30, 40)]}}
FORMATS |= {"WEBP": {"lossless": True}, "JPEG2000": {}, "JPEG": {}, "ICNS": {}, "PPM": {}}


class Pipe(io.RawIOBase):
    """Gives a few bytes at a time, and can't go back."""

    def __init__(self, data):
        self.rest = data

    def readable(self):
        return True

    def readinto(self, buffer):
        data, self.rest = self.rest[: min(100, len(buffer))], self.rest[min(100, len(buffer)) :]
        buffer[: len(data)] = data
        return len(data)


class OnlyReads:
    """The least that a file object can be, as an upload is in some frameworks."""

    def __init__(self, data):
        self.read = io.BytesIO(data).read


@pytest.mark.parametrize("format_", FORMATS)
def test_all_sources_give_the_same(tmp_path, format_):
    data = saved(format_, **FORMATS[format_])
    path = tmp_path / "a"
    path.write_bytes(data)
    expected = read_image(path)
    sources = [str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), Pipe(data), OnlyReads(data)]
    with path.open("rb") as file, path.open("rb", buffering=0) as raw:
        for source in [*sources, file, raw]:
            picture = read_picture(source)
            np.testing.assert_array_equal(picture.pixels, expected)
            assert picture.n_bytes == len(data)
        assert not file.closed
        assert not raw.closed


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_object_is_read_from_where_it_stands(format_):
    data = saved(format_, **FORMATS[format_])
    expected = read_image(data)
    file = io.BytesIO(b"garbage" + data)
    file.seek(7)
    np.testing.assert_array_equal(read_image(file), expected)
    pipe = Pipe(b"garbage" + data)
    pipe.read(7)
    np.testing.assert_array_equal(read_image(pipe), expected)


def test_a_member_of_an_archive_and_a_real_pipe():
    data = saved("PNG")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", data)
    with zipfile.ZipFile(archive) as file, file.open("a.png") as member:
        np.testing.assert_array_equal(read_image(member), RGB)
    reader, writer = os.pipe()

    def write():
        with os.fdopen(writer, "wb") as file:
            file.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reader, "rb") as file:
        np.testing.assert_array_equal(read_image(file), RGB)
    thread.join()


@pytest.mark.parametrize("source", [None, 5, [1, 2], RGB])
def test_what_is_no_source(source):
    kind = type(source).__name__
    with pytest.raises(TypeError, match=f"read from a path, bytes or a binary file object, got {kind}"):
        read_image(source)


def test_text_is_no_picture(tmp_path):
    (tmp_path / "a").write_text("text")
    with (tmp_path / "a").open() as file, pytest.raises(TypeError, match=r"must be binary \(mode 'rb'\)"):
        read_image(file)
    with pytest.raises(TypeError, match="but its read gives str"):
        read_image(io.StringIO("text"))


@pytest.mark.parametrize("wrap", [bytes, io.BytesIO, Pipe])
def test_errors_speak_of_the_picture(wrap):
    data = saved("PNG")
    with pytest.raises(ValueError, match=r"^the picture is empty \(0 bytes\)"):
        read_image(wrap(b""))
    with pytest.raises(ValueError, match=r"^the picture is not a picture in a format that Pillow knows"):
        read_image(wrap(b"hello"))
    with pytest.raises(ValueError, match=r"^the picture cannot be decoded; it may be damaged or cut short"):
        read_image(wrap(data[:900]))
    with pytest.raises(ValueError, match=r"^the picture has 30 x 40 = 1200 pixels; at most 1199 are allowed"):
        read_image(wrap(data), max_pixels=1199)
    with pytest.raises(ValueError, match=r"^the picture has a format that is not read: EPS is a program"):
        read_image(wrap(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"))


def test_a_closed_source_is_not_read_as_an_empty_one():
    file = io.BytesIO(saved("PNG"))
    file.close()
    with pytest.raises(ValueError, match="closed"):
        read_image(file)


@pytest.mark.parametrize("wrap", [bytes, io.BytesIO])
def test_lengths_and_positions_do_no_harm(wrap):
    with Source(wrap(b"abcdef")) as file:
        assert file.read(2**40) == b"abcdef"
        file.seek(2)
        assert (file.read(3), file.read(-1), file.read()) == (b"cde", b"f", b"")
        with pytest.raises(ValueError, match="there is no position -1 in the file"):
            file.seek(-1)


# ---------------------------------------------------------------------------------------------------- modes

GREY, ALPHA = RGB[..., 0], RGB[..., 1]
KINDS = {
    "grey": GREY,
    "opaque": RGB,
    "transparent": np.dstack([RGB, ALPHA]),
    "opaque with alpha": np.dstack([RGB, np.full_like(GREY, 255)]),
}


def luma(colors):
    """ITU-R 601 as Pillow's documentation gives it."""
    return colors[..., :3] @ np.array([299, 587, 114]) / 1000


@pytest.mark.parametrize("kind", KINDS)
def test_mode_decides_the_shape(kind):
    pixels = KINDS[kind]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    data = file.getvalue()
    colors = np.stack([pixels] * 3, axis=-1) if pixels.ndim == 2 else pixels[..., :3]
    alpha = pixels[..., 3:] if pixels.shape[2:] == (4,) else np.full((40, 30, 1), 255, np.uint8)
    np.testing.assert_array_equal(read_image(data, mode="RGB"), colors)
    np.testing.assert_array_equal(read_image(data, mode="RGBA"), np.concatenate([colors, alpha], axis=2))
    grey = read_image(data, mode="L")
    assert grey.shape == (40, 30)
    assert abs(grey - luma(colors)).max() <= 0.51
    for mode in ("L", "RGB", "RGBA"):
        image = read_image(data, mode=mode)
        assert image.flags.writeable
        assert image.flags.c_contiguous


@pytest.mark.parametrize("mode", ["P", "rgb", "", 3])
def test_no_such_mode(mode):
    with pytest.raises(ValueError, match="mode must be one of 'L', 'RGB', 'RGBA', got"):
        read_image(kf.sample_path(), mode=mode)


# ---------------------------------------------------------------------------------------------------- writing


class Pieces(io.RawIOBase):
    """Takes a few bytes at a time."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data[:10])
        return min(10, len(data))


class OnlyWrites:
    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += bytes(data)


def test_save_to_file_objects(tmp_path):
    result = quantize(RGB, 4)
    n_bytes = result.save(tmp_path / "a.png")
    expected = (tmp_path / "a.png").read_bytes()
    file = io.BytesIO(b"before")
    file.seek(0, io.SEEK_END)
    assert result.save(file) == n_bytes
    assert file.getvalue() == b"before" + expected
    assert not file.closed
    for piecemeal in (Pieces(), OnlyWrites()):
        assert result.save(piecemeal) == n_bytes
        assert piecemeal.data == expected
    with (tmp_path / "b").open("wb") as file:
        result.save(file)
    assert (tmp_path / "b").read_bytes() == expected


def test_save_to_what_takes_no_bytes(tmp_path):
    result = quantize(RGB, 4)
    with pytest.raises(TypeError, match=r"must be binary \(mode 'wb'\), but it takes text"):
        result.save(io.StringIO())
    with pytest.raises(TypeError, match="written to a path or a binary file object, got int"):
        result.save(5)
    with pytest.raises(ValueError, match="compress_level must be at most 9"):
        result.save(io.BytesIO(), compress_level=10)


def test_a_profile_that_nobody_could_read_is_refused(tmp_path):
    result = quantize(RGB, 4)
    profile = b"\0" * 16 + b"RGB " + bytes(2**20 - 20)
    result.save(tmp_path / "a.png", icc_profile=profile)
    assert read_picture(tmp_path / "a.png").icc_profile == profile
    with pytest.raises(ValueError, match="icc_profile must have at most 1048576 bytes"):
        result.save(tmp_path / "b.png", icc_profile=profile + b"\0")
    assert not (tmp_path / "b.png").exists()
