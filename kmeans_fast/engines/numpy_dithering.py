"""Dithering in plain NumPy: the same labels as `numba_dithering`; see there for the shapes.

Error diffusion goes from pixel to pixel, and takes plain Python about a hundred times as long as compiled code.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.codes import encode
from kmeans_fast.engines.layout import Nearest
from kmeans_fast.engines.packing import (
    BIAS,
    CHANNELS,
    DOT,
    DOT_SHIFT,
    FIELD,
    LANES,
    OFFSET,
    UNIT,
    UNIT_BITS,
    WORD,
    WORD_BITS,
    pack,
)

ZERO = OFFSET >> UNIT_BITS
# Colours mixed at a time: work space of some megabytes.
COLORS_AT_ONCE = 2**15


def narrow(
    entries: NDArray[np.int64],  # in
    level: int,
    starts: NDArray[np.int64],  # in
    candidates: NDArray[np.int64],  # in
    new_starts: NDArray[np.int64],  # out
    new_candidates: NDArray[np.int64],  # out
) -> None:
    """Say for each cube of a grid which entries may be nearest in it, of those that may be in a cube twice as long."""
    side = 256 >> level
    corners = np.indices((2**level,) * 3).reshape(3, -1).T
    wider = np.ravel_multi_index((corners // 2).T, (2 ** (level - 1),) * 3)
    sizes = np.diff(starts)[wider]
    ends = np.cumsum(sizes)
    places = np.arange(ends[-1]) + np.repeat(starts[wider] - (ends - sizes), sizes)
    indices = candidates[places]
    doubled = 2 * entries[indices]
    squares = ((doubled - np.repeat(2 * side * corners + side - 1, sizes, axis=0)) ** 2).sum(axis=1)
    least = np.repeat(np.minimum.reduceat(squares, ends - sizes), sizes)
    cubes = np.repeat(np.arange(len(sizes)), sizes)
    is_least = np.flatnonzero(squares == least)
    nearest = is_least[np.unique(cubes[is_least], return_index=True)[1]]
    gaps = np.abs(doubled - np.repeat(doubled[nearest], sizes, axis=0)).sum(axis=1)
    is_kept = squares - least <= 2 * (side - 1) * gaps
    new_starts[1:] = np.cumsum(np.bincount(cubes[is_kept], minlength=len(sizes)))
    new_candidates[: new_starts[-1]] = indices[is_kept]


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
        row_colors = pack(_rgb(pixels[y])).tolist()
        row_labels, row_shares = labels[y].tolist(), shares[y].tolist()
        row_keeps = keeps[labels[y]].tolist() if keeps.size else [0] * width
        to_this = to_next = below_last = below_this = 0
        for x in range(width)[::step]:
            error = 0
            if not row_keeps[x]:
                target = _round(UNIT * row_colors[x] + to_this + here[x + 1])
                label = known.get(target)
                if label is None:
                    label = known[target] = int(_nearest(np.array([target]), nearest)[0])
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


def _rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return three channels: a grey one thrice, and without alpha."""
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]


def _round(value: int) -> int:
    """Return packed 1/64 steps, rounded to whole ones and kept in the range of 8 bits."""
    value += BIAS
    target = 0
    for place in CHANNELS:
        target |= min(max((value >> place & FIELD) - OFFSET >> UNIT_BITS, 0), 255) << place
    return target


def _rounded(values: NDArray[np.int64]) -> NDArray[np.int64]:
    values = values + BIAS
    targets = np.zeros_like(values)
    for place in CHANNELS:
        targets |= np.clip(((values >> place & FIELD) >> UNIT_BITS) - ZERO, 0, 255) << place
    return targets


