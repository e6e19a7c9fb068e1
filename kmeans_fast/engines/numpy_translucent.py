"""Counting pixels of RGBA by what they become, (r·a, g·a, b·a, 255·a) of 16 bits, in plain NumPy.

The same functions as in `numba_translucent`, and the same results; see there for keys, buckets and shapes.
"""

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import numpy_histogram
from kmeans_fast.engines.codes import BUCKETS, FAINT, NUMBER_BITS, OPAQUE, decode, encode


def count(
    pixels: NDArray[np.uint8],  # in
    table: NDArray[np.uint8],  # in/out
    table_marks: NDArray[np.uint8],  # in/out
    table_carried: NDArray[np.uint32],  # in/out
    counts: NDArray[np.uint32],  # in/out
) -> None:
    """Do as `histogram.count` with opaque pixels' RGB; add to `counts` how many others each bucket has."""
    is_opaque = pixels[:, 3] == OPAQUE
    numpy_histogram.count(pixels[is_opaque, :3], table, table_marks, table_carried)
    others = pixels[~is_opaque]
    counts += np.bincount(_buckets(others[:, 3], encode(_points(others))), minlength=BUCKETS).astype(np.uint32)


def place(
    pixels: NDArray[np.uint8],  # in
    first: int,
    places: NDArray[np.uint32],  # in/out
    keys: NDArray[np.uint64],  # out
) -> None:
    """Write the keys of pixels that aren't opaque to where `places` says that the next of its bucket goes."""
    numbers = np.flatnonzero(pixels[:, 3] != OPAQUE)
    alpha, codes = pixels[numbers, 3], encode(_points(pixels[numbers]))
    buckets = _buckets(alpha, codes)
    shortened = np.where(alpha < FAINT, codes, codes >> np.uint64(8))
    new = shortened << np.uint64(NUMBER_BITS) | (numbers + first).astype(np.uint64)
    order = np.argsort(buckets, kind="stable")
    counts = np.bincount(buckets, minlength=BUCKETS)
    targets = np.repeat(places - (np.cumsum(counts) - counts), counts) + np.arange(len(new))
    keys[targets] = new[order]
    places += counts.astype(np.uint32)


def _points(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    points = pixels.astype(np.uint16)
    points *= np.where(np.arange(4) < 3, points[:, 3:], np.uint16(OPAQUE))
    return points


def _buckets(alpha: NDArray[np.uint8], codes: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.where(alpha < FAINT, np.minimum(alpha, 1), (codes >> np.uint64(48)).astype(np.int64) + 2)


def count_points(
    keys: NDArray[np.uint64],  # in
    ends: NDArray[np.int64],  # in
) -> int:
    """Return how many different points there are in some buckets, the first of which begins with the keys."""
    return len(_begins(keys, ends))


def list_points(
    keys: NDArray[np.uint64],  # in
    ends: NDArray[np.int64],  # in
    first_bucket: int,
    points: NDArray[np.uint16],  # out
    codes: NDArray[np.uint64],  # out
    counts: NDArray[np.int64],  # out
    order: NDArray[np.uint32],  # out
) -> None:
    """Write the points in some buckets, their codes, how many pixels each has, and the numbers of these."""
    begins = _begins(keys, ends)
    order[:] = keys & np.uint64(2**NUMBER_BITS - 1)
    counts[:] = np.diff(begins, append=len(keys))
    buckets = first_bucket + np.searchsorted(ends, begins, side="right")
    parts, is_faint = keys[begins] >> np.uint64(NUMBER_BITS), buckets < 2
    upper = (np.maximum(buckets, 2) - 2).astype(np.uint64) << np.uint64(48)
    products = decode(np.where(is_faint, parts, upper | parts << np.uint64(8)), 4)
    most = products + np.where(is_faint, np.uint16(0), np.uint16(3))[:, np.newaxis]
    alpha = most[:, 3] // OPAQUE
    points[:] = most // np.maximum(alpha, 1)[:, np.newaxis] * alpha[:, np.newaxis]
    points[:, 3] = alpha * OPAQUE
    codes[:] = encode(points)


def _begins(keys: NDArray[np.uint64], ends: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where each point's keys begin."""
    parts, firsts = keys >> np.uint64(NUMBER_BITS), np.concatenate([[0], ends[:-1]])
    is_first = np.ones(len(keys), np.bool_)
    np.not_equal(parts[1:], parts[:-1], out=is_first[1:])
    is_first[firsts[firsts < ends]] = True
    return np.flatnonzero(is_first)
