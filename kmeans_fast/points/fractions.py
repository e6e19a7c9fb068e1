"""Integers that were divided by 255 or 65535, as pictures are to become floats from 0 to 1, found again.

A value is taken for such a fraction if it is what dividing an integer, or multiplying it by the reciprocal, gives in
float64 or float32. What isn't is mostly seen at the first chunk.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.machine.chunks import CHUNK_SIZE, chunk_bounds
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points

DEPTHS: tuple[type[np.unsignedinteger[Any]], ...] = (np.uint8, np.uint16)


def integers_of(points: Points, workers: Workers) -> NDArray[np.unsignedinteger[Any]] | None:
    """Return the integers (N, D), uint8 or else uint16, that points in float32 or float64 are fractions of, or None."""
    if points.dtype.kind != "f":
        return None
    bounds = chunk_bounds(points.size)
    for dtype in DEPTHS:
        integers = np.empty((points.size, points.n_features), dtype)
        conversion = _Conversion(points, integers)
        conversion.convert(bounds[0])
        if conversion.is_exact:
            workers.for_each(conversion.convert, bounds[1:])
        if conversion.is_exact:
            return integers
    return None


def in_16_bits(points: Points, workers: Workers) -> NDArray[np.uint16]:
    """Return points in floats from 0 to 1 as integers (N, D) from 0 to 65535, each the nearest."""
    integers = np.empty((points.size, points.n_features), np.uint16)

    def convert(bounds: tuple[int, int]) -> None:
        values = points.chunk(*bounds)
        np.copyto(integers[slice(*bounds)], np.rint(values * values.dtype.type(65535)), casting="unsafe")

    workers.for_each(convert, chunk_bounds(points.size))
    return integers


class _Conversion:
    """Writes the integers that points are fractions of, some at a time, as long as all are."""

    def __init__(self, points: Points, integers: NDArray[Any]) -> None:
        self.is_exact = True
        self._points, self._integers = points, integers
        self._others = _other_fractions(integers.dtype, points.dtype)
        # Work space for a chunk, used over and over: new memory takes as long as several passes.
        self._shape = min(CHUNK_SIZE, points.size), points.n_features
        self._free: list[NDArray[Any]] = []

    def convert(self, bounds: tuple[int, int]) -> None:
        """Convert a chunk."""
        if not self.is_exact:
            return
        values, integers = self._points.chunk(*bounds), self._integers[slice(*bounds)]
        most = values.dtype.type(np.iinfo(integers.dtype).max)
        space = self._free.pop() if self._free else np.empty(self._shape, values.dtype)
        fractions = space[: len(values)]
        # Of what is NaN or out of range an integer is made that isn't it.
        with np.errstate(invalid="ignore", over="ignore"):
            np.multiply(values, most, out=fractions)
            np.rint(fractions, out=fractions)
            np.copyto(integers, fractions, casting="unsafe")
        np.copyto(fractions, integers)
        np.divide(fractions, most, out=fractions)  # a third of the time of looking them up
        left = np.flatnonzero(fractions != values)
        for table in self._others:
            if left.size:
                left = left[table[integers.reshape(-1)[left]] != values.reshape(-1)[left]]
        if left.size:
            self.is_exact = False
        self._free.append(space)


def _other_fractions(dtype: np.dtype[Any], kind: np.dtype[Any]) -> list[NDArray[Any]]:
    """Return what integers may have become but by division in the same kind; all that is finer is as good as absent."""
    most = np.iinfo(dtype).max
    integers = np.arange(most + 1)
    single = integers.astype(np.float32)
    other = integers / most if kind == np.float32 else single / np.float32(most)
    return [table.astype(kind) for table in (integers * (1 / most), single * np.float32(1 / most), other)]