def _nearest(targets: NDArray[np.int64], nearest: Nearest) -> NDArray[np.int64]:
    """Return the indices of the entries that are nearest to packed colours."""
    cubes = np.zeros(len(targets), np.int64)
    for place in CHANNELS:
        cubes = cubes << nearest.bits | (targets >> place & FIELD) >> (8 - nearest.bits)
    least = _least(targets, nearest.first[cubes])
    groups, stops = nearest.starts[cubes], nearest.starts[cubes + 1]
    some = np.flatnonzero(groups < stops)
    while some.size:
        least[some] = np.minimum(least[some], _least(targets[some], nearest.more[groups[some]]))
        groups[some] += 1
        some = some[groups[some] < stops[some]]
    indices: NDArray[np.int64] = least & FIELD
    return indices


def _least(targets: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    products = targets[:, np.newaxis] * candidates[:, :LANES]  # may wrap, above the bits that count
    least: NDArray[np.int64] = (candidates[:, LANES:] - (products >> DOT_SHIFT & DOT)).min(axis=1)
    return least


def mix(
    colors: NDArray[np.int64],  # in
    entries: NDArray[np.int64],  # in
    ranks: NDArray[np.int64],  # in
    by_rank: NDArray[np.int64],  # in
    nearest: Nearest,  # in
    strength: int,
    first: int,
    last: int,
    mixtures: NDArray[Any],  # out
) -> None:
    """Write for colours `first` to `last` the L entries whose mean is nearly it, in the order of their ranks."""
    for start in range(first, last, COLORS_AT_ONCE):
        stop = min(start + COLORS_AT_ONCE, last)
        packed = colors[start:stop]
        chosen = np.empty((len(packed), mixtures.shape[1]), np.int64)
        error = np.zeros_like(packed)
        for n in range(mixtures.shape[1]):
            label = _nearest(_rounded(UNIT * packed + strength * error), nearest)
            error += packed - entries[label]
            chosen[:, n] = ranks[label]
        chosen.sort(axis=1)
        mixtures[start:stop] = by_rank[chosen]


def place(
    codes: NDArray[np.uint32],  # in
    places: NDArray[np.int64],  # out
) -> None:
    """Write for each code of a colour where it is among those that there are."""
    words = (codes >> np.uint32(WORD_BITS)).astype(np.intp)
    places[:] = np.bincount(words, weights=2.0 ** (codes % np.uint32(WORD)), minlength=len(places))
    sizes = np.bincount(words, minlength=len(places))
    places |= (np.cumsum(sizes) - sizes) << 32


def pick(
    pixels: NDArray[np.uint8],  # in
    keeps: NDArray[np.uint8],  # in
    places: NDArray[np.int64],  # in
    mixtures: NDArray[Any],  # in
    levels: NDArray[np.uint8],  # in
    first_row: int,
    labels: NDArray[Any],  # in/out
) -> None:
    """Give each pixel the entry of its colour's mixture that the mask's level there says."""
    height, width = labels.shape
    side = len(levels)
    mask = levels[(first_row + np.arange(height))[:, np.newaxis] % side, np.arange(width) % side]
    is_dithered = keeps[labels] == 0 if keeps.size else np.ones(labels.shape, np.bool_)
    codes = encode(_rgb(pixels[is_dithered]))
    words = places[codes >> np.uint32(WORD_BITS)]
    before = (np.int64(1) << (codes % np.uint32(WORD)).astype(np.int64)) - 1
    labels[is_dithered] = mixtures[(words >> 32) + np.bitwise_count(words & before), mask[is_dithered]]


def measure(
    pixels: NDArray[np.uint8],  # in
    entries: NDArray[np.uint8],  # in
    labels: NDArray[Any],  # in
    counts: NDArray[np.int64],  # in/out
) -> int:
    """Count the labels and return the sum of all squared distances of pixels to their entries."""
    total = 0
    points = _points(entries)
    for row, row_labels in zip(pixels, labels, strict=True):
        total += int(((_points(row) - points[row_labels]) ** 2).sum())
        counts[0] += np.bincount(row_labels, minlength=len(entries))
    return total


def _points(colors: NDArray[np.uint8]) -> NDArray[np.int64]:
    points = colors.astype(np.int64)
    if colors.shape[1] == 4:
        points[:, :3] *= points[:, 3:]
        points[:, 3] *= 255
    return points
