"""Palettes of which some entries are fixed: k-means with centroids that are held."""

import numpy as np
import pytest
import reference
from conftest import locked
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import kmeans_fast as kf
from kmeans_fast.imaging.spaces import premultiplied

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
        ({"fixed": ["#ff000000", "#00ff0000"]}, "fixed must be of distinct colours"),
        ({"n_colors": 4, "fixed": [*BRAND, "#ff000080"], "space": "oklab"}, "space='oklab' needs a picture without"),
        ({"fixed": []}, "fixed must have shape"),
        ({"n_colors": 6, "fixed": BRAND, "init": [[1, 2, 3]]}, r"init must have shape \(4, 3\), got \(1, 3\)"),
        ({"fixed": BRAND, "palette": BRAND}, "fixed can't be given with palette"),
    ],
    ids=str,
)
def test_what_cannot_be_fixed(small_cat, options, message):
    with pytest.raises(ValueError, match=message):
        kf.quantize(small_cat, **options)


# ----------------------------------------------------------------------------------------------- with transparency


@pytest.fixture
def soft_cat(small_cat):
    """Opaque, translucent and fully transparent pixels."""
    y, x = np.ogrid[: small_cat.shape[0], : small_cat.shape[1]]
    alpha = np.clip(30 * np.hypot(y - 20, x - 30) - 150, 0, 255).astype(np.uint8)
    return locked(np.dstack([small_cat, alpha]))


SOFT_BRAND = ["#ff0000", "#00000000", "#00ff0080"]


@pytest.mark.parametrize("fixed", [BRAND, ["#00000000"], ["#30201080"], SOFT_BRAND], ids=str)
@pytest.mark.parametrize(("n_colors", "effort"), [(5, 0), (12, 1), (5, 2)])
def test_fixed_entries_beside_transparency(soft_cat, fixed, n_colors, effort, engine):
    soft_cat = soft_cat[::2, ::2]
    result = kf.quantize(soft_cat, n_colors, fixed=fixed, effort=effort, engine=engine)
    expected = kf.Palette([*fixed, "#00000000"]).palette[: len(fixed)]
    np.testing.assert_array_equal(result.palette[: len(fixed)], expected)
    assert len(np.unique(result.palette, axis=0)) == result.n_colors == n_colors
    assert result.counts[len(fixed) :].all()
    alpha = result.to_array()[..., 3]
    assert (alpha[soft_cat[..., 3] == 255] == 255).all()
    assert (alpha[soft_cat[..., 3] == 0] == 0).all()


def test_pixels_choose_among_all_entries_that_they_may_have(soft_cat):
    result = kf.quantize(soft_cat, 9, fixed=SOFT_BRAND)
    points = premultiplied(result.palette).astype(np.int64)
    squares = ((premultiplied(soft_cat)[..., np.newaxis, :].astype(np.int64) - points) ** 2).sum(axis=-1)
    squares[soft_cat[..., 3] == 255] += np.where(result.palette[:, 3] < 255, 2**40, 0)
    np.testing.assert_array_equal(
        np.take_along_axis(squares, result.labels[..., np.newaxis], -1)[..., 0], squares.min(-1)
    )


@settings(max_examples=50, deadline=None)
@given(
    image=arrays(np.uint8, (3, 5, 4), elements=st.sampled_from([0, 1, 100, 254, 255])),
    fixed=arrays(np.uint8, (3, 4), elements=st.sampled_from([0, 100, 255])),
    n_colors=st.integers(2, 9),
)
def test_promises_beside_transparency(image, fixed, n_colors):
    """Where colours are few, met by what is fixed, or of one kind only."""
    fixed = np.unique(np.where(fixed[:, 3:] > 0, fixed, 0), axis=0).astype(np.uint8)
    n_colors = max(n_colors, len(fixed) + 2)
    result = kf.quantize(image, n_colors, fixed=fixed, engine="numpy")
    shown = result.to_array()
    if shown.shape[-1] == 4:
        np.testing.assert_array_equal(result.palette[: len(fixed)], fixed)
        assert (shown[..., 3][image[..., 3] == 255] == 255).all()
        assert (shown[image[..., 3] == 0] == 0).all()
    assert result.counts[len(fixed) :].all()
    assert len(np.unique(result.palette, axis=0)) == result.n_colors <= n_colors
    canonical = np.where(image[..., 3:] > 0, image, 0).reshape(-1, 4)
    if len(np.unique(np.concatenate([canonical, fixed]), axis=0)) <= n_colors:
        assert result.mse == 0


def test_one_entry_beside_what_is_fixed(soft_cat):
    """Is enough where no more than one kind of pixels is without an entry."""
    with pytest.raises(ValueError, match="n_colors must be at least 3 for a picture that is transparent in one place"):
        kf.quantize(soft_cat, 2, fixed=["#ff000080"])
    assert kf.quantize(soft_cat, 2, fixed=["#ff0000"]).hex_colors == ["#ff0000ff", "#00000000"]
    assert kf.quantize(soft_cat, 2, fixed=["#00000000"]).palette[1, 3] == 255
    assert kf.quantize(soft_cat[..., :3], 2, fixed=["#ff000080"]).palette[1, 3] == 255


def test_fixing_what_was_found_leaves_the_error(soft_cat):
    best = kf.quantize(soft_cat, 16, sort="count")
    assert kf.quantize(soft_cat, 16, fixed=best.palette[:8]).mse < 1.02 * best.mse


def test_what_is_fixed_where_colours_are_ignored(small_cat):
    framed = np.pad(np.dstack([small_cat, np.full(small_cat.shape[:2], 255, np.uint8)]), ((1, 1), (1, 1), (0, 0)))
    found = kf.palette(framed, 4, fixed=["#ff000080"], ignore="#00000000")
    assert found.hex[0] == "#ff000080"
    assert found.palette[1:, 3].tolist() == [255] * 3
    with pytest.raises(ValueError, match="fixed must be opaque colours with ignore='transparent'"):
        kf.palette(framed, 4, fixed=["#ff000080"], ignore="transparent")


def test_what_is_fixed_must_be_held_by_the_format(small_cat, tmp_path):
    Image.fromarray(small_cat).save(tmp_path / "cat.png")
    with pytest.raises(
        ValueError, match="GIF holds pixels that are opaque or fully transparent only, got alpha of 128"
    ):
        kf.compress(tmp_path / "cat.png", tmp_path / "cat.gif", 4, fixed=["#ff000080"])
    assert not (tmp_path / "cat.gif").exists()
