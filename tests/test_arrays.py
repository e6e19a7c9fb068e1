"""What people bring: masks, axes, frames, tensors and other things that hold numbers, or only seem to."""

import re
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import kmeans_fast as kf
from kmeans_fast import arrays


@pytest.fixture(scope="module")
def holes(small_cat):
    """A mask of the small cat, True for what is kept."""
    return np.random.default_rng(5).random(small_cat.shape[:2]) < 0.7


# ---------------------------------------------------------------------------------------------------- masks


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("algorithm", ["auto", "dense"])
def test_what_is_masked_is_not_there(small_cat, holes, engine, dtype, algorithm):
    points = small_cat.astype(dtype)
    options = {"n_clusters": 5, "engine": engine, "algorithm": algorithm}
    expected = kf.kmeans(points[holes], **options)
    hidden = np.where(holes[..., np.newaxis], points, np.asarray(250, dtype))
    masked = np.ma.MaskedArray(hidden, np.broadcast_to(~holes[..., np.newaxis], points.shape))
    for result in (kf.kmeans(masked, **options), kf.kmeans(hidden, mask=holes, **options)):
        assert result.centroids.tobytes() == expected.centroids.tobytes()
        assert result.counts.sum() == holes.sum()
        assert isinstance(result.labels, np.ma.MaskedArray)
        assert result.labels.shape == holes.shape
        assert np.array_equal(result.labels.mask, ~holes)
        assert np.array_equal(result.labels.compressed(), expected.labels)
    labels = kf.assign(masked, expected.centroids, engine=engine)
    assert np.array_equal(labels.compressed(), expected.labels)
    assert np.array_equal(labels.mask, ~holes)


def test_one_masked_feature_masks_the_point():
    points = np.ma.masked_equal([[1, 1], [9, 65535], [2, 2], [8, 8]], 65535)
    result = kf.kmeans(points, 2)
    assert sorted(result.centroids.tolist()) == [[1.5, 1.5], [8, 8]]
    assert result.labels.mask.tolist() == [False, True, False, False]


def test_a_mask_that_masks_nothing_changes_no_byte(small_cat):
    result = kf.kmeans(np.ma.MaskedArray(small_cat), 5)
    assert isinstance(result.labels, np.ma.MaskedArray)
    assert result.labels.tobytes() == kf.kmeans(small_cat, 5).labels.tobytes()


def test_both_masks_count():
    points = np.ma.masked_equal([[1], [5], [9], [7]], 5)
    labels = kf.assign(points, [[1], [9]], mask=[True, True, True, False])
    assert labels.mask.tolist() == [False, True, False, True]


def test_nan_is_allowed_where_it_does_not_count(engine):
    points = np.array([[1.0, 1], [np.nan, 2], [3, 3], [np.inf, -np.inf], [10, 10]])
    kept = np.isfinite(points).all(axis=1)
    expected = kf.kmeans(points[kept], 2, engine=engine)
    assert kf.kmeans(points, 2, mask=kept, engine=engine).centroids.tobytes() == expected.centroids.tobytes()
    assert kf.kmeans(np.ma.masked_invalid(points), 2, engine=engine).inertia == expected.inertia
    weighted = kf.kmeans(points, 2, sample_weight=kept.astype(float), engine=engine)
    assert weighted.centroids.tobytes() == expected.centroids.tobytes()
    assert not isinstance(weighted.labels, np.ma.MaskedArray)
    assert weighted.labels[~kept].tolist() == [0, 0]
    assert weighted.counts.sum() == 3
    with pytest.raises(ValueError, match="points must be finite, got NaN or infinity among points 0 to 4; mask="):
        kf.kmeans(points, 2, engine=engine)
    with pytest.raises(ValueError, match="mask="):
        kf.kmeans(points, 2, sample_weight=[1, 0, 1, 1, 1], engine=engine)


