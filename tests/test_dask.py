"""Dask's arrays: the bytes of the call on one machine, for any chunks and workers."""

import os
import signal
import sys

import dask.array as da
import numpy as np
import pytest
from dask.distributed import Client, LocalCluster

import kmeans_fast as kf
import kmeans_fast.dask as kd

IMAGE = kf.read_image(kf.sample_path())
CHUNKS = [(300, 451, 3), (100, 130, 2), (1, 451, 1), (299, 7, 3)]
MASK = IMAGE[..., 1] > 90


def signed(image):
    return image.astype(np.int16) * 3 - 300


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of 300 MB each."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="300MiB", dashboard_address=None) as workers,
        Client(workers),
    ):
        yield workers


@pytest.mark.parametrize("chunks", CHUNKS)
def test_a_histogram_is_that_of_the_whole(chunks):
    assert kd.histogram(da.from_array(IMAGE, chunks=chunks)) == kf.ColorHistogram.from_image(IMAGE)
    mask = da.from_array(MASK, chunks=(64, 64))
    masked = kd.histogram(da.from_array(IMAGE, chunks=chunks), mask=mask)
    assert masked == kf.ColorHistogram.from_image(IMAGE, mask=MASK)


@pytest.mark.parametrize("options", [{}, {"init": "variance"}, {"init": "random", "n_init": 2, "seed": 3}])
def test_8_bit_pixels_have_the_bytes_of_the_call_on_one_machine(options):
    result = kd.kmeans(da.from_array(IMAGE, chunks=(128, 128, 3)), 6, **options)
    expected = kf.kmeans(IMAGE, 6, **options)
    assert isinstance(result.labels, da.Array)
    assert result.labels.shape == expected.labels.shape
    np.testing.assert_array_equal(result.labels.compute(), expected.labels)
    np.testing.assert_array_equal(result.centroids, expected.centroids)
    np.testing.assert_array_equal(result.shifts, expected.shifts)


@pytest.mark.parametrize("convert", [np.asarray, signed, np.float32])
def test_a_mask(convert):
    points = convert(IMAGE)
    init = points[::60, ::90][:2, :3].reshape(-1, 3).astype(float)
    result = kd.kmeans(da.from_array(points, chunks=(77, 99, 3)), mask=da.from_array(MASK, chunks=100), init=init)
    expected = kf.kmeans(points, mask=MASK, init=init)
    labels = result.labels.compute()
    np.testing.assert_array_equal(labels.mask, ~MASK)
    np.testing.assert_array_equal(labels[MASK], expected.labels[MASK])
    np.testing.assert_allclose(result.centroids, expected.centroids, rtol=1e-12)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_integers_have_the_same_bytes_from_given_centroids(chunks):
    points = signed(IMAGE)[:16]
    init = points[::8, ::150].reshape(-1, 3).astype(float)
    result = kd.kmeans(da.from_array(points, chunks=chunks), init=init, max_iter=4)
    expected = kf.kmeans(points, init=init, max_iter=4)
    np.testing.assert_array_equal(result.centroids, expected.centroids)
    np.testing.assert_array_equal(result.labels.compute(), expected.labels)
    assert result.n_iter == expected.n_iter


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_floats_are_drawn_and_clustered(init):
    points = np.random.default_rng(0).normal(size=(3000, 2)) + np.repeat([[0, 0], [30, 0], [0, 30]], 1000, axis=0)
    result = kd.kmeans(da.from_array(points, chunks=(170, 1)), 3, init=init, n_init=3)
    assert sorted(result.counts) == [1000, 1000, 1000]
    np.testing.assert_array_equal(result.labels.compute(), kf.assign(points, result.centroids))
    assert result.inertia == pytest.approx(kf.kmeans(points, init=result.centroids).inertia)


def test_an_empty_centroid_takes_the_farthest_point():
    points = np.array([[0.0], [1.0], [2.0], [90.0]])
    result = kd.kmeans(da.from_array(points, chunks=(1, 1)), init=[[0.0], [-500.0]])
    assert result.centroids.tolist() == kf.kmeans(points, init=[[0.0], [-500.0]]).centroids.tolist()


