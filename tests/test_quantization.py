"""`quantize`: every pixel gets its nearest entry, every entry is used, and doing it twice changes nothing."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import kmeans_fast as kf
from kmeans_fast import QuantizedImage, engines, quantize, read_image
from kmeans_fast import palette as palette_of
from kmeans_fast.imaging.metrics import psnr
from kmeans_fast.lending import machine_for
from kmeans_fast.points.access import Points
from kmeans_fast.points.fractions import integers_of


@pytest.fixture(scope="module")
def cat():
    image = read_image(kf.sample_path())[::5, ::5]
    image.flags.writeable = False
    return image


def distances(image: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Squared distances of all pixels to all entries, written out plainly; premultiplied if there is alpha."""
    pixels = image.reshape(image.shape[0] * image.shape[1], -1).astype(int)
    entries = palette.astype(int)
    if pixels.shape[1] == 4 and entries.shape[1] == 3:
        entries = np.column_stack([entries, np.full(len(entries), 255)])
    if pixels.shape[1] == 4:
        pixels = np.column_stack([pixels[:, :3] * pixels[:, 3:], pixels[:, 3] * 255])
        entries = np.column_stack([entries[:, :3] * entries[:, 3:], entries[:, 3] * 255])
    return ((pixels[:, np.newaxis] - entries) ** 2).sum(axis=2)


def n_distinct(image: np.ndarray) -> int:
    """Distinct colours; all that are fully transparent count as one."""
    colors = np.unique(image.reshape(image.shape[0] * image.shape[1], -1), axis=0)
    hidden = colors[:, 3] == 0 if colors.shape[1] == 4 else np.zeros(len(colors), bool)
    return int(len(colors) - hidden.sum() + hidden.any())


def check(result: QuantizedImage, image: np.ndarray, n_colors: int) -> None:
    """Check all that `quantize` promises, whatever the image."""
    palette, labels = result.palette, result.labels
    height, width = image.shape[:2]
    assert palette.dtype == np.uint8
    assert labels.shape == (height, width)
    assert labels.dtype == np.min_scalar_type(len(palette) - 1)
    assert len(np.unique(palette, axis=0)) == len(palette), "entries are distinct"
    assert len(palette) == min(n_colors, n_distinct(image)), "as many as asked for"
    np.testing.assert_array_equal(result.counts, np.bincount(labels.reshape(-1)))
    assert result.counts.min() > 0, "each entry is used"

    all_distances = distances(image, palette)
    if image.ndim == 3 and image.shape[2] == 4 and palette.shape[1] == 4:  # opaque pixels stay opaque
        is_opaque = image.reshape(-1, 4)[:, 3] == 255
        all_distances[np.ix_(is_opaque, palette[:, 3] < 255)] = np.iinfo(np.int64).max
    np.testing.assert_array_equal(labels.reshape(-1), all_distances.argmin(axis=1))
    has_alpha = image.ndim == 3 and image.shape[2] == 4
    mse = all_distances.min(axis=1).mean() / (255**2 if has_alpha else 1)
    assert result.mse == pytest.approx(mse, rel=1e-12)

    again = quantize(result.to_array(), n_colors, engine="numpy")
    np.testing.assert_array_equal(again.to_array(), result.to_array())
    assert again.mse == 0
    assert again.psnr == math.inf


# ---------------------------------------------------------------------------------------------------- any image

small_sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))
values = st.sampled_from([0, 1, 2, 127, 128, 254, 255]) | st.integers(0, 255)


@settings(max_examples=45, deadline=None)
@given(data=st.data(), size=small_sizes, n_channels=st.sampled_from([None, 1, 3, 4]), n_colors=st.integers(2, 9))
def test_any_small_image(data, size, n_channels, n_colors):
    shape = size if n_channels is None else (*size, n_channels)
    image = data.draw(arrays(np.uint8, shape, elements=values))
    check(quantize(image, n_colors, engine="numpy"), image, n_colors)


@settings(max_examples=30, deadline=None)
@given(image=arrays(np.uint8, (3, 5, 4), elements=st.sampled_from([0, 1, 2, 255])), n_colors=st.integers(2, 6))
def test_any_small_image_of_faint_pixels(image, n_colors):
    """Alpha of 0, 1 and 2: means that round to fully transparent, next to pixels that are."""
    check(quantize(image, n_colors, engine="numpy"), image, n_colors)


