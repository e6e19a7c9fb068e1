"""Dithering, compiled: by error diffusion, and by mixtures of entries that an ordered mask chooses from.

All is in integers, so that every machine and both engines agree. In every signature: `pixels` (h, W, C) uint8 are rows
of a picture, grey, RGB, or RGBA whose alpha is left alone; `entries` (K,) int64 is the palette, packed (see `packing`);
`nearest` is as in `layout`; `labels` (h, W) are the entries' indices; `keeps` (K,) uint8 is 1 for each entry whose
pixels, which `labels` has in it before, are not dithered, or (0,) if there is none and `labels` is to be written only.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.codes import spread_table
from kmeans_fast.engines.layout import Nearest
from kmeans_fast.engines.numba_jit import kernel, part
from kmeans_fast.engines.packing import (
    BIAS,
    CHANNELS,
    DOT,
    DOT_SHIFT,
    FIELD,
    OFFSET,
    ONES,
    UNIT,
    UNIT_BITS,
    WORD,
    WORD_BITS,
)

PLACE1, PLACE2 = CHANNELS[1:]
ZERO = OFFSET >> UNIT_BITS
# Bits of three fields: those of what is in the range of 8 bits, rounded; those that it has, and that it has set.
BYTES, OUTSIDE, INSIDE = 255 * ONES, (FIELD - 256 * UNIT + 1) * ONES, OFFSET * ONES
# Colours: work space stays in the nearest cache.
MIXED_AT_ONCE = 256
ONE, HALF, WORD_SHIFT, WORD_MASK = np.uint64(1), np.uint64(32), np.uint64(WORD_BITS), np.uint64(WORD - 1)


@kernel()
def narrow(
    entries,  # in
    level,
    starts,  # in
    candidates,  # in
    new_starts,  # out
    new_candidates,  # out
):
    """Say for each cube of a grid which entries may be nearest in it, of those that may be in a cube twice as long.

    `entries` (K, 3) int64. There are 2**level cubes to a side; `candidates[starts[c]:starts[c + 1]]` are those of cube
    c of half as many. In half steps, so that all is exact. For entries z and c, ‖x−c‖² − ‖x−z‖² is linear in x and
    least at a corner; z is nearest to the cube's middle.
    """
    side, last = 256 >> level, (1 << level) - 1
    n_kept = 0
    for cube in range(1 << 3 * level):
        x, y, z = cube >> 2 * level, cube >> level & last, cube & last
        middle = 2 * side * x + side - 1, 2 * side * y + side - 1, 2 * side * z + side - 1
        wider = (x >> 1 << level - 1 | y >> 1) << level - 1 | z >> 1
        nearest, least = 0, 1 << 62
        for place in range(starts[wider], starts[wider + 1]):
            squared = _squared_from(middle, entries, candidates[place])
            if squared < least:
                nearest, least = candidates[place], squared
        for place in range(starts[wider], starts[wider + 1]):
            k = candidates[place]
            gaps = 0
            for channel in range(3):
                gaps += abs(entries[k, channel] - entries[nearest, channel])
            if _squared_from(middle, entries, k) - least <= 4 * (side - 1) * gaps:
                new_candidates[n_kept] = k
                n_kept += 1
        new_starts[cube + 1] = n_kept


@part()
def _squared_from(doubled, entries, k):
    a, b, c = 2 * entries[k, 0] - doubled[0], 2 * entries[k, 1] - doubled[1], 2 * entries[k, 2] - doubled[2]
    return a * a + b * b + c * c


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
        color = _pack(pixels[y, u, 0], pixels[y, u, channel1], pixels[y, u, channel1 + channel1])
        target = _round(UNIT * color + to_this + here[column])
        label = _nearest(target, nearest)
        error = target - entries[np.uint64(label)]
        labels[y, u] = label
    share = np.uint64(shares[y, u])
    below[np.uint64(x + 1 - step)] += below_last + weights[share, 2] * error
    here[column] = weights[share, 5] * error  # two rows below, which has the same place
    below_this += weights[share, 3] * error
    return to_next + weights[share, 0] * error, weights[share, 1] * error, below_this, weights[share, 4] * error


@part()
def _pack(c0, c1, c2):
    return np.int64(c0) | np.int64(c1) << PLACE1 | np.int64(c2) << PLACE2


@part()
def _round(value):
    """Return packed 1/64 steps, rounded to whole ones and kept in the range of 8 bits."""
    value += BIAS
    # Most are in the range, and a guess which ones are beats waiting for three channels to be kept in it.
    return _kept(value) if (value ^ INSIDE) & OUTSIDE else value >> UNIT_BITS & BYTES


@part()
def _kept(value):
    t0 = min(max(((value & FIELD) >> UNIT_BITS) - ZERO, 0), 255)
    t1 = min(max(((value >> PLACE1 & FIELD) >> UNIT_BITS) - ZERO, 0), 255)
    t2 = min(max(((value >> PLACE2 & FIELD) >> UNIT_BITS) - ZERO, 0), 255)
    return t0 | t1 << PLACE1 | t2 << PLACE2


@part()
def _nearest(target, nearest):
    """Return the index of the entry that is nearest to a packed colour."""
    bits, first, starts, more = nearest
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
                label = np.uint64(_nearest(_round(UNIT * color + strength * errors[u]), nearest))
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
    total = 0
    n_channels = pixels.shape[2]
    channel1, channel2 = np.uint64(min(1, n_channels - 1)), np.uint64(min(2, n_channels - 1))
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            u = np.uint64(x)
            k = np.uint64(labels[y, u])
            counts[u & np.uint64(3), k] += 1
            alpha, entry_alpha = np.int64(1), np.int64(1)
            if n_channels == 4:
                alpha, entry_alpha = np.int64(pixels[y, u, 3]), np.int64(entries[k, 3])
                total += _squared(255 * (alpha - entry_alpha))
            total += _squared(alpha * pixels[y, u, 0] - entry_alpha * entries[k, 0])
            total += _squared(alpha * pixels[y, u, channel1] - entry_alpha * entries[k, channel1])
            total += _squared(alpha * pixels[y, u, channel2] - entry_alpha * entries[k, channel2])
    return total // 3 if n_channels == 1 else total


@part()
def _squared(value):
    return value * value