def test_few_distinct_points():
    points = da.from_array(np.repeat([[1.5], [0.5]], 50, axis=0), chunks=(9, 1))
    result = kd.kmeans(points, 8)
    assert result.centroids.tolist() == [[0.5], [1.5]]
    assert result.n_iter == 0


def test_channels_anywhere():
    expected = kf.kmeans(IMAGE, 3).centroids
    first = da.moveaxis(da.from_array(IMAGE, chunks=100), -1, 0)
    np.testing.assert_array_equal(kd.kmeans(first, 3, channel_axis=0).centroids, expected)
    grey = IMAGE[..., 0]
    result = kd.kmeans(da.from_array(grey, chunks=100), 3, channel_axis=None)
    np.testing.assert_array_equal(result.labels.compute(), kf.kmeans(grey, 3, channel_axis=None).labels)


@pytest.mark.parametrize(
    ("points", "options", "kind", "message"),
    [
        (IMAGE, {}, TypeError, "points must be an array of Dask's, got ndarray"),
        (da.zeros((9, 2), dtype=complex), {}, TypeError, "points must be real numbers"),
        (da.zeros(9), {}, ValueError, "points must have at least 2 axes"),
        (da.zeros((9, 2)), {"channel_axis": 5}, ValueError, "channel_axis must be an axis of points"),
        (da.zeros((9, 2)), {"mask": np.ones(9, bool)}, ValueError, "mask must be an array of Dask's of bool"),
        (da.zeros((9, 2)), {"mask": da.zeros(9, dtype=bool)}, ValueError, "points must not be empty"),
        (da.full((9, 2), np.nan), {}, ValueError, "points must be finite"),
        (da.zeros((9, 2)), {"init": "variance"}, ValueError, "init='variance' needs"),
        (da.zeros((9, 2)), {"n_clusters": 10}, ValueError, "n_clusters must be at most the number of points, 9"),
        (da.zeros((9, 2)), {"tol": -1}, ValueError, "tol must be at least 0"),
    ],
)
def test_what_is_refused(points, options, kind, message):
    with pytest.raises(kind, match=message):
        kd.kmeans(points, **options)


def test_a_histogram_is_of_bytes():
    with pytest.raises(TypeError, match="a histogram is of 8-bit colours"):
        kd.histogram(da.zeros((4, 3)))
    with pytest.raises(ValueError, match="the mask leaves out all of it"):
        kd.histogram(da.zeros((4, 3), dtype=np.uint8), mask=da.zeros(4, dtype=bool))


def test_two_worker_processes_and_one_of_them_killed(cluster):
    """What it had done is done again by the other, and by the one that takes its place."""
    init = IMAGE[::90, ::150].reshape(-1, 3).astype(float)
    points = da.from_array(signed(IMAGE), chunks=(60, 451, 3)).persist()
    killed = []

    def kill_once(iteration, *_):
        if not killed and sys.platform != "win32":
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    result = kd.kmeans(points, init=init, max_iter=6, callback=kill_once)
    expected = kf.kmeans(signed(IMAGE), init=init, max_iter=6)
    assert killed
    np.testing.assert_array_equal(result.centroids, expected.centroids)
    np.testing.assert_array_equal(result.labels.compute(), expected.labels)


def tile(block_info):
    """A part of a picture of many colours."""
    (top, bottom), (left, right), _ = block_info[None]["array-location"]
    rows, columns = np.ogrid[top:bottom, left:right]
    return ((rows // 500)[..., np.newaxis] * [1, 3, 7] + (columns // 500)[..., np.newaxis] * 5).astype(np.uint8)


@pytest.mark.stress
def test_a_store_larger_than_the_workers_memory(cluster, tmp_path):
    """400 MB of pixels for two workers of 300 MB, which Python and NumPy take half of."""
    height, width = 12_000, 11_000
    image = da.map_blocks(tile, chunks=((1000,) * 12, (1000,) * 11, (3,)), dtype=np.uint8)
    da.to_zarr(image, str(tmp_path / "image.zarr"))
    stored = da.from_zarr(str(tmp_path / "image.zarr"))
    assert stored.nbytes > 370e6
    result = kd.kmeans(stored, 5)
    assert result.counts.sum() == height * width
    corner = result.labels[:700, :700].compute()
    np.testing.assert_array_equal(corner, kf.assign(image[:700, :700].compute(), result.centroids))