@pytest.mark.parametrize("n_colors", [1, 2, 8, 37, 256])
@pytest.mark.parametrize("kind", ["RGB", "grey", "alpha"])
def test_photo(cat, kind, n_colors):
    image = cat
    if kind == "grey":
        image = cat[..., 1]
    elif kind == "alpha":
        height, width = cat.shape[:2]
        alpha = np.clip(np.add.outer(np.arange(height), np.arange(width)) * 2 - 40, n_colors == 1, 255)
        image = np.dstack([cat, alpha.astype(np.uint8)])
    check(quantize(image, n_colors, max_iter=20), image, n_colors)


def test_more_than_256_colours(cat, tmp_path):
    result = quantize(cat, 300, max_iter=3)
    assert result.labels.dtype == np.uint16
    check(result, cat, 300)
    result.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), result.to_array())


# ---------------------------------------------------------------------------------------------------- cases


def test_what_is_averaged_and_rounded():
    image = np.array([[[10, 0, 0], [11, 0, 0], [11, 1, 0], [200, 200, 200]]], np.uint8)
    result = quantize(image, 2)
    order = np.argsort(result.palette[:, 0])
    assert result.palette[order].tolist() == [[11, 0, 0], [200, 200, 200]]  # 32/3 = 10.67, 1/3 = 0.33
    assert result.counts[order].tolist() == [3, 1]
    assert result.mse == (1 + 0 + 1) / 4
    assert result.psnr == pytest.approx(10 * math.log10(255**2 / (0.5 / 3)))


def test_one_pixel():
    result = quantize(np.array([[[1, 2, 3]]], np.uint8), 8)
    assert result.palette.tolist() == [[1, 2, 3]]
    assert result.labels.tolist() == [[0]]
    assert (result.mse, result.psnr) == (0, math.inf)


def test_few_colours_are_kept_exactly():
    image = np.tile(np.array([[[9, 9, 9], [3, 2, 1], [255, 0, 0]]], np.uint8), (50, 20, 1))
    result = quantize(image, 8)
    assert result.palette.tolist() == [[3, 2, 1], [9, 9, 9], [255, 0, 0]]
    np.testing.assert_array_equal(result.to_array(), image)


def test_rounding_may_not_merge_entries():
    """Three grey levels and their neighbours: centroids such as 0.5 and 0.4 round to the same entry."""
    image = np.repeat(np.array([0, 1, 2, 3], np.uint8), [500, 3, 2, 1]).reshape(2, 253)
    for seed in range(5):
        check(quantize(image, 3, seed=seed), image, 3)


def test_grey_with_and_without_a_channel_axis(cat):
    flat, deep = quantize(cat[..., 0], 5), quantize(cat[..., :1], 5)
    assert flat.palette.shape == (5, 1)
    assert flat.to_array().shape == cat.shape[:2]
    np.testing.assert_array_equal(flat.palette, deep.palette)
    np.testing.assert_array_equal(flat.to_array(), deep.to_array())


def test_opaque_rgba_is_rgb(cat):
    opaque = np.dstack([cat, np.full(cat.shape[:2], 255, np.uint8)])
    expected, result = quantize(cat, 8), quantize(opaque, 8)
    assert result.palette.tobytes() == expected.palette.tobytes()
    assert result.labels.tobytes() == expected.labels.tobytes()
    assert (result.mse, result.psnr, result.n_iter) == (expected.mse, expected.psnr, expected.n_iter)


def test_image_is_read_in_place_whatever_its_layout(cat):
    expected = quantize(cat, 8)
    for image in (np.asfortranarray(cat), np.ascontiguousarray(cat[::-1])[::-1], np.dstack([cat, cat])[..., :3]):
        image.flags.writeable = False
        result = quantize(image, 8)
        assert result.palette.tobytes() == expected.palette.tobytes()
        assert result.labels.tobytes() == expected.labels.tobytes()


def test_engine_and_threads_change_nothing(cat):
    transparent = np.dstack([cat, cat[..., 0]])
    for image in (cat, transparent):
        results = [
            quantize(image, 8, max_iter=10, engine=engine, n_threads=n_threads)
            for engine in ("auto", "numpy")
            for n_threads in (1, 3)
        ]
        assert len({(result.palette.tobytes(), result.labels.tobytes(), result.mse) for result in results}) == 1


# ---------------------------------------------------------------------------------------------------- transparency


