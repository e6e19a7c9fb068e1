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
    options = {"n_clusters": 5, "max_iter": 6, "engine": engine, "algorithm": algorithm}
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
        (
            lambda masked: kf.quantize([masked.astype(np.uint8)], 1),
            "image must not have a mask, got a masked array; fill",
        ),
        (lambda masked: kf.compare(masked.astype(np.uint8), masked), "image must not have a mask"),
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
    labels = expected.labels_of(masked, np.arange(len(expected), dtype=np.uint32))
    assert np.array_equal(labels.mask, ~holes)
    assert np.array_equal(expected.colors[labels.compressed()], small_cat[holes])
    with pytest.raises(
        ValueError, match=r"mask and channel_axis are for arrays; ColorHistogram\.from_image takes them"
    ):
        kf.kmeans(expected, 2, mask=[True])


@pytest.mark.parametrize(
    "options",
    [
        {"n_colors": 5},
        {"n_colors": 5, "space": "oklab"},
        {"max_error": 20},
        {"palette": ["black", "brown", "white"]},
        {"n_colors": 5, "fixed": ["red"]},
    ],
    ids=str,
)
def test_pictures_with_a_mask_are_those_without_what_it_leaves_out(small_cat, holes, options):
    hidden = np.where(holes[..., np.newaxis], small_cat, 77)
    expected = kf.quantize(small_cat[holes][np.newaxis], **options)
    masked = np.ma.MaskedArray(hidden, np.repeat(~holes[..., np.newaxis], 3, axis=2))
    for result in (kf.quantize(hidden, mask=holes, **options), kf.quantize(masked, **options)):
        for name in ("palette", "counts", "mse", "psnr", "n_iter", "converged", "quality_met"):
            assert np.array_equal(getattr(result, name), getattr(expected, name)), name
        assert np.array_equal(result.labels.mask, ~holes)
        assert np.array_equal(result.labels.compressed(), expected.labels[0])
        assert not result.labels.data[~holes].any()
        assert np.array_equal(result.to_array().mask[..., 0], ~holes)
    if "palette" not in options:
        assert np.array_equal(kf.palette(hidden, mask=holes, **options), expected.palette)


@pytest.mark.parametrize("kind", ["grey", "frames", "transparent", "16 bits", "floats"])
def test_masks_of_pictures_of_every_kind(small_cat, holes, kind):
    """What is left out may be anything: NaN, and transparent where nothing else may be."""
    image = {
        "grey": small_cat[..., 1],
        "frames": np.stack([small_cat, small_cat[::-1]]),
        "transparent": np.dstack([small_cat, np.where(holes, 255, 9).astype(np.uint8)]),
        "16 bits": small_cat * np.uint16(257),
        "floats": np.where(holes[..., np.newaxis], small_cat / np.float32(255), np.nan),
    }[kind]
    mask = np.stack([holes, ~holes]) if kind == "frames" else holes
    alone = image[mask][np.newaxis]
    expected = kf.quantize(alone[..., :3] if kind == "transparent" else alone, 4)
    for flat_or_not in (mask, mask.reshape(-1)):
        result = kf.quantize(image, 4, mask=flat_or_not)
        assert np.array_equal(result.palette, expected.palette)
        assert np.array_equal(result.labels.compressed(), expected.labels[0])
    applied = kf.apply_palette(image, expected, mask=mask)
    assert np.array_equal(applied.labels.compressed(), expected.labels[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3)])
