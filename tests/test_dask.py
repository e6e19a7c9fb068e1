"""Dask's arrays: the bytes of the call on one machine, for any chunks and workers."""

import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter

import dask.array as da
import numpy as np
import pytest
import rasterio
import xarray as xr
from dask.core import get_dependencies
from dask.delayed import delayed
from dask.diagnostics import ProgressBar
from dask.distributed import Client, LocalCluster
from dask.order import order
from rasterio.windows import Window

import kmeans_fast as kf
import kmeans_fast.dask as kd
from kmeans_fast.colors import counts
from kmeans_fast.dask import counting, mapping

IMAGE = kf.read_image(kf.sample_path())
CHUNKS = [(60, 451, 3), (25, 130, 2), (1, 451, 1), (59, 7, 3)]
MASK = IMAGE[..., 1] > 90
PART = np.s_[40:190, 100:310]  # of colours and mask as different as those of the whole


def signed(image):
    return image.astype(np.int16) * 3 - 300


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of 300 MB each."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="300MiB", dashboard_address=":0") as workers,
        Client(workers),
    ):
        yield workers


@pytest.mark.parametrize("chunks", CHUNKS)
def test_a_histogram_is_that_of_the_whole(chunks):
    image, mask = IMAGE[100:160], MASK[100:160]
    lazy = da.from_array(image, chunks=chunks)
    assert kd.histogram(lazy) == kf.ColorHistogram.from_image(image)
    masked = kd.histogram(lazy, mask=da.from_array(mask, chunks=(64, 64)))
    assert masked == kf.ColorHistogram.from_image(image, mask=mask)


@pytest.mark.parametrize("options", [{}, {"init": "variance"}, {"init": "random", "n_init": 2, "seed": 3}])
def test_8_bit_pixels_have_the_bytes_of_the_call_on_one_machine(options):
    result = kd.kmeans(da.from_array(IMAGE, chunks=(128, 128, 3)), 6, **options)
    expected = kf.kmeans(IMAGE, 6, **options)
    assert isinstance(result.labels, da.Array)
    assert result.labels.shape == expected.labels.shape
    np.testing.assert_array_equal(result.labels.compute(), expected.labels)
    np.testing.assert_array_equal(result.centroids, expected.centroids)
    np.testing.assert_array_equal(result.shifts, expected.shifts)


@pytest.mark.parametrize("options", [{}, {"init": "variance", "sort": "value"}, {"init": "random", "seed": 5}])
def test_16_bit_pixels_have_the_bytes_of_the_call_on_one_machine(options):
    image = IMAGE[:100].astype(np.uint16) * 211 + 7
    result = kd.kmeans(da.from_array(image, chunks=(33, 128, 3)), 6, **options)
    assert result.compute() == kf.kmeans(image, 6, **options)
    assert result.algorithm == "histogram"


def test_pixel_by_pixel_if_asked_for():
    image, init = IMAGE[:60], IMAGE[::100, ::200].reshape(-1, 3).astype(float)
    result = kd.kmeans(da.from_array(image, chunks=40), init=init, max_iter=3, algorithm="dense", sort="size")
    expected = kf.kmeans(image, init=init, max_iter=3, algorithm="dense", sort="size")
    assert result.algorithm == "dense"
    np.testing.assert_array_equal(result.centroids, expected.centroids)
    np.testing.assert_array_equal(result.labels.compute(), expected.labels)


def test_a_result_in_memory_and_as_an_array():
    result = kd.kmeans(da.from_array(IMAGE, chunks=(128, 100, 3)), 5, sort="size")
    expected = kf.kmeans(IMAGE, 5, sort="size")
    assert result.compute() == expected
    assert type(result.compute()) is kf.KMeansResult
    assert isinstance(result.to_array(), da.Array)
    assert result.to_array().chunks[:2] == result.labels.chunks
    np.testing.assert_array_equal(result.to_array().compute(), expected.to_array())
    assert repr(result).startswith("<LazyKMeansResult: 135300 points, 5 clusters")
    assert "<img" not in result._repr_html_()


def test_labels_of_other_points():
    centroids = kf.kmeans(IMAGE, 5).centroids
    labels = kd.assign(da.from_array(IMAGE, chunks=100), centroids, mask=MASK)
    np.testing.assert_array_equal(labels.compute(), kf.assign(IMAGE, centroids, mask=MASK))


