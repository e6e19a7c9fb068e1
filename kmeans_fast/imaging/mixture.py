"""The colours of a picture with transparency, apart: what is opaque, what is fully transparent, and the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.histogram import ColorHistogram, sort_points
from kmeans_fast.colors.sorting import decoded
from kmeans_fast.colors.thinning import FEWER, step_for, thinned
from kmeans_fast.engines.codes import OPAQUE, encode, without_alpha
from kmeans_fast.imaging.spaces import TRANSLUCENT, UNIT, Space, premultiplied
from kmeans_fast.lending import Machine
from kmeans_fast.points.access import Points

HIDDEN = 0


def are_among(colors: NDArray[Any], histogram: ColorHistogram) -> NDArray[np.bool_]:
    """Say which of the colours (K, C) a histogram has."""
    wanted, codes = encode(colors.astype(histogram.colors.dtype)), histogram.codes
    places = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
    found: NDArray[np.bool_] = codes[places] == wanted
    return found


def first_places(
    points: NDArray[np.float64], distinct: ColorHistogram, places: NDArray[Any]
) -> Iterator[tuple[int, int]]:
    """Yield the number of each of the points (K, D) that is among distinct ones, and the first of `places` for it."""
    is_whole = (points == np.rint(points)).all(axis=1)
    whole = np.flatnonzero(is_whole)
    known = whole[are_among(points[whole], distinct)]
    wanted = np.searchsorted(distinct.codes, encode(points[known].astype(distinct.colors.dtype)))
    for k, place in zip(known.tolist(), wanted, strict=True):
        yield k, int((places == place).argmax())


class Premultiplied(Points):
    """The premultiplied colours of RGBA pixels.

    Parameters
    ----------
    pixels : Points
        Of 4 channels of 8 bits.
    """

    def __init__(self, pixels: Points) -> None:
        super().__init__(pixels.array, pixels.name)
        self.dtype = np.dtype(np.uint16)
        self._pixels = pixels

    def chunk(self, start: int, stop: int) -> NDArray[Any]:
        """Return some points."""
        return premultiplied(self._pixels.chunk(start, stop))

    is_one_array = False


class Sorted(NamedTuple):
    """Colours of one kind, if there are any, and where each of those they were made of is, if that isn't the order."""

    colors: ColorHistogram | None
    places: NDArray[Any] | None = None

    def unsorted(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return the labels of those they were made of."""
        return labels if self.places is None else labels[self.places]


@dataclass(frozen=True)
class Parts:
    """Colours of each kind, of pixels that are fully transparent, translucent or opaque, as they are clustered."""

    space: Space
    hidden: ColorHistogram | None
    visible: ColorHistogram | None
    opaque: ColorHistogram | None

    @property
    def has_hidden(self) -> bool:
        """Whether something is fully transparent."""
        return self.hidden is not None

    @property
    def has_visible(self) -> bool:
        """Whether something isn't fully transparent."""
        return self.opaque is not None or self.visible is not None

    @property
    def n_distinct(self) -> int:
        """Distinct colours; all that are fully transparent count as one, unless they are kept."""
        return sum(len(part) for part in (self.hidden, self.visible, self.opaque) if part is not None)

    def has(self, colors: NDArray[Any]) -> NDArray[np.bool_]:
        """Say which of the straight colours (K, 4) there are, or others that have the same point."""
        found: NDArray[np.bool_] = np.zeros(len(colors), np.bool_)
        is_opaque, is_hidden = colors[:, 3] == self.space.top, colors[:, 3] == HIDDEN
        flat = colors[:, :3]
        for chosen, points, part in (
            (is_opaque, flat, self.opaque),
            (is_hidden, flat if self.space.keeps_hidden else np.zeros_like(colors), self.hidden),
            (~(is_opaque | is_hidden), self.space.embed(colors), self.visible),
        ):
            if part is not None:
                found[chosen] = are_among(points[chosen], part)
        return found

    def thinned(self, n_pixels: int) -> Parts | None:
        """Return about so many of all pixels, or None if that hardly leaves fewer colours."""
        parts = self.hidden, self.visible, self.opaque
        first = 0 if self.space.keeps_hidden else 1  # what is one colour needs no pixels
        step = step_for(sum(part.n_pixels for part in parts[first:] if part is not None), n_pixels)
        thin = Parts(self.space, *(None if part is None else thinned(part, step, n_pixels) for part in parts))
        return thin if thin.n_distinct * FEWER <= self.n_distinct else None


@dataclass(frozen=True)
class Mixture:
    """The colours of a picture, apart: what is opaque, what is fully transparent, and the others.

    Attributes
    ----------
    colors : ColorHistogram
        Of RGBA as they are in the picture, or of 8 bits premultiplied, which has 16.
    machine : Machine
        What they are sorted on.
    space : Space
        Where they are compared.
    """

    colors: ColorHistogram
    machine: Machine
    space: Space = TRANSLUCENT

    @property
    def _is_premultiplied(self) -> bool:
        return self.colors.colors.dtype == np.uint16 and self.space.top == OPAQUE

    @cached_property
    def is_opaque(self) -> NDArray[np.bool_]:
        """Which of the colours are."""
        top = OPAQUE * UNIT if self._is_premultiplied else self.space.top
        is_opaque: NDArray[np.bool_] = self.colors.colors[:, 3] == top
        return is_opaque

    @cached_property
    def is_hidden(self) -> NDArray[np.bool_]:
        """Which of them are fully transparent."""
        is_hidden: NDArray[np.bool_] = self.colors.colors[:, 3] == HIDDEN
        return is_hidden

    @cached_property
    def is_visible(self) -> NDArray[np.bool_]:
        """Which are translucent."""
        return ~(self.is_opaque | self.is_hidden)

    @property
    def opaque(self) -> ColorHistogram | None:
        """Opaque colours without their alpha."""
        return self._opaque.colors

    @cached_property
    def _opaque(self) -> Sorted:
        if not self._is_premultiplied:
            return Sorted(self._flat(self.is_opaque))
        colors = (self.colors.colors[self.is_opaque, :3] // np.uint16(UNIT)).astype(np.uint8)
        return self._sorted(self.is_opaque, lambda start, stop: colors[start:stop], 3)

    def _flat(self, chosen: NDArray[np.bool_]) -> ColorHistogram | None:
        """Return colours of one alpha without it, which leaves the order of their codes as it is."""
        codes = without_alpha(self.colors.codes[chosen])
        return (
            ColorHistogram(3, codes, self.colors.counts[chosen], decoded(codes, 3, self.machine))
            if len(codes)
            else None
        )

    def _sorted(self, chosen: NDArray[np.bool_], chunk: Callable[[int, int], NDArray[Any]], n_channels: int) -> Sorted:
        """Return chosen colours as the points that `chunk` gives of them, sorted."""
        counts = self.colors.counts[chosen]
        if not counts.size:
            return Sorted(None)
        return Sorted(*sort_points(len(counts), chunk, (n_channels, chunk(0, 0).dtype), self.machine, counts))

    @cached_property
    def hidden(self) -> ColorHistogram | None:
        """What is fully transparent: as opaque colours where it is kept, else one colour of four channels, all 0."""
        if self.space.keeps_hidden:
            return self._flat(self.is_hidden)
        counts = self.colors.counts[self.is_hidden]
        return ColorHistogram(4, np.zeros(1, np.uint64), counts.sum(keepdims=True)) if counts.size else None

    @property
    def visible(self) -> ColorHistogram | None:
        """Colours that are neither opaque nor fully transparent, premultiplied: those that differ so."""
        return self._visible.colors

    @cached_property
    def _visible(self) -> Sorted:
        colors, chosen = self.colors.colors, self.is_visible
        if not self._is_premultiplied:
            places = np.flatnonzero(chosen)
            return self._sorted(chosen, lambda start, stop: self.space.embed(colors[places[start:stop]]), 4)
        if chosen.all():
            return Sorted(self.colors)
        points = colors.view(np.uint64)[chosen[:, np.newaxis]].view(np.uint16).reshape(-1, 4)  # faster than rows
        codes, counts = self.colors.codes[chosen], self.colors.counts[chosen]
        return Sorted(ColorHistogram(4, codes, counts, points) if len(points) else None)

    def labels(self, of_hidden: NDArray[Any], of_others: NDArray[Any]) -> NDArray[Any]:
        """Return labels of all colours, given those of what is hidden, if it takes part, and of the others by kind."""
        n_visible = 0 if self.visible is None else len(self.visible)
        labels = np.empty(len(self.colors), of_others.dtype)
        labels[self.is_hidden] = of_hidden
        labels[self.is_visible] = self._visible.unsorted(of_others[:n_visible])
        labels[self.is_opaque] = self._opaque.unsorted(of_others[n_visible:])
        return labels

    @cached_property
    def parts(self) -> Parts:
        """The colours of each kind."""
        return Parts(self.space, self.hidden, self.visible, self.opaque)

    def first_of(self, points: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the number of each of the points (K, 4) that translucent colours have, and the first such colour."""
        part, places = self._visible
        if part is not None and places is not None:
            chosen = np.flatnonzero(self.is_visible)
            yield from ((k, self.colors.colors[chosen[first]]) for k, first in first_places(points, part, places))