@pytest.mark.parametrize(
    ("color", "values"),
    [("#00000000", [0] * 4), ("white", [255] * 4), ("red", [255, 0, 0, 255]), ("#050505", [5, 5, 5, 255])],
)
def test_what_is_masked_is_filled(dtype, shape, color, values):
    top = np.iinfo(dtype).max // 255
    image = np.full(shape, 5 * top, dtype)
    image[0, 0] = 9 * top
    masked = kf.quantize(image, 2, mask=np.array([[True, True, False], [False, True, True]]))
    filled = masked.filled(color)
    expected = np.full((2, 3, 4), 255)
    expected[..., :3] = image.reshape(2, 3, -1) // top
    expected[0, 2] = expected[1, 0] = values
    got = np.array(Image.fromarray(filled.to_8_bit().to_array()).convert("RGBA"))
    assert np.array_equal(got, expected)
    assert not isinstance(filled.labels, np.ma.MaskedArray)
    assert filled.counts.tolist() == np.bincount(filled.labels.ravel()).tolist()
    assert len(np.unique(filled.palette, axis=0)) == filled.n_colors == (2 if color == "#050505" else 3)
    assert filled.filled("blue").hex_colors == filled.hex_colors
    assert masked._repr_png_() == masked.filled().to_8_bit()._repr_png_()


def test_pictures_with_a_mask_go_into_no_file(small_cat, holes, tmp_path):
    masked = kf.quantize(small_cat, 5, mask=holes)
    for call in (lambda: masked.save(tmp_path / "masked.png"), masked.to_pil, lambda: np.asarray(masked)):
        with pytest.raises(ValueError, match=r"a picture with a mask .* filled\(\) .* to_array\(\)"):
            call()
    assert not list(tmp_path.iterdir())
    assert masked.filled("#123456").save(tmp_path / "filled.png") > 0
    every = kf.quantize(small_cat, 5, mask=np.ones_like(holes)).filled()
    assert np.array_equal(every, kf.quantize(small_cat, 5))
    assert every.n_colors == 5


@pytest.mark.parametrize("options", [{"dither": "bayer"}, {"min_region": 3}])
def test_masks_that_pictures_refuse(small_cat, holes, options):
    with pytest.raises(ValueError, match="dither and min_region can't be given for a picture with a mask"):
        kf.quantize(small_cat, 5, mask=holes, **options)
    with pytest.raises(ValueError, match="image must not be empty, but the mask leaves out all of them"):
        kf.palette(small_cat, 5, mask=np.zeros_like(holes))
    with pytest.raises(ValueError, match=r"mask must have one value a point, shape \(61, 97\), got \(2, 2\)"):
        kf.quantize(small_cat, 5, mask=np.ones((2, 2), bool))
    with pytest.raises(ValueError, match=r"ColorHistogram\.from_image takes them too"):
        kf.palette(kf.ColorHistogram.from_image(small_cat), 5, mask=holes)


# ---------------------------------------------------------------------------------------------------- channel_axis


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_pictures_with_channels_on_any_axis(small_cat, axis):
    bands = np.moveaxis(small_cat, -1, axis)
    expected = kf.quantize(small_cat, 4, dither="bayer")
    result = kf.quantize(bands, 4, dither="bayer", channel_axis=axis)
    assert np.array_equal(result, expected)
    assert result.labels.flags.c_contiguous
    assert np.array_equal(
        kf.apply_palette([bands, bands], expected, channel_axis=axis).labels[1],
        kf.apply_palette(small_cat, expected).labels,
    )
    assert np.array_equal(kf.palette(bands, 4, channel_axis=axis), expected.palette)


def test_grey_pictures_have_no_axis_of_channels(small_cat):
    grey = small_cat[..., 1]
    expected = kf.quantize(grey, 4)
    for image, axis in ((grey, None), (grey[np.newaxis], 0), (grey[..., np.newaxis], -1), (grey[:, np.newaxis], 1)):
        assert np.array_equal(kf.quantize(image, 4, channel_axis=axis), expected)
    frames = np.stack([grey, grey])
    assert np.array_equal(kf.quantize(frames, 4, channel_axis=None), kf.quantize(frames[..., np.newaxis], 4))
    for axis in (0, 1):
        with pytest.raises(ValueError, match=rf"image must have shape .*, got \(61, 97\), with channel_axis={axis}"):
            kf.quantize(grey, 4, channel_axis=axis)


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
