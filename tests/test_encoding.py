"""Formats of files: what each holds comes back as it was, and what it can't hold is refused before any work."""

import io
import re
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

import kmeans_fast as kf
from kmeans_fast.imaging.encoding import FORMATS, SUFFIXES
from kmeans_fast.imaging.files import write_picture
from kmeans_fast.imaging.metadata import Metadata

NAMES = tuple(FORMATS)
PALETTE = np.column_stack([np.arange(256), np.arange(256)[::-1], np.arange(256) * 7 % 256]).astype(np.uint8)


def saved(palette, labels, format_):
    file = io.BytesIO()
    assert write_picture(file, palette, labels, format=format_) == len(file.getvalue())
    return file.getvalue()


def labels_of(n_colors, shape=(23, 37)):
    return np.random.default_rng(n_colors).permutation(np.arange(np.prod(shape)) % n_colors).reshape(shape)


@pytest.mark.parametrize("format_", NAMES)
@pytest.mark.parametrize("n_colors", [1, 2, 3, 16, 17, 256])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_pixels_come_back(format_, n_colors, n_channels):
    palette, labels = PALETTE[:n_colors, :n_channels], labels_of(n_colors)
    data = saved(palette, labels, format_)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == FORMATS[format_].name.upper()
        expected = palette[labels] if n_channels == 3 else np.repeat(palette[labels], 3, axis=2)
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), expected)


@pytest.mark.parametrize("format_", ["png", "gif", "webp", "bmp", "tiff"])
def test_other_decoders_see_the_same_pixels(format_):
    decode = getattr(imagecodecs, f"{format_}_decode", None) or (lambda data: tifffile.imread(io.BytesIO(data)))
    palette, labels = PALETTE[:13], labels_of(13)
    decoded = decode(saved(palette, labels, format_))
    np.testing.assert_array_equal(palette[decoded] if decoded.ndim == 2 else decoded, palette[labels])


@pytest.mark.parametrize("format_", ["png", "gif", "tiff", "bmp"])
def test_entries_keep_their_order(format_):
    palette, labels = PALETTE[50:61], labels_of(9)  # two entries are not used
    with Image.open(io.BytesIO(saved(palette, labels, format_))) as image:
        np.testing.assert_array_equal(np.reshape(image.getpalette(), (-1, 3))[:11], palette)
        np.testing.assert_array_equal(np.asarray(image), labels)


