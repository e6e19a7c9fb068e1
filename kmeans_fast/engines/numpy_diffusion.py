"""Error diffusion in plain NumPy: the same labels as `numba_diffusion`; see there for the shapes.

It goes from pixel to pixel, and takes plain Python about a hundred times as long as compiled code.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.layout import Nearest
from kmeans_fast.engines.numpy_packed import nearest_entries, rounded_one, three_channels
from kmeans_fast.engines.packing import UNIT, pack


def share(
    pixels: NDArray[np.uint8],  # in
    shares_of: NDArray[np.uint8],  # in
    shares: NDArray[np.uint8],  # out
) -> None:
    """Say for each of h rows of pixels how much of its error is passed on."""
    height = len(shares)
    channels = np.pad(pixels[..., :3].astype(np.int16), ((0, height + 1 - len(pixels)), (0, 1), (0, 0)), "edge")
    row = channels[:height, :-1]
    steps = np.maximum(np.abs(row - channels[:height, 1:]), np.abs(row - channels[1:, :-1]))
    shares[:] = shares_of[steps.max(axis=2)]


def diffuse(
    pixels: NDArray[np.uint8],  # in
    others: NDArray[np.uint8],  # in
    shares: NDArray[np.uint8],  # in
    other_shares: NDArray[np.uint8],  # in
    entries: NDArray[np.int64],  # in
    keeps: NDArray[np.uint8],  # in
    nearest: Nearest,  # in
    weights: NDArray[np.int64],  # in
    first_row: int,
    errors: NDArray[np.int64],  # in/out
    labels: NDArray[Any],  # in/out
    other_labels: NDArray[Any],  # in/out
) -> None:
    """Label some rows of a band, and of another; even ones go to the right, odd ones to the left."""
    _diffuse(pixels, shares, entries, keeps, nearest, weights, first_row, errors[0], labels)
    _diffuse(others, other_shares, entries, keeps, nearest, weights, first_row, errors[1], other_labels)


def _diffuse(
    pixels: NDArray[np.uint8],  # in
    shares: NDArray[np.uint8],  # in
    entries: NDArray[np.int64],  # in
    keeps: NDArray[np.uint8],  # in
    nearest: Nearest,  # in
    weights: NDArray[np.int64],  # in
    first_row: int,
    errors: NDArray[np.int64],  # in/out
    labels: NDArray[Any],  # in/out
) -> None:
    weights_of = weights.tolist()
    palette = entries.tolist()
    known: dict[int, int] = {}
    width = pixels.shape[1]
    rows = errors.tolist()
    for y in range(pixels.shape[0]):
        odd = (first_row + y) % 2
        here, below = rows[odd], rows[1 - odd]
        step = 1 - 2 * odd
        row_colors = pack(three_channels(pixels[y])).tolist()
        row_labels, row_shares = labels[y].tolist(), shares[y].tolist()
        row_keeps = keeps[labels[y]].tolist() if keeps.size else [0] * width
        to_this = to_next = below_last = below_this = 0
        for x in range(width)[::step]:
            error = 0
            if not row_keeps[x]:
                target = rounded_one(UNIT * row_colors[x] + to_this + here[x + 1])
                label = known.get(target)
                if label is None:
                    label = known[target] = int(nearest_entries(np.array([target]), nearest)[0])
                row_labels[x] = label
                error = target - palette[label]
            w1, w2, w3, w4, w5, w6 = weights_of[row_shares[x]]
            below[x + 1 - step] += below_last + w3 * error
            here[x + 1] = w6 * error  # two rows below, which has the same place
            to_this, to_next = to_next + w1 * error, w2 * error
            below_last, below_this = below_this + w4 * error, w5 * error
        below[width * (1 - odd) + odd] += below_last
        below[0] = below[width + 1] = 0
        labels[y] = row_labels
    errors[:] = rows