@pytest.mark.parametrize("convert", [np.asarray, signed, np.float32])
def test_masked_chunks(convert):
    """As da.ma makes them, and as readers of rasters return them."""
    points, is_masked = convert(IMAGE)[PART], IMAGE[PART] < 60
    masked = da.ma.masked_array(da.from_array(points, chunks=120), da.from_array(is_masked, chunks=99))
    expected = np.ma.MaskedArray(points, is_masked)
    init = IMAGE[::150, ::150].reshape(-1, 3).astype(float)
    result = kd.kmeans(masked, init=init, max_iter=3)
    np.testing.assert_array_equal(result.counts, kf.kmeans(expected, init=init, max_iter=3).counts)
    labels, expected_labels = result.labels.compute(), kf.assign(expected, result.centroids)
    np.testing.assert_array_equal(labels.mask, expected_labels.mask)
    np.testing.assert_array_equal(labels.filled(0), expected_labels.filled(0))


@pytest.mark.parametrize("convert", [np.asarray, signed, np.float32])
def test_a_mask(convert):
    points, mask = convert(IMAGE)[PART], MASK[PART]
    init = points[::60, ::90][:2, :3].reshape(-1, 3).astype(float)
    options = {"init": init, "max_iter": 20}
    result = kd.kmeans(da.from_array(points, chunks=(77, 99, 3)), mask=da.from_array(mask, chunks=100), **options)
    expected = kf.kmeans(points, mask=mask, **options)
    labels = result.labels.compute()
    np.testing.assert_array_equal(labels.mask, ~mask)
    np.testing.assert_array_equal(labels[mask], expected.labels[mask])
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
        (IMAGE, {}, TypeError, "points must be an array of Dask's, .*got ndarray"),
        (da.zeros((9, 2), dtype=complex), {}, TypeError, "points must be real numbers"),
        (da.zeros(9), {}, ValueError, "points must have at least 2 axes"),
        (da.zeros((9, 2)), {"channel_axis": 5}, ValueError, "channel_axis must be an axis of points"),
        (da.zeros((9, 2)), {"mask": np.ones(8, bool)}, ValueError, "mask must be an array of bool"),
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


# ---------------------------------------------------------------------------------------------------- quantize


def with_alpha(image, alpha):
    return np.dstack([image, np.broadcast_to(np.asarray(alpha, image.dtype), image.shape[:2])])


PICTURES = {
    "rgb": IMAGE,
    "grey": IMAGE[..., 1],
    "grey with an axis": IMAGE[..., :1],
    "idle alpha": with_alpha(IMAGE, 255),
    "soft alpha": with_alpha(IMAGE, np.clip(np.arange(451) - 40, 0, 255)),
    "all hidden": with_alpha(IMAGE[:20], 0),
    "16 bits": IMAGE[:100].astype(np.uint16) * 257 + 3,
    "16 bits, idle alpha": with_alpha(IMAGE[:100].astype(np.uint16) * 257, 65535),
    "few colours": IMAGE // 100 * 100,
}


def assert_same_picture(lazy, expected):
    found = lazy.compute()
    assert type(found) is kf.QuantizedImage
    for name, value in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), value)
        assert np.asarray(getattr(found, name)).dtype == np.asarray(value).dtype
    np.testing.assert_array_equal(lazy.to_array().compute(), expected.to_array())
    assert lazy.to_array().shape == expected.to_array().shape


@pytest.mark.parametrize("name", PICTURES)
def test_a_quantized_picture_has_the_bytes_of_the_call_on_one_machine(name):
    image = PICTURES[name]
    chunks = (70, 200) if image.ndim == 2 else (70, 200, 3)
    assert_same_picture(kd.quantize(da.from_array(image, chunks=chunks), 7), kf.quantize(image, 7))


@pytest.mark.parametrize(
    "options",
    [
        {"n_colors": 300, "max_iter": 2},
        {"quality": 25, "sort": "luma"},
        {"n_colors": 5, "space": "oklab", "lightness": 0.5, "sort": "hue"},
        {"n_colors": 4, "init": "k-means++", "n_init": 2, "seed": 9},
        {"n_colors": 3, "init": [[0, 0, 0], [128, 0, 0], [255, 255, 255]]},
        {"n_colors": 4, "effort": 2},
        {"n_colors": 5, "fixed": ["#ff0000", "#000000"]},
        {"palette": ["#000000", "#805030", "#c0a080", "#ffffff"]},
        {"max_error": 20},
        {"max_error": 20, "quality": 30, "fixed": ["#ff0000"]},
    ],
)
def test_every_option_of_quantize(options):
    lazy = kd.quantize(da.from_array(IMAGE[:128], chunks=(64, 451, 3)), **options)
    assert_same_picture(lazy, kf.quantize(IMAGE[:128], **options))


