"""Every so-manieth pixel in the order of colours, and the start that `quantize` makes on these."""

import numpy as np
import pytest
import reference
import skimage.data
from conftest import ENGINES

import kmeans_fast as kf
from kmeans_fast import session
from kmeans_fast.colors import thinning
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.engines.codes import encode
from kmeans_fast.imaging import finding
from kmeans_fast.imaging.spaces import premultiplied
from kmeans_fast.lending import machine_for
from kmeans_fast.machine.chunks import CHUNK_SIZE


@pytest.fixture
def many_is_few(monkeypatch):
    """Some thousand colours are many."""
    monkeypatch.setattr(finding, "MANY_COLORS", 1000)
    monkeypatch.setattr(session, "THIN_PIXELS", 64)


def soft(image):
    """The picture with alpha that falls from the middle, where it is opaque, to nothing at the corners."""
    height, width = image.shape[:2]
    y, x = np.ogrid[:height, :width]
    alpha = 1.3 - np.hypot((y - height / 2) / height, (x - width / 2) / width) * 2
    return np.dstack([image[..., :3], (255 * np.clip(alpha, 0, 1)).astype(np.uint8)])


def noisy(image):
    """The picture in 16 bits, of which the lower byte is noise."""
    return image * np.uint16(256) + np.random.default_rng(0).integers(256, size=image.shape).astype(np.uint16)


def pictures():
    coffee, astronaut = skimage.data.coffee(), skimage.data.astronaut()
    yield pytest.param(soft(coffee), id="soft coffee")
    yield pytest.param(noisy(astronaut), id="noisy astronaut")
    yield pytest.param(noisy(soft(astronaut)), id="noisy soft astronaut")
    yield pytest.param(coffee, id="coffee")


