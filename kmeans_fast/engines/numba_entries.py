"""The entries of a palette, compiled: which may be nearest where, and how far pixels are from them."""

import numpy as np

from kmeans_fast.engines.numba_jit import kernel, part


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