def test_a_mask_leaves_pixels_out():
    lazy = kd.quantize(da.from_array(IMAGE, chunks=(60, 451, 3)), 6, mask=da.from_array(MASK, chunks=50))
    alone = kf.quantize(IMAGE[MASK][np.newaxis], 6)
    np.testing.assert_array_equal(lazy.palette, alone.palette)
    np.testing.assert_array_equal(lazy.counts, alone.counts)
    labels = lazy.labels.compute()
    np.testing.assert_array_equal(labels.mask, ~MASK)
    np.testing.assert_array_equal(labels.compressed(), alone.labels.ravel())
    for array in (lazy.to_array().compute(), lazy.compute().to_array()):
        np.testing.assert_array_equal(array.mask[..., 0], ~MASK)
    np.testing.assert_array_equal(lazy.compute().labels.data, kf.quantize(IMAGE, 6, mask=MASK).labels.data)


def test_a_picture_whose_channels_come_first():
    bands = da.from_array(np.moveaxis(IMAGE, -1, 0).copy(), chunks=(1, 100, 451))
    assert_same_picture(kd.quantize(bands, 4, channel_axis=0), kf.quantize(IMAGE, 4))


@pytest.mark.parametrize(
    ("image", "options", "kind", "message"),
    [
        (IMAGE, {}, TypeError, "image must be an array of Dask's, .*got ndarray"),
        (da.zeros((9, 9)), {}, TypeError, "image must be uint8 or uint16, got float64"),
        (da.zeros((9, 9, 2), dtype="u1"), {}, ValueError, r"image must have shape \(H, W\)"),
        (da.zeros((9, 9, 9, 3), dtype="u1"), {}, ValueError, r"image must have shape \(H, W\)"),
        (da.zeros((9, 0, 3), dtype="u1"), {}, ValueError, "image must not be empty"),
        (da.zeros((9, 9), dtype="u1"), {"channel_axis": 0}, ValueError, r"image must have shape \(H, W\)"),
        (da.zeros((9, 9), dtype="u1"), {"space": "lab"}, ValueError, "needs a picture of three channels"),
        (da.zeros((9, 9), dtype="u1"), {"dither": "bayer"}, TypeError, "unexpected keyword argument 'dither'"),
        (da.zeros((9, 9), dtype="u1"), {"n_colors": 0}, ValueError, "n_colors must be at least 1"),
        (da.from_array(with_alpha(IMAGE, MASK)), {"n_colors": 1}, ValueError, "n_colors must be at least 2"),
    ],
)
def test_what_quantize_refuses(image, options, kind, message):
    with pytest.raises(kind, match=message):
        kd.quantize(image, **options)


# ---------------------------------------------------------------------------------------------------- rasters


class Bands:
    """A raster file that is read where it is sliced, as `da.from_array` wants it."""

    def __init__(self, path):
        self.path = path
        with rasterio.open(path) as file:
            self.shape, self.dtype, self.ndim = (file.count, *file.shape), np.dtype(file.dtypes[0]), 3

    def __getitem__(self, places):
        bands, rows, columns = places
        with rasterio.open(self.path) as file:
            window = Window.from_slices(rows, columns, *file.shape)
            return file.read(window=window, masked=True)[bands]


@pytest.fixture(scope="module")
def six_bands(tmp_path_factory):
    """A file of six bands of 16 bits, in tiles, in which 0 stands for no data."""
    path = tmp_path_factory.mktemp("raster") / "bands.tif"
    grey = np.moveaxis(IMAGE, -1, 0).astype(np.uint16)
    bands = np.concatenate([grey * 16 + 1, grey[::-1] * 12 + 300])
    bands[:, 40:90, 100:200] = 0
    bands[2, 5, 7] = 0
    kind = {"count": 6, "height": 300, "width": 451, "dtype": "uint16", "nodata": 0}
    with rasterio.open(path, "w", "GTiff", **kind, tiled=True, blockxsize=128, blockysize=128, crs="EPSG:32633",
                       transform=rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)) as file:  # fmt: skip
        file.write(bands)
    return path, bands


