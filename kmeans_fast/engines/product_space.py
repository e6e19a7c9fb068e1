"""The work space of the filter for many features, of one thread in one pass; see `numba_products`."""

from typing import Any

import numpy as np

from kmeans_fast.engines.tiles import PAIR, QUAD, SIDE, STEP

# Points compared at a time: two tiles with AVX-512, four with AVX2. And features multiplied at a time: 24 kB of rows,
# which stay in the L1 cache.
BLOCK = 96
TILE = 64
# Features read at a time, 2 kB of a float32 point: shorter pieces come from memory more slowly. 192 kB of rows stay in
# the L2 cache.
STRIP = 512
# Centroids whose products are kept until they are compared: 96 kB at most. With more features than a strip has, points
# are turned about once a group.
GROUP = 256
# With so many features and so few centroids, turning points about takes longer than comparing them: they are multiplied
# as they lie. 784 features and 10 centroids took 0.6 of the time with AVX-512, 0.9 with AVX2, where 32 took 1.1 to 1.4.
LEAST_LONG, MOST_LONG = 256, STRIP * BLOCK // 4
MOST_FEW = 16
CACHE_LINE = 64  # bytes
LANES = 16  # in the longest vectors


def work_space(n_features: int, n_clusters: int, dtype: Any) -> Any:
    """Make space for centroids as the filter wants them, a block of points, and what it finds for each.

    The last number is C², see `margins`, once centroids have been laid out, and until then below 0.
    """
    exact = np.float64 if dtype == np.float64 else np.float32  # float32 holds all points but those of float64
    depth, width = n_features, _padded(n_clusters, STEP)
    rows = _padded(min(depth, STRIP), SIDE) * BLOCK
    n_directions, shape = width * depth, (width // STEP, depth * STEP)
    if is_multiplied_as_it_lies(n_features, n_clusters):
        depth, even = _padded(n_features, LANES), _padded(n_clusters, PAIR)
        n_directions, shape = even * depth, (even, depth)
        rows = QUAD * depth
    lanes = _padded(n_clusters, LANES)
    origin, columns, directions, norms, *blocks = on_cache_lines(
        (n_features, exact),
        (n_features * lanes, np.float64),
        (n_directions, np.float32),
        (width, np.float32),
        (SIDE * _padded(min(depth, STRIP), SIDE), np.float32),
        (rows, np.float32),
        (min(width, GROUP) * BLOCK, np.float32),
        (3 * BLOCK, np.float32),
        (BLOCK, np.int32),
        (lanes, np.float64),
        (BLOCK, np.int64),
        (BLOCK, np.float64),
        (1, np.float64),
    )
    columns[:] = np.inf
    norms[:] = np.inf
    space = origin, columns.reshape(n_features, lanes), directions.reshape(shape), norms, *blocks
    forget_centroids(space)
    return space


def forget_centroids(space: Any) -> None:
    """Make ready for others."""
    space[-1][:] = -1.0


def is_multiplied_as_it_lies(n_features: int, n_clusters: int) -> bool:
    """Say whether points are multiplied as they lie."""
    return LEAST_LONG <= n_features <= MOST_LONG and n_clusters <= MOST_FEW


def _padded(size: int, step: int) -> int:
    return -(-size // step) * step


def on_cache_lines(*parts: tuple[int, Any]) -> list[Any]:
    """Make arrays of zeros, of which no vector lies on two lines, in one piece: that takes a sixth of the time.

    NumPy's own arrays start on any 16 bytes, mostly so that each vector of 64 bytes lies on two lines: as chance had
    it, a process was up to 1.8 times as slow.
    """
    n_bytes = [_padded(size * np.dtype(dtype).itemsize, CACHE_LINE) for size, dtype in parts]
    space = np.zeros(sum(n_bytes) + CACHE_LINE, np.uint8)
    first = -space.ctypes.data % CACHE_LINE
    arrays = []
    for n, (size, dtype) in zip(n_bytes, parts, strict=True):
        arrays.append(space[first : first + n].view(dtype)[:size])
        first += n
    return arrays
