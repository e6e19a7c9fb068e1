"""Counting colours in hash tables and looking up what belongs to them there, in plain NumPy.

The same functions as in `numba_hashing`, and the same results; see there for the shapes. Which row a key has depends on
the order in which keys came, so that tables may differ between the engines; each finds what the other one left.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.codes import OPAQUE, encode


def tally(
    pixels: NDArray[Any],  # in
    start: int,
    table: NDArray[Any],  # in/out
    n_used: NDArray[np.int64],  # in/out
    most: int,
    multiplier: int,
) -> int:
    """Count pixels from `start` on: all of them, or none where their colours might need more than `most` rows."""
    keys, counts = np.unique(_keys(pixels[start:]), return_counts=True)
    if n_used[0] + keys.size > most:
        return start
    n_used[0] += _add(table, keys, counts, multiplier)
    return len(pixels)


def _keys(pixels: NDArray[Any]) -> NDArray[np.uint64]:
    keys = pixels[:, 0].astype(np.uint64)
    for channel in range(1, pixels.shape[1]):
        keys |= pixels[:, channel].astype(np.uint64) << np.uint64(8 * pixels.itemsize * channel)
    return keys


def _rows(table: NDArray[Any], keys: NDArray[np.uint64], multiplier: int) -> NDArray[np.intp]:
    """Return the row of each key, or the free one that it would have."""
    mask = len(table) - 1
    products = keys * np.uint64(multiplier)
    mixed = (products ^ products >> np.uint64(32)) * np.uint64(multiplier)
    rows = (mixed >> np.uint64(64 - mask.bit_length())).astype(np.intp)
    left = np.arange(keys.size)
    while left.size:
        found = table[rows[left]]
        left = left[(found[:, 1] != 0) & (found[:, 0] != keys[left])]
        rows[left] = rows[left] + 1 & mask
    return rows


def _add(table: NDArray[Any], keys: NDArray[np.uint64], values: NDArray[np.int64], multiplier: int) -> int:
    """Add to the values of distinct keys; return how many of these are new."""
    n_new = 0
    while keys.size:
        rows = _rows(table, keys, multiplier)
        rows, firsts = np.unique(rows, return_index=True)  # several may have come to one free row
        n_new += int((table[rows, 1] == 0).sum())
        table[rows, 0] = keys[firsts]
        table[rows, 1] += values[firsts].astype(table.dtype)
        keys, values = np.delete(keys, firsts), np.delete(values, firsts)
    return n_new


def move(
    table: NDArray[Any],  # in
    larger: NDArray[Any],  # in/out
    multiplier: int,
) -> None:
    """Copy all that is in a table to a larger one, which is empty."""
    used = table[table[:, 1] != 0]
    _add(larger, used[:, 0].astype(np.uint64), used[:, 1].astype(np.int64), multiplier)


def sort(
    table: NDArray[Any],  # in/out
    n_channels: int,
    spare: NDArray[Any],  # noqa: ARG001 - out, the compiled engine's
    places: NDArray[np.int64],  # noqa: ARG001 - out, the compiled engine's
) -> int:
    """Turn keys into codes and bring all rows that are used to the front, in the order of the codes; return n."""
    used = table[table[:, 1] != 0]
    channel = np.dtype(f"u{table.itemsize // 4}")
    bits = used.dtype.type(8 * channel.itemsize)
    colors = np.stack([(used[:, 0] >> used.dtype.type(f) * bits).astype(channel) for f in range(n_channels)], axis=1)
    codes = encode(colors)
    order = np.argsort(codes)
    table[: len(used), 0] = codes[order]
    table[: len(used), 1] = used[order, 1]
    return len(used)


def number(
    colors: NDArray[Any],  # in
    table: NDArray[Any],  # in/out
    multiplier: int,
) -> None:
    """Give the keys of colours (N, C), all of them distinct, the values 1 to N in a table that is empty."""
    _add(table, _keys(colors), np.arange(1, len(colors) + 1), multiplier)


def find(
    pixels: NDArray[Any],  # in
    table: NDArray[Any],  # in
    multiplier: int,
    color_labels: NDArray[Any],  # in
    opaque: NDArray[Any],  # in
    labels: NDArray[Any],  # out
) -> None:
    """Write to `labels` (n,) what `color_labels` (N,) has at the number, counted from 1, of each pixel's key.

    A key that isn't there gets the first label. `opaque` is empty or, for RGBA of 8 bits, has labels (2**24,) for the
    codes of RGB, which opaque pixels get instead.
    """
    if opaque.size:
        is_opaque = pixels[:, 3] == OPAQUE
        labels[is_opaque] = opaque[encode(pixels[is_opaque, :3])]
        others = np.flatnonzero(~is_opaque)
        if others.size:
            labels[others] = _found(pixels[others], table, multiplier, color_labels)
    else:
        labels[:] = _found(pixels, table, multiplier, color_labels)


def _found(pixels: NDArray[Any], table: NDArray[Any], multiplier: int, color_labels: NDArray[Any]) -> NDArray[Any]:
    numbers = table[_rows(table, _keys(pixels), multiplier), 1].astype(np.int64)
    found: NDArray[Any] = color_labels[np.maximum(numbers, 1) - 1]
    return found
