"""The colours of a picture, counted, as the points that are clustered, and as palette entries again.

`Colors` are opaque ones as they are; `MixedColors` those of a picture with transparency (see `translucency`);
`EmbeddedColors` those that are compared in another space (see `spaces`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.counting import are_best_sorted
from kmeans_fast.colors.histogram import ColorHistogram, count_and_place, label_pixels, sort_points
from kmeans_fast.engines.codes import encode
from kmeans_fast.fixing import FixedData
from kmeans_fast.imaging import spaces
from kmeans_fast.imaging.channels import is_translucent
from kmeans_fast.imaging.ignoring import Ignored
from kmeans_fast.imaging.mixture import Apart, Mixture, are_among, first_places
from kmeans_fast.imaging.pixels import Pixels
from kmeans_fast.imaging.spaces import Space
from kmeans_fast.imaging.translucency import MixedData, mixed_data
from kmeans_fast.lending import Machine
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import DenseAlgorithm
from kmeans_fast.session import ColorData, Data


def count_colors(
    pixels: Pixels, machine: Machine, ignored: Ignored | None = None, *, as_points: bool = False
) -> Colors:
    """Count the colours of a picture, without those that are to be ignored.

    If nothing is asked of them but to be clustered, `as_points`, those that aren't opaque may be counted as the points
    that they become: what sorts pixels then sorts points, too.
    """
    channels, space = pixels.channels, pixels.space
    if pixels.counts is None:
        points = Points(channels)
        if as_points and space is spaces.TRANSLUCENT and are_best_sorted(points):
            return ApartColors.of(points, machine)
        histogram = count_and_place(points, machine)
    else:
        histogram = ColorHistogram(channels.shape[-1], encode(channels[0]), pixels.counts)
    if ignored is not None:
        histogram = ignored.left_of(histogram, keeps_alpha=is_translucent(pixels.given))
        space = spaces.plain(channels.dtype) if space.has_alpha and histogram.n_channels == 3 else space
    kind = Colors if space.is_plain else MixedColors if space.has_alpha else EmbeddedColors
    return kind(histogram, space, machine, pixels.given[:, : histogram.n_channels])


@dataclass(frozen=True)
class Colors:
    """Distinct colours with their counts, the space they are clustered in, what that runs on, and what is given."""

    histogram: ColorHistogram
    space: Space
    machine: Machine
    given: NDArray[Any]
    """Palette entries that are given, (0 or more, C), all different unless they are the palette."""

    @cached_property
    def points(self) -> NDArray[Any]:
        """The points of all colours."""
        return self.space.embed(self.histogram.colors)

    @property
    def given_points(self) -> NDArray[np.float64]:
        """The points of the entries that are given."""
        return self.space.embed(self.given).astype(np.float64)

    @property
    def n_pixels(self) -> int:
        """Pixels that were counted."""
        return self.histogram.n_pixels

    @property
    def n_distinct(self) -> int:
        """Distinct colours; all that are fully transparent count as one."""
        return len(self.histogram)

    @property
    def least_entries(self) -> int:
        """How many entries there have to be: what is given, and one more."""
        return len(self.given) + 1

    @property
    def most_entries(self) -> int:
        """How many entries that are all needed there can be at most: what is given, and the colours."""
        return self.n_distinct + len(self.given)

    @property
    def reserved(self) -> NDArray[Any]:
        """Palette entries that are known, (0 or 1, C): one for what is transparent beside what is visible."""
        return np.zeros((0, self.histogram.n_channels), np.uint8)

    def visible(self, n_clusters: int) -> Data:  # noqa: ARG002 - those that are mixed need it
        """Return the colours as points for K clusters: if some are fully transparent, those that aren't."""
        return self._beside_given(ColorData(self.histogram, None, False, self.machine))

    def _beside_given(self, data: Data) -> Data:
        return FixedData(data, self.given_points) if len(self.given) else data

    def everything(self, visible: Data) -> Data:
        """Return all colours, given those that are visible; reserved entries are the first clusters."""
        return visible

    def entries(self, centroids: NDArray[np.float64]) -> NDArray[Any]:
        """Return palette entries (K, C) for centroids (K, D); where one is the point of a colour, that colour.

        The first are those that are given.
        """
        entries = self.space.restore(centroids)
        entries[: len(self.given)] = self.given
        return entries

    def entries_at(self, points: NDArray[np.float64]) -> NDArray[Any]:
        """Return the entries that have these points: of colours, or of entries that were returned for centroids."""
        return self.entries(points)

    def rounded(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points of the palette entries for centroids."""
        return self.space.embed(self.entries(centroids)).astype(np.float64)

    @property
    def are_points(self) -> bool:
        """Whether colours of 8 bits are clustered as they are, with no entry held."""
        return self.space is spaces.OPAQUE and not len(self.given)

    def dense(self, n_entries: int) -> DenseAlgorithm:
        """Return the algorithm that compares each colour's point with each entry's."""
        weights = self.histogram.counts.astype(np.float64)
        return DenseAlgorithm(Points(self.points), weights, n_entries, *self.machine)

    def labels_of(self, pixels: Points, labels: NDArray[Any]) -> NDArray[Any]:
        """Return the label of each pixel's colour, flat."""
        return label_pixels(self.histogram, pixels, labels, self.machine)

    def mse(self, entries: NDArray[Any], labels: NDArray[Any], inertia: float) -> float:  # noqa: ARG002
        """Return the mean squared distance of a pixel to its entry, in squared 8-bit steps of sRGB.

        It follows from the inertia of the points, unless these are in another space.
        """
        return inertia / self.space.unit**2 / self.n_pixels


class MergedColors(Colors):
    """Those of which some may have the same point. So an entry is remembered, as its point doesn't tell it."""

    @cached_property
    def _remembered(self) -> dict[tuple[float, ...], NDArray[Any]]:
        """The entry that was the last to have a point."""
        return {}

    def entries(self, centroids: NDArray[np.float64]) -> NDArray[Any]:  # noqa: D102
        entries = self._own(self.space.restore(centroids), centroids)
        self._remembered.update(zip(map(tuple, self.space.embed(entries).tolist()), entries, strict=True))
        return entries

    def entries_at(self, points: NDArray[np.float64]) -> NDArray[Any]:  # noqa: D102
        entries = self.space.restore(points)
        for k, point in enumerate(points.tolist()):
            entries[k] = self._remembered.get(tuple(point), entries[k])
        return self._own(entries, points)

    def _own(self, entries: NDArray[Any], points: NDArray[np.float64]) -> NDArray[Any]:
        """Put what is given, or the first colour, in place of entries that aren't colours where these have the points.

        The way back may lead to another colour that has the point, or to one near it.
        """
        is_off = (self.space.embed(entries) != points).any(axis=1) | ~are_among(entries, self.histogram)
        off = np.flatnonzero(is_off)
        for k, color in self._first_of(points[off]):
            entries[off[k]] = color
        for color, point in zip(self.given, self.given_points, strict=True):
            entries[(points == point).all(axis=1)] = color
        return entries

    def _first_of(self, points: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the number of each of the points (K, D) that colours have, and the first such colour."""
        raise NotImplementedError


class MixedColors(MergedColors):
    """Those of a picture with transparency."""

    @cached_property
    def mixture(self) -> Mixture | Apart:
        """Opaque and translucent colours apart."""
        return Mixture(self.histogram, self.machine, self.space)

    @property
    def n_distinct(self) -> int:  # noqa: D102
        return self.mixture.parts.n_distinct

    @property
    def least_entries(self) -> int:
        """How many entries there have to be: what is given, and one for each kind of pixels that has none, or more."""
        alpha, mixture = self.given[:, 3], self.mixture.parts
        hidden, opaque = mixture.has_hidden and alpha.all(), mixture.opaque is not None
        opaque = opaque and not (alpha == self.space.top).any()
        return len(self.given) + max(len(self.reserved) + 1, int(hidden) + int(opaque))

    @property
    def most_entries(self) -> int:  # noqa: D102
        return super().most_entries - int(self.mixture.parts.has(self.given).sum())

    @property
    def reserved(self) -> NDArray[Any]:  # noqa: D102
        parts = self.mixture.parts
        is_one = not self.space.keeps_hidden and parts.has_hidden
        return np.zeros((int(is_one and parts.has_visible and bool(self.given[:, 3].all())), 4), np.uint8)

    def entries(self, centroids: NDArray[np.float64]) -> NDArray[Any]:  # noqa: D102
        # each kind has what is given in its midst, and mostly the way back is exact
        return super().entries(centroids) if self.space.merges else self.space.restore(centroids)

    def entries_at(self, points: NDArray[np.float64]) -> NDArray[Any]:  # noqa: D102
        return super().entries_at(points) if self.space.merges else self.space.restore(points)

    def _first_of(self, points: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[Any]]]:
        return self.mixture.first_of(points)

    def visible(self, n_clusters: int) -> MixedData:  # noqa: D102
        return mixed_data(self.mixture, n_clusters, self.machine, self.given_points)

    def everything(self, visible: Data) -> Data:  # noqa: D102
        return visible.with_hidden if isinstance(visible, MixedData) and len(self.reserved) else visible


@dataclass(frozen=True)
class ApartColors(MixedColors):
    """Those of a picture with transparency that are counted apart; `histogram` has none of them."""

    apart: Apart

    @classmethod
    def of(cls, pixels: Points, machine: Machine) -> ApartColors:
        """Count the colours of pixels, with nothing given."""
        nothing = ColorHistogram(4, np.empty(0, np.uint32), np.empty(0, np.int64))
        return cls(nothing, spaces.TRANSLUCENT, machine, np.empty((0, 4), np.uint8), Apart.of(pixels, machine))

    @property
    def mixture(self) -> Apart:  # noqa: D102
        return self.apart

    @property
    def n_pixels(self) -> int:  # noqa: D102
        return self.apart.n_pixels

    def labels_of(self, pixels: Points, labels: NDArray[Any]) -> NDArray[Any]:  # noqa: D102
        return self.apart.labels_of(pixels, labels)


class EmbeddedColors(MergedColors):
    """Those of an opaque picture in another space than sRGB."""

    def visible(self, n_clusters: int) -> Data:  # noqa: ARG002, D102
        histogram, places = self._sorted
        return self._beside_given(ColorData(histogram, None, False, self.machine, places))

    @cached_property
    def points(self) -> NDArray[Any]:
        """The points of all colours."""
        points = np.empty(self.histogram.colors.shape, np.uint16)

        def embed(bounds: tuple[int, int]) -> None:
            points[slice(*bounds)] = self._embedded(self.histogram.colors[slice(*bounds)])

        self.machine.workers.for_each(embed, chunk_bounds(len(points)))
        return points

    def _embedded(self, colors: NDArray[Any]) -> NDArray[Any]:
        if self.space.embed_many is None:
            return self.space.embed(colors)
        return self.space.embed_many(colors, self.machine.engine.uniform)

    @cached_property
    def _sorted(self) -> tuple[ColorHistogram, NDArray[Any]]:
        """The points sorted, and the place of each colour's among them."""
        points = self.points

        def chunk(start: int, stop: int) -> NDArray[Any]:
            return points[start:stop]

        return sort_points(len(points), chunk, (3, points.dtype), self.machine, self.histogram.counts)

    def _first_of(self, points: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[Any]]]:
        for k, first in first_places(points, *self._sorted):
            yield k, self.histogram.colors[first]

    def mse(self, entries: NDArray[Any], labels: NDArray[Any], inertia: float) -> float:  # noqa: D102
        counts = self.histogram.counts.astype(np.float64)
        algorithm = DenseAlgorithm(Points(self.histogram.colors), counts, len(entries), *self.machine)
        algorithm.labels[:] = labels
        inertia = algorithm.measure(entries.astype(np.float64)).inertia
        return inertia / spaces.plain(entries.dtype).unit ** 2 / self.histogram.n_pixels