def test_hidden_colours_pull_no_centroid_and_share_one_entry():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 20, 4), dtype=np.uint8)
    image[..., 3] = np.where(np.arange(20) < 10, 0, 255)
    other = image.copy()
    other[:, :10, :3] = rng.integers(0, 256, (20, 10, 3))
    result = quantize(image, 5)
    assert result.palette[0].tolist() == [0, 0, 0, 0]
    assert result.counts[0] == 200
    assert (result.palette[1:, 3] == 255).all()
    assert quantize(other, 5).palette.tobytes() == result.palette.tobytes()
    # each visible entry is near the mean of its 50 pixels: nothing else has pulled on it
    for k in range(1, 5):
        own = image[..., :3][result.labels == k]
        np.testing.assert_allclose(own.mean(axis=0), result.palette[k, :3], atol=4)


def test_faint_pixels_pull_little():
    """A pixel counts by its alpha: 3 of red at 250 and 1 of blue at 50 make 15 parts of red to 1 of blue."""
    image = np.array([[[240, 0, 0, 250]] * 3 + [[0, 0, 240, 50]]], np.uint8)
    assert quantize(image, 1).palette.tolist() == [[225, 0, 15, 200]]


def test_an_opaque_entry_shows_what_is_left_of_faint_pixels():
    """Its colour is the mean of premultiplied ones, with an alpha of 255."""
    image = np.array([[[240, 0, 0, 255]] * 3 + [[0, 0, 240, 51]]], np.uint8)
    result = quantize(image, 1)
    assert result.palette.tolist() == [[180, 0, 12]]


def test_a_picture_of_nothing():
    image = np.zeros((2, 3, 4), np.uint8)
    image[..., :3] = np.arange(18).reshape(2, 3, 3)
    result = quantize(image, 8)
    assert result.palette.tolist() == [[0, 0, 0, 0]]
    assert result.to_array().tolist() == np.zeros((2, 3, 4)).tolist()
    assert result.mse == 0


def test_one_colour_for_hidden_and_visible_pixels():
    image = np.array([[[9, 9, 9, 0], [9, 9, 9, 255]]], np.uint8)
    with pytest.raises(ValueError, match=r"n_colors must be at least 2 for a picture that is transparent in"):
        quantize(image, 1)


def test_given_centroids_with_transparency():
    image = np.array([[[9, 9, 9, 9], [9, 9, 9, 255]]], np.uint8)
    with pytest.raises(ValueError, match=r"init must be the name of a method for a picture with transparency"):
        quantize(image, 2, init=np.zeros((2, 4)))


def test_tol_and_callback_are_in_8_bit_steps_with_transparency(cat):
    image = np.dstack([cat, np.full(cat.shape[:2], 255, np.uint8)])
    image[0, 0, 3] = 254
    history = []
    options = {"init": "random", "tol": 0.5, "max_iter": 100, "relaxation": 1, "momentum": 0}
    result = quantize(image, 4, callback=lambda *step: history.append(step), **options)
    assert result.converged
    assert len(history) == result.n_iter
    for _, old, new, shift in history:
        assert shift == pytest.approx(((new - old) ** 2).sum(axis=1).max())
    assert history[-1][3] <= 0.5 < history[-2][3]
    np.testing.assert_allclose(history[-1][1][1:, :3], result.palette[1:, :3], atol=0.51)
    np.testing.assert_allclose(history[-1][1][:, 3], [254, 255, 255, 255], atol=1e-9)


# ---------------------------------------------------------------------------------------------------- options


def test_options_reach_k_means(cat):
    assert quantize(cat, 8, tol=0, max_iter=3).n_iter == 3
    assert not quantize(cat, 8, tol=0, max_iter=3).converged
    assert quantize(cat, 8, tol=1e9).n_iter == 1
    assert quantize(cat, 8, tol=0, callback=lambda *step: step[0] == 2).n_iter == 2
    steps = [(1, 0), (1.9, 0), (1.9, 0.6)]
    plain, relaxed, rolling = (
        quantize(cat, 16, init="random", max_iter=4, relaxation=relaxation, momentum=momentum).mse
        for relaxation, momentum in steps
    )
    assert rolling < relaxed < plain
    drawn = [quantize(cat, 8, init="random", seed=seed).palette.tolist() for seed in (0, 1)]
    assert drawn[0] != drawn[1]
    assert quantize(cat, 8, init="random").palette.tolist() != quantize(cat, 8).palette.tolist()
    assert quantize(cat, 8, n_init=4, init="random").mse <= quantize(cat, 8, init="random").mse + 0.5


def test_given_centroids(cat):
    init = np.array([[0, 0, 0], [255, 255, 255]])
    result = quantize(cat, 2, init=init, max_iter=1)
    nearest = distances(cat, init).argmin(axis=1)
    means = [cat.reshape(-1, 3)[nearest == k].mean(axis=0) for k in range(2)]
    np.testing.assert_array_equal(result.palette, np.rint(means))


