"""Palettes by themselves: what they are to programs and designers, and what is ignored or merged on the way."""

import json

import numpy as np
import pytest

import kmeans_fast as kf

LOGO = np.zeros((20, 20, 4), np.uint8)  # orange on nothing, with white in the middle and a soft edge
LOGO[4:16, 4:16] = 250, 128, 0, 90
LOGO[5:15, 5:15, 3] = 255
LOGO[9:11, 9:11] = 255


def test_a_palette_is_an_array_and_a_sequence(small_cat):
    palette = kf.palette(small_cat, 5, sort="count")
    np.testing.assert_array_equal(np.asarray(palette), palette.palette)
    assert np.asarray(palette, float).dtype == float
    assert list(palette) == [tuple(entry) for entry in palette.palette.tolist()]
    assert (len(palette), palette[0], palette[-1]) == (5, next(iter(palette)), list(palette)[4])
    assert palette.hex == palette.hex_colors
    assert palette.share.sum() == pytest.approx(1)
    assert palette.share.tolist() == (palette.counts / palette.counts.sum()).tolist()


def test_a_palette_without_pixels():
    palette = kf.Palette(["#102030"])
    assert (palette.counts, palette.share, repr(palette)) == (None, None, "<Palette: 1 colors>")


def test_counts_of_other_entries():
    with pytest.raises(ValueError, match=r"counts must have shape \(2,\), got \(3,\)"):
        kf.Palette(["red", "blue"], np.array([1, 2, 3]))


def test_swatches_in_a_notebook(small_cat):
    html = kf.Palette(["#102030", "white"])._repr_html_()
    assert html.count("background:#") == 2
    assert "%" not in html
    assert "%" in kf.palette(small_cat, 2)._repr_html_()


def test_json_has_shares(small_cat):
    palette = kf.palette(small_cat, 3)
    colors = json.loads(palette.to_json())["colors"]
    assert [color["hex"] for color in colors] == palette.hex
    assert [color["count"] for color in colors] == palette.counts.tolist()
    assert sum(color["share"] for color in colors) == pytest.approx(1)


def test_css_can_hold_alpha():
    assert "  --ink-2: #00008080;\n" in kf.Palette(["#f80", "#00008080"]).to_css("ink")


def test_only_exactly_the_colour_is_ignored():
    image = np.array([[[255, 255, 255], [254, 255, 255], [9, 9, 9]]], np.uint8)
    found = kf.palette(image, 3, ignore="white")
    assert sorted(found.hex) == ["#090909", "#feffff"]
    assert found.share.tolist() == [0.5, 0.5]


def test_several_colours_are_ignored():
    image = np.array([[[255, 255, 255], [255, 0, 0], [9, 9, 9]]], np.uint8)
    assert kf.palette(image, 3, ignore=("white", "#f00")).hex == ["#090909"]


@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_a_cut_out_logo_has_a_dominant_colour(space):
    assert kf.palette(LOGO, 1, space=space, ignore=("white", "transparent")).hex == ["#fa8000"]
    assert kf.palette(LOGO, 2, space=space, ignore="transparent", sort="count").counts.tolist() == [140, 4]


def test_transparency_counts_unless_it_is_ignored():
    assert kf.palette(LOGO, 4, ignore="white").palette.shape[1] == 4
    faint = np.array([[[255, 0, 0, 128], [9, 9, 9, 255]]], np.uint8)
    assert kf.palette(faint, 2, ignore="#ff000080").hex == ["#090909"]


def test_grey_and_16_bits_are_ignored_too():
    assert kf.palette(np.array([[255, 7]], np.uint8), 2, ignore=("white", "red")).hex == ["#070707"]
    assert kf.palette(np.array([[65535, 65534]], np.uint16), 2, ignore="white").palette.tolist() == [[65534]]


@pytest.mark.parametrize("ignore", ["whit", ("white", 3), ["#ff"]], ids=str)
def test_what_is_no_colour(ignore):
    with pytest.raises(ValueError, match="ignore must be of colours"):
        kf.palette(LOGO, 2, ignore=ignore)


def test_ignoring_everything():
    with pytest.raises(ValueError, match="ignore leaves nothing"):
        kf.palette(np.zeros((2, 2), np.uint8), 2, ignore="black")


def test_near_duplicates_are_merged():
    """Two reds, 0.01 apart in Oklab, become their mean by pixels; black and white stay."""
    image = np.array([[[200, 0, 0]] * 3 + [[204, 0, 0]] + [[0, 0, 0], [255, 255, 255]]], np.uint8)
    found = kf.palette(image, 4, merge=0.02, sort="count")
    assert found.hex == ["#c90000", "#000000", "#ffffff"]
    assert found.counts.tolist() == [4, 1, 1]
    assert found.mse == pytest.approx((3 * 1 + 9) / 6)
    assert kf.palette(image, 4, merge=0.001).n_colors == 4


def test_merging_ends_at_the_distance(cat):
    coloraide = pytest.importorskip("coloraide")
    found = kf.palette(cat, 24, space="oklab", merge=0.05)
    assert 2 < found.n_colors < 24
    assert found.counts.sum() == cat.shape[0] * cat.shape[1]
    colors = [coloraide.Color(color) for color in found.hex]
    for i, color in enumerate(colors):
        assert all(color.distance(other, space="oklab") > 0.05 for other in colors[:i])


@pytest.mark.parametrize("options", [{"quality": 30}, {"fixed": ["red"]}], ids=str)
def test_merge_alone(small_cat, options):
    with pytest.raises(ValueError, match=f"merge must be 0 with {next(iter(options))}"):
        kf.palette(small_cat, merge=0.05, **options)


def test_merge_of_very_many(small_cat):
    with pytest.raises(ValueError, match=r"merge must be 0 for more than 256 colours, got 0\.05 for 257"):
        kf.palette(small_cat, 257, merge=0.05)


def test_everything_at_once():
    found = kf.palette(LOGO, 5, space="oklab", ignore=("white", "transparent"), merge=0.05)
    assert [(color, share) for color, share in zip(found.hex, found.share, strict=True)] == [("#fa8000", 1.0)]


@pytest.mark.parametrize(
    ("n_channels", "options"),
    [
        (1, {}),
        (3, {}),
        (4, {}),
        (3, {"space": "oklab"}),
        (3, {"fixed": ["red"]}),
        (1, {"fixed": ["red"]}),
        (4, {"ignore": "transparent"}),
    ],
    ids=str,
)
def test_a_histogram_has_the_palette_of_its_picture(small_cat, n_channels, options):
    image = np.dstack([small_cat, np.where(small_cat[..., :1] > 60, 255, 0)])[..., :n_channels].astype(np.uint8)
    histogram = kf.ColorHistogram.from_image(image)
    expected = kf.palette(image, 6, **options)
    result = kf.palette(histogram, 6, **options)
    np.testing.assert_array_equal(result.palette, expected.palette)
    np.testing.assert_array_equal(result.counts, expected.counts)
    assert result.mse == expected.mse


def test_frames_have_one_palette(small_cat):
    frames = [small_cat[:20], small_cat[20:]]
    found = kf.palette(sum(map(kf.ColorHistogram.from_image, frames)), 6)
    np.testing.assert_array_equal(found.palette, kf.palette(small_cat, 6).palette)
    with pytest.raises(TypeError, match="image must have its pixels, got a ColorHistogram"):
        kf.quantize(kf.ColorHistogram.from_image(small_cat), 6)
