"""What `kmeans` returns: its order, comparing, and what a notebook shows."""

import base64
import io
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

import kmeans_fast as kf

# ---------------------------------------------------------------------------------------------------- order


@pytest.mark.parametrize("convert", [np.asarray, np.float32])
def test_the_largest_cluster_first(small_cat, convert, engine):
    result = kf.kmeans(convert(small_cat), 7, sort="size", engine=engine)
    assert (np.diff(result.counts) <= 0).all()
    assert np.array_equal(np.bincount(result.labels.ravel()), result.counts)


@pytest.mark.parametrize("convert", [np.asarray, np.float32])
def test_from_dark_to_light(small_cat, convert, engine):
    result = kf.kmeans(convert(small_cat), 7, sort="value", engine=engine)
    assert (np.diff(result.centroids.sum(axis=1)) > 0).all()


def test_no_order_changes_what_was_found(small_cat):
    plain, *others = (kf.kmeans(small_cat, 7, sort=sort) for sort in ("none", "size", "value"))
    for other in others:
        assert sorted(map(tuple, other.centroids)) == sorted(map(tuple, plain.centroids))
        assert other.inertia == pytest.approx(plain.inertia, rel=1e-12)
        assert np.array_equal(other.shifts, plain.shifts)


@given(
    npst.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 2)), elements=st.integers(0, 6)),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["size", "value"]),
)
def test_ties_go_to_the_lowest_index_in_any_order(points, n_clusters, max_iter, sort):
    result = kf.kmeans(points, min(n_clusters, len(points)), max_iter=max_iter, sort=sort)
    assert np.array_equal(result.labels, kf.assign(points, result.centroids))
    assert np.array_equal(np.bincount(result.labels), result.counts)
    if sort == "size":
        assert (np.diff(result.counts) <= 0).all()


def test_a_point_between_two_goes_to_the_one_that_is_now_first():
    points, init = [[0], [2], [3], [3], [3]], [[1], [3]]
    assert kf.kmeans(points, init=init).labels.tolist() == [0, 0, 1, 1, 1]
    result = kf.kmeans(points, init=init, sort="size")
    assert result.centroids.tolist() == [[3], [1]]
    assert result.labels.tolist() == [1, 0, 0, 0, 0]
    assert result.counts.tolist() == [4, 1]


def test_few_distinct_points_are_ordered_too():
    points = [[5], [9], [9], [1], [1], [1]]
    assert kf.kmeans(points, 6, sort="size").centroids.ravel().tolist() == [1, 9, 5]
    assert kf.kmeans(points, init=[[9], [5], [1]], sort="value").centroids.ravel().tolist() == [1, 5, 9]


def test_a_histogram_is_ordered(small_cat):
    histogram = kf.ColorHistogram.from_image(small_cat)
    result = kf.kmeans(histogram, 5, sort="size")
    assert np.array_equal(result.counts, kf.kmeans(small_cat, 5, sort="size").counts)


def test_unknown_orders_are_refused(small_cat):
    with pytest.raises(ValueError, match="sort must be one of 'none', 'size', 'value', got 'luma'"):
        kf.kmeans(small_cat, 3, sort="luma")


# ---------------------------------------------------------------------------------------------------- comparing


def test_results_compare_and_hash(small_cat):
    one, two, other = (kf.kmeans(small_cat, 4, seed=seed) for seed in (0, 0, 1))
    assert one == two
    assert hash(one) == hash(two)
    assert one != other
    assert one != "something else"
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - our own


def test_who_did_the_work_does_not_count(small_cat, engine):
    assert kf.kmeans(small_cat, 4, engine=engine) == kf.kmeans(small_cat, 4)


@pytest.mark.parametrize(
    "change",
    [
        {"inertia": 1.0},
        {"converged": False},
        {"labels": np.zeros((61, 97), np.uint8)},
        {"labels": np.zeros((61, 97), np.uint16)},
        {"shifts": np.zeros(3)},
        {"n_iter": 3},
    ],
)
def test_whatever_differs_makes_a_difference(small_cat, change):
    result = kf.kmeans(small_cat, 4)
    assert replace(result, **change) != result


def test_a_mask_makes_a_difference():
    result = kf.kmeans([[0], [0], [9]], 2, mask=[True, False, True])
    labels = np.ma.MaskedArray(result.labels.data, False)
    assert replace(result, labels=labels) != result


# ---------------------------------------------------------------------------------------------------- what is shown


def test_repr(small_cat):
    result = kf.kmeans(small_cat, 4, max_iter=2)
    assert repr(result).startswith("<KMeansResult: 5917 points, 4 clusters, inertia ")
    assert repr(result).endswith(", 2 iterations, not converged>")


def picture_in(html):
    """The picture that is inside a page."""
    (data,) = re.findall(r'<img [^>]*src="data:image/png;base64,([^"]*)"', html)
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_pixels_show_as_picture_and_colors(small_cat):
    result = kf.kmeans(small_cat, 4)
    html = result._repr_html_()
    for centroid, count in zip(np.rint(result.centroids).astype(np.uint8), result.counts, strict=True):
        color = "#" + centroid.tobytes().hex()
        assert f"background:{color}" in html
        assert f"{color}<br>{count / 5917:.1%}<br>{count}<" in html
    assert np.array_equal(picture_in(html).convert("RGB"), np.rint(result.to_array()).astype(np.uint8))
    assert not re.search(r"https?:|url\(|<script|<link", html)


def test_a_large_picture_is_shown_small():
    image = np.zeros((1500, 700, 3), np.uint8)
    image[:750] = 200
    html = kf.kmeans(image, 2)._repr_html_()
    assert picture_in(html).size == (234, 500)


def test_points_and_masked_pixels_show_as_colors_alone(small_cat):
    for result in (kf.kmeans(small_cat.reshape(-1, 3), 4), kf.kmeans(small_cat, 4, mask=small_cat[..., 0] > 50)):
        html = result._repr_html_()
        assert "<img" not in html
        assert html.count("background:") == 4


def test_four_channels_show_with_alpha():
    html = kf.kmeans(np.array([[1, 2, 3, 4], [255, 254, 253, 252]], np.uint8), 2)._repr_html_()
    assert "#01020304" in html
    assert "#fffefdfc" in html


@pytest.mark.parametrize("points", [np.zeros((4, 3)), np.zeros((4, 3), np.uint16), np.zeros((4, 2), np.uint8)])
def test_what_is_no_color_shows_as_text(points):
    assert kf.kmeans(points, 1)._repr_html_() is None


def test_centroids_outside_of_what_is_shown():
    """Where they were given, and no points came near."""
    points = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
    html = replace(kf.kmeans(points, 2), centroids=np.array([[-9.0, 0, 0], [300.0, 255, 255]]))._repr_html_()
    assert "#000000" in html
    assert "#ffffff" in html
