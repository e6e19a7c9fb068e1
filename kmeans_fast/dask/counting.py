"""Colours counted chunk by chunk, and the counts merged as a tree."""

from __future__ import annotations

import dask.array as da
import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from kmeans_fast.colors.counting import count_colors
from kmeans_fast.colors.counts import Counts, merge
from kmeans_fast.colors.histogram import ColorHistogram, check_size
from kmeans_fast.dask.sources import Source
from kmeans_fast.engines.codes import MAX_CHANNELS
from kmeans_fast.lending import machine_for
from kmeans_fast.points.access import Points

# Counts that are merged by one task: those of chunks, and those of many chunks, of which few fit into memory at once.
MERGED_AT_ONCE, LARGE_AT_ONCE = 4, 2


def has_colors(source: Source) -> bool:
    """Say whether a histogram can stand for the points."""
    return source.array.dtype.newbyteorder("=") in (np.uint8, np.uint16) and 1 <= source.array.shape[-1] <= MAX_CHANNELS


def count(name: str, source: Source, engine: str = "auto") -> ColorHistogram:
    """Return the histogram of all chunks: one pass over the data, each chunk forgotten once it is counted."""
    # As blocks of an array, so that Dask makes one task of what makes a chunk and what counts it: no chunk waits.
    blocks = da.map_blocks(
        _count, *source.arrays, engine=engine, drop_axis=source.array.ndim - 1, dtype=object, meta=np.empty(0, object)
    )
    counted: list[Delayed] = blocks.to_delayed().ravel().tolist()
    at_once = MERGED_AT_ONCE
    while len(counted) > 1:
        counted = [delayed(_merge)(counted[i : i + at_once]) for i in range(0, len(counted), at_once)]
        at_once = LARGE_AT_ONCE
    found: Counts | None = counted[0].compute() if counted else None
    if found is None:
        left_out = "" if source.mask is None else ", but the mask leaves out all of it"
        raise ValueError(f"{name} must not be empty{left_out}")
    check_size(found.counts.sum(), source.array.dtype)
    return ColorHistogram(source.array.shape[-1], *found)


def _count(block: NDArray[np.generic], mask: NDArray[np.bool_] | None = None, *, engine: str) -> Counts | None:
    chosen = block if mask is None or mask.all() else block[mask[..., 0]]
    if not chosen.size:
        return None
    points = Points(chosen)
    with machine_for(engine, 1, points.size, points.size) as machine:
        return count_colors(points, machine)


def _merge(counted: list[Counts | None]) -> Counts | None:
    present = [part for part in counted if part is not None]
    return merge(present) if present else None