def test_given_centroids_outside_the_cube_are_clipped():
    image = np.array([[[0, 0, 0], [1, 1, 1], [255, 255, 255]]], np.uint8)
    result = quantize(image, 2, init=[[-3, -3, -3], [300, 300, 300]], tol=1e9)
    assert result.palette.tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_colors": 0}, ValueError, "n_colors must be at least 1, got 0"),
        ({"n_colors": 2.0}, TypeError, "n_colors must be an integer, got 2.0"),
        ({"n_colors": "8"}, TypeError, "n_colors must be an integer, got '8'"),
        ({"tol": -1}, ValueError, "tol must be at least 0, got -1"),
        ({"tol": math.nan}, ValueError, "tol must be at least 0, got nan"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1, got 0"),
        ({"n_init": 0}, ValueError, "n_init must be at least 1, got 0"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        (
            {"init": "best"},
            ValueError,
            "init must be one of 'auto', 'k-means++', 'random', 'variance', 'cubes', got 'best'",
        ),
        ({"init": [[1, 2], [3, 4]], "n_colors": 2}, ValueError, "init must have shape (2, 3), got (2, 2)"),
        ({"callback": 1}, TypeError, "callback must be callable or None, got 1"),
        ({"engine": "gpu"}, ValueError, "engine must be one of"),
        ({"n_threads": 0}, ValueError, "n_threads must be at least 1, got 0"),
        ({"colors": 8}, TypeError, "unexpected keyword argument 'colors'"),
    ],
)
def test_bad_options(cat, options, error, message):
    transparent = np.dstack([cat, cat[..., 0]])
    for image in (cat, transparent):
        if image is transparent and not isinstance(options.get("init", ""), str):
            continue  # refused for another reason: see test_given_centroids_with_transparency
        with pytest.raises(error, match=re.escape(message)):
            quantize(image, **options)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (
            [[1, 2], [3, 4]],
            TypeError,
            "image must be uint8, uint16, or floats from 0 to 1, got int64; if its values reach from 0 to 255",
        ),
        ("photo.jpg", TypeError, "image must be an array or a picture of Pillow's, got str; read_image makes an array"),
        (Path("a.png"), TypeError, "image must be an array or a picture of Pillow's, got PosixPath; read_image makes"),
        (
            b"\x89PNG",
            TypeError,
            "image must be an array or a picture of Pillow's, got bytes; read_image makes an array",
        ),
        (np.full((2, 2, 3), 255.0), ValueError, "image must be from 0 to 1 as it is of floats, got 255 to 255; if its"),
        (np.full((2, 2, 3), -1 / 255), ValueError, "image must be from 0 to 1 as it is of floats, got -0.00392157 to"),
        (np.full((2, 2, 3), np.nan), ValueError, "image must be finite, got NaN"),
        (
            np.full((2, 2, 3), 3e38, np.float32),
            ValueError,
            "image must be from 0 to 1 as it is of floats, got 3e+38 to",
        ),
        (np.full((2, 2, 3), 256 / 255), ValueError, "image must be from 0 to 1 as it is of floats, got 1.00392 to"),
        (np.zeros((2, 2, 3), np.float16), TypeError, "got float16; image.astype(np.float32) converts it"),
        (np.zeros((2, 2), np.int16), TypeError, "image must be uint8, uint16, or floats from 0 to 1, got int16"),
        (
            np.zeros((2, 2), bool),
            TypeError,
            "image must be uint8, uint16, or floats from 0 to 1, got bool; np.where(image",
        ),
        (np.zeros((2, 2), int), TypeError, "if its values reach from 0 to 255, image.astype(np.uint8) converts it"),
        (
            np.zeros((2, 2, 2), np.uint8),
            ValueError,
            "(H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or be frames, got (2, 2, 2)",
        ),
        (np.zeros((9, 2, 2, 2), np.uint8), ValueError, "or be frames, got (9, 2, 2, 2)"),
        (np.zeros((0, 2, 2, 3), np.uint8), ValueError, "image must have pixels, got shape (0, 2, 2, 3)"),
        (np.zeros(9, np.uint8), ValueError, "or be frames, got (9,)"),
        (np.zeros((0, 5, 3), np.uint8), ValueError, "image must have pixels, got shape (0, 5, 3)"),
        (np.zeros((5, 0), np.uint8), ValueError, "image must have pixels, got shape (5, 0)"),
    ],
)
def test_bad_images(image, error, message):
    with pytest.raises(error, match=re.escape(message)):
        quantize(image)


