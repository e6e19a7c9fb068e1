"""Integers that floats are fractions of, compiled; serial."""

from typing import Any

import numpy as np

from kmeans_fast.engines.numba_jit import kernel, part

# Values converted before it is looked whether all were fractions: they stay in the L1 cache.
BLOCK = 1024


def find_integers(
    values: Any,  # in
    others: Any,  # in
    integers: Any,  # out
) -> int:
    """Write the integer that each value (n,) is a fraction of; return how many values are before one that isn't any.

    A fraction is what dividing by the largest integer of the dtype gives, or has in a row of `others`, which hold a
    value for each integer. What follows the first block with a value that isn't one is left alone.
    """
    kind = values.dtype.type
    # Added and taken off again, it rounds small numbers as `np.rint` does, and in vectors.
    rounder = kind(1.5 * 2 ** np.finfo(kind).nmant)
    count: int = _find_integers(values, others, rounder, integers)
    return count


@kernel()
def _find_integers(
    values,  # in
    others,  # in
    rounder,
    integers,  # out
):
    most = values.dtype.type(others.shape[1] - 1)
    for start in range(0, values.size, BLOCK):
        block, found = values[start : start + BLOCK], integers[start : start + BLOCK]
        if not _convert(block, most, rounder, found):
            for i in range(block.size):
                if not _is_fraction(block[i], found[i], most, others):
                    return start + i
    return values.size


@part()
def _convert(values, most, rounder, integers):
    """Write the integers that are nearest; say whether dividing them, or multiplying, gives all the values."""
    none, reciprocal = values.dtype.type(0), values.dtype.type(1) / most
    n_not_divided = n_not_multiplied = np.int32(0)
    for i in range(values.size):
        value = values[i]
        scaled = value * most
        scaled = scaled if scaled > none else none  # NaN becomes 0, too
        scaled = scaled if scaled < most else most
        integer = (scaled + rounder) - rounder
        integers[i] = np.int32(integer)
        n_not_divided += integer / most != value
        n_not_multiplied += integer * reciprocal != value
    return n_not_divided == 0 or n_not_multiplied == 0


@part()
def _is_fraction(value, integer, most, others):
    is_one = others.dtype.type(integer) / most == value
    for j in range(others.shape[0]):
        is_one |= others[j, integer] == value
    return is_one