def test_weights_beside_a_mask(small_cat, holes):
    weights = np.random.default_rng(1).random(holes.shape)
    expected = kf.kmeans(small_cat[holes], 4, sample_weight=weights[holes])
    weights[~holes] = np.nan
    assert kf.kmeans(small_cat, 4, sample_weight=weights, mask=holes).inertia == expected.inertia


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda masked: kf.kmeans([[1], [2]], 2, init=masked), "init must not have a mask"),
        (lambda masked: kf.kmeans([[1], [2]], 1, sample_weight=masked[:, 0]), "sample_weight must not have a mask"),
        (lambda masked: kf.assign([[1], [2]], masked), "centroids must not have a mask"),
        (lambda masked: kf.kmeans([[1], [2]], 1, mask=masked[:, 0] > 1), "mask must not have a mask"),
        (lambda masked: kf.quantize(masked.astype(np.uint8), 1), "image must not have a mask"),
    ],
)
def test_masks_that_are_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call(np.ma.masked_equal([[1.0], [3.0]], 3))


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        ([1, 0, 1], TypeError, "mask must be boolean, True for each point to be kept, got dtype int64; use mask > 0"),
        ([True, False], ValueError, "mask must have one value a point, shape (3,), got (2,)"),
        ([False] * 3, ValueError, "points must not be empty, but the mask leaves out all of them"),
    ],
)
def test_bad_masks(mask, error, message):
    with pytest.raises(error, match=re.escape(message)):
        kf.kmeans([[1], [2], [3]], 2, mask=mask)


def test_histograms_leave_masked_pixels_out(small_cat, holes):
    expected = kf.ColorHistogram.from_image(small_cat[holes])
    assert kf.ColorHistogram.from_image(small_cat, mask=holes) == expected
    masked = np.ma.MaskedArray(small_cat, np.repeat(~holes[..., np.newaxis], 3, axis=2))
    assert kf.ColorHistogram.from_image(masked) == expected
    twice = kf.ColorHistogram.from_image(small_cat, mask=holes)
    twice.update(masked)
    assert twice.n_pixels == 2 * holes.sum()
    labels = expected.labels_of(masked, np.arange(len(expected)))
    assert np.array_equal(labels.mask, ~holes)
    assert np.array_equal(expected.colors[labels.compressed()], small_cat[holes])
    with pytest.raises(
        ValueError, match=r"mask and channel_axis are for arrays; ColorHistogram\.from_image takes them"
    ):
        kf.kmeans(expected, 2, mask=[True])


# ---------------------------------------------------------------------------------------------------- channel_axis


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_features_on_any_axis(small_cat, axis):
    bands = np.moveaxis(small_cat, -1, axis)
    expected = kf.kmeans(small_cat, 4)
    result = kf.kmeans(bands, 4, channel_axis=axis)
    assert result == expected
    assert hash(result) == hash(expected)
    assert np.array_equal(kf.assign(bands, result.centroids, channel_axis=axis), expected.labels)
    assert kf.ColorHistogram.from_image(bands, channel_axis=axis) == kf.ColorHistogram.from_image(small_cat)


def test_values_without_channels(small_cat):
    grey = small_cat[..., 1]
    result = kf.kmeans(grey, 4, channel_axis=None)
    assert result == kf.kmeans(grey[..., np.newaxis], 4)
    assert result.labels.shape == grey.shape
    assert kf.kmeans([1, 2, 9], 2, channel_axis=None).labels.shape == (3,)
    assert kf.kmeans(np.ma.masked_equal([1, 2, 9], 2), 2, channel_axis=None).labels.mask.tolist() == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("axis", "error", "message"),
    [
        (3, ValueError, "channel_axis must be an axis of points, whose shape is (2, 2, 3), got 3"),
        (-4, ValueError, "got -4"),
        (1.0, TypeError, "channel_axis must be an integer or None, got 1.0"),
        (True, TypeError, "channel_axis must be an integer or None, got True"),
    ],
)
def test_bad_axes(axis, error, message):
    with pytest.raises(error, match=re.escape(message)):
        kf.kmeans(np.zeros((2, 2, 3)), 2, channel_axis=axis)


# ---------------------------------------------------------------------------------------------------- other containers


