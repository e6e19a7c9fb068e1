"""Dithering, compiled: by error diffusion, and by mixtures of entries that an ordered mask chooses from.

All is in integers, so that every machine and both engines agree. In every signature: `pixels` (h, W, C) uint8 are rows
of a picture, grey, RGB, or RGBA whose alpha is left alone; `entries` (K,) int64 is the palette, packed (see `packing`);
`nearest` is as in `layout`; `labels` (h, W) are the entries' indices; `keeps` (K,) uint8 is 1 for each entry whose
pixels, which `labels` has in it before, are not dithered, or (0,) if there is none and `labels` is to be written only.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.codes import spread_table
from kmeans_fast.engines.numba_jit import kernel, part
from kmeans_fast.engines.packing import BIAS, CHANNELS, DOT, DOT_SHIFT, FIELD, OFFSET, UNIT, UNIT_BITS, WORD, WORD_BITS

PLACE1, PLACE2 = CHANNELS[1:]
ZERO = OFFSET >> UNIT_BITS


@kernel()
def diffuse(
    pixels,  # in
    entries,  # in
    keeps,  # in
    nearest,  # in
    weights,  # in
    first_row,
    errors,  # in/out
    labels,  # in/out
):
    """Label some rows, `first_row` being the first one's number; even ones go to the right, odd ones to the left.

    `weights` (6,) int64 says how many 1/64 of a pixel's error go to the next pixel and the one after it; in the row
    below to the previous column, the same and the next; and to the same in the row after that. `errors` (3, W + 4)
    int64 holds what has been passed to each pixel of three rows, row y in place y mod 3, with two columns at each side.
    """
    bits, first, starts, more = nearest
    w1, w2, w3, w4, w5, w6 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    width, channel1 = pixels.shape[1], np.uint64(min(1, pixels.shape[2] - 1))
    for y in range(pixels.shape[0]):
        row = first_row + y
        here, below, far_below = errors[row % 3], errors[(row + 1) % 3], errors[(row + 2) % 3]
        step = 1 - 2 * (row % 2)
        x = 0 if step > 0 else width - 1
        to_next = to_second = 0
        for _ in range(width):
            u, column = np.uint64(x), np.uint64(x + 2)
            passed = to_next + here[column]
            here[column] = 0
            to_next, to_second = to_second, 0
            if keeps.size == 0 or not keeps[labels[y, u]]:
                color = _pack(pixels[y, u, 0], pixels[y, u, channel1], pixels[y, u, channel1 + channel1])
                target = _round(UNIT * color + passed)
                label = _nearest(target, bits, first, starts, more)
                error = target - entries[np.uint64(label)]
                to_next += w1 * error
                to_second = w2 * error
                below[np.uint64(x + 2 - step)] += w3 * error
                below[column] += w4 * error
                below[np.uint64(x + 2 + step)] += w5 * error
                far_below[column] += w6 * error
                labels[y, u] = label
            x += step
        for side in (0, 1, width + 2, width + 3):
            here[side] = 0


@part()
def _pack(c0, c1, c2):
    return np.int64(c0) | np.int64(c1) << PLACE1 | np.int64(c2) << PLACE2


@part()
def _round(value):
    """Return packed 1/64 steps, rounded to whole ones and kept in the range of 8 bits."""
    value += BIAS
    t0 = min(max(((value & FIELD) >> UNIT_BITS) - ZERO, 0), 255)
    t1 = min(max(((value >> PLACE1 & FIELD) >> UNIT_BITS) - ZERO, 0), 255)
    t2 = min(max(((value >> PLACE2 & FIELD) >> UNIT_BITS) - ZERO, 0), 255)
    return t0 | t1 << PLACE1 | t2 << PLACE2


@part()
def _nearest(target, bits, first, starts, more):
    """Return the index of the entry that is nearest to a packed colour."""
    shift = 8 - bits
    t0, t1, t2 = target & FIELD, target >> PLACE1 & FIELD, target >> PLACE2
    cube = np.uint64(t0 >> shift << bits + bits | t1 >> shift << bits | t2 >> shift)
    least = _least(target, first, cube)
    for group in range(starts[cube], starts[cube + np.uint64(1)]):
        least = min(least, _least(target, more, np.uint64(group)))
    return least & FIELD


@part()
def _least(target, table, row):
    a = table[row, 4] - (target * table[row, 0] >> DOT_SHIFT & DOT)
    b = table[row, 5] - (target * table[row, 1] >> DOT_SHIFT & DOT)
    c = table[row, 6] - (target * table[row, 2] >> DOT_SHIFT & DOT)
    d = table[row, 7] - (target * table[row, 3] >> DOT_SHIFT & DOT)
    return min(min(a, b), min(c, d))


@kernel()
def mix(
    colors,  # in
    entries,  # in
    ranks,  # in
    by_rank,  # in
    nearest,  # in
    strength,
    first,
    last,
    mixtures,  # out
):
    """Write for colours `first` to `last` the L entries whose mean is nearly it, in the order of their ranks.

    Each is nearest to the colour plus the sum of the errors so far, `strength` 1/64 of it. `colors` (N,) int64 are
    packed, `ranks` (K,) int64 the entries' places in the order, `by_rank` (K,) its inverse, and `mixtures` (N, L) of
    the dtype of labels.
    """
    bits, first_candidates, starts, more = nearest
    n_levels = mixtures.shape[1]
    for i in range(first, last):
        color = colors[i]
        for m in range(n_levels):
            mixtures[i, m] = ranks.size - 1
        error = 0
        for n in range(n_levels):
            target = _round(UNIT * color + strength * error)
            label = np.uint64(_nearest(target, bits, first_candidates, starts, more))
            error += color - entries[label]
            # Into its place, without a branch that nobody could predict.
            rank = ranks[label]
            for m in range(n, 0, -1):
                mixtures[i, m] = min(np.int64(mixtures[i, m]), max(np.int64(mixtures[i, m - 1]), rank))
            mixtures[i, 0] = min(np.int64(mixtures[i, 0]), rank)
        for m in range(n_levels):
            mixtures[i, m] = by_rank[mixtures[i, m]]


def pick(
    pixels: Any,  # in
    keeps: Any,  # in
    places: Any,  # in
    mixtures: Any,  # in
    levels: Any,  # in
    first_row: int,
    labels: Any,  # in/out
) -> None:
    """Give each pixel the entry of its colour's mixture that the mask's level there says.

    `places` (2**19,) int64 has a word for each 32 codes of colours: a bit for each that is among the N of `mixtures`
    (N, L), and in the upper half how many are before those. `levels` (S, S) uint8 is repeated, S being a power of two.
    The first of the rows has the number `first_row`.
    """
    _pick(pixels, spread_table(3), keeps, places, mixtures, levels, first_row, labels)


@kernel()
def _pick(
    pixels,  # in
    spread,  # in
    keeps,  # in
    places,  # in
    mixtures,  # in
    levels,  # in
    first_row,
    labels,  # in/out
):
    s0, s1, s2 = spread[0], spread[1], spread[2]
    channel1 = np.uint64(min(1, pixels.shape[2] - 1))
    mask = np.uint64(levels.shape[1] - 1)
    for y in range(pixels.shape[0]):
        row = np.uint64((first_row + y) % levels.shape[0])
        for x in range(pixels.shape[1]):
            u = np.uint64(x)
            if keeps.size == 0 or not keeps[labels[y, u]]:
                c0, c1, c2 = pixels[y, u, 0], pixels[y, u, channel1], pixels[y, u, channel1 + channel1]
                code = np.int64(s0[c0] | s1[c1] | s2[c2])
                word = places[np.uint64(code >> WORD_BITS)]
                i = (word >> 32) + _ones(word & ((1 << (code & (WORD - 1))) - 1))
                labels[y, u] = mixtures[np.uint64(i), np.uint64(levels[row, u & mask])]


@part()
def _ones(bits):
    """Count the ones among 32 bits."""
    pairs = bits - (bits >> 1 & 0x55555555)
    fours = (pairs & 0x33333333) + (pairs >> 2 & 0x33333333)
    return ((fours + (fours >> 4) & 0x0F0F0F0F) * 0x01010101 & 0xFFFFFFFF) >> 24


@kernel()
def measure(
    pixels,  # in
    entries,  # in
    labels,  # in
    counts,  # in/out
):
    """Count the labels and return the sum of all squared distances of pixels to their entries.

    `entries` (K, C) uint8. Those of RGBA are distances of premultiplied colours, in steps of 1/255. Adds to `counts`
    (4, K) int64, the columns x of the picture in place x mod 4: a count that waits for itself would take longer.
    """
    total: Any = 0
    n_channels = pixels.shape[2]
    channel1 = np.uint64(min(1, n_channels - 1))
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            u = np.uint64(x)
            k = np.uint64(labels[y, u])
            counts[u & np.uint64(3), k] += 1
            alpha, entry_alpha = np.int64(1), np.int64(1)
            if n_channels == 4:
                alpha, entry_alpha = np.int64(pixels[y, u, 3]), np.int64(entries[k, 3])
                total += (255 * (alpha - entry_alpha)) ** 2
            total += (alpha * pixels[y, u, 0] - entry_alpha * entries[k, 0]) ** 2
            if n_channels > 1:
                total += (alpha * pixels[y, u, channel1] - entry_alpha * entries[k, channel1]) ** 2
                total += (alpha * pixels[y, u, np.uint64(2)] - entry_alpha * entries[k, np.uint64(2)]) ** 2
    return total
