"""Palettes that are given."""

import numpy as np
import pytest
from PIL import Image

import kmeans_fast as kf

SIX = ["#000000", "#ffffff", "#00ff00", "#0000ff", "#ff0000", "#ffff00"]


def test_each_pixel_has_its_nearest_entry(small_cat, engine):
    palette = np.array([[200, 180, 160], [30, 20, 10], [120, 90, 60], [0, 0, 255], [120, 90, 60]], np.uint8)
    result = kf.apply_palette(small_cat, palette, engine=engine)
    squares = ((small_cat[:, :, np.newaxis].astype(int) - palette) ** 2).sum(axis=3)
    np.testing.assert_array_equal(result.labels, squares.argmin(axis=2))
    np.testing.assert_array_equal(result.palette, palette)
    assert result.counts[[3, 4]].tolist() == [0, 0]  # not used, and there twice
    assert result.mse == pytest.approx(squares.min(axis=2).mean())
    assert (result.n_iter, result.converged, result.quality_met) == (0, True, True)


@pytest.mark.parametrize("shape", [(61, 97), (61, 97, 1), (61, 97, 3), (61, 97, 4)], ids=str)
@pytest.mark.parametrize("palette", [[0, 90, 255], [[0], [90], [255]], SIX, ["ff0000", "#0000ff80"]], ids=str)
def test_every_kind_of_picture_and_palette(small_cat, shape, palette):
    image = small_cat[..., 0] if len(shape) == 2 else np.dstack([small_cat, small_cat[..., :1]])[..., : shape[2]]
    result = kf.apply_palette(image, palette)
    assert result.n_colors == len(palette)
    assert result.counts.sum() == result.labels.size == 61 * 97
    assert result.palette.shape[1] == (
        4 if "80" in str(palette[-1]) else 1 if shape[2:] in ((), (1,)) and palette != SIX else 3
    )


def test_an_opaque_alpha_channel_says_nothing(small_cat):
    opaque = np.dstack([small_cat, np.full((61, 97), 255, np.uint8)])
    np.testing.assert_array_equal(kf.apply_palette(opaque, SIX).labels, kf.apply_palette(small_cat, SIX).labels)


@pytest.mark.parametrize(
    ("palette", "error", "message"),
    [
        ([], ValueError, "palette must have shape"),
        (np.zeros((3, 2), np.uint8), ValueError, r"palette must have shape .*, got \(3, 2\)"),
        ([[0, 0, 256]], ValueError, "palette must be from 0 to 255, got values from 0 to 256"),
        ([[-1, 0, 0]], ValueError, "palette must be from 0 to 255"),
        ([[0.5, 0, 0]], TypeError, "palette must be of integers from 0 to 255, got float64"),
        (["#ff000"], ValueError, "palette must be of colours such as '#ff8000', .* or 'orange', got '#ff000'"),
        (["#ff0000", 3], ValueError, "got 3"),
    ],
    ids=str,
)
def test_palettes_that_cannot_be(small_cat, palette, error, message):
    with pytest.raises(error, match=message):
        kf.apply_palette(small_cat, palette)


@pytest.mark.parametrize(
    "palette",
    [
        np.array([[255, 128, 0], [0, 0, 128]], np.uint8),
        [(255, 128, 0), (0, 0, 128)],
        ["#ff8000", "#000080"],
        ["FF8000", "000080"],
        ("#ff8000ff", "Navy"),
        kf.Palette(["#ff8000", "navy"]),
    ],
    ids=str,
)
def test_palettes_in_all_their_forms(small_cat, palette):
    assert kf.quantize(small_cat, palette=palette).palette.tolist() == [[255, 128, 0], [0, 0, 128]]


def test_results_and_files_are_palettes(small_cat, tmp_path):
    found = kf.quantize(small_cat, 5)
    found.save(tmp_path / "five.png")
    kf.palette(small_cat, 5).save(tmp_path / "five.gpl")
    for palette in (found, kf.palette(small_cat, 5), tmp_path / "five.gpl", str(tmp_path / "five.png")):
        result = kf.quantize(small_cat, palette=palette)
        np.testing.assert_array_equal(result.palette, found.palette)
        np.testing.assert_array_equal(result.labels, found.labels)


def test_short_hex_has_each_digit_twice(small_cat):
    assert kf.quantize(small_cat, palette=["#1ab", "#1ab8"]).hex_colors == ["#11aabbff", "#11aabb88"]


@pytest.mark.parametrize("space", ["linear", "oklab", "lab"])
def test_the_nearest_entry_in_other_spaces(small_cat, space):
    from kmeans_fast.imaging.spaces import NAMED

    embed = NAMED[space](1.0).embed
    entries = kf.quantize(small_cat, palette=SIX, space=space)
    points = embed(small_cat.reshape(-1, 3)).astype(float)
    nearest = ((points[:, np.newaxis] - embed(entries.palette)) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(entries.labels.reshape(-1), nearest)
    squares = (small_cat.reshape(-1, 3).astype(float) - entries.palette[nearest]) ** 2
    assert entries.mse == pytest.approx(squares.sum(axis=1).mean())


def test_grey_in_another_space(small_cat):
    assert kf.quantize(small_cat[..., 0], palette=[0, 255], space="oklab").palette.shape == (2, 3)


def test_16_bits(small_cat):
    wide = small_cat.astype(np.uint16) * 257
    expected = kf.quantize(small_cat, palette=SIX)
    for palette in (SIX, kf.Palette(SIX).palette.astype(np.uint16) * 257):
        result = kf.quantize(wide, palette=palette)
        assert result.palette.dtype == np.uint16
        np.testing.assert_array_equal(result.labels, expected.labels)
    with pytest.raises(ValueError, match="palette must have 8 bits a channel for a picture of 8 bits, got 16"):
        kf.quantize(small_cat, palette=result.palette)


@pytest.mark.parametrize(
    "options",
    [
        {"n_colors": 6},
        {"quality": 30},
        {"sort": "luma"},
        {"seed": 1},
        {"init": "random"},
        {"max_iter": 3},
        {"callback": print},
    ],
    ids=str,
)
def test_what_a_given_palette_would_ignore(small_cat, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} can't be given with palette"):
        kf.quantize(small_cat, palette=SIX, **options)


@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 3), (6, 7, 4)])
@pytest.mark.parametrize("entries", [["#ff000080"], ["#00000000", "white"]], ids=str)
def test_an_opaque_picture_with_a_translucent_palette(tmp_path, shape, entries, engine):
    """Its colours are counted as RGBA, of which none is hidden."""
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    if shape[-1] == 4:
        image[..., 3] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    report = kf.compress(tmp_path / "a.png", tmp_path / "b.png", palette=entries, engine=engine)
    assert (report.colors_before, report.colors_after) == (42, len(entries))
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "b.png").convert("RGBA")),
        kf.apply_palette(image, entries, engine=engine).to_array(),
    )