def test_object_arrays_of_numbers_are_converted():
    expected = kf.kmeans([[1, 2], [3, 4.5]], 1)
    assert kf.kmeans(np.array([[1, 2], [3, 4.5]], object), 1) == expected
    mixed = np.array([[True, 2], [np.int8(3), np.float32(4.5)]], object)
    assert kf.kmeans(mixed, 1).centroids.tolist() == [[2, 3.25]]
    masked = np.ma.MaskedArray(np.array([[1], [None], [3]], object), [[False], [True], [False]])
    assert kf.kmeans(masked, 1).centroids.tolist() == [[2]]


class Sparse:
    def toarray(self):
        """Never called."""


class UMat:
    def get(self):
        """Never called."""


class Frame:
    """As pandas' frames are read: an object array."""

    def select_dtypes(self):
        """Never called."""

    def __array__(self, dtype=None, copy=None):
        return np.array([[1, "a"], [2, "b"]], object)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "must be an array of real numbers, got NoneType"),
        (Sparse(), "got Sparse; its toarray() makes an array of it"),
        (UMat(), "got UMat; its get() may return an array"),
        (Frame(), "got Frame with 'a' in it; select its numeric columns, and fill or drop what is missing"),
        ({"a": [1, 2]}, "got dict; np.array(list(its.values())) makes an array of it"),
        ((row for row in [[1], [2]]), "got generator; np.array(list(it)) makes an array of it"),
        (types.SimpleNamespace(), "got SimpleNamespace"),
        (np.array([[1], [None]], object), "got ndarray with None in it"),
        (np.array([[1], [1j]], object), "got ndarray with 1j in it"),
        ([[1, 2], [3]], "can't be read as an array: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("function", ["kmeans", "assign", "quantize", "histogram"])
def test_what_holds_no_numbers_is_named(function, value, message):
    calls = {
        "kmeans": lambda: kf.kmeans(value, 2),
        "assign": lambda: kf.assign(value, [[1]]),
        "quantize": lambda: kf.quantize(value, 2),
        "histogram": lambda: kf.ColorHistogram.from_image(value),
    }
    with pytest.raises(TypeError, match=re.escape(message)):
        calls[function]()


@pytest.mark.parametrize("as_other", [memoryview, lambda array: array.view(Rows)], ids=["memoryview", "subclass"])
def test_other_arrays(as_other):
    points = np.array([[1, 2], [3, 5]])
    assert kf.kmeans(as_other(points), 1) == kf.kmeans(points, 1)


class Rows(np.ndarray):
    """An array whose elements are rows, as those of NumPy's matrix are."""

    def __getitem__(self, key):
        raise AssertionError("used as an array of ours")


@pytest.mark.parametrize("value", ["photo.jpg", b"abc", np.zeros(3, [("x", float)]), np.zeros(2, "M8[s]")], ids=repr)
def test_dtypes_that_are_no_numbers(value):
    with pytest.raises(TypeError, match="points must be real numbers of up to 64 bits, got dtype"):
        kf.kmeans(value, 2)


def test_integers_that_no_dtype_holds():
    with pytest.raises(ValueError, match="points must be numbers of up to 64 bits, got larger ones"):
        kf.kmeans([[2**70], [1]], 2)


def test_tensors_that_refuse_to_be_arrays():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")

    with pytest.raises(TypeError, match=r"points can't be read as an array: .*detach"):
        kf.kmeans(Tensor(), 2)


def test_pictures_whose_values_are_places_in_a_palette(cat):
    indexed = Image.fromarray(cat).convert("P")
    with pytest.raises(TypeError, match=r"points is a picture of mode 'P', whose values are no colours: use \.convert"):
        kf.kmeans(indexed, 2)
    assert kf.kmeans(indexed.convert("RGB"), 2).centroids.shape == (2, 3)


@given(st.lists(st.booleans(), min_size=1, max_size=30).filter(any), st.integers(1, 3))
def test_labels_of_a_selection_are_in_their_places(kept, n_features):
    points = np.arange(len(kept) * n_features).reshape(-1, n_features)
    selection = arrays.select("points", points, mask=kept)
    labels = selection.labels(np.arange(sum(kept)))
    assert labels.compressed().tolist() == list(range(sum(kept)))
    assert np.array_equal(~labels.mask, kept)
    assert np.array_equal(selection.points.array, points[kept])
