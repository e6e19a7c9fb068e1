"""`compress`: a file in, a smaller file out, and a report that says what happened."""

import errno
import io
import math
import os
import time

import numpy as np
import pytest
from PIL import Image, ImageCms

import kmeans_fast as kf
from kmeans_fast import CompressionReport, compress, quantize, read_image


@pytest.fixture(scope="module")
def cat(tmp_path_factory):
    """The sample picture, smaller; its path and its pixels."""
    pixels = np.ascontiguousarray(read_image(kf.sample_path())[::3, ::3])
    path = tmp_path_factory.mktemp("source") / "cat.png"
    Image.fromarray(pixels).save(path)
    return path, pixels


def test_file_and_report(cat, tmp_path):
    source, pixels = cat
    destination = tmp_path / "a.png"
    start = time.perf_counter()
    report = compress(source, destination, 8)
    elapsed = time.perf_counter() - start

    expected = quantize(pixels, 8)
    np.testing.assert_array_equal(read_image(destination), expected.to_array())
    assert report.source == source
    assert report.destination == destination
    assert (report.width, report.height) == (151, 100)
    assert report.bytes_before == source.stat().st_size
    assert report.bytes_after == destination.stat().st_size
    assert report.colors_before == len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0))
    assert report.colors_after == 8
    assert (report.mse, report.psnr) == (expected.mse, expected.psnr)
    assert (report.n_iter, report.converged) == (expected.n_iter, True)
    assert report.bits_per_pixel == 8 * destination.stat().st_size / (151 * 100)
    assert list(report.seconds) == ["read", "start", "count", "cluster", "write"]
    assert min(report.seconds.values()) > 0
    assert sum(report.seconds.values()) <= elapsed


def test_same_bytes_each_time_and_with_each_engine(cat, tmp_path):
    for name, options in {"a": {}, "b": {}, "c": {"engine": "numpy", "n_threads": 1}, "d": {"n_threads": 3}}.items():
        compress(cat[0], tmp_path / f"{name}.png", **options)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_options_reach_k_means(cat, tmp_path):
    report = compress(cat[0], tmp_path / "a.png", 5, init="random", seed=3, max_iter=2, n_init=2)
    expected = quantize(cat[1], 5, init="random", seed=3, max_iter=2, n_init=2)
    assert report.mse == expected.mse
    assert not report.converged
    assert compress(cat[0], tmp_path / "a.png", 5, tol=1e9).n_iter == 1
    assert compress(cat[0], tmp_path / "a.png", 5, tol=0, callback=lambda *step: step[0] == 3).n_iter == 3
    assert compress(cat[0], tmp_path / "a.png", 2, init=[[0, 0, 0], [255, 255, 255]]).colors_after == 2


def test_from_memory_to_memory(cat, tmp_path):
    file = io.BytesIO()
    compress(cat[0], tmp_path / "a.png", 8)
    report = compress(cat[0].read_bytes(), file, 8)
    assert file.getvalue() == (tmp_path / "a.png").read_bytes()
    assert (report.source, report.destination) == (None, None)
    assert (report.bytes_before, report.bytes_after) == (cat[0].stat().st_size, len(file.getvalue()))
    assert str(report).startswith("(memory) -> (memory)\n")
    again = io.BytesIO()
    with cat[0].open("rb") as source:
        compress(source, again, 8)
    assert again.getvalue() == file.getvalue()


def test_what_is_no_place_to_write_is_refused_before_any_work(cat):
    with pytest.raises(TypeError, match="must be binary"):
        compress(cat[0], io.StringIO(), 8)
    with pytest.raises(TypeError, match="a picture is written to a path or a binary file object, got NoneType"):
        compress(cat[0], None, 8)


def test_what_a_format_cannot_hold_is_refused_before_clustering(tmp_path, monkeypatch):
    monkeypatch.setattr("kmeans_fast.imaging.compression.count_colors", None)
    pixels = np.full((4, 4, 4), 255, np.uint8)
    pixels[0, 0, 3] = 128
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(
        ValueError, match="GIF holds pixels that are opaque or fully transparent only, got alpha of 128"
    ):
        compress(tmp_path / "a.png", tmp_path / "b.gif")
    with pytest.raises(ValueError, match="GIF holds up to 256 colours, got 300"):
        compress(tmp_path / "a.png", tmp_path / "b.gif", 300)
    with pytest.raises(ValueError, match="BMP holds opaque pixels only, got alpha of 128"):
        compress(tmp_path / "a.png", tmp_path / "b.bmp")