@pytest.mark.parametrize("dtype", [bool, np.int64])
def test_the_advice_in_the_error_works(dtype):
    top = {bool: 1, np.int64: 255}[dtype]
    image = np.array([[0, top]], dtype)
    with pytest.raises(TypeError) as caught:
        quantize(image)
    advice = re.search(r"[^,;]*(np|image)\..*(?= converts it)", str(caught.value)).group().strip()
    assert eval(advice, {"np": np, "image": image}).tolist() == [[0, 255]]  # noqa: S307


# ------------------------------------------------------------------------------------------------- 16 bits and floats


def wide(image):
    """The picture with 16 bits, not all of which repeat its 8."""
    return image.astype(np.uint16) * np.uint16(251) + np.uint16(3)


@pytest.mark.parametrize("n_colors", [5, 40, 300])
@pytest.mark.parametrize("shape", ["grey", "RGB", "RGBA"])
def test_16_bits(cat, engine, shape, n_colors):
    """Each pixel has its nearest entry; entries are distinct and used, and of the picture's depth."""
    image = wide(cat)
    if shape == "grey":
        image = image[..., 1] + image[..., 0] // 7
    if shape == "RGBA":
        image = np.dstack([image, np.full_like(image[..., 0], 65535)])
    result = quantize(image, n_colors, engine=engine, max_iter=5)
    assert result.palette.dtype == result.to_array().dtype == np.uint16
    assert result.palette.shape == (n_colors, 1 if shape == "grey" else 3)
    assert len(np.unique(result.palette, axis=0)) == n_colors
    pixels = image.reshape(cat[..., 0].size, -1)[:, : result.palette.shape[1]]
    assert np.array_equal(result.labels.reshape(-1), reference.assign(pixels, result.palette.astype(np.float64)))
    assert np.array_equal(result.counts, np.bincount(result.labels.reshape(-1)))
    error = ((pixels.astype(np.float64) - result.palette[result.labels.reshape(-1)]) ** 2).sum(axis=1).mean()
    assert result.mse == pytest.approx(error / 257**2)
    assert result.psnr == pytest.approx(psnr(result.mse, result.palette.shape[1]))


def test_16_bits_that_repeat_8(cat):
    """The error is in 8-bit steps, as is what a callback sees and `tol`."""
    seen = {np.uint8: [], np.uint16: []}
    init = cat[::60, ::60].reshape(-1, 3)[:12]
    for dtype, steps in seen.items():
        image = cat.astype(dtype) * dtype(1 if dtype == np.uint8 else 257)
        start = init.astype(np.int64) * (1 if dtype == np.uint8 else 257)
        quantize(image, init=start, callback=lambda *seen, steps=steps: steps.append(seen[2:]))
    assert len(seen[np.uint8]) == len(seen[np.uint16])
    for (new, shift), (new_16, shift_16) in zip(*seen.values(), strict=True):
        assert np.allclose(new, new_16, rtol=1e-12)
        assert shift == pytest.approx(shift_16)


