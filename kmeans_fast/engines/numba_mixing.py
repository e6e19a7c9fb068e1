"""Ordered dithering, compiled: by mixtures of entries that a mask chooses from.

All is in integers, so that every machine and both engines agree. In every signature: `pixels` (h, W, C) uint8, `keeps`,
`nearest` and `labels` are as in `numba_diffusion`.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.codes import spread_table
from kmeans_fast.engines.layout import Nearest
from kmeans_fast.engines.numba_jit import kernel, part
from kmeans_fast.engines.numba_packed import nearest_entry, rounded
from kmeans_fast.engines.packing import UNIT, WORD, WORD_BITS

# Colours: work space stays in the nearest cache.
MIXED_AT_ONCE = 256
ONE, HALF, WORD_SHIFT, WORD_MASK = np.uint64(1), np.uint64(32), np.uint64(WORD_BITS), np.uint64(WORD - 1)


def mix(
    colors: Any,  # in
    entries: Any,  # in
    ranks: Any,  # in
    by_rank: Any,  # in
    nearest: Nearest,  # in
    strength: int,
    first: int,
    last: int,
    mixtures: Any,  # out
) -> None:
    """Write for colours `first` to `last` the L entries whose mean is nearly it, in the order of their ranks.

    Each is nearest to the colour plus the sum of the errors so far, `strength` 1/64 of it. `colors` (N,) int64 are
    packed, `ranks` (K,) are the entries' places in the order, `by_rank` (K,) its inverse, and `mixtures` (N, L), all
    of the dtype of labels.
    """
    chosen = np.zeros((mixtures.shape[1], MIXED_AT_ONCE), mixtures.dtype)
    errors = np.zeros(MIXED_AT_ONCE, np.int64)
    _mix(colors, entries, ranks, by_rank, nearest, strength, first, last, errors, chosen, mixtures)


@kernel()
def _mix(
    colors,  # in
    entries,  # in
    ranks,  # in
    by_rank,  # in
    nearest,  # in
    strength,
    first,
    last,
    errors,  # work
    chosen,  # work
    mixtures,  # out
):
    """Mix as many colours at a time as `errors` (B,) int64 and `chosen` (L, B) have columns: none waits for its own."""
    n_levels, n_columns = chosen.shape
    for start in range(first, last, n_columns):
        n_colors = min(n_columns, last - start)
        errors[:] = 0
        for level in range(n_levels):
            for i in range(n_colors):
                u, color = np.uint64(i), colors[np.uint64(start + i)]
                label = np.uint64(nearest_entry(rounded(UNIT * color + strength * errors[u]), nearest))
                errors[u] += color - entries[label]
                chosen[level, u] = ranks[label]
        _sort_columns(chosen)
        for i in range(n_colors):
            for level in range(n_levels):
                mixtures[start + i, level] = by_rank[np.uint64(chosen[level, i])]


@part()
def _sort_columns(values):
    """Insert row after row, without a branch that nobody could predict."""
    for last in range(1, values.shape[0]):
        for row in range(last, 0, -1):
            smaller, larger = values[row - 1], values[row]
            for i in range(values.shape[1]):
                a, b = smaller[i], larger[i]
                smaller[i], larger[i] = min(a, b), max(a, b)


@kernel()
def place(
    codes,  # in
    places,  # out
):
    """Write for each code of a colour where it is among `codes` (N,) uint32, which are ascending.

    `places` (2**19,) int64 has a word for each 32 codes: a bit for each that is among the N, and in the upper half how
    many are before those.
    """
    i = 0
    for word in range(places.size):
        start, bits = i, 0
        while i < codes.size and np.int64(codes[np.uint64(i)]) >> WORD_BITS == word:
            bits |= 1 << (np.int64(codes[np.uint64(i)]) & WORD - 1)
            i += 1
        places[word] = start << 32 | bits


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

    `places` are those of the N colours of `mixtures` (N, L), by `place`. `levels` (S, S) uint8 is repeated, S being a
    power of two. The first of the rows has the number `first_row`.
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
                code = np.uint64(s0[c0] | s1[c1] | s2[c2])
                word = np.uint64(places[code >> WORD_SHIFT])
                before = word & (ONE << (code & WORD_MASK)) - ONE
                labels[y, u] = mixtures[(word >> HALF) + _ones(before), np.uint64(levels[row, u & mask])]


@part()
def _ones(bits):
    """Count the ones among 64 bits, in the way that LLVM knows to be the processor's own instruction."""
    pairs = bits - (bits >> np.uint64(1) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + (pairs >> np.uint64(2) & np.uint64(0x3333333333333333))
    eights = fours + (fours >> np.uint64(4)) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return eights * np.uint64(0x0101010101010101) >> np.uint64(56)
