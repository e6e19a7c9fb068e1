"""Reading points in chunks: past 2³¹ elements, without copying what needn't be copied."""

import itertools
import tracemalloc

import numpy as np
import pytest

from kmeans_fast.machine.chunks import CHUNK_SIZE, chunk_bounds
from kmeans_fast.points.access import Points
from kmeans_fast.points.pieces import Pieces


@pytest.mark.parametrize("n_points", [1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2**31 + 7, 5 * 10**9 + 3])
@pytest.mark.parametrize("n_clusters", [1, 1024, 1025, 10**5])
def test_chunks_cover_all_points_once(n_points, n_clusters):
    bounds = chunk_bounds(n_points, n_clusters)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == n_points
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(bounds))
    assert len({stop - start for start, stop in bounds[:-1]}) <= 1
    # partial sums of all chunks stay below a number for every 64 points and feature
    assert len(bounds) * n_clusters <= n_points / 64 + n_clusters


@pytest.mark.parametrize("shape", [(2**31 + 1000, 3), (50_000, 50_000, 3), (3, 2**30, 1)])
def test_places_past_32_bits(shape):
    """A broadcast array is huge without taking memory; its last points are found."""
    points = Points(np.broadcast_to(np.uint8(7), shape))
    assert points.size > 2**31
    start, stop = chunk_bounds(points.size)[-1]
    chunk = points.chunk(points.size - 10, points.size)
    assert chunk.tolist() == [[7] * shape[-1]] * 10
    assert stop == points.size > start
    assert points.take(np.array([points.size - 1])).shape == (1, shape[-1])
    with pytest.raises(ValueError, match="out of bounds"):
        points.take(np.array([points.size]))


def test_contiguous_arrays_are_read_in_place():
    array = np.zeros((10, 20, 3), np.uint8)
    chunk = Points(array).chunk(5, 50)
    assert np.shares_memory(chunk, array)
    assert not chunk.flags.writeable
    assert array.flags.writeable


def test_unaligned_memory():
    raw = np.arange(1 + 8 * 6, dtype=np.uint8)[1:]
    array = raw.view(np.float64).reshape(3, 2)
    assert not array.flags.aligned
    chunk = Points(array).chunk(1, 3)
    assert chunk.flags.aligned
    assert np.array_equal(chunk, array[1:])


@pytest.mark.parametrize("start", [0, 1, 19, 20, 21, 40, 159])
@pytest.mark.parametrize("length", [1, 19, 20, 41])
def test_chunks_of_what_cannot_be_flattened(start, length):
    array = np.arange(16 * 40 * 3).reshape(16, 40, 3)[::2, ::2]
    points = Points(array)
    stop = min(start + length, points.size)
    assert np.array_equal(points.chunk(start, stop), array.reshape(-1, 3)[start:stop])


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array[:, ::-1, ::2],
        lambda array: array[:, ::2, ::-1],
        lambda array: np.moveaxis(array, 1, 2)[..., ::2, :, :],
        lambda array: array.reshape(1, 1, *array.shape[1:])[..., ::3, :],
    ],
)
def test_a_chunk_copies_little_beside_itself(view):
    array = view(np.arange(400 * 300 * 3, dtype=np.uint32).reshape(1, 400, 300, 3))
    points, expected = Points(array), array.reshape(-1, 3)
    tracemalloc.start()
    try:
        for start in (0, 150, 30_000, points.size - 200):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            chunk = points.chunk(start, start + 200)
            assert tracemalloc.get_traced_memory()[1] - before < 60 * chunk[0].nbytes * 200
            assert np.array_equal(chunk, expected[start : start + 200])
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("view", "weights", "are_kept"),
    [
        (np.s_[:], np.empty(0), True),
        (np.s_[:], np.ones(600), True),
        (np.s_[:], np.ones(600, np.int64), False),  # kernels take them as floats
        (np.s_[:, ::-1], np.empty(0), False),
    ],
)
def test_pieces_that_are_copies_are_not_kept(view, weights, are_kept):
    array, labels = np.arange(1800.0).reshape(600, 3)[view], np.zeros(600, np.uint8)
    pieces = Pieces(Points(array), weights, labels)
    first, again = pieces.piece(100, 200), pieces.piece(100, 200)
    assert (first is again) == are_kept
    first.labels[:] = 7
    assert (labels == 7).sum() == 100
    assert first.weights.dtype == np.float64
