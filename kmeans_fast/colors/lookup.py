"""Labels of counted colours, found by colour: in tables with a place for each possible one, or in a hash table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.counting import TABLE_CHANNELS
from kmeans_fast.colors.doubled import halved, halved_codes
from kmeans_fast.colors.hashing import MULTIPLIER, numbered
from kmeans_fast.engines import Engine
from kmeans_fast.engines.codes import OPAQUE, decode, without_alpha
from kmeans_fast.lending import Machine
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.machine.pages import sparse_zeros
from kmeans_fast.points.access import Points


class Lookup:
    """Finds the labels of pixels.

    Parameters
    ----------
    colors : ndarray of uint8 or uint16, shape (N, C)
        Distinct.
    codes : ndarray of uint32 or uint64, shape (N,)
        The colours' codes, ascending.
    labels : ndarray, shape (N,)
        Of the colours.
    engine : Engine
        Whose kernels make tables, and find.
    is_lean : bool
        Whether a table takes up memory only where there are colours; with many pixels it then takes half as long again.
    """

    def __init__(
        self,
        colors: NDArray[Any],
        codes: NDArray[Any],
        labels: NDArray[Any],
        engine: Engine,
        *,
        is_lean: bool = False,
    ) -> None:
        self._dtype = labels.dtype
        self._find = _finder(colors, codes, labels, engine, sparse_zeros if is_lean else np.zeros)

    def labels_of(self, pixels: Points, machine: Machine) -> NDArray[Any]:
        """Return the label of each pixel's colour, flat."""
        labels = np.empty(pixels.size, self._dtype)
        machine.workers.for_each(
            lambda bounds: self._find(pixels.chunk(*bounds), labels[slice(*bounds)]), chunk_bounds(pixels.size)
        )
        return labels


def look_up_opaque(
    pixels: Points, codes: NDArray[Any], color_labels: NDArray[Any], labels: NDArray[Any], machine: Machine
) -> None:
    """Write the labels of opaque pixels of RGBA, given those of the codes of their RGB."""
    table = np.zeros(2 ** (8 * TABLE_CHANNELS), color_labels.dtype)
    table[codes] = color_labels
    machine.workers.for_each(
        lambda bounds: machine.engine.histogram.look_up_opaque(pixels.chunk(*bounds), table, labels[slice(*bounds)]),
        chunk_bounds(pixels.size),
    )


def _finder(
    colors: NDArray[Any], codes: NDArray[Any], color_labels: NDArray[Any], engine: Engine, zeros: Callable[..., Any]
) -> Callable[[NDArray[Any], NDArray[Any]], None]:
    """Return a function of pixels (n, C) and labels (n,) that writes the labels."""
    n_channels = colors.shape[1]
    if colors.dtype == np.uint8 and n_channels <= TABLE_CHANNELS:
        table = zeros((2 ** (8 * n_channels),), color_labels.dtype)
        table[codes] = color_labels
        return lambda pixels, labels: engine.histogram.look_up(pixels, table, labels)
    if colors.dtype == np.uint16 and (halves := halved_codes(codes, n_channels)) is not None:
        find = _finder(decode(halves, n_channels), halves, color_labels, engine, zeros)
        return lambda pixels, labels: find(halved(pixels, engine.histogram)[0], labels)
    opaque, others = np.empty(0, color_labels.dtype), slice(None)
    if colors.dtype == np.uint8:
        is_opaque = colors[:, 3] == OPAQUE
        opaque, others = zeros((2**24,), color_labels.dtype), ~is_opaque
        opaque[without_alpha(codes[is_opaque])] = color_labels[is_opaque]
    hashed, other_labels = numbered(colors[others], engine.hashing), color_labels[others]
    if not other_labels.size:
        other_labels = color_labels[:1]
    return lambda pixels, labels: engine.hashing.find(pixels, hashed, MULTIPLIER, other_labels, opaque, labels)