@pytest.mark.parametrize("order", ["none", "count", "luma", "hue"])
def test_orders_of_16_bits(cat, order):
    result = quantize(wide(cat), 6, sort=order)
    assert np.array_equal(result.palette, quantize(wide(cat)[::-1], 6, sort=order).palette)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("make", ["divided", "multiplied", "divided in float64", "multiplied in float32"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_floats_that_were_integers(cat, engine, dtype, make, kind):
    """As picture libraries make them; every value there is."""
    top = np.iinfo(dtype).max
    values = np.arange(top + 1).astype(dtype)
    if make == "divided":
        floats = values.astype(kind) / kind(top)
    elif make == "multiplied":
        floats = values.astype(kind) * kind(1 / top)
    elif make == "divided in float64":
        floats = (values / top).astype(kind)
    else:
        floats = (values.astype(np.float32) * np.float32(1 / top)).astype(kind)
    with machine_for(engine, 2, floats.size, floats.size) as machine:
        found = integers_of(Points(floats[:, np.newaxis]), machine)
    assert found.dtype == dtype
    assert np.array_equal(found[:, 0], values)
    image = cat[::3, ::3] if dtype == np.uint8 else wide(cat[::3, ::3])
    expected, result = (quantize(pixels, 9, max_iter=3, engine=engine) for pixels in (image, floats[image]))
    assert np.array_equal(result.palette, expected.palette)
    assert np.array_equal(result.labels, expected.labels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1e-3, 1.001, 1e30, -1e30, 0.5, 1e-300])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_one_value_that_is_no_fraction_is_found_wherever_it_is(engine, dtype, kind, value):
    find = engines.load(engine).fractions.find_integers
    top = np.iinfo(dtype).max
    table = np.arange(top + 1).astype(kind) / kind(top)
    values = np.resize(table, 70_000)
    none, integers = np.full((3, top + 1), -1, kind), np.empty(70_000, dtype)
    assert find(values, none, integers) == 70_000
    assert np.array_equal(integers, np.resize(np.arange(top + 1), 70_000))
    for place in (0, 1, 1023, 1024, 69_999):
        spoilt = values.copy()
        spoilt[place] = value
        assert find(spoilt, none, integers) == (place if kind(value) else 70_000)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_that_were_no_integers_are_those_next_to_them(kind, cat):
    floats = (cat / 255).astype(kind)
    floats[-1, -1, -1] += 1e-5  # one is enough, the last one too
    assert quantize(floats, 9, max_iter=3).palette.dtype == np.uint16
    floats = ((cat / 255) ** 0.7).astype(kind)
    result = quantize(floats, 9, max_iter=3)
    expected = quantize(np.rint(floats * kind(65535)).astype(np.uint16), 9, max_iter=3)
    assert np.array_equal(result.palette, expected.palette)
    assert np.array_equal(result.labels, expected.labels)
    assert np.abs(expected.to_array()[::50] / 65535 - floats[::50]).mean() < 0.05


def test_16_bits_to_8(cat, tmp_path):
    """A PNG's palette has 8 bits: what has more says so, and rounds when asked to."""
    result = quantize(wide(cat), 200, max_iter=2)
    with pytest.raises(ValueError, match=re.escape("a PNG's palette has 8 bits a channel, got uint16; to_8_bit()")):
        result.save(tmp_path / "a.png")
    rounded = result.to_8_bit()
    rounded.save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rint(result.to_array() / 257).astype(np.uint8))
    assert set(rounded.hex_colors) == set(result.hex_colors)
    assert quantize(cat, 4, max_iter=2).to_8_bit().n_colors == 4
    close = quantize(np.array([[100, 101, 9000]], np.uint16), 3)
    assert close.n_colors == 3
    assert close.to_8_bit().palette.tolist() == [[0], [35]]
    assert close.to_8_bit().counts.tolist() == [2, 1]
    assert close.to_8_bit().labels.tolist() == [[0, 0, 1]]


def test_a_picture_of_pillows_with_16_bits(cat):
    image = Image.fromarray(wide(cat)[..., 0])
    assert image.mode == "I;16"
    assert quantize(image, 4, max_iter=2).palette.dtype == np.uint16


# ---------------------------------------------------------------------------------------------------- QuantizedImage


def test_saved_file_decodes_to_the_array(cat, tmp_path):
    transparent = np.dstack([cat, cat[..., 0]])
    for image in (cat, cat[..., 0], transparent):
        result = quantize(image, 8, max_iter=5)
        assert result.save(tmp_path / "a.png") == (tmp_path / "a.png").stat().st_size
        decoded = read_image(tmp_path / "a.png")
        expected = result.to_array()
        np.testing.assert_array_equal(decoded, np.dstack([expected] * 3) if expected.ndim == 2 else expected)


def test_hex_colors():
    assert quantize(np.array([[0, 171]], np.uint8)).hex_colors == ["#000000", "#ababab"]
    assert quantize(np.array([[[0, 171, 205]]], np.uint8)).hex_colors == ["#00abcd"]
    assert quantize(np.array([[[0, 171, 205, 16]]], np.uint8)).hex_colors == ["#00abcd10"]


def test_repr():
    image = np.array([[[0, 0, 0]], [[0, 0, 4]]], np.uint8)
    assert repr(quantize(image, 1)) == "<QuantizedImage: 1×2 pixels, 1 colors, mse 4.00, psnr 46.88 dB>"


def test_html_swatches(cat):
    result = quantize(cat, 8, max_iter=5)
    html = result._repr_html_()
    for color, count in zip(result.hex_colors, result.counts, strict=True):
        assert f"background:{color}" in html
        assert f"{color}<br>{count / result.labels.size:.1%}<br>{count}<" in html
    assert not re.search(r"https?:|url\(|<script|src=\"(?!data:)|<link", html)
    assert html.count("<div") == html.count("</div>")
    assert html.count("<span") == html.count("</span>")


def test_html_of_very_many_colours_is_kept_short(cat):
    html = quantize(cat, 300, max_iter=1)._repr_html_()
    assert html.count("background:") == 256
    assert "and 44 more" in html


# ---------------------------------------------------------------------------------------------------- metrics


