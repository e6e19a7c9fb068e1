"""Dithering by error diffusion, compiled.

All is in integers, so that every machine and both engines agree. In every signature: `pixels` (h, W, C) uint8 are rows
of a picture, grey, RGB, or RGBA whose alpha is left alone; `entries` (K,) int64 is the palette, packed (see `packing`);
`nearest` is as in `layout`; `labels` (h, W) are the entries' indices; `keeps` (K,) uint8 is 1 for each entry whose
pixels, which `labels` has in it before, are not dithered, or (0,) if there is none and `labels` is to be written only.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.numba_jit import kernel, part
from kmeans_fast.engines.numba_packed import nearest_entry, pack_channels, rounded
from kmeans_fast.engines.packing import UNIT


def share(
    pixels: Any,  # in
    shares_of: Any,  # in
    shares: Any,  # out
) -> None:
    """Say for each of h rows of pixels how much of its error is passed on, as by how much the next ones differ from it.

    `pixels` (h + 1, W, C), or (h, W, C) at the picture's lower edge, of which the first three channels count;
    `shares_of` (256,) uint8 for each largest difference of a channel to the pixel on the right or below; and `shares`
    (h, W) uint8.
    """
    rows = pixels.reshape(len(pixels), -1)
    _share(rows, pixels.shape[2], shares_of, np.empty(rows.shape[1], np.uint8), shares)


@kernel()
def _share(
    rows,  # in
    n_channels,
    shares_of,  # in
    steps,  # work
    shares,  # out
):
    pixel, channel1 = np.uint64(n_channels), np.uint64(min(1, n_channels - 1))
    channel2 = channel1 + channel1
    for y in range(shares.shape[0]):
        row, below = rows[y], rows[min(y + 1, rows.shape[0] - 1)]
        right = row[n_channels:]
        for i in range(right.size):  # one loop for all channels, of bytes alone, as that becomes vectors
            across = np.uint8(max(row[i], right[i]) - min(row[i], right[i]))
            steps[i] = max(across, np.uint8(max(row[i], below[i]) - min(row[i], below[i])))
        for i in range(right.size, row.size):
            steps[i] = max(row[i], below[i]) - min(row[i], below[i])
        for x in range(shares.shape[1]):
            u = np.uint64(x)
            place = u * pixel
            shares[y, u] = shares_of[max(max(steps[place], steps[place + channel1]), steps[place + channel2])]


@kernel()
def diffuse(
    pixels,  # in
    others,  # in
    shares,  # in
    other_shares,  # in
    entries,  # in
    keeps,  # in
    nearest,  # in
    weights,  # in
    first_row,
    errors,  # in/out
    labels,  # in/out
    other_labels,  # in/out
):
    """Label some rows of a band, and of another one; `first_row` rows of either have been labelled before.

    Even rows go to the right, odd ones to the left. A pixel waits for the one before it, but not for another band's:
    two bands at a time take two thirds of the time. Either may have no rows.

    `weights` (S, 6) int64 says, for each of the `shares` (h, W) uint8, how many 1/64 of a pixel's error go to the next
    pixel and the one after it; in the row below to the previous column, the same and the next; and to the same in the
    row after that. `errors` (2, 2, W + 2)
    int64 holds for each band what has been passed to two rows, row y in place y mod 2, with a column at each side.
    """
    width = pixels.shape[1]
    how = entries, keeps, nearest, weights
    for y in range(max(pixels.shape[0], others.shape[0])):
        odd = (first_row + y) % 2
        here, below, other_here, other_below = errors[0, odd], errors[0, 1 - odd], errors[1, odd], errors[1, 1 - odd]
        step = 1 - 2 * odd
        x = (width - 1) * odd
        passed = other_passed = (0, 0, 0, 0)
        for _ in range(width):
            if y < pixels.shape[0]:
                passed = _label(pixels, shares, y, x, step, how, passed, here, below, labels)
            if y < others.shape[0]:
                other_passed = _label(
                    others, other_shares, y, x, step, how, other_passed, other_here, other_below, other_labels
                )
            x += step
        below[x + 1 - step] += passed[2]
        other_below[x + 1 - step] += other_passed[2]


@part()
def _label(pixels, shares, y, x, step, how, passed, here, below, labels):
    """Label a pixel; return what is passed to the next one, to the one after it, below this one and below the next."""
    entries, keeps, nearest, weights = how
    to_this, to_next, below_last, below_this = passed
    u, column, channel1 = np.uint64(x), np.uint64(x + 1), np.uint64(min(1, pixels.shape[2] - 1))
    error = 0
    if keeps.size == 0 or not keeps[labels[y, u]]:
        color = pack_channels(pixels[y, u, 0], pixels[y, u, channel1], pixels[y, u, channel1 + channel1])
        target = rounded(UNIT * color + to_this + here[column])
        label = nearest_entry(target, nearest)
        error = target - entries[np.uint64(label)]
        labels[y, u] = label
    share = np.uint64(shares[y, u])
    below[np.uint64(x + 1 - step)] += below_last + weights[share, 2] * error
    here[column] = weights[share, 5] * error  # two rows below, which has the same place
    below_this += weights[share, 3] * error
    return to_next + weights[share, 0] * error, weights[share, 1] * error, below_this, weights[share, 4] * error
