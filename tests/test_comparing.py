"""`compare`: errors of a picture against another, held against other libraries."""

import re
import sys

import numpy as np
import pytest
from coloraide import Color
from PIL import Image
from skimage import color, data, metrics

import kmeans_fast as kf
from kmeans_fast import compare
from kmeans_fast.imaging import comparing
from kmeans_fast.imaging.delta_e import ciede2000, lab


@pytest.fixture(scope="module")
def pair():
    """A photograph and what 12 colours make of it."""
    image = np.ascontiguousarray(data.astronaut()[:90, 150:301])
    return image, kf.quantize(image, 12).to_array()


@pytest.fixture(scope="module")
def drawn():
    """Colours and others: any, near, and greys."""
    rng = np.random.default_rng(0)
    colors, others = rng.integers(0, 256, (2, 600, 3))
    others[:200] = np.clip(colors[:200] + rng.integers(-9, 10, (200, 3)), 0, 255)
    colors[400:500] = colors[400:500, :1]
    others[450:550] = others[450:550, :1]
    return colors.astype(np.uint8), others.astype(np.uint8)


# ------------------------------------------------------------------------------------------------ CIEDE2000


# Pairs 1, 7, 8, 12, 14, 17 and 25 of table 1 of Sharma et al. 2005, and 34: L*, a*, b* twice, and the difference.
PUBLISHED = [
    (50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425),
    (50, 0, 0, 50, -1, 2, 2.3669),
    (50, -1, 2, 50, 0, 0, 2.3669),
    (50, 2.49, -0.001, 50, -2.49, 0.0012, 7.2195),
    (50, -0.001, 2.49, 50, 0.0011, -2.49, 4.7461),
    (50, 2.5, 0, 73, 25, -18, 27.1492),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (2.0776, 0.0795, -1.135, 0.9033, -0.0636, -0.5514, 0.9082),
]


def test_published_pairs():
    table = np.array(PUBLISHED)
    np.testing.assert_array_equal(ciede2000(table[:, :3], table[:, 3:6]).round(4), table[:, 6])


def test_differences_are_those_of_independent_libraries(drawn):
    ours = ciede2000(lab(drawn[0]), lab(drawn[1]))
    np.testing.assert_allclose(ours, color.deltaE_ciede2000(lab(drawn[0]), lab(drawn[1])), rtol=0, atol=1e-11)
    pairs = [[Color("srgb", row / 255) for row in rows] for rows in drawn]
    theirs = [first.delta_e(second, method="2000") for first, second in zip(*pairs, strict=True)]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_a_difference_is_the_same_both_ways_and_none_to_itself(drawn):
    first, second = map(lab, drawn)
    np.testing.assert_allclose(ciede2000(first, second), ciede2000(second, first), rtol=0, atol=1e-11)
    assert not ciede2000(first, first).any()


# ------------------------------------------------------------------------------------------------ pictures


def test_errors_of_a_picture(pair):
    image, other = pair
    result = compare(image, other)
    apart = image.astype(float) - other
    each = ciede2000(lab(image.reshape(-1, 3)), lab(other.reshape(-1, 3)))
    assert result.mse == pytest.approx((apart**2).sum(axis=2).mean(), rel=1e-12)
    assert result.psnr == pytest.approx(metrics.peak_signal_noise_ratio(image, other))
    assert result.delta_e_mean == pytest.approx(each.mean(), rel=1e-12)
    assert result.delta_e_max == pytest.approx(each.max(), rel=1e-12)


def test_ssim_is_that_of_scikit_image_on_whole_pictures(pair, monkeypatch):
    lumas = [pixels @ [0.299, 0.587, 0.114] for pixels in pair]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = metrics.structural_similarity(*lumas, data_range=255, **options)
    for rows in (256, 7, 1):
        monkeypatch.setattr(comparing, "ROWS", rows)
        assert compare(*pair).ssim == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_error_is_that_of_the_quantized_image(pair, mode):
    image = np.asarray(Image.fromarray(pair[0]).convert(mode)).copy()
    if mode == "RGBA":
        image[..., 3] = np.linspace(0, 300, 151).clip(0, 255)
    result = kf.quantize(image, 9)
    ours = compare(image, result)
    assert (ours.mse, ours.psnr) == pytest.approx((result.mse, result.psnr), rel=1e-12)


def test_blocks_change_nothing(pair, monkeypatch):
    whole = compare(*pair)
    monkeypatch.setattr(comparing, "BLOCK", 1000)
    monkeypatch.setattr(comparing, "PAIRS", 100)
    parts = compare(*pair)
    assert (parts.mse, parts.delta_e_max) == (whole.mse, whole.delta_e_max)
    assert parts.delta_e_mean == pytest.approx(whole.delta_e_mean, rel=1e-12)