@pytest.mark.parametrize("step", [1, 2, 7, 100, 5000])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_every_so_manieth_pixel(engine, n_threads, step):
    rng = np.random.default_rng(1)
    colors = rng.integers(0, 256, size=(100_000, 4)).astype(np.uint8)
    histogram = ColorHistogram.from_image(colors[rng.integers(0, 100_000, size=150_000)])
    assert len(histogram) > CHUNK_SIZE
    with machine_for(engine, n_threads, 150_000, 1) as machine:
        thin = thinning.thinned(histogram, step, 16, machine)
    pixels = np.repeat(histogram.codes, histogram.counts)[step // 2 :: step]
    codes, counts = np.unique(pixels, return_counts=True)
    if step == 1:
        assert thin is histogram
        return
    assert np.array_equal(thin.codes, codes)
    assert np.array_equal(encode(thin.colors), codes)
    assert np.array_equal(thin.counts, counts * step)


def test_what_has_few_colours_is_kept_whole():
    histogram = ColorHistogram.from_image(np.arange(300, dtype=np.uint16).repeat(50)[:, np.newaxis])
    with machine_for("numpy", 1, 300, 1) as machine:
        assert thinning.thinned(histogram, 100, 16 * 150, machine) is not histogram
        assert thinning.thinned(histogram, 100, 16 * 151, machine) is histogram  # fewer would be left than 1/16 of all
        assert thinning.thinned(histogram, 20_000, 17, machine) is histogram


@pytest.mark.parametrize("image", [*pictures()])
@pytest.mark.parametrize("n_colors", [5, 30])
def test_the_error_is_nearly_that_of_the_plain_start(many_is_few, monkeypatch, image, n_colors):
    image = image[::2, ::2]
    monkeypatch.setattr(session, "THIN_PIXELS", 256)
    thin = kf.quantize(image, n_colors)
    monkeypatch.setattr(finding, "MANY_COLORS", 2**40)
    plain = kf.quantize(image, n_colors)
    assert thin.n_iter == 2 < plain.n_iter
    assert thin.mse <= 1.02 * plain.mse


@pytest.mark.parametrize("image", [*pictures()])
def test_both_engines_and_all_threads(many_is_few, monkeypatch, image):
    monkeypatch.setattr("kmeans_fast.machine.chunks.CHUNK_SIZE", 4000)  # such a chunk is enough for a thread
    runs = [("auto", 1), *((engine, 3) for engine in ENGINES)]
    results = [kf.quantize(image[::4, ::4], 20, engine=engine, n_threads=n_threads) for engine, n_threads in runs]
    assert results[0].n_iter == 2
    for result in results[1:]:
        for ours, theirs in zip(vars(results[0]).values(), vars(result).values(), strict=True):
            assert np.array_equal(ours, theirs)


def test_every_pixel_has_the_nearest_entry_that_it_may_have(many_is_few):
    image = soft(skimage.data.coffee()[::2, ::2])
    result = kf.quantize(image, 30)
    assert result.n_iter == 2
    pixels, labels = image.reshape(-1, 4), result.labels.reshape(-1)
    points, entries = premultiplied(pixels).astype(np.float64), premultiplied(result.palette).astype(np.float64)
    is_opaque, opaque = pixels[:, 3] == 255, np.flatnonzero(result.palette[:, 3] == 255)
    assert np.array_equal(labels[~is_opaque], reference.assign(points[~is_opaque], entries))
    assert np.array_equal(labels[is_opaque], opaque[reference.assign(points[is_opaque], entries[opaque])])
    assert result.counts.all()


@pytest.mark.parametrize("asked", [{"max_iter": 7}, {"max_iter": 7, "n_init": 2}, {"max_iter": 1}])
def test_what_is_asked_for_is_of_iterations_on_all_pixels(many_is_few, asked):
    steps = []
    image = noisy(skimage.data.coffee()[::4, ::4])
    result = kf.quantize(image, 12, callback=lambda *step: steps.append(step[0]), tol=0, **asked)
    assert result.n_iter == asked["max_iter"]
    assert steps == [*range(1, asked["max_iter"] + 1)] * asked.get("n_init", 1)


@pytest.mark.parametrize("asked", [{"init": "variance"}, {"effort": 0}])
def test_other_starts_are_as_ever(many_is_few, monkeypatch, asked):
    image = noisy(skimage.data.coffee()[::4, ::4])
    monkeypatch.setattr(session, "_thin_ends", None)
    result = kf.quantize(image, 12, **asked)
    monkeypatch.setattr(finding, "MANY_COLORS", 2**40)
    again = kf.quantize(image, 12, **asked)
    assert np.array_equal(result.palette, again.palette)
    assert np.array_equal(result.labels, again.labels)


def test_kmeans_is_as_ever(many_is_few, monkeypatch):
    monkeypatch.setattr(session, "_thin_ends", None)
    assert kf.kmeans(noisy(skimage.data.coffee()[::4, ::4]), 12, init="variance", max_iter=18).n_iter == 18


def test_entries_that_are_fixed(many_is_few):
    image = soft(skimage.data.coffee()[::2, ::2])
    fixed = ["#ff0000", "#00ff0080"]
    result = kf.quantize(image, 30, fixed=fixed)
    assert result.n_iter == 2
    assert result.palette[:2].tolist() == [[255, 0, 0, 255], [0, 255, 0, 128]]


@pytest.mark.parametrize("n_opaque", [0, 1, 3000])
def test_kinds_with_few_colours(many_is_few, engine, n_opaque):
    """Where opaque ones are few they are all taken, and keep their entries."""
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, size=(100, 100, 4)).astype(np.uint8)
    image[..., 3] = rng.integers(0, 255, size=(100, 100))
    image.reshape(-1, 4)[:n_opaque, 3] = 255
    result = kf.quantize(image, 20, engine=engine)
    assert result.n_iter == 2
    assert (result.palette[result.labels.reshape(-1)[:n_opaque], 3] == 255).all()
    assert (result.palette[:, 3] == 255).any() == (n_opaque > 0)
    assert result.counts.all()


def test_most_pixels_of_one_colour(many_is_few):
    """Of the others few are left: then all take part."""
    image = np.zeros((400, 400, 3), np.uint16)
    image[:4] = np.random.default_rng(3).integers(65536, size=(4, 400, 3))
    result = kf.quantize(image, 64)
    assert result.n_colors == 64
    assert result.n_iter > 2
