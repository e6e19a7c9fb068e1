"""Colours counted chunk by chunk, and the counts merged.

Of many chunks the counts are nearly as large as those of all of them, and a worker has room for few such. A tree would
hold some of each of its levels. So groups of a few chunks are added one after the other, in as many chains as a chain
has groups, for many workers to have something to do; and the chains' ends again one after the other. As Dask orders
that, there are one sum of chains, one of a chain, and the chunks of a group at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import isqrt

import dask.array as da
import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from kmeans_fast.colors.counting import count_colors
from kmeans_fast.colors.counts import Counts, merge_narrow
from kmeans_fast.colors.histogram import ColorHistogram, check_size
from kmeans_fast.dask.sources import Source
from kmeans_fast.engines.codes import MAX_CHANNELS
from kmeans_fast.lending import machine_for
from kmeans_fast.points.access import Points

# Chunks in a group.
MERGED_AT_ONCE = 8


def has_colors(source: Source) -> bool:
    """Say whether a histogram can stand for the points."""
    return source.array.dtype.newbyteorder("=") in (np.uint8, np.uint16) and 1 <= source.array.shape[-1] <= MAX_CHANNELS


def count(name: str, source: Source, engine: str = "auto") -> ColorHistogram:
    """Return the histogram of all chunks: one pass over the data, each chunk forgotten once it is counted."""
    # As blocks of an array, so that Dask makes one task of what makes a chunk and what counts it: no chunk waits.
    blocks = da.map_blocks(
        _count, *source.arrays, engine=engine, drop_axis=source.array.ndim - 1, dtype=object, meta=np.empty(0, object)
    )
    parts: list[Delayed] = blocks.to_delayed().ravel().tolist()
    found: Counts | None = merged(parts).compute() if parts else None
    if found is None:
        left_out = "" if source.mask is None else ", but the mask leaves out all of it"
        raise ValueError(f"{name} must not be empty{left_out}")
    check_size(found.counts.sum(), source.array.dtype)
    codes = np.require(found.codes, requirements="A")  # what a worker sends may begin at any byte
    return ColorHistogram(source.array.shape[-1], codes, found.counts.astype(np.int64))


def merged(parts: Sequence[Delayed]) -> Delayed:
    """Return the sum of the counts of chunks."""
    groups = [_merged(*some) for some in _cut(parts, MERGED_AT_ONCE)]
    chains = [reduce(_merged, some) for some in _cut(groups, isqrt(len(groups)))]
    return reduce(_merged, chains)


def _merged(*counted: Delayed) -> Delayed:
    return delayed(_merge)(*counted)


def _cut(parts: Sequence[Delayed], size: int) -> list[Sequence[Delayed]]:
    return [parts[i : i + size] for i in range(0, len(parts), size)]


def _count(block: NDArray[np.generic], mask: NDArray[np.bool_] | None = None, *, engine: str) -> Counts | None:
    chosen = block if mask is None or mask.all() else block[mask[..., 0]]
    if not chosen.size:
        return None
    points = Points(chosen)
    with machine_for(engine, 1, points.size, points.size) as machine:
        return count_colors(points, machine, is_lean=True).narrowed()


def _merge(*counted: Counts | None) -> Counts | None:
    present = [part for part in counted if part is not None]
    return merge_narrow(present) if present else None
