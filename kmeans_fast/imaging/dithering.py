"""Dithering: the error that a palette makes is spread so that the mean of an area keeps its colour.

Two families, whose kernels are in `engines.numba_diffusion` and `engines.numba_mixing`:

- Error diffusion [1]_ passes each pixel's error on to its neighbours, row by row, to and fro. In smooth areas all of
  it, so that they keep their mean; less where neighbours differ, as nobody sees the step between two entries there, but
  an error made at an edge is seen beside it. Rows are in bands that start anew, on some rows above their first one, so
  that several threads have work; where bands lie depends on the picture's height alone.
- Ordered methods mix each distinct colour from entries of the palette, some times the one nearest to the colour
  and its error so far [2]_, and put them in order of lightness; a mask says which of them a pixel gets. So a colour of
  the palette stays as it is, and one between others is mixed of these, whatever the palette.

All of it is in 8-bit steps of sRGB, and in integers. Only among opaque entries is there any dithering: a pixel whose
nearest entry is not opaque has that entry, so that transparency is as without dithering, and neither takes errors nor
passes any on.

References
----------
.. [1] R. W. Floyd and L. Steinberg, "An adaptive algorithm for spatial greyscale", Proc. SID 17(2), 1976.
.. [2] T. Knoll, "Pattern dithering", US patent 6,606,166, 1999, expired in 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.colors.nearest import find_nearest
from kmeans_fast.engines.codes import decode, encode
from kmeans_fast.engines.packing import MOST_ENTRIES, UNIT, WORD_BITS, pack
from kmeans_fast.imaging.masks import bayer, blue_noise
from kmeans_fast.lending import Machine

# Where errors go, in 1/16: to the next pixel and the one after it; in the row below to the column before, the same and
# the one after; to the same column two rows below. Atkinson's drops a quarter.
DIFFUSED = {"floyd-steinberg": (7, 0, 3, 5, 1, 0), "atkinson": (2, 2, 2, 2, 2, 2)}
# What is passed on, in eighths: less, the more a channel differs from the next pixels', down to nothing. At K=16 to 256
# photos have 0.45 to 0.6 of the squared error that passing all on makes, and 0.92 to 0.94 of the bytes; gradients don't
# change. Reach, in distances from pixels to their nearest entries, is where nothing is left.
SHARES = 8
REACH = 1.3
# Entries that are farther from pixels than REACH times this aren't learnt from them, but a display's say, and can mix
# any colour: reach grows with the distance, so that nearly all is passed on.
FAR = 15
ORDERED = ("bayer", "blue-noise")
METHODS = ("none", *DIFFUSED, *ORDERED)

# Entries in a mixture, and so tones between two of the palette: more where those are far apart. At K=64 to 256 means
# of 8 by 8 pixels are off by 1 to 6 % less with 16 than with 8.
LEVELS = {8: 64, 48: 16, MOST_ENTRIES: 8}
# Rows of a band, and those above it that it starts on: after so many no seam was seen at K=2 or 4. Even, so that a
# band starts to the right.
BAND_ROWS = 256
LEAD_ROWS = 16
# Rec. 601's weights of red, green and blue, as `sort="luma"` has them.
LIGHTNESS = np.array([299, 587, 114])
# What is done by one call, so that compiled code can go on where NumPy began.
ROWS_AT_ONCE = 16
COLORS_AT_ONCE = 4096
PIXELS_AT_ONCE = 2**17


class Dithering(NamedTuple):
    """A method and its strength, checked."""

    method: str
    strength: float

    @property
    def is_on(self) -> bool:
        """Whether it does anything."""
        return self.method != "none" and round(self.strength * UNIT) > 0


def checked_dithering(dither: str, strength: float) -> Dithering:
    """Check what was asked for, before any work."""
    validation.choice("dither", dither, METHODS)
    checked = validation.number("strength", strength)
    if checked > 1:
        raise ValueError(f"strength must be from 0 to 1, got {strength!r}")
    if dither == "none" and checked != 1:
        raise ValueError(f"strength must be left out without dither, got {strength!r}")
    return Dithering(dither, checked)


def check_size(n_entries: int, dithering: Dithering) -> None:
    """Check that there are no more entries than dithering can choose from."""
    if dithering.is_on and n_entries > MOST_ENTRIES:
        raise ValueError(f"dither must be 'none' for more than {MOST_ENTRIES} colours, got {n_entries}")


def check_depth(pixels: NDArray[Any], dithering: Dithering) -> None:
    """Check that a picture has 8 bits."""
    if dithering.method != "none" and pixels.dtype != np.uint8:
        raise ValueError(
            "dither needs a picture of 8 bits a channel, got 16; "
            "np.rint(image / 257).astype(np.uint8) makes 8 bits of 16"
        )


class Dithered(NamedTuple):
    """A picture's labels, and what they come to."""

    labels: NDArray[Any]
    counts: NDArray[np.int64]
    squares: int
    """The sum of squared distances of pixels to their entries; of premultiplied colours times 255 if there is alpha."""


