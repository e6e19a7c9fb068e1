"""Specks removed: small connected regions of one label go to a neighbour, held against the words of the definition."""

import numpy as np
import pytest

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.imaging.regions import without_specks


def regions_of(labels):
    """Sets of pixels, found by walking; in the order of the picture."""
    seen, regions = set(), []
    for start in np.ndindex(labels.shape):
        if start in seen:
            continue
        region, waiting = {start}, [start]
        while waiting:
            for place in neighbors(waiting.pop(), labels.shape):
                if place not in region and labels[place] == labels[start]:
                    region.add(place)
                    waiting.append(place)
        seen |= region
        regions.append(region)
    return regions


def neighbors(place, shape):
    row, column = place
    for other in ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column)):
        if 0 <= other[0] < shape[0] and 0 <= other[1] < shape[1]:
            yield other


def by_definition(labels, n_labels, min_region):
    labels = labels.copy()
    while True:
        regions = regions_of(labels)
        smallest = min(regions, key=len)  # the first of several
        if len(smallest) >= min_region or len(regions) == 1:
            return labels
        edges = [
            labels[other] for place in smallest for other in neighbors(place, labels.shape) if other not in smallest
        ]
        winner = np.argmax(np.bincount(edges, minlength=n_labels))  # the lowest of several
        for place in smallest:
            labels[place] = winner


def cleaned(labels, n_labels, min_region, engine):
    result = without_specks(labels, n_labels, min_region, engines.load(engine))
    assert result.dtype == labels.dtype
    return result


@pytest.mark.parametrize("seed", range(25))
def test_the_definition(engine, seed):
    rng = np.random.default_rng(seed)
    n_labels = int(rng.integers(1, 6))
    labels = rng.integers(0, n_labels, rng.integers(1, 14, 2)).astype(np.uint16 if seed == 3 else np.uint8)
    if seed % 2:
        labels = np.kron(labels, np.ones((2, 3), labels.dtype))
    min_region = int(rng.integers(1, 30))
    expected = by_definition(labels, n_labels, min_region)
    np.testing.assert_array_equal(cleaned(labels, n_labels, min_region, engine), expected)


def test_specks_of_a_picture_are_gone(engine, small_cat):
    labels = (small_cat[..., 0] // 32).astype(np.uint8)
    result = cleaned(labels, 8, 20, engine)
    assert min(map(len, regions_of(labels))) == 1
    assert min(map(len, regions_of(result))) >= 20
    np.testing.assert_array_equal(cleaned(result, 8, 20, engine), result)


def test_a_speck_goes_to_its_longest_border_and_of_equals_to_the_lowest_label(engine):
    labels = np.full((5, 5), 3, np.uint8)
    labels[:, 3:] = 1
    labels[2, 2] = 0
    assert cleaned(labels, 4, 2, engine)[2, 2] == 3, "three edges of 3, one of 1"
    labels[3:] = 1
    assert cleaned(labels, 4, 2, engine)[2, 2] == 1, "two of each"


def test_specks_that_meet_may_be_large_enough_together(engine):
    labels = np.array([[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]], np.uint8)
    expected = np.zeros((3, 4), np.uint8)
    np.testing.assert_array_equal(cleaned(labels, 3, 2, engine), expected)
    strip = np.array([[0, 1, 1, 2, 2, 2]], np.uint8)
    np.testing.assert_array_equal(cleaned(strip, 3, 3, engine), [[1, 1, 1, 2, 2, 2]])


def test_diagonal_neighbors_are_none(engine):
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.uint8)
    assert not cleaned(labels, 2, 2, engine).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_a_picture_smaller_than_a_region_becomes_one(engine, shape):
    labels = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    assert len(np.unique(cleaned(labels, 9, 100, engine))) == 1


def test_what_was_given_is_not_changed(engine):
    labels = np.eye(5, dtype=np.uint8)
    labels.setflags(write=False)
    cleaned(labels, 2, 3, engine)


def test_long_winding_regions(engine):
    """A spiral of one pixel's width: each root is many links away."""
    labels = np.zeros((41, 41), np.uint8)
    row, column = 0, 0
    steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
    labels[0, 0] = 1
    for turn, length in enumerate([40, 40, *(n for n in range(40, 0, -2) for _ in range(2))]):
        for _ in range(length):
            row, column = row + steps[turn % 4][0], column + steps[turn % 4][1]
            if not (0 <= row < 41 and 0 <= column < 41):
                break
            labels[row, column] = 1
    sizes = sorted(map(len, regions_of(labels)))
    for min_region in (sizes[0] + 1, sizes[-1] + 1):
        expected = by_definition(labels, 2, min_region)
        np.testing.assert_array_equal(cleaned(labels, 2, min_region, engine), expected)


# ------------------------------------------------------------------------------------------------ as an option


def with_alpha(image):
    alpha = np.linspace(0, 400, image.shape[1]).clip(0, 255)
    return np.dstack([image, np.broadcast_to(alpha, image.shape[:2])]).astype(np.uint8)


@pytest.mark.parametrize(
    "kind",
    [lambda image: image, with_alpha, lambda image: image[..., 0], lambda image: image.astype(np.uint16) * 200],
    ids=["RGB", "RGBA", "grey", "16 bits"],
)
def test_quantize_counts_and_measures_what_it_returns(small_cat, kind):
    image = kind(small_cat)
    result, plain = (kf.quantize(image, 12, min_region=n) for n in (15, 1))
    assert min(map(len, regions_of(plain.labels))) < 15 <= min(map(len, regions_of(result.labels)))
    np.testing.assert_array_equal(result.counts, np.bincount(result.labels.ravel()))
    apart = in_8_bit_steps(image) - in_8_bit_steps(result.to_array())
    assert result.mse == pytest.approx((apart**2).reshape(image.shape[0] * image.shape[1], -1).sum(axis=1).mean())
    assert result.mse > plain.mse


def in_8_bit_steps(image):
    steps = image / (257 if image.dtype == np.uint16 else 1)
    if image.ndim == 3 and image.shape[2] == 4:
        steps[..., :3] *= steps[..., 3:] / 255
    return steps


def test_error_is_that_of_srgb_in_other_spaces(small_cat):
    result = kf.quantize(small_cat, 9, min_region=15, space="oklab")
    assert result.mse == pytest.approx(((small_cat - result.to_array().astype(float)) ** 2).sum(axis=2).mean())


def test_entries_without_pixels_are_dropped_unless_they_were_given():
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 4] = 255
    assert kf.quantize(image, 2, min_region=2).hex_colors == ["#000000"]
    assert kf.quantize(image, palette=["#ffffff", "#000000"], min_region=2).counts.tolist() == [0, 81]


def test_each_frame_by_itself(small_cat):
    frames = np.stack([small_cat, small_cat[::-1]])
    result = kf.quantize(frames, 9, min_region=15)
    for labels in result.labels:
        assert min(map(len, regions_of(labels))) >= 15
    assert result.counts.sum() == result.labels.size
    assert result.mse == pytest.approx(((frames - result.to_array().astype(float)) ** 2).sum(axis=-1).mean())


def test_dithering_is_made_of_specks():
    with pytest.raises(ValueError, match="min_region must be 1 with dither='bayer', which is made of specks, got 2"):
        kf.quantize(np.zeros((2, 2), np.uint8), 2, min_region=2, dither="bayer")
    with pytest.raises(ValueError, match="min_region must be"):
        kf.quantize(np.zeros((2, 2), np.uint8), 2, min_region=0)
