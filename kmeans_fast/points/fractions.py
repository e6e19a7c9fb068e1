"""Integers that were divided by 255 or 65535, as pictures are to become floats from 0 to 1, found again.

A value is taken for such a fraction if it is what dividing an integer, or multiplying it by the reciprocal, gives in
float64 or float32. What isn't is mostly seen at the first chunk.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points

DEPTHS: tuple[type[np.unsignedinteger[Any]], ...] = (np.uint8, np.uint16)


def integers_of(points: Points, workers: Workers) -> NDArray[np.unsignedinteger[Any]] | None:
    """Return the integers (N, D), uint8 or else uint16, that points in float32 or float64 are fractions of, or None."""
    if points.dtype.kind != "f":
        return None
    for dtype in DEPTHS:
        integers = np.empty((points.size, points.n_features), dtype)
        tables = _fractions(dtype, points.dtype)
        is_exact = [True]

        def convert(
            bounds: tuple[int, int],
            integers: NDArray[Any] = integers,
            tables: list[NDArray[Any]] = tables,
            is_exact: list[bool] = is_exact,
        ) -> None:
            if is_exact[0] and not _convert(points.chunk(*bounds), tables, integers[slice(*bounds)]):
                is_exact[0] = False

        bounds = chunk_bounds(points.size)
        convert(bounds[0])
        if is_exact[0]:
            workers.for_each(convert, bounds[1:])
        if is_exact[0]:
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


def _fractions(dtype: type[np.unsignedinteger[Any]], kind: np.dtype[Any]) -> list[NDArray[Any]]:
    """Return what each integer may have become, most likely first; all that is finer is as good as absent."""
    most = np.iinfo(dtype).max
    integers = np.arange(most + 1)
    single = integers.astype(np.float32)
    tables = [integers / most, single / np.float32(most), integers * (1 / most), single * np.float32(1 / most)]
    tables = [table.astype(kind) for table in tables]
    return tables[1::2] + tables[::2] if kind == np.float32 else tables


def _convert(values: NDArray[Any], tables: list[NDArray[Any]], integers: NDArray[Any]) -> bool:
    """Write the integers that values are fractions of; say whether all are."""
    most = values.dtype.type(np.iinfo(integers.dtype).max)
    if not (values.min() >= 0 and values.max() <= 1):  # NaN neither
        return False
    np.copyto(integers, np.rint(values * most), casting="unsafe")
    left = np.flatnonzero(tables[0][integers] != values)
    for table in tables[1:]:
        if left.size:
            left = left[table[integers.reshape(-1)[left]] != values.reshape(-1)[left]]
    return left.size == 0