def test_psnr_is_that_of_the_textbook(cat):
    result = quantize(cat, 8, max_iter=5)
    mean_squared_error = ((cat.astype(np.float64) - result.to_array()) ** 2).mean()
    assert result.psnr == pytest.approx(10 * math.log10(255**2 / mean_squared_error))
    assert psnr(0, 3) == math.inf


def test_mse_and_psnr_count_the_same_channels():
    """Though the palette is opaque: a picture of which alpha is lost by rounding."""
    image = np.full((4, 4, 4), 255, np.uint8)
    image[0, 0] = [255, 255, 255, 254]
    result = quantize(image, 1)
    assert result.palette.shape[1] == 3
    assert result.mse == pytest.approx(4 * (1 / 16))
    assert result.psnr == pytest.approx(10 * math.log10(255**2 / (result.mse / 4)))


# ---------------------------------------------------------------------------------------------------- quality, order


@pytest.mark.parametrize("quality", [15, 27.5, 33])
def test_quality_finds_a_number_of_colours_of_which_one_less_is_not_enough(cat, quality):
    image = cat[:40, :60]
    result = quantize(image, quality=quality)
    assert result.quality_met
    assert result.psnr >= quality
    assert quantize(image, result.n_colors).mse == result.mse
    if result.n_colors > 1:
        assert quantize(image, result.n_colors - 1).psnr < quality


def test_quality_that_no_palette_reaches(cat):
    result = quantize(cat, quality=60)
    assert (result.n_colors, result.quality_met) == (256, False)
    assert result.mse == quantize(cat, 256).mse


def test_quality_of_a_picture_with_few_colours():
    image = np.array([[[0, 0, 0], [9, 9, 9], [200, 0, 0]]], np.uint8)
    result = quantize(image, quality=np.inf)
    assert (result.n_colors, result.quality_met, result.mse) == (3, True, 0)
    assert quantize(image, quality=0).n_colors == 1


def test_quality_with_transparency(cat):
    image = np.dstack([cat[:60, :60], np.full((60, 60), 128, np.uint8)])
    image[0, 0, 3] = 0
    result = quantize(image, quality=35)
    assert result.quality_met
    assert quantize(image, result.n_colors - 1).psnr < 35


def test_quality_and_n_colors_at_once():
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(ValueError, match="n_colors and quality can't both be given, got 4 and 30"):
        quantize(image, 4, quality=30)
    with pytest.raises(ValueError, match="quality must be at least 0, got -1"):
        quantize(image, quality=-1)
    with pytest.raises(ValueError, match="init must be the name of a method with quality, got an array"):
        quantize(image, quality=30, init=np.eye(3))


def luma(entry):
    return np.dot(entry[:3], [0.2126, 0.7152, 0.0722])


def test_orders_of_the_palette(cat):
    plain = quantize(cat, 12)
    by_count, by_luma, by_hue = (quantize(cat, 12, sort=sort) for sort in ("count", "luma", "hue"))
    for result in (by_count, by_luma, by_hue):
        np.testing.assert_array_equal(result.to_array(), plain.to_array())
        np.testing.assert_array_equal(np.bincount(result.labels.ravel()), result.counts)
    assert (np.diff(by_count.counts) <= 0).all()
    assert (np.diff([luma(entry) for entry in by_luma.palette]) >= 0).all()
    assert len({tuple(result.hex_colors) for result in (plain, by_count, by_luma, by_hue)}) > 2


