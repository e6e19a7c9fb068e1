"""The filter for many features in plain NumPy: the nearest two by matrix products, which NumPy's BLAS works out.

The products may be summed in any order, see `margins`, but must be of float32, as every BLAS has it that isn't told
otherwise.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.margins import is_decided, least_lead, limit, margin_terms
from kmeans_fast.machine.chunks import even_bounds

# OpenBLAS starts no threads for a product of matrices m×k and k×n with m·k·n up to 2¹⁸: threads are for `Workers`.
SERIAL_PRODUCT = 2**18
# Centroids, and features, of a product at most: 64 points are left then.
SIDE = 64
POINTS_AT_ONCE = 4096
# Numbers of a block of points: with very many features it's fewer points.
NUMBERS_AT_ONCE = 2**20

Textbook = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], None]


class _Layout(NamedTuple):
    """Centroids about an origin amid them: −2·c as float32, ‖c‖², the largest of it, and the margin's terms."""

    origin: NDArray[Any]
    directions: NDArray[np.float32]
    norms: NDArray[np.float32]
    largest: np.float64
    terms: tuple[float, float, float]


def assign(points: NDArray[Any], centroids: NDArray[Any], labels: NDArray[Any], textbook: Textbook) -> NDArray[Any]:
    """Write the label of each point's nearest centroid, and let `textbook` do so for those that are undecided.

    Returns by how much farther the second nearest is at least, see `margins.least_lead`.
    """
    size = max(SIDE, min(POINTS_AT_ONCE, NUMBERS_AT_ONCE // points.shape[1]))
    leads = np.empty(len(points))
    with np.errstate(all="ignore"):  # what overflows is undecided
        layout = _lay_out(centroids, np.float64 if points.dtype == np.float64 else np.float32)
        for start in range(0, len(points), size):
            block, block_labels = points[start : start + size], labels[start : start + size]
            undecided = _filter(block, layout, block_labels, leads[start : start + size])
            if undecided.size:
                settled = block_labels[undecided]
                textbook(block[undecided], centroids, settled)
                block_labels[undecided] = settled
    return leads


def relabel(
    points: NDArray[Any],
    centroids: NDArray[Any],
    gains: NDArray[Any],
    places: NDArray[np.int32],
    limits: NDArray[Any],
    labels: NDArray[Any],
    textbook: Textbook,
) -> None:
    """Do as `assign` for the points at some places, and set their limits."""
    settled = labels[places]
    leads = assign(points[places], centroids, settled, textbook)
    labels[places] = settled
    limits[places] = limit(gains[settled], leads)


def _lay_out(centroids: NDArray[Any], dtype: type) -> _Layout:
    origin = centroids.mean(axis=0).astype(dtype)  # rounded here as it is for the points
    local = centroids - origin
    norms = (local * local).sum(axis=1)
    terms = margin_terms(norms.max(), centroids.shape[1])
    directions = np.float32(-2) * local.astype(np.float32)
    return _Layout(origin, directions, norms.astype(np.float32), norms.max(), terms)


def _filter(points: NDArray[Any], layout: _Layout, labels: NDArray[Any], leads: NDArray[Any]) -> NDArray[np.intp]:
    """Write the labels that the products suggest, and their leads; return the places of those that are undecided."""
    rows = np.subtract(points.T, layout.origin[:, np.newaxis], dtype=layout.origin.dtype).astype(np.float32, order="C")
    squares = np.einsum("fi,fi->i", rows, rows)
    best, second = np.full((2, len(points)), np.inf, np.float32)
    worse = np.empty_like(best)
    labels[:] = 0
    for first, stop in even_bounds(0, len(layout.norms), SIDE):
        values = products(layout.directions[first:stop], rows)
        values += layout.norms[first:stop, np.newaxis]
        for k, value in enumerate(values, first):
            np.maximum(value, best, out=worse)
            np.minimum(second, worse, out=second)
            np.copyto(labels, labels.dtype.type(k), where=value < best)
            np.minimum(best, value, out=best)
    undecided = np.flatnonzero(~is_decided(squares, best, second, layout.terms))
    leads[:] = least_lead(squares, best, second, layout.largest, len(rows), np.sqrt)
    leads[undecided] = 0
    return undecided


def products(directions: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Multiply (K, D) with (D, n), of the same dtype, in parts that no BLAS shares among threads of its own.

    They are cut evenly: those with a single row or column it shares sooner.
    """
    sums = np.zeros((len(directions), rows.shape[1]), rows.dtype)
    for start, stop in even_bounds(0, len(rows), SIDE):
        factor = np.ascontiguousarray(directions[:, start:stop])
        for begin, end in even_bounds(0, rows.shape[1], SERIAL_PRODUCT // factor.size):
            sums[:, begin:end] += factor @ rows[start:stop, begin:end]
    return sums
