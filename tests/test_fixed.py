"""Palettes of which some entries are fixed: k-means with centroids that are held."""

import numpy as np
import pytest
import reference

import kmeans_fast as kf

BRAND = ["#ff0000", "#00ff00"]  # neither is in the picture
INIT = [[20, 20, 20], [60, 50, 40], [100, 80, 60], [2000, 0, 0], [220, 200, 180]]  # of which one finds no pixel
LLOYD = {"relaxation": 1, "momentum": 0, "tol": 0}


def lloyd_beside(points, fixed, init, n_iter):
    """The textbook's loop: all choose among all centroids, and the first ones stay where they are."""
    centroids, n_fixed = np.vstack([fixed, init]).astype(float), len(fixed)
    for _ in range(n_iter):
        labels = reference.assign(points, centroids)
        empty = np.flatnonzero(np.bincount(labels, minlength=len(centroids)) == 0)
        means = reference.update(points, None, centroids, labels)
        means[empty] = centroids[empty]
        means = reference.move_empty(points, None, centroids, labels, means, empty[empty >= n_fixed])
        means[:n_fixed] = fixed
        centroids = means
    return centroids


@pytest.mark.parametrize("n_iter", [1, 2, 7])
def test_iterations_are_the_textbooks(small_cat, engine, n_iter):
    seen = []
    options = {"init": INIT, "max_iter": n_iter, "engine": engine, "callback": lambda *step: seen.append(step[2])}
    kf.quantize(small_cat, fixed=[[0, 90, 200], [150, 120, 100]], **options, **LLOYD)
    expected = lloyd_beside(small_cat.reshape(-1, 3), [[0, 90, 200], [150, 120, 100]], INIT, n_iter)
    np.testing.assert_array_equal(seen[-1], expected)


@pytest.mark.parametrize("seed", range(25))
def test_small_crowded_pictures(seed, engine):
    """Where centroids lose all their pixels, and fixed ones have none, or are met by others."""
    draw = np.random.default_rng(seed)
    span, n_channels = draw.choice([3, 8, 60]), draw.choice([1, 3])
    image = draw.integers(0, span, (1, 90, n_channels)).astype(np.uint8)
    fixed = np.unique(draw.integers(0, span + 9, (3, n_channels)), axis=0).astype(np.uint8)
    seen = []
    options = {"init": draw.integers(0, span, (4, n_channels)), "callback": lambda *step: seen.append(step[2])}
    result = kf.quantize(image, fixed=fixed, max_iter=4, engine=engine, **options, **LLOYD)
    np.testing.assert_array_equal(result.palette[: len(fixed)], fixed)
    assert result.counts[len(fixed) :].all()
    assert len(np.unique(result.palette, axis=0)) == result.n_colors
    if seen:
        expected = lloyd_beside(image.reshape(-1, n_channels), fixed, options["init"], len(seen))
        np.testing.assert_array_equal(seen[-1], expected)
    else:
        assert result.mse == 0


@pytest.mark.parametrize("space", ["srgb", "linear", "oklab", "lab"])
@pytest.mark.parametrize("effort", [0, 1, 2])
def test_fixed_entries_come_first_as_they_are(small_cat, space, effort):
    result = kf.quantize(small_cat, 6, fixed=BRAND, space=space, effort=effort)
    assert result.palette[:2].tolist() == [[255, 0, 0], [0, 255, 0]]
    assert len(np.unique(result.palette, axis=0)) == result.n_colors == 6
    assert result.counts[2:].all()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_engine_and_threads_change_nothing(cat, engine, n_threads):
    expected = kf.quantize(cat, 12, fixed=BRAND)
    result = kf.quantize(cat, 12, fixed=BRAND, engine=engine, n_threads=n_threads)
    np.testing.assert_array_equal(result.palette, expected.palette)
    np.testing.assert_array_equal(result.labels, expected.labels)


def test_pixels_choose_among_all_entries(small_cat):
    result = kf.quantize(small_cat, 6, fixed=[[120, 90, 60]])
    squares = ((small_cat[:, :, np.newaxis].astype(int) - result.palette) ** 2).sum(axis=3)
    np.testing.assert_array_equal(result.labels, squares.argmin(axis=2))
    assert result.counts[0] > 0


def test_the_others_know_what_is_fixed(cat):
    """Fixing what k-means found leaves the error as it was; the same colours put into the result of fewer don't."""
    best = kf.quantize(cat, 16, sort="count")
    beside = kf.quantize(cat, 16, fixed=best.palette[:8])
    assert beside.mse < 1.01 * best.mse
    alone = kf.apply_palette(cat, np.vstack([best.palette[:8], kf.palette(cat, 8).palette]))
    assert beside.mse < 0.9 * alone.mse


def test_few_colours_are_kept_beside_what_is_fixed():
    image = np.array([[[1, 2, 3], [1, 2, 3], [4, 5, 6], [255, 0, 0]]], np.uint8)
    result = kf.quantize(image, 8, fixed=BRAND)
    assert result.hex_colors == [*BRAND, "#010203", "#040506"]
    assert result.counts.tolist() == [1, 0, 2, 1]
    assert result.mse == 0


def test_one_colour_fewer_than_there_are():
    image = np.array([[[1, 2, 3], [1, 2, 9], [4, 5, 6], [255, 0, 0]]], np.uint8)
    result = kf.quantize(image, 4, fixed=BRAND)
    assert result.hex_colors[:2] == BRAND
    assert result.counts.tolist()[:2] == [1, 0]
    assert result.counts.sum() == 4
    assert result.counts.all() == 0


def test_quality_beside_fixed_entries(cat):
    result = kf.quantize(cat, quality=30, fixed=BRAND)
    assert result.psnr >= 30
    assert result.palette[:2].tolist() == [[255, 0, 0], [0, 255, 0]]
    assert kf.quantize(cat, result.n_colors - 1, fixed=BRAND).psnr < 30


def test_sixteen_bits_and_grey(cat):
    wide = kf.quantize(cat.astype(np.uint16) * 257, 6, fixed=BRAND)
    assert wide.palette[:2].tolist() == [[65535, 0, 0], [0, 65535, 0]]
    assert kf.quantize(cat[..., 0], 6, fixed=[0, 255]).palette.shape == (6, 1)
    assert kf.quantize(cat[..., 0], 6, fixed=BRAND).palette.shape == (6, 3)


def test_default_number_of_colours_counts_what_is_fixed(small_cat):
    assert kf.palette(small_cat, fixed=BRAND).n_colors == 8
    assert kf.palette(small_cat, fixed=BRAND, init=INIT).n_colors == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_colors": 2, "fixed": BRAND}, "n_colors counts what is fixed, and must be above 2, got 2"),
        ({"fixed": ["red", "#ff0000"]}, "fixed must be of distinct colours"),
        ({"fixed": ["#ff000080"]}, "fixed must be opaque"),
        ({"fixed": []}, "fixed must have shape"),
        ({"n_colors": 6, "fixed": BRAND, "init": [[1, 2, 3]]}, r"init must have shape \(4, 3\), got \(1, 3\)"),
        ({"fixed": BRAND, "palette": BRAND}, "fixed can't be given with palette"),
    ],
    ids=str,
)
def test_what_cannot_be_fixed(small_cat, options, message):
    with pytest.raises(ValueError, match=message):
        kf.quantize(small_cat, **options)


def test_transparency_is_refused(small_cat):
    faint = np.dstack([small_cat, small_cat[..., 0]])
    with pytest.raises(ValueError, match="fixed needs a picture without transparency"):
        kf.quantize(faint, 6, fixed=BRAND)
