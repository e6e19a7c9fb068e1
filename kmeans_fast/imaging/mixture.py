"""The colours of a picture with transparency, apart: what is opaque, what is fully transparent, and the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kmeans_fast.colors.histogram import ColorHistogram, sort_points
from kmeans_fast.colors.placing import labels_apart
from kmeans_fast.colors.sorting import decoded
from kmeans_fast.colors.thinning import FEWER, step_for, thinned
from kmeans_fast.colors.translucent import Products, count_products
from kmeans_fast.engines.codes import encode, without_alpha
from kmeans_fast.imaging.spaces import TRANSLUCENT, Space
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

    def thinned(self, n_pixels: int, machine: Machine) -> Parts | None:
        """Return about so many of all pixels, or None if that hardly leaves fewer colours."""
        parts = self.hidden, self.visible, self.opaque
        first = 0 if self.space.keeps_hidden else 1  # what is one colour needs no pixels
        step = step_for(sum(part.n_pixels for part in parts[first:] if part is not None), n_pixels)
        thin = Parts(self.space, *(None if part is None else thinned(part, step, n_pixels, machine) for part in parts))
        return thin if thin.n_distinct * FEWER <= self.n_distinct else None


@dataclass(frozen=True)
class Mixture:
    """The colours of a picture, apart: what is opaque, what is fully transparent, and the others.

    Attributes
    ----------
    colors : ColorHistogram
        Of RGBA.
    machine : Machine
        What they are sorted on.
    space : Space
        Where they are compared.
    """

    colors: ColorHistogram
    machine: Machine
    space: Space = TRANSLUCENT

    @cached_property
    def is_opaque(self) -> NDArray[np.bool_]:
        """Which of the colours are."""
        is_opaque: NDArray[np.bool_] = self.colors.colors[:, 3] == self.space.top
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

    @cached_property
    def opaque(self) -> ColorHistogram | None:
        """Opaque colours without their alpha."""
        return self._flat(self.is_opaque)

    def _flat(self, chosen: NDArray[np.bool_]) -> ColorHistogram | None:
        """Return colours of one alpha without it, which leaves the order of their codes as it is."""
        codes = without_alpha(self.colors.codes[chosen])
        return (
            ColorHistogram(3, codes, self.colors.counts[chosen], decoded(codes, 3, self.machine))
            if len(codes)
            else None
        )

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
        colors, counts = self.colors.colors, self.colors.counts
        if not self.is_visible.all():
            rows = colors.view(f"u{4 * colors.itemsize}")[self.is_visible[:, np.newaxis]]  # faster than as rows of four
            colors, counts = rows.view(colors.dtype).reshape(-1, 4), counts[self.is_visible]
        if not len(colors):
            return Sorted(None)

        def chunk(start: int, stop: int) -> NDArray[Any]:
            return self.space.embed(colors[start:stop])

        return Sorted(*sort_points(len(colors), chunk, (4, chunk(0, 0).dtype), self.machine, counts))

    def labels(self, by_kind: NDArray[Any], n_hidden: int) -> NDArray[Any]:
        """Return labels of all colours, given those of what is hidden, if it takes part, and of the others by kind."""
        of_hidden, of_others = by_kind[:n_hidden], by_kind[n_hidden:]
        if self.is_visible.all():
            return self._visible.unsorted(of_others)
        n_visible = 0 if self.visible is None else len(self.visible)
        labels = np.empty(len(self.colors), of_others.dtype)
        labels[self.is_hidden] = of_hidden
        labels[self.is_visible] = self._visible.unsorted(of_others[:n_visible])
        labels[self.is_opaque] = of_others[n_visible:]
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


@dataclass(frozen=True)
class Apart:
    """The colours of a picture of 8 bits that were counted apart: opaque ones, and the others as their points.

    Attributes
    ----------
    parts : Parts
        The colours.
    others : Products
        What isn't opaque, and the numbers of these pixels.
    machine : Machine
        What labels are found on.
    """

    parts: Parts
    others: Products
    machine: Machine
    space = TRANSLUCENT

    @classmethod
    def of(cls, pixels: Points, machine: Machine) -> Apart:
        """Count the colours of pixels."""
        opaque, others = count_products(pixels, machine)
        n_hidden = int(others.codes[0] == HIDDEN) if len(others.codes) else 0

        def some(place: slice, dtype: DTypeLike) -> ColorHistogram | None:
            codes, points = others.codes[place].astype(dtype, copy=False), others.points[place]
            points = points.astype(f"u{codes.itemsize // 4}", copy=False)
            return ColorHistogram(4, codes, others.counts[place], points) if len(points) else None

        flat = ColorHistogram(3, *opaque, decoded(opaque.codes, 3, machine)) if len(opaque.codes) else None
        hidden, visible = some(slice(n_hidden), np.uint32), some(slice(n_hidden, None), np.uint64)
        return cls(Parts(TRANSLUCENT, hidden, visible, flat), others, machine)

    @property
    def n_pixels(self) -> int:
        """Pixels that were counted."""
        return len(self.others.order) + (0 if self.parts.opaque is None else self.parts.opaque.n_pixels)

    def first_of(self, points: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[Any]]]:  # noqa: ARG002
        """Yield nothing: with 8 bits a point tells its colour."""
        yield from ()

    def labels(self, by_kind: NDArray[Any], n_hidden: int) -> NDArray[Any]:  # noqa: ARG002
        """Return labels of all colours, given those of what is hidden, if it takes part, and of the others by kind."""
        return by_kind

    def labels_of(self, pixels: Points, labels: NDArray[Any]) -> NDArray[Any]:
        """Return the labels of the pixels, given those of all colours."""
        opaque, counts = self.parts.opaque, self.others.counts
        codes = np.empty(0, np.uint32) if opaque is None else opaque.codes
        n = len(counts)
        return labels_apart(pixels, (codes, labels[n:]), self.others.order, (counts, labels[:n]), self.machine)