def test_order_by_hue_starts_with_the_greys():
    colors = [[0, 0, 255], [90, 90, 90], [255, 0, 0], [0, 255, 0], [10, 10, 10], [99, 0, 0]]
    result = quantize(np.array([colors], np.uint8), 6, sort="hue")
    assert result.palette.tolist() == [[10, 10, 10], [90, 90, 90], [99, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_orders_of_a_grey_picture_and_with_transparency(cat):
    grey = quantize(cat[..., 0], 7, sort="hue")
    assert (np.diff(grey.palette[:, 0].astype(int)) > 0).all()
    image = np.array([[[1, 2, 3, 0], [255, 0, 0, 255], [255, 0, 0, 255]]], np.uint8)
    assert quantize(image, 2).hex_colors == ["#00000000", "#ff0000ff"]
    assert quantize(image, 2, sort="count").hex_colors == ["#ff0000ff", "#00000000"]


def test_unknown_order():
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(ValueError, match="sort must be one of 'none', 'count', 'luma', 'hue', got 'size'"):
        quantize(image, sort="size")


@pytest.mark.parametrize("channels", [slice(0, 3), slice(0, 1)])
def test_palette_is_that_of_the_image(cat, channels):
    image = quantize(cat[..., channels], 9, sort="count")
    palette = palette_of(cat[..., channels], 9, sort="count")
    assert not hasattr(palette, "labels")
    np.testing.assert_array_equal(palette.palette, image.palette)
    np.testing.assert_array_equal(palette.counts, image.counts)
    assert (palette.mse, palette.psnr, palette.n_iter) == (image.mse, image.psnr, image.n_iter)
    assert repr(palette).startswith("<QuantizedPalette: 9 colors, mse ")
    assert "9 colors" in palette._repr_html_()


def test_dark_to_light_is_translucent_before_opaque(cat):
    """So that a PNG's list of alphas is as short as it can be."""
    image = np.dstack([cat, cat[..., 0]])
    image[:30, :, 3] = 255
    palette = quantize(image, 20, sort="luma").palette
    n_translucent = int((palette[:, 3] < 255).sum())
    assert 0 < n_translucent < 20
    assert (palette[:n_translucent, 3] < 255).all()
    for part in (palette[:n_translucent], palette[n_translucent:]):
        assert (np.diff([luma(entry) for entry in part]) >= 0).all()


@pytest.mark.parametrize("sort", ["luma", "count", "hue"])
def test_a_second_pass_has_the_same_bytes(tmp_path, sort):
    """Also where entries are alike in what they are sorted by: equal luma, and transparency."""
    rng = np.random.default_rng(3)
    colors = np.array([[0, 0, 0, 0], [0, 0, 0, 255], [0, 0, 0, 90], [152, 3, 9, 200], [0, 0, 0, 91], [1, 48, 9, 200]])
    image = np.array(colors[rng.permutation(np.repeat(np.arange(6), 6))], np.uint8).reshape(6, 6, 4)
    first = quantize(image, 6, sort=sort)
    second = quantize(first.to_array()[::-1, ::-1], 6, sort=sort)
    np.testing.assert_array_equal(second.palette, first.palette)
    np.testing.assert_array_equal(second.labels, first.labels[::-1, ::-1])


def test_init_says_how_many_colours(cat):
    assert quantize(cat, init=[[0, 0, 0], [99, 99, 99], [255, 255, 255]]).n_colors == 3
    with pytest.raises(ValueError, match=re.escape("init must have shape (4, 3), got (2, 3)")):
        quantize(cat, 4, init=np.zeros((2, 3)))


def test_colours_of_frames_keep_the_places_of_init():
    palette = [[10, 10, 10], [200, 0, 0], [0, 200, 0], [0, 0, 200]]
    frame = np.array([[[0, 0, 201], [190, 0, 0], [0, 0, 201], [12, 12, 12]]], np.uint8)
    result = quantize(frame, 4, init=palette)
    assert result.palette.tolist() == [[12, 12, 12], [190, 0, 0], [0, 0, 201]]
    assert result.labels.tolist() == [[2, 1, 2, 0]]


@pytest.mark.parametrize(
    "options",
    [
        {"n_colors": 0},
        {"seed": -1},
        {"max_iter": 0},
        {"momentum": 1},
        {"relaxation": 2},
        {"tol": -1},
        {"n_threads": 0},
        {"engine": "cuda"},
        {"init": [[1, 2]]},
        {"init": "forgy"},
        {"sort": "size"},
        {"callback": 3},
        {"n_init": 0},
        {"quality": -1},
        {"colour": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("function", [kf.quantize, kf.palette])
def test_options_are_checked_before_any_work(cat, monkeypatch, function, options):
    monkeypatch.setattr("kmeans_fast.imaging.picture_colors.count_and_place", None)
    with pytest.raises((ValueError, TypeError)):
        function(cat, **options)


def test_pictures_of_pillow(cat):
    picture = Image.fromarray(cat)
    np.testing.assert_array_equal(quantize(picture, 5).labels, quantize(cat, 5).labels)
    for mode in ("P", "CMYK", "YCbCr", "HSV", "1", "I"):
        with pytest.raises(TypeError, match="RGB"):
            quantize(picture.convert(mode if mode != "I" else "L").convert(mode), 5)


@pytest.mark.parametrize("n_colors", [2, 8, 16, 64, 256])
def test_defaults_end_near_the_fixed_point(cat, n_colors):
    """Within 0.5 % of the error of the fixed point that the same start leads to."""
    end = quantize(cat, n_colors, max_iter=10_000, tol=0, relaxation=1, momentum=0)
    assert end.converged
    assert quantize(cat, n_colors).mse <= 1.005 * end.mse
