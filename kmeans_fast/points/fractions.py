"""Integers that were divided by 255 or 65535, as pictures are to become floats from 0 to 1, found again.

A value is taken for such a fraction if it is what dividing an integer, or multiplying it by the reciprocal, gives in
float64 or float32. What isn't is mostly seen at the first chunk.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import Engine
from kmeans_fast.lending import Machine
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points

DEPTHS: tuple[type[np.unsignedinteger[Any]], ...] = (np.uint8, np.uint16)


def integers_of(points: Points, machine: Machine) -> NDArray[np.unsignedinteger[Any]] | None:
    """Return the integers (N, D), uint8 or else uint16, that points in float32 or float64 are fractions of, or None."""
    if points.dtype.kind != "f":
        return None
    first, *rest = chunk_bounds(points.size)
    for dtype in DEPTHS:
        integers = np.empty((points.size, points.n_features), dtype)
        conversion = _Conversion(points, integers, machine.engine)
        conversion.convert(first)
        if conversion.is_exact:
            machine.workers.for_each(conversion.convert, rest)
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

    def __init__(self, points: Points, integers: NDArray[Any], engine: Engine) -> None:
        self.is_exact = True
        self._points, self._integers = points, integers
        self._others = _other_fractions(integers.dtype, points.dtype)
        self._find = engine.fractions.find_integers

    def convert(self, bounds: tuple[int, int]) -> None:
        """Convert a chunk."""
        if not self.is_exact:
            return
        values = self._points.chunk(*bounds).reshape(-1)
        if self._find(values, self._others, self._integers[slice(*bounds)].reshape(-1)) < len(values):
            self.is_exact = False


def _other_fractions(dtype: np.dtype[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """Return what integers may have become but by division in the same kind; all that is finer is as good as absent."""
    most = np.iinfo(dtype).max
    integers = np.arange(most + 1)
    single = integers.astype(np.float32)
    other = integers / most if kind == np.float32 else single / np.float32(most)
    return np.array([integers * (1 / most), single * np.float32(1 / most), other]).astype(kind)