def test_six_bands_with_no_data_in_memory_and_in_chunks(six_bands):
    path, bands = six_bands
    with rasterio.open(path) as file:
        raster = file.read(masked=True)
    init = raster[:, ::99, ::150].reshape(6, -1).T.astype(float)[:5].data
    expected = kf.kmeans(raster, init=init, channel_axis=0, max_iter=5)
    has_data = (bands > 0).all(axis=0)
    np.testing.assert_array_equal(expected.labels.mask, ~has_data)
    assert expected.counts.sum() == has_data.sum()
    assert expected == kf.kmeans(bands, init=init, channel_axis=0, mask=has_data, max_iter=5)
    meta = np.ma.MaskedArray(np.empty((0, 0, 0), np.uint16))
    chunks = da.from_array(Bands(path), chunks=(6, 128, 128), meta=meta)
    lazy = kd.kmeans(chunks, init=init, channel_axis=0, max_iter=5).compute()
    np.testing.assert_array_equal(lazy.centroids, expected.centroids)
    np.testing.assert_array_equal(lazy.labels.mask, expected.labels.mask)
    np.testing.assert_array_equal(lazy.labels.filled(0), expected.labels.filled(0))


# ---------------------------------------------------------------------------------------------------- xarray


def raster(image, dims=("band", "y", "x")):
    """As rioxarray opens it: bands first, coordinates, an attribute that is none of the labels'."""
    array = xr.DataArray(
        da.from_array(np.moveaxis(image, -1, 0).copy(), chunks=(-1, 100, 100)),
        dims=("band", "y", "x"),
        coords={"band": [1, 2, 3], "y": np.arange(300) * -10.0, "x": np.arange(451) * 10.0, "spatial_ref": 0},
        attrs={"_FillValue": 0},
        name="reflectance",
    )
    return array.transpose(*dims)


@pytest.mark.parametrize("dims", [("band", "y", "x"), ("y", "band", "x"), ("y", "x", "band")])
def test_xarray_keeps_its_coordinates(dims):
    array = raster(IMAGE, dims)
    result = kd.kmeans(array, 4, channel_axis="band")
    labels = result.labels
    assert labels.dims == ("y", "x")
    assert set(labels.coords) == {"y", "x", "spatial_ref"}
    assert (labels.name, labels.attrs, labels.dtype) == ("labels", {}, np.uint8)
    assert labels.chunks is not None
    np.testing.assert_array_equal(labels["x"], array["x"])
    expected = kf.kmeans(IMAGE, 4)
    np.testing.assert_array_equal(labels.compute(), expected.labels)
    assert result.compute() == expected
    pictured = result.to_array()
    assert pictured.dims == dims
    np.testing.assert_array_equal(pictured.transpose("y", "x", "band").compute(), expected.to_array())
    assert set(pictured.coords) == set(array.coords)


def test_what_a_mask_leaves_out_is_nan_in_xarray():
    array = raster(IMAGE)
    mask = xr.DataArray(MASK, dims=("y", "x")).transpose("x", "y").chunk()
    result = kd.quantize(array, 4, channel_axis="band", mask=mask)
    labels = result.labels.compute()
    np.testing.assert_array_equal(np.isnan(labels), ~MASK)
    np.testing.assert_array_equal(labels.values[MASK], result.compute().labels.compressed())
    assert result.to_array().dims == ("band", "y", "x")


def test_grey_pictures_of_xarray():
    array = raster(IMAGE).isel(band=1)
    assert kd.quantize(array, 4).labels.dims == ("y", "x")
    assert kd.quantize(array, 4).to_array().dims == ("y", "x")
    result = kd.kmeans(array, 4, channel_axis=None)
    assert result.to_array().dims == result.labels.dims == ("y", "x")
    assert "band" in result.labels.coords  # the one that was chosen


def test_what_is_refused_of_xarray():
    array = raster(IMAGE)
    with pytest.raises(ValueError, match=r"channel_axis must be a dimension of points, .*got 'bands'"):
        kd.kmeans(array, channel_axis="bands")
    with pytest.raises(ValueError, match=r"mask must have the dimensions \('y', 'x'\), got \('x',\)"):
        kd.kmeans(array, channel_axis="band", mask=xr.DataArray(np.ones(451, bool), dims="x"))
    with pytest.raises(TypeError, match="points must be an array of Dask's, or of xarray's in chunks, got ndarray"):
        kd.kmeans(array.compute(), channel_axis="band")


# ---------------------------------------------------------------------------------------------------- workers