@pytest.mark.parametrize("format_", [name for name in NAMES if FORMATS[name].most_colors is None])
@pytest.mark.parametrize("n_channels", [1, 3, 4])
def test_more_than_256_colours(format_, n_channels):
    index = np.arange(300)
    palette = np.column_stack([index % 256, index // 256, index % 7, np.full(300, 255)]).astype(np.uint8)
    labels = index.astype(np.uint16).reshape(15, 20)
    picture = kf.read_image(saved(palette[:, :n_channels], labels, format_), mode="RGB")
    entries = palette[:, :3] if n_channels > 1 else palette[:, [0, 0, 0]]
    np.testing.assert_array_equal(picture, entries[labels])


@pytest.mark.parametrize("format_", [name for name in NAMES if FORMATS[name].alpha == "any"])
@pytest.mark.parametrize("n_colors", [3, 300])
def test_alpha_comes_back(format_, n_colors):
    palette = np.random.default_rng(0).permutation(n_colors * 4).reshape(n_colors, 4).astype(np.uint8)
    palette[1] = [9, 8, 7, 0]  # the hidden colour of a palette that is given is kept, too
    labels = labels_of(n_colors)
    np.testing.assert_array_equal(kf.read_image(saved(palette, labels, format_)), palette[labels])


@pytest.mark.parametrize("hidden", [0, 1, 4])
def test_one_transparent_entry_of_a_gif(hidden):
    palette = np.column_stack([PALETTE[:5] // 2 + 100, np.full(5, 255)]).astype(np.uint8)
    palette[hidden] = 0
    labels = labels_of(5)
    np.testing.assert_array_equal(kf.read_image(saved(palette, labels, "gif")), palette[labels])


def test_black_beside_a_transparent_black():
    palette = np.array([[0, 0, 0, 0], [0, 0, 0, 255], [9, 9, 9, 255]], np.uint8)
    labels = labels_of(3)
    for format_ in ("png", "gif", "webp", "tiff"):
        np.testing.assert_array_equal(kf.read_image(saved(palette, labels, format_)), palette[labels])


@pytest.mark.parametrize(
    ("format_", "palette", "shape", "message"),
    [
        ("gif", [[1, 2, 3, 128]], (2, 2), "opaque or fully transparent only, got alpha of 128; PNG,"),
        ("gif", [[0, 0, 0, 0], [9, 9, 9, 0]], (2, 2), "GIF holds one transparent entry, got 2; PNG, WebP and TIFF can"),
        ("bmp", [[0, 0, 0, 0]], (2, 2), "BMP holds opaque pixels only, got alpha of 0; PNG, WebP and TIFF can"),
        ("gif", np.zeros((257, 3)), (2, 2), "GIF holds up to 256 colours, got 257; PNG, WebP, TIFF and BMP can"),
        ("webp", [[1, 2, 3]], (1, 16384), "WebP holds up to 16383 pixels a row and column, got 16384 x 1; PNG, GIF,"),
        ("gif", [[1, 2, 3]], (65536, 1), "GIF holds up to 65535 pixels a row and column, got 1 x 65536; PNG, TIFF"),
        ("bmp", [[1, 2, 3]], (2, 5, 5), "BMP holds one picture, got 2 frames; PNG, GIF, WebP and TIFF can"),
    ],
)  # fmt: skip
def test_what_a_format_cannot_hold(tmp_path, format_, palette, shape, message):
    path = tmp_path / f"a.{format_}"
    with pytest.raises(ValueError, match=re.escape(message)):
        write_picture(path, np.array(palette, np.uint8), np.zeros(shape, np.uint8))
    assert not path.exists()


@pytest.mark.parametrize("format_", NAMES)
def test_16_bits_have_a_way_out(format_):
    result = kf.quantize(np.arange(0, 60000, 1000, dtype=np.uint16).reshape(6, 10), 8)
    with pytest.raises(ValueError, match="palette has 8 bits a channel, got uint16; to_8_bit"):
        result.save(io.BytesIO(), format=format_)
    assert result.to_8_bit().save(io.BytesIO(), format=format_) > 0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffix_says_the_format(tmp_path, suffix):
    write_picture(tmp_path / f"a{suffix.upper()}", PALETTE[:4], labels_of(4))
    with Image.open(tmp_path / f"a{suffix.upper()}") as image:
        assert suffix in FORMATS[image.format.lower()].suffixes


def test_a_suffix_of_another_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"the output is a GIF, so its name must end in \.gif, got 'a\.png'"):
        write_picture(tmp_path / "a.png", PALETTE[:4], labels_of(4), format="gif")
    write_picture(tmp_path / "a", PALETTE[:4], labels_of(4), format="gif")
    assert (tmp_path / "a").read_bytes().startswith(b"GIF8")


def test_the_name_of_a_file_object_says_the_format_too(tmp_path):
    for name, magic in (("a.gif", b"GIF8"), ("a.bmp", b"BM"), ("a", b"\x89PNG"), ("a.data", b"\x89PNG")):
        with (tmp_path / name).open("wb") as file:
            write_picture(file, PALETTE[:4], labels_of(4))
        assert (tmp_path / name).read_bytes().startswith(magic)
    with (tmp_path / "b.gif").open("wb") as file:
        write_picture(file, PALETTE[:4], labels_of(4), format="png")
    assert (tmp_path / "b.gif").read_bytes().startswith(b"\x89PNG")


def test_names_of_formats():
    with pytest.raises(ValueError, match="format must be one of 'png', 'gif', 'webp', 'tiff', 'bmp', got 'jpeg'"):
        write_picture(io.BytesIO(), PALETTE[:4], labels_of(4), format="jpeg")
    with pytest.raises(TypeError, match="format must be a str or None, got int"):
        write_picture(io.BytesIO(), PALETTE[:4], labels_of(4), format=3)
    assert saved(PALETTE[:4], labels_of(4), "PNG").startswith(b"\x89PNG")
    assert saved(PALETTE[:4], labels_of(4), None).startswith(b"\x89PNG")


def test_options_of_other_formats_are_refused():
    result = kf.quantize(PALETTE[np.newaxis], 4)
    with pytest.raises(ValueError, match="compress_level is for PNG, and must be left out for GIF, got 9"):
        result.save(io.BytesIO(), format="gif", compress_level=9)
    with pytest.raises(ValueError, match=r"icc_profile must be left out for BMP, .* PNG, WebP and TIFF can"):
        result.save(io.BytesIO(), format="bmp", icc_profile=b"x")


@pytest.mark.parametrize("format_", NAMES)
def test_a_profile_that_is_given(format_):
    if "icc_profile" in FORMATS[format_].metadata:
        file = io.BytesIO()
        profile = bytes(16) + b"RGB " + bytes(108)
        kf.quantize(PALETTE[np.newaxis], 4).save(file, format=format_, icc_profile=profile)
        with Image.open(file) as image:
            assert image.info["icc_profile"] == profile


def test_a_gif_is_not_interlaced():
    """It would be larger, for nothing."""
    data = saved(PALETTE[:4], labels_of(4), "gif")
    assert data[13 + 3 * 4 :][:1] == b","
    assert data[13 + 3 * 4 + 9] & 64 == 0


@pytest.mark.parametrize("format_", NAMES)
def test_same_bytes_each_time(format_):
    assert saved(PALETTE[:9], labels_of(9), format_) == saved(PALETTE[:9], labels_of(9), format_)


# ---------------------------------------------------------------------------------------------------- libdeflate


@pytest.mark.parametrize("n_colors", [2, 16, 200, 300])
@pytest.mark.parametrize("level", [0, 6, 12])
def test_libdeflate_changes_bytes_alone(n_colors, level):
    pytest.importorskip("deflate")
    draws = np.random.default_rng(n_colors)
    palette = draws.permutation(4 * n_colors).reshape(n_colors, 4).astype(np.uint8)
    labels = labels_of(n_colors, (40, 50))
    file = io.BytesIO()
    metadata = Metadata(dpi=(100, 100), icc_profile=bytes(16) + b"RGB " + bytes(108))
    write_picture(file, palette, labels, compress_level=level, encoder="libdeflate", metadata=metadata)
    np.testing.assert_array_equal(kf.read_image(file.getvalue()), palette[labels])
    with Image.open(file) as image:
        assert image.info["icc_profile"] == metadata.icc_profile
        assert round(image.info["dpi"][0]) == 100


def test_libdeflate_makes_smaller_files_at_its_highest_level():
    pytest.importorskip("deflate")
    labels = kf.quantize(kf.read_image(kf.sample_path()), 64).labels
    sizes = {}
    for encoder, level in (("zlib", 9), ("libdeflate", 12)):
        sizes[encoder] = write_picture(io.BytesIO(), PALETTE[:64], labels, compress_level=level, encoder=encoder)
    assert sizes["libdeflate"] < 0.97 * sizes["zlib"]


def test_encoders_that_cannot_be(monkeypatch):
    labels = labels_of(4)
    with pytest.raises(ValueError, match="encoder must be one of 'zlib', 'libdeflate', got 'zopfli'"):
        write_picture(io.BytesIO(), PALETTE[:4], labels, encoder="zopfli")
    with pytest.raises(ValueError, match="encoder is for PNG, and must be left out for GIF, got 'libdeflate'"):
        write_picture(io.BytesIO(), PALETTE[:4], labels, format="gif", encoder="libdeflate")
    with pytest.raises(ValueError, match="encoder must be left out for frames, got 'libdeflate' for 2 of them"):
        write_picture(io.BytesIO(), PALETTE[:4], np.stack([labels, labels]), encoder="libdeflate")
    monkeypatch.setitem(sys.modules, "deflate", None)
    with pytest.raises(ImportError, match=r"needs deflate: pip install 'kmeans_fast\[libdeflate\]'"):
        write_picture(io.BytesIO(), PALETTE[:4], labels, encoder="libdeflate")


# ---------------------------------------------------------------------------------------------------- other ways out

RGBA = np.array([[0, 0, 0, 0], [200, 100, 0, 128], [1, 2, 3, 255]], np.uint8)[labels_of(3)]


@pytest.mark.parametrize("pixels", [PALETTE[labels_of(9)], PALETTE[labels_of(256)][..., 0], RGBA])
def test_to_pil(pixels):
    result = kf.quantize(pixels, 256)
    image = result.to_pil()
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), result.labels)
    expected = Image.fromarray(pixels).convert("RGBA")
    np.testing.assert_array_equal(np.asarray(image.convert("RGBA")), np.asarray(expected))
    file = io.BytesIO()
    image.save(file, format="PNG")
    np.testing.assert_array_equal(kf.read_image(file.getvalue(), mode="RGBA"), np.asarray(expected))


def test_to_pil_of_more_than_256_colours_and_of_16_bits():
    pixels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    many = kf.quantize(np.stack([pixels % 256, pixels // 256, pixels % 3], axis=2).astype(np.uint8), 400)
    np.testing.assert_array_equal(np.asarray(many.to_pil()), many.to_array())
    with pytest.raises(ValueError, match=r"palettes have 8 bits a channel, got uint16; to_8_bit\(\) rounds"):
        kf.quantize(pixels, 4).to_pil()


def test_a_result_is_an_array_where_one_is_taken():
    result = kf.quantize(PALETTE[labels_of(30)], 8)
    np.testing.assert_array_equal(np.asarray(result), result.to_array())
    assert np.asarray(result, np.float32).dtype == np.float32
    assert kf.quantize(result, 8).mse == 0
    with pytest.raises(ValueError, match="always a copy; got copy=False"):
        np.asarray(result, copy=False)


def test_a_notebook_shows_the_picture_and_its_colours():
    result = kf.quantize(PALETTE[labels_of(9)], 4)
    np.testing.assert_array_equal(kf.read_image(result._repr_png_()), result.to_array())
    assert "data:image/png;base64,iVBOR" in result._repr_html_()
    assert result.hex_colors[3] in result._repr_html_()


def test_a_notebook_is_not_sent_millions_of_pixels():
    large = kf.quantize(np.arange(2000 * 3000, dtype=np.uint16).reshape(2000, 3000) % 700 * 90, 4)
    shown = kf.read_image(large._repr_png_())
    assert shown.shape[:2] == (667, 1000)
    np.testing.assert_array_equal(shown[..., 0], large.to_8_bit().to_array()[::3, ::3])
