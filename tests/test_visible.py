"""`max_error`: the colours that are seen stay what they are."""

import numpy as np
import pytest
from PIL import Image

import kmeans_fast as kf
from kmeans_fast.imaging.delta_e import ciede2000, lab
from kmeans_fast.imaging.visible import VisibleColors

BLUE = (0, 0, 238)


@pytest.fixture(scope="module")
def page():
    """White, with text in greys, and two thousandths of a link's blue."""
    page = np.full((100, 100, 3), 255, np.uint8)
    page[::4, ::3] = np.random.default_rng(0).integers(30, 200, (25, 34, 1))
    page[50, 10:30] = BLUE
    return page


def farthest(image, result):
    """The definition, pixel by pixel."""
    colors, others = image.reshape(-1, 3), result.to_array().reshape(-1, 3)
    differences = ciede2000(lab(colors), lab(others))
    groups = {}
    for group, difference in zip(map(tuple, colors // 8), differences, strict=True):
        groups.setdefault(group, []).append(difference)
    return max(np.mean(group) for group in groups.values() if len(group) >= len(colors) / 10_000)


def blue_of(image, result):
    return result.to_array()[(image == BLUE).all(axis=2)][0].tolist()


def test_links_stay_blue(page):
    by_mean = kf.quantize(page, quality=30)
    assert np.ptp(blue_of(page, by_mean)) < 60, "the mean alone would do, so this shows nothing"
    by_both = kf.quantize(page, quality=30, max_error=5)
    assert np.ptp(blue_of(page, by_both)) > 200
    assert by_both.psnr >= 30
    assert by_both.quality_met


@pytest.mark.parametrize(
    "options", [{"max_error": 12}, {"max_error": 20, "quality": 30}, {"space": "oklab", "max_error": 15}]
)
def test_so_few_colours_that_none_is_farther(small_cat, options):
    result = kf.quantize(small_cat, **options)
    assert result.quality_met
    assert farthest(small_cat, result) <= options["max_error"]
    assert result.psnr >= options.get("quality", 0)
    one_less = kf.quantize(small_cat, result.n_colors - 1, space=options.get("space", "srgb"))
    assert farthest(small_cat, one_less) > options["max_error"] or one_less.psnr < options.get("quality", 0)


def test_what_is_rare_is_not_seen():
    image = np.full((150, 100, 3), 128, np.uint8)
    image[0, 0] = 255
    assert kf.quantize(image, max_error=1).n_colors == 1, "1 of 15,000"
    image[0, :2] = 255, 250, 255
    assert kf.quantize(image, max_error=1).n_colors == 2, "2, as they are alike"


def test_a_bound_that_cannot_be_kept(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    result = kf.quantize(noise, max_error=0)
    assert (result.n_colors, result.quality_met) == (256, False)
    Image.fromarray(noise).save(tmp_path / "a.png")
    report = kf.compress(tmp_path / "a.png", tmp_path / "b.png", max_error=1, quality=10)
    assert report.notes == ("a colour that is seen differs by more than the error asked for",)
    assert not report.quality_met


def test_pictures_of_other_kinds(small_cat):
    grey = small_cat[..., 0]
    assert kf.quantize(grey, max_error=5).quality_met
    deep = small_cat.astype(np.uint16) * 257
    assert kf.palette(deep, max_error=12).n_colors == kf.palette(small_cat, max_error=12).n_colors
    clear = np.dstack([small_cat, np.where(grey > 100, 255, 100).astype(np.uint8)])
    assert kf.quantize(clear, max_error=20).quality_met


def test_all_that_is_hidden_is_alike():
    image = np.zeros((2, 2, 4), np.uint8)
    image[..., :3] = np.arange(12).reshape(2, 2, 3) * 20
    visible = VisibleColors(kf.ColorHistogram.from_image(image))
    assert visible.largest_error(np.zeros((1, 4), np.uint8), np.zeros(4, np.uint8)) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_colors": 5, "max_error": 3}, "n_colors and max_error can't both be given, got 5 and 3"),
        ({"max_error": -1}, "max_error must be"),
        ({"max_error": np.nan}, "max_error must be"),
        ({"max_error": 3, "init": [[0, 0, 0]]}, "init must be the name of a method with max_error, got an array"),
        ({"max_error": 3, "palette": ["#000000"]}, "max_error can't be given with palette"),
    ],
)
def test_what_does_not_go_together(small_cat, options, message):
    with pytest.raises(ValueError, match=message):
        kf.quantize(small_cat, **options)
    with pytest.raises(ValueError, match="merge must be 0 with max_error"):
        kf.palette(small_cat, max_error=5, merge=0.1)
