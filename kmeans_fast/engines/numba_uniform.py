"""The points of colours in uniform spaces, compiled; see `numpy_uniform`. Nothing is fused: it would round else."""

from typing import Any

import numpy as np

from kmeans_fast.engines.numba_jit import kernel, part
from kmeans_fast.engines.roots import LEAST_ROOTED, ROOT_MAGIC, THIRD, TWO_NINTHS

# Colours at a time: the numbers made of them stay in the L1 cache.
BLOCK = 256
THREE = np.uint32(3)


def embed(
    colors: Any,  # in
    light: Any,  # in
    matrices: Any,  # in
    offsets: Any,  # in
    foot: Any,  # in
    points: Any,  # out
) -> None:
    """Write the points (n, 3) of colours (n, 3) of 8 or 16 bits."""
    _embed(colors, light, matrices, offsets, foot, points, np.empty(3 * BLOCK))


@kernel()
def _embed(
    colors,  # in
    light,  # in
    matrices,  # in
    offsets,  # in
    foot,  # in
    points,  # out
    room,  # work space
):
    x, y, z = room[:BLOCK], room[BLOCK : 2 * BLOCK], room[2 * BLOCK :]
    for start in range(0, colors.shape[0], BLOCK):
        some, found = colors[start : start + BLOCK], points[start : start + BLOCK]
        for i in range(some.shape[0]):
            x[i], y[i], z[i] = _sums(matrices[0], light[some[i, 0]], light[some[i, 1]], light[some[i, 2]])
        _replace_by_roots(x[: some.shape[0]], foot)
        _replace_by_roots(y[: some.shape[0]], foot)
        _replace_by_roots(z[: some.shape[0]], foot)
        for i in range(some.shape[0]):
            a, b, c = _sums(matrices[1], x[i], y[i], z[i])
            found[i, 0] = np.int32(a + offsets[0])
            found[i, 1] = np.int32(b + offsets[1])
            found[i, 2] = np.int32(c + offsets[2])


@part()
def _sums(m, x, y, z):
    return (
        m[0, 0] * x + m[0, 1] * y + m[0, 2] * z,
        m[1, 0] * x + m[1, 1] * y + m[1, 2] * z,
        m[2, 0] * x + m[2, 1] * y + m[2, 2] * z,
    )


@part()
def _replace_by_roots(values, foot):
    least, slope, height = foot[0], foot[1], foot[2]
    for i in range(values.size):
        value = values[i]
        root, line = _cube_root(value), value * slope + height
        values[i] = root if value > least else line


@part()
def _cube_root(value):
    short = max(np.float32(value), LEAST_ROOTED)
    bits = np.float32(short).view(np.uint32)
    guess = np.uint32(ROOT_MAGIC - np.uint32(bits // THREE)).view(np.float32)
    third, two_ninths = np.float32(THIRD), np.float32(TWO_NINTHS)
    for _ in range(2):
        guess = _improved(guess, short, third, two_ninths, np.float32(1))
    root = _improved(np.float64(guess), value, THIRD, TWO_NINTHS, 1.0)
    return root * root * value


@part()
def _improved(reciprocal, value, third, two_ninths, one):
    error = one - reciprocal * reciprocal * reciprocal * value
    return reciprocal + (two_ninths * error + third) * error * reciprocal
