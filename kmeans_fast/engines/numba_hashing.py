"""Counting colours in hash tables and looking up what belongs to them there, compiled.

In every signature: `pixels` (n, C) uint8 with a `table` (2**b, 2) uint32, or uint16 with uint64. A row of it is a key,
the channels of a colour side by side, and a value; one with the value 0 is free, and there always is one. A key is in
the row that the upper b bits of its mixture with `multiplier` tell, or in the next one that was free [2]_. Keys are
multiplied [1]_, their upper bits mixed into the lower ones, and multiplied again [3]_: after one product, few of whose
bits the last channel sees, the colours of a photo with steps in its values can lie in a single run of rows.

Kernels take keys, so that code needn't be made for each number of channels; with that to be looked up for each pixel,
counting took twice as long. The bytes of a pixel of four channels are its key as they lie.

A colour's neighbours in the picture are found in rows anywhere, yet a processor waits for several of them at once:
placing similar colours side by side, which takes a few more instructions, was slower.

References
----------
.. [1] M. Dietzfelbinger, T. Hagerup, J. Katajainen and M. Penttonen, "A reliable randomized algorithm for the
   closest-pair problem", Journal of Algorithms 25(1), 1997.
.. [2] D. E. Knuth, "The Art of Computer Programming", volume 3, section 6.4, algorithm L.
.. [3] G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA, 2014.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.codes import OPAQUE, spread_table
from kmeans_fast.engines.numba_jit import kernel, part

ONE = np.uint64(1)
BYTE = np.uint64(255)
HALF = np.uint64(32)
# Where alpha is in the key of 8 bits a channel.
ALPHA = np.uint64(24)


def tally(
    pixels: Any,  # in
    start: int,
    table: Any,  # in/out
    n_used: Any,  # in/out
    most: int,
    multiplier: int,
) -> int:
    """Add 1 to the value of each pixel's key, from pixel `start` on, until `most` rows are used and one more is needed.

    `n_used` (1,) int64 is the number of rows that are used. Return the first pixel that isn't counted, n if all are.
    """
    return start + _tally(_keys(pixels[start:]), table, n_used, most, multiplier)


def _keys(pixels: Any) -> Any:
    """Return the keys (n,) of pixels; processors that there is compiled code for have the lowest byte first."""
    dtype = np.dtype(f"u{4 * pixels.itemsize}")
    if pixels.shape[1] == 3:
        keys = np.empty(len(pixels), dtype)
        _join(pixels, keys)
        return keys
    own = pixels.view(f"u{pixels.shape[1] * pixels.itemsize}").reshape(-1)
    return np.require(own, dtype, "A")


@kernel()
def _join(
    pixels,  # in
    keys,  # out
):
    bits = np.uint64(8 * pixels.itemsize)
    for i in range(np.uint64(pixels.shape[0])):
        keys[i] = np.uint64(pixels[i, 0]) | np.uint64(pixels[i, 1]) << bits | np.uint64(pixels[i, 2]) << (bits + bits)


@kernel()
def _tally(
    keys,  # in
    table,  # in/out
    n_used,  # in/out
    most,
    multiplier,
):
    shift, mask = _shift(table), np.uint64(table.shape[0] - 1)
    used = n_used[0]
    for i in range(keys.shape[0]):
        key = np.uint64(keys[i])
        row = _row(table, key, multiplier, shift, mask)
        value = table[row, 1]
        if value == 0:
            if used == most:
                n_used[0] = used
                return i
            used += 1
            table[row, 0] = key
        table[row, 1] = value + ONE
    n_used[0] = used
    return keys.shape[0]


@part()
def _shift(table):
    """Return 64 − b."""
    shift = 64
    while 1 << (64 - shift) < table.shape[0]:
        shift -= 1
    return np.uint64(shift)


@part(inline=True)
def _row(table, key, multiplier, shift, mask):
    """Return the row of a key, or the free one that it would have."""
    product = key * np.uint64(multiplier)
    row = ((product ^ product >> HALF) * np.uint64(multiplier)) >> shift
    while table[row, 1] != 0 and table[row, 0] != key:
        row = (row + ONE) & mask
    return row


@kernel()
def move(
    table,  # in
    larger,  # in/out
    multiplier,
):
    """Copy all that is in a table to a larger one, which is empty."""
    shift, mask = _shift(larger), np.uint64(larger.shape[0] - 1)
    for i in range(table.shape[0]):
        if table[i, 1] != 0:
            row = _row(larger, np.uint64(table[i, 0]), multiplier, shift, mask)
            larger[row, 0] = table[i, 0]
            larger[row, 1] = table[i, 1]


def sort(
    table: Any,  # in/out
    n_channels: int,
    spare: Any,  # out
    places: Any,  # out
) -> int:
    """Turn keys into codes and bring all rows that are used to the front, in the order of the codes.

    Radix sort with `spare` (n, 2) and `places` (256,) int64 for work space. Return n, the number of these rows, which
    must be that of `spare`.
    """
    return _sort(table, spread_table(n_channels), spare, places)


@kernel()
def _sort(
    table,  # in/out
    spread,  # in
    spare,  # out
    places,  # out
):
    n_channels = spread.shape[0]
    # a key of 16 bits a channel has the code of their upper bytes above that of their lower bytes
    n_bytes = table.itemsize // 4
    n = 0
    for i in range(table.shape[0]):
        value = table[i, 1]
        if value != 0:
            table[n, 0] = _code(np.uint64(table[i, 0]), spread, n_bytes)
            table[n, 1] = value
            n += 1
    for digit in range(0, n_channels * n_bytes, 2):
        _sort_by_digit(table, n, np.uint64(8 * digit), spare, places)
        _sort_by_digit(spare, n, np.uint64(8 * (digit + 1)), table, places)
    return n


@part()
def _code(key, spread, n_bytes):
    code = np.uint64(0)
    for byte in range(n_bytes):
        for f in range(spread.shape[0]):
            value = key >> np.uint64(8 * (f * n_bytes + byte)) & BYTE
            code |= np.uint64(spread[f, value]) << np.uint64(8 * spread.shape[0] * byte)
    return code


@part()
def _sort_by_digit(rows, n, shift, sorted_rows, places):
    """Sort n rows by 8 bits of their codes; those that have them in common stay in order."""
    places[:] = 0
    for i in range(n):
        places[np.uint64(rows[i, 0]) >> shift & BYTE] += 1
    place = 0
    for digit in range(256):
        count = places[digit]
        places[digit] = place
        place += count
    for i in range(n):
        digit = np.uint64(rows[i, 0]) >> shift & BYTE
        place = places[digit]
        sorted_rows[place, 0] = rows[i, 0]
        sorted_rows[place, 1] = rows[i, 1]
        places[digit] = place + 1


def number(
    colors: Any,  # in
    table: Any,  # in/out
    multiplier: int,
) -> None:
    """Give the keys of colours (N, C), all of them distinct, the values 1 to N in a table that is empty."""
    _number(_keys(colors), table, multiplier)


@kernel()
def _number(
    keys,  # in
    table,  # in/out
    multiplier,
):
    shift, mask = _shift(table), np.uint64(table.shape[0] - 1)
    for i in range(keys.shape[0]):
        key = np.uint64(keys[i])
        row = _row(table, key, multiplier, shift, mask)
        table[row, 0] = key
        table[row, 1] = i + 1


def find(
    pixels: Any,  # in
    table: Any,  # in
    multiplier: int,
    color_labels: Any,  # in
    opaque: Any,  # in
    labels: Any,  # out
) -> None:
    """Write to `labels` (n,) what `color_labels` (N,) has at the number, counted from 1, of each pixel's key.

    A key that isn't there gets the first label. `opaque` is empty or, for RGBA of 8 bits, has labels (2**24,) for the
    codes of RGB, which opaque pixels get instead.
    """
    _find(_keys(pixels), table, multiplier, color_labels, spread_table(3), opaque, labels)


@kernel()
def _find(
    keys,  # in
    table,  # in
    multiplier,
    color_labels,  # in
    spread,  # in
    opaque,  # in
    labels,  # out
):
    shift, mask = _shift(table), np.uint64(table.shape[0] - 1)
    s0, s1, s2 = spread[0], spread[1], spread[2]
    for i in range(keys.shape[0]):
        key = np.uint64(keys[i])
        if opaque.shape[0] > 0 and key >> ALPHA == OPAQUE:
            labels[i] = opaque[s0[key & BYTE] | s1[key >> np.uint64(8) & BYTE] | s2[key >> np.uint64(16) & BYTE]]
        else:
            value = table[_row(table, key, multiplier, shift, mask), 1]
            labels[i] = color_labels[np.int64(value) - 1 if value != 0 else 0]