def test_a_histogram_is_of_bytes():
    with pytest.raises(TypeError, match="a histogram is of 8-bit or 16-bit colours"):
        kd.histogram(da.zeros((4, 3)))
    with pytest.raises(ValueError, match="the mask leaves out all of it"):
        kd.histogram(da.zeros((4, 3), dtype=np.uint8), mask=da.zeros(4, dtype=bool))


@pytest.mark.parametrize("n_chunks", [100, 900])
def test_few_sums_of_many_chunks_are_there_at_once(n_chunks):
    """A worker has room for few: one that is made, and what it's made of."""
    chunks = [delayed(object, pure=False)() for _ in range(n_chunks)]
    summed = counting.merged(chunks)
    graph = summed.dask.to_dict()
    needs = {key: get_dependencies(graph, key) for key in graph}
    uses = Counter(part for parts in needs.values() for part in parts)
    n_counted, there, most, most_large = {}, set(), 0, 0
    for key in sorted(graph, key=order(graph).get):
        parts = needs[key]
        n_counted[key] = sum(n_counted[part] for part in parts) or 1
        there.add(key)
        most = max(most, len(there))
        most_large = max(most_large, sum(n_counted[part] > counting.MERGED_AT_ONCE for part in there))
        uses.subtract(parts)
        there -= {part for part in parts if not uses[part]}
    assert n_counted[summed.key] == n_chunks
    assert most_large <= 3
    assert most <= counting.MERGED_AT_ONCE + 3


def at_an_odd_byte(array):
    return np.frombuffer(b"-" + array.tobytes(), np.uint8)[1:].view(array.dtype)


def test_counts_may_begin_at_any_byte_where_they_arrive(monkeypatch):
    merge = counting._merge
    monkeypatch.setattr(counting, "_merge", lambda *parts: counts.Counts(*map(at_an_odd_byte, merge(*parts))))
    found = kd.histogram(da.from_array(IMAGE, chunks=(100, 451, 3)))
    assert found == kf.ColorHistogram.from_image(IMAGE)
    assert found.codes.flags.aligned  # or kernels refuse them


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_labels_colors_may_begin_at_any_byte_where_it_arrives(dtype, engine):
    image = IMAGE[:200].astype(dtype) * (1 if dtype == np.uint8 else 3)
    colors = kf.ColorHistogram.from_image(image)
    labels = np.arange(len(colors), dtype=np.uint32)
    sent = []
    message = pickle.dumps(mapping.ByColor(colors, labels, engine), protocol=5, buffer_callback=sent.append)
    arrived = [at_an_odd_byte(np.frombuffer(part.raw(), np.uint8)) for part in sent]
    labeller = pickle.loads(message, buffers=arrived)  # noqa: S301 - our own
    np.testing.assert_array_equal(colors.colors[labeller(image.reshape(-1, 3))], image.reshape(-1, 3))


def test_a_progress_bar_moves(capsys):
    with ProgressBar(dt=0.01):
        result = kd.quantize(da.from_array(IMAGE, chunks=(100, 451, 3)), 4)
    assert "100% Completed" in capsys.readouterr().out
    with ProgressBar(dt=0.01):
        result.labels.compute()
    assert "100% Completed" in capsys.readouterr().out


def test_a_store_of_chunks(cluster, tmp_path):
    da.to_zarr(da.from_array(IMAGE, chunks=(100, 120, 3)), str(tmp_path / "image.zarr"))
    assert_same_picture(kd.quantize(da.from_zarr(str(tmp_path / "image.zarr")), 5), kf.quantize(IMAGE, 5))


def kill_one(cluster):
    os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGKILL")
def test_a_worker_is_killed_while_colors_are_counted(cluster):
    def slow_chunk(block):  # in here it's sent as code: a worker needn't import this module, which takes seconds
        time.sleep(0.05)
        return block

    image = da.from_array(IMAGE, chunks=(20, 451, 3)).map_blocks(slow_chunk, dtype=np.uint8)
    killer = threading.Timer(0.2, kill_one, [cluster])
    killer.start()
    lazy = kd.quantize(image, 6)
    killer.join()
    assert_same_picture(lazy, kf.quantize(IMAGE, 6))


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGKILL")
def test_two_worker_processes_and_one_of_them_killed(cluster):
    """What it had done is done again by the other, and by the one that takes its place."""
    init = IMAGE[::90, ::150].reshape(-1, 3).astype(float)
    points = da.from_array(signed(IMAGE), chunks=(60, 451, 3)).persist()
    killed = []

    def kill_once(iteration, *_):
        if not killed:
            killed.append(iteration)
            kill_one(cluster)

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
