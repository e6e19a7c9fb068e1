"""Colours counted chunk by chunk, and the counts merged as a tree."""

from __future__ import annotations

from typing import Any

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.dask.sources import Source
from kmeans_fast.engines.codes import MAX_CHANNELS

# Histograms that are merged by one task.
MERGED_AT_ONCE = 8


def has_colors(source: Source) -> bool:
    """Say whether a histogram can stand for the points."""
    return source.array.dtype.newbyteorder("=") in (np.uint8, np.uint16) and 1 <= source.array.shape[-1] <= MAX_CHANNELS


def count(name: str, source: Source, engine: str = "auto") -> ColorHistogram:
    """Return the histogram of all chunks: one pass over the data, each chunk forgotten once it is counted."""
    counted: list[Delayed] = [delayed(_count)(*block, engine) for block in source.blocks]
    while len(counted) > 1:
        groups = [counted[i : i + MERGED_AT_ONCE] for i in range(0, len(counted), MERGED_AT_ONCE)]
        counted = [delayed(_merge)(group) for group in groups]
    found: ColorHistogram | None = counted[0].compute() if counted else None
    if found is None:
        left_out = "" if source.mask is None else ", but the mask leaves out all of it"
        raise ValueError(f"{name} must not be empty{left_out}")
    return found


def _count(block: NDArray[Any], mask: NDArray[np.bool_] | None, engine: str) -> ColorHistogram | None:
    if not block.size or (mask is not None and not mask.any()):
        return None
    if mask is not None and mask.all():
        mask = None
    return ColorHistogram.from_image(block, mask=mask, engine=engine, n_threads=1)


def _merge(counted: list[ColorHistogram | None]) -> ColorHistogram | None:
    present = [part for part in counted if part is not None]
    return sum(present[1:], start=present[0]) if present else None