def test_orientation_is_applied_and_not_written_again(tmp_path):
    """Else the next program would turn the picture a second time."""
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(np.eye(2, 3, dtype=np.uint8) * 255).save(tmp_path / "a.png", exif=tags)
    report = compress(tmp_path / "a.png", tmp_path / "b.png", 2)
    assert (report.width, report.height) == (2, 3)
    with Image.open(tmp_path / "b.png") as image:
        assert dict(image.getexif()) == {}
        np.testing.assert_array_equal(np.asarray(image.convert("L")), [[0, 255], [255, 0], [0, 0]])


def test_profile_is_carried_over(cat, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(cat[1]).save(tmp_path / "a.png", icc_profile=profile)
    compress(tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert image.info["icc_profile"] == profile


def test_transparency_survives(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:6, 2:6] = [200, 10, 30, 255]
    pixels[4:, :4] = [0, 0, 255, 128]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    report = compress(tmp_path / "a.png", tmp_path / "b.png", 8)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png"), pixels)
    assert (report.colors_before, report.colors_after) == (3, 3)
    assert (report.mse, report.psnr) == (0, math.inf)


def test_report_as_text():
    report = CompressionReport(
        "photo.jpg", "photo-8-colors.png", 4000, 3000, 5_000_000, 1_500_000, 123_456, 8, 101.5, 32.837, 45, True, True,
        {"read": 0.4, "count": 0.05, "cluster": 0.1, "write": 0.25},
    )  # fmt: skip
    assert str(report).splitlines() == [
        "photo.jpg -> photo-8-colors.png",
        "4000 x 3000 pixels        before          after",
        "bytes                  5,000,000      1,500,000",
        "bits a pixel                3.33           1.00",
        "colours                  123,456              8",
        "mse                                      101.50",
        "psnr (dB)                                 32.84",
        "45 iterations, converged",
        "seconds: read 0.400, count 0.050, cluster 0.100, write 0.250",
    ]


def test_report_says_if_it_was_stopped_and_shows_no_raw_control_characters(cat, tmp_path):
    if os.name == "nt":
        pytest.skip("Windows has no such names")
    text = str(compress(cat[0], tmp_path / "a\x1b[31m\n.png", tol=0, max_iter=2))
    assert "2 iterations, stopped before it converged" in text
    assert r"a\x1b[31m\n.png'" in text
    assert "\x1b" not in text


def noted(source, destination, **options):
    report = compress(source, destination, **options)
    for note in report.notes:
        assert note in str(report)
    return report.notes


def test_notes_of_an_output_that_is_larger(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(
        tmp_path / "a.jpg", quality=5
    )
    report = compress(tmp_path / "a.jpg", tmp_path / "a.png", 200)
    sizes = f"{report.bytes_after:,} bytes instead of {report.bytes_before:,}"
    assert report.notes == (f"the output is larger than the source: {sizes}",)
    assert report.bytes_after > report.bytes_before


def test_notes_of_what_was_left_out(cat, tmp_path):
    assert noted(cat[0], tmp_path / "a.png") == ()
    frames = [Image.fromarray(cat[1]), Image.fromarray(255 - cat[1])]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert noted(tmp_path / "a.gif", tmp_path / "a.bmp") == ("of 2 pictures the first was read",)
    profile = bytes(16) + b"GRAY" + bytes(100)
    frames[0].convert("L").save(tmp_path / "grey.png", icc_profile=profile)
    assert noted(tmp_path / "grey.png", tmp_path / "a.png") == ("its colour profile is for GRAY, and was dropped",)
    Image.fromarray(cat[1][..., 0].astype(np.uint16) * 8).save(tmp_path / "12.png")
    assert noted(tmp_path / "12.png", tmp_path / "a.png")[0].startswith("its 16-bit values reach only")


def test_note_of_a_quality_that_was_missed(cat, tmp_path):
    report = compress(cat[0], tmp_path / "a.png", quality=60)
    assert not report.quality_met
    assert f"the quality asked for was not reached: {report.psnr:.2f} dB instead of 60" in report.notes
    assert f"{report.psnr:.2f} dB instead of 60" in str(report)


def test_a_pixel_with_transparency_counts_as_five(tmp_path):
    """It takes five times the memory to cluster, and is refused before that."""
    pixels = np.full((10, 10, 4), 255, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "opaque.png")
    pixels[0, 0] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(
        ValueError, match=r"10 x 10 = 100 pixels, which take as much memory as 500 opaque ones; at most"
    ):
        compress(tmp_path / "a.png", tmp_path / "b.png", max_pixels=499)
    assert not (tmp_path / "b.png").exists()
    assert compress(tmp_path / "a.png", tmp_path / "b.png", max_pixels=500).width == 10
    assert compress(tmp_path / "opaque.png", tmp_path / "b.png", max_pixels=100).width == 10
    assert read_image(tmp_path / "a.png", max_pixels=100).shape == (10, 10, 4)


def test_destination_is_checked_before_any_work(cat, tmp_path, monkeypatch):
    def read_picture(path, **options):
        raise AssertionError("read before the destination was checked")

    monkeypatch.setattr("kmeans_fast.imaging.files.read_picture", read_picture)
    with pytest.raises(FileNotFoundError, match="the folder for the output does not exist"):
        compress(cat[0], tmp_path / "no" / "a.png")
    with pytest.raises(ValueError, match=r"name must end in \.png, .* or \.bmp, got 'a\.jpg'"):
        compress(cat[0], tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="is the source itself, which is never overwritten"):
        compress(cat[0], cat[0])


def test_source_is_checked_first(tmp_path):
    """`no/photo.jpg` with its output beside it lacks a source, not a folder for the output."""
    with pytest.raises(FileNotFoundError, match="No such file"):
        compress(tmp_path / "no" / "a.jpg", tmp_path / "no" / "b.png")


@pytest.mark.parametrize("what", ["damaged source", "bad option", "exception in a callback", "full disk"])
def test_a_failure_leaves_everything_as_it_was(cat, tmp_path, monkeypatch, what):
    source, options = cat[0], {}
    destination = tmp_path / "a.png"
    destination.write_bytes(b"a good file")
    expected = ValueError
    if what == "damaged source":
        source = tmp_path / "damaged.png"
        source.write_bytes(cat[0].read_bytes()[:5000])
    elif what == "bad option":
        options = {"max_iter": 0}
    elif what == "exception in a callback":
        expected = ZeroDivisionError
        options = {"callback": lambda *step: 1 / (step[0] - 1)}
    else:
        expected = OSError

        def fsync(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", fsync)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(expected):
        compress(source, destination, **options)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_levels_of_compression(cat, tmp_path):
    sizes = [compress(cat[0], tmp_path / "a.png", 40, compress_level=level).bytes_after for level in (0, 1, 9)]
    assert sizes == sorted(sizes, reverse=True)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), quantize(cat[1], 40).to_array())
    with pytest.raises(ValueError, match="compress_level must be at most 9, got 10"):
        compress(cat[0], tmp_path / "b.png", compress_level=10)
    assert not (tmp_path / "b.png").exists()


def test_dark_to_light_makes_small_files(cat, tmp_path):
    by_luma, as_it_comes = (compress(cat[0], tmp_path / "a.png", 16, sort=sort) for sort in ("luma", "none"))
    assert by_luma.bytes_after < as_it_comes.bytes_after
    assert by_luma.mse == as_it_comes.mse


def test_fixed_colours_are_in_the_file(cat, tmp_path):
    compress(cat[0], tmp_path / "a.png", 5, fixed=["#ff8000"])
    found = kf.read_palette(tmp_path / "a.png").hex
    assert len(found) == 5
    assert "#ff8000" in found


def test_alpha_of_a_given_palette_decides_what_holds_it(tmp_path):
    faint = np.full((3, 3, 4), 90, np.uint8)
    Image.fromarray(faint).save(tmp_path / "faint.png")
    assert compress(tmp_path / "faint.png", tmp_path / "a.gif", palette=["#5a5a5a", "#ffffff"]).colors_after == 2
    with pytest.raises(ValueError, match="opaque or fully transparent only"):
        compress(tmp_path / "faint.png", tmp_path / "b.gif", palette=["#5a5a5a5a", "#ffffff"])


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_hidden_colours_go_through_files(tmp_path, name):
    image = np.array([[[250, 9, 0, 0], [0, 200, 0, 0], [0, 0, 255, 255], [0, 0, 250, 200]]], np.uint8)
    Image.fromarray(image).save(tmp_path / "source.png")
    report = kf.compress(tmp_path / "source.png", tmp_path / name, keep_hidden_color=True)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / name).convert("RGBA")), image)
    assert report.colors_before == report.colors_after == 4


@pytest.mark.parametrize("name", ["a.gif", "a.bmp"])
def test_formats_without_hidden_colours(tmp_path, name):
    with pytest.raises(ValueError, match=r"can't keep the colours of what is transparent; PNG, WebP and TIFF can"):
        kf.compress(kf.sample_path(), tmp_path / name, keep_hidden_color=True)