def test_the_same_picture(pair):
    assert compare(pair[0], pair[0]) == kf.Comparison(0.0, np.inf, 0.0, 0.0, 1.0)


def test_what_is_transparent_does_not_count(pair):
    hidden = np.dstack([pair[0], np.zeros((90, 151), np.uint8)])
    assert compare(hidden, hidden ^ np.array([255, 255, 255, 0], np.uint8)).delta_e_max == 0


@pytest.mark.parametrize("shade", [0, 255])
def test_alpha_is_seen_on_the_background_that_shows_it(shade):
    """White that becomes transparent is no change on white, but all the change there is on black."""
    image = np.full((20, 20, 4), shade, np.uint8)
    image[..., 3] = 255
    other = image.copy()
    other[..., 3] = 0
    result = compare(image, other)
    assert result.delta_e_max == pytest.approx(100)
    assert result.ssim < 0.1


def test_pictures_are_brought_to_the_same_channels(pair):
    grey = np.asarray(Image.fromarray(pair[0]).convert("L"))
    assert compare(grey, np.stack([grey] * 3, axis=2)).mse == 0
    assert compare(grey[..., np.newaxis], Image.fromarray(grey)).mse == 0
    opaque = np.dstack([pair[0], np.full((90, 151), 255, np.uint8)])
    assert compare(opaque, pair[1]) == compare(*pair)
    translucent = opaque.copy()
    translucent[0, 0, 3] = 0
    assert compare(translucent, pair[0]).mse > 0


def test_16_bits_of_which_nothing_is_rounded(pair):
    """What is drawn from 8 bits measures the same; 16-bit steps count, and are held against other libraries."""
    wide = [picture.astype(np.uint16) * 257 for picture in pair]
    measured, expected = compare(*wide), compare(*pair)
    for name in ("mse", "psnr", "delta_e_mean", "delta_e_max", "ssim"):
        assert getattr(measured, name) == pytest.approx(getattr(expected, name), rel=1e-9)
    assert compare(wide[0], pair[1]).mse == measured.mse
    near = wide[0] + np.random.default_rng(0).integers(0, 100, wide[0].shape).astype(np.uint16).clip(0, 65535 - wide[0])
    measured = compare(wide[0], near)
    assert measured.mse == pytest.approx((((near.astype(float) - wide[0]) / 257) ** 2).sum(axis=2).mean())
    labs = [color.rgb2lab(picture / 65535) for picture in (wide[0], near)]
    assert measured.delta_e_mean == pytest.approx(color.deltaE_ciede2000(*labs).mean(), abs=1e-3)
    assert 0.9 < measured.ssim < 1
    assert compare(wide[0], kf.quantize(wide[0], 12)).mse == pytest.approx(kf.quantize(wide[0], 12).mse)
    assert compare(wide[0][..., 0], pair[0][..., 0]).mse == 0
    assert compare(wide[0].astype(">u2"), wide[1]) == compare(*wide)


def test_without_scikit_image_or_room_for_a_window(pair, monkeypatch):
    assert compare(pair[0][:10], pair[1][:10]).ssim is None
    assert compare(pair[0][:11, :11], pair[1][:11, :11]).ssim is not None
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert compare(*pair).ssim is None


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        (np.zeros((90, 150, 3), np.uint8), ValueError, "same height and width, got .90, 151, 3. and .90, 150, 3."),
        ("a.png", TypeError, "read_image makes an array of a file"),
    ],
)
def test_what_cannot_be_compared(pair, other, error, message):
    with pytest.raises(error, match=message):
        compare(pair[0], other)
    with pytest.raises(ValueError, match="n_threads"):
        compare(*pair, n_threads=0)


def test_compress_measures_if_asked(pair, tmp_path):
    Image.fromarray(pair[0]).save(tmp_path / "a.png")
    report = kf.compress(tmp_path / "a.png", tmp_path / "b.png", 12, metrics=True)
    assert report.metrics == compare(pair[0], kf.quantize(pair[0], 12, sort="luma"))
    assert list(report.seconds) == ["read", "start", "count", "cluster", "compare", "write"]
    assert re.search(rf"^ssim +{report.metrics.ssim:.4f}$", str(report), re.MULTILINE)
    assert kf.compress(tmp_path / "a.png", tmp_path / "b.png", 12).metrics is None


def test_frames_are_compared_as_one_picture(pair):
    frames, others = (np.stack([pixels, pixels[::-1]]) for pixels in pair)
    whole, one = compare(frames, others), compare(*pair)
    assert (whole.mse, whole.delta_e_max) == (one.mse, one.delta_e_max)
    assert whole.ssim == pytest.approx(one.ssim)
    assert compare(frames, others[:, ::-1]).ssim < one.ssim