def dither(
    pixels: NDArray[np.uint8],
    entries: NDArray[np.uint8],
    histogram: ColorHistogram,
    labels: NDArray[Any],
    dithering: Dithering,
    distance: float,
    machine: Machine,
) -> Dithered:
    """Label the pixels (H, W, C) of a picture, or (F, H, W, C) of frames, each by itself, by `entries` (K, C).

    `histogram` has the distinct colours of all. `labels` (H, W) or (F, H, W) is written to; with four channels it
    holds the nearest entries before. `distance` is that of pixels to their nearest entries: the root of the mean of its
    squares.
    """
    is_opaque = entries[:, 3] == 255 if entries.shape[1] == 4 else np.ones(len(entries), np.bool_)
    keeps = np.zeros(0, np.uint8) if is_opaque.all() else (~is_opaque).astype(np.uint8)
    job = _Job(_rgb(entries), keeps, machine)
    height, width = labels.shape[-2:]
    frames = list(
        zip(pixels.reshape(-1, height, width, pixels.shape[-1]), labels.reshape(-1, height, width), strict=True)
    )
    if is_opaque.any() and dithering.method in DIFFUSED:
        full = np.array(DIFFUSED[dithering.method]) * (UNIT / 16 * dithering.strength)
        weights = np.rint(np.outer(np.arange(SHARES + 1) / SHARES, full)).astype(np.int64)
        for frame, labels_of_frame in frames:
            job.diffuse(frame, labels_of_frame, weights, _shares_of(distance))
    elif is_opaque.any():
        codes = _codes(histogram)
        mixtures = job.mix(codes, round(dithering.strength * UNIT), labels.dtype)
        mask = bayer(8) if dithering.method == "bayer" else blue_noise()
        levels, places = (mask * mixtures.shape[1] // mask.size).astype(np.uint8), job.place(codes)
        for frame, labels_of_frame in frames:
            job.pick(frame, labels_of_frame, mixtures, places, levels)
    rows = pixels.reshape(-1, width, pixels.shape[-1])
    return Dithered(labels, *_measured(rows, entries, labels.reshape(-1, width), machine))


def _rgb(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return three channels: a grey one thrice, and without alpha."""
    return np.repeat(colors, 3, axis=1) if colors.shape[1] == 1 else colors[:, :3]


def _codes(histogram: ColorHistogram) -> NDArray[np.uint32]:
    """Return the codes of its colours (N, 3), ascending and each once."""
    return histogram.codes if histogram.n_channels == 3 else np.unique(encode(_rgb(histogram.colors)))


def _shares_of(distance: float) -> NDArray[np.uint8]:
    """Return how many eighths of its error a pixel passes on that differs by 0 to 255 from the next ones."""
    furthest = max(distance * max(REACH, distance / FAR), 1.0)
    shares: NDArray[np.float64] = np.rint(SHARES * np.maximum(0.0, 1 - np.arange(256) / furthest))
    return shares.astype(np.uint8)


class _Job:
    """One palette (K, 3), for one picture or several; arrays as in those modules."""

    def __init__(self, palette: NDArray[np.uint8], keeps: NDArray[np.uint8], machine: Machine) -> None:
        self._palette, self._keeps = palette, keeps
        self._engine, self._workers = machine.engine, machine.workers
        chosen = np.arange(len(palette)) if not keeps.size else np.flatnonzero(keeps == 0)
        self._nearest = find_nearest(palette[chosen], chosen, self._engine.entries)
        self._entries = pack(palette)

    def diffuse(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[Any],
        weights: NDArray[np.int64],
        shares_of: NDArray[np.uint8],
    ) -> None:
        """Pass errors on."""
        height, width = labels.shape
        starts = range(0, height, BAND_ROWS)
        # Those above a band are another band's to label, and may have been already.
        above = {start: labels[max(0, start - LEAD_ROWS) : start].copy() for start in starts}

        def rows_of(start: int, done: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[Any]]:
            """Return the next pixels of a band, some rows of which are done, their shares and labels."""
            first = max(0, start - LEAD_ROWS) + done
            last = max(first, min(first + ROWS_AT_ONCE, start + BAND_ROWS, height))
            rows = labels[first:last] if first >= start else above[start][done:]
            some, shares = np.ascontiguousarray(pixels[first : last + 1]), np.empty(rows.shape, np.uint8)
            if last > first:
                self._engine.diffusion.share(some, shares_of, shares)
            return some[: len(rows)], shares, rows

        def label_bands(bands: Sequence[int]) -> None:
            errors = np.zeros((2, 2, width + 2), np.int64)
            for done in range(0, LEAD_ROWS + BAND_ROWS, ROWS_AT_ONCE):
                some, shares, rows = rows_of(bands[0], done)
                others, other_shares, other_rows = (
                    rows_of(bands[1], done) if len(bands) > 1 else (some[:0], shares[:0], rows[:0])
                )
                how = self._entries, self._keeps, self._nearest, weights
                self._engine.diffusion.diffuse(some, others, shares, other_shares, *how, done, errors, rows, other_rows)

        n_tasks = max(-(-len(starts) // 2), min(self._workers.n_threads, len(starts)))
        self._workers.for_each(label_bands, [starts[task::n_tasks] for task in range(n_tasks)])

    def mix(self, codes: NDArray[np.uint32], strength: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Mix the colours of these codes (N,): entries in order of lightness, (N, levels)."""
        packed = pack(decode(codes, 3))
        by_rank = np.argsort(self._palette.astype(np.int64) @ LIGHTNESS, kind="stable").astype(dtype)
        ranks = np.argsort(by_rank).astype(dtype)
        n_levels = next(levels for most, levels in LEVELS.items() if len(self._palette) <= most)
        mixtures = np.empty((len(packed), n_levels), dtype)

        def mix(first: int) -> None:
            last = min(first + COLORS_AT_ONCE, len(packed))
            self._engine.mixing.mix(
                packed, self._entries, ranks, by_rank, self._nearest, strength, first, last, mixtures
            )

        self._workers.for_each(mix, range(0, len(packed), COLORS_AT_ONCE))
        return mixtures

    def place(self, codes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return by what `pick` finds a colour's mixture; 4 MB."""
        places = np.empty(2**24 >> WORD_BITS, np.int64)
        self._engine.mixing.place(codes, places)
        return places

    def pick(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[Any],
        mixtures: NDArray[Any],
        places: NDArray[np.int64],
        levels: NDArray[np.uint8],
    ) -> None:
        """Pick from the mixtures by the levels of a mask."""
        rows_at_once = max(1, PIXELS_AT_ONCE // labels.shape[1])

        def pick(first: int) -> None:
            rows = slice(first, first + rows_at_once)
            some = np.ascontiguousarray(pixels[rows])
            self._engine.mixing.pick(some, self._keeps, places, mixtures, levels, first, labels[rows])

        self._workers.for_each(pick, range(0, len(labels), rows_at_once))


def _measured(
    pixels: NDArray[np.uint8], entries: NDArray[np.uint8], labels: NDArray[Any], machine: Machine
) -> tuple[NDArray[np.int64], int]:
    """Return how many pixels each entry has, and the sum of their squared distances to it."""
    n_parts = machine.workers.n_threads
    counts = np.zeros((n_parts, 4, len(entries)), np.int64)
    totals = [0] * n_parts
    rows_at_once = max(1, PIXELS_AT_ONCE // labels.shape[1])

    def measure(part: int) -> None:
        for first in range(part * rows_at_once, len(labels), n_parts * rows_at_once):
            rows = slice(first, first + rows_at_once)
            some = np.ascontiguousarray(pixels[rows])
            totals[part] += machine.engine.entries.measure(some, entries, labels[rows], counts[part])

    machine.workers.for_each(measure, range(n_parts))
    return counts.sum(axis=(0, 1)), sum(totals)
