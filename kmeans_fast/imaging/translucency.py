"""Pictures with transparency: their opaque and their translucent colours, clustered together.

An opaque pixel has to stay opaque. So entries are of two kinds: opaque colours choose among the *opaque* entries only,
translucent ones among all, and the mean of an opaque entry's members is taken with an alpha of 255, which is the best
that it can be. Each step of Lloyd's algorithm lowers the error under this condition as it does without.

Everything is measured in premultiplied colours times 255, as `spaces` makes them. Opaque colours are the most mostly;
for their part, they are compared as the three 8-bit channels that they are, with centroids divided by 255.

How many entries are opaque is found by splitting: both kinds of colours begin as a box of their own, and each time that
box of all is split where it lowers the error most, until there are as many as entries.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors import seeding
from kmeans_fast.colors.cell_passes import HistogramAlgorithm
from kmeans_fast.colors.histogram import ColorHistogram, sort_points
from kmeans_fast.colors.sorting import decoded
from kmeans_fast.draws import Draws
from kmeans_fast.engines.codes import OPAQUE, without_alpha
from kmeans_fast.fixing import FixedAlgorithm, FixedData, giving_way, without
from kmeans_fast.imaging.spaces import UNIT, premultiplied
from kmeans_fast.lending import Machine
from kmeans_fast.lloyd import Algorithm, Givers, Measure
from kmeans_fast.options import STARTS
from kmeans_fast.points.dense import smallest_label_dtype
from kmeans_fast.session import ColorData

# Alpha of what is opaque.
OPAQUE_ALPHA = 255 * UNIT


@dataclass(frozen=True)
class Mixture:
    """The colours of a picture, apart: what is opaque and what isn't.

    Attributes
    ----------
    colors : ColorHistogram
        Of RGBA as they are in the picture.
    machine : Machine
        What they are sorted on.
    """

    colors: ColorHistogram
    machine: Machine

    @cached_property
    def is_opaque(self) -> NDArray[np.bool_]:
        """Which of the colours are."""
        is_opaque: NDArray[np.bool_] = self.colors.colors[:, 3] == OPAQUE
        return is_opaque

    @cached_property
    def opaque(self) -> ColorHistogram | None:
        """Opaque colours without their alpha, which leaves the order of their codes as it is."""
        codes = without_alpha(self.colors.codes[self.is_opaque])
        if not codes.size:
            return None
        return ColorHistogram(3, codes, self.colors.counts[self.is_opaque], decoded(codes, 3, self.machine))

    @cached_property
    def is_hidden(self) -> NDArray[np.bool_]:
        """Which of them are fully transparent."""
        is_hidden: NDArray[np.bool_] = self.colors.colors[:, 3] == 0
        return is_hidden

    @cached_property
    def hidden(self) -> ColorHistogram | None:
        """What is fully transparent, premultiplied: one colour, all zeros."""
        counts = self.colors.counts[self.is_hidden]
        return ColorHistogram(4, np.zeros(1, np.uint64), counts.sum(keepdims=True)) if counts.size else None

    @cached_property
    def _sorted(self) -> tuple[ColorHistogram | None, NDArray[Any]]:
        chosen = np.flatnonzero(self.is_visible)
        if not chosen.size:
            return None, chosen
        colors, counts = self.colors.colors, self.colors.counts[chosen]

        def chunk(start: int, stop: int) -> NDArray[np.uint16]:
            return premultiplied(colors[chosen[start:stop]])

        return sort_points(len(chosen), chunk, (4, np.dtype(np.uint16)), self.machine, counts)

    @cached_property
    def is_visible(self) -> NDArray[np.bool_]:
        """Which are translucent."""
        return ~(self.is_opaque | self.is_hidden)

    @property
    def visible(self) -> ColorHistogram | None:
        """Colours that are neither opaque nor fully transparent, premultiplied: all of them different."""
        return self._sorted[0]

    @property
    def places(self) -> NDArray[Any]:
        """Where in `visible` each of those colours is."""
        return self._sorted[1]

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
        """Distinct colours; all that are fully transparent count as one."""
        return int((~self.is_hidden).sum()) + int(self.has_hidden)


@dataclass(frozen=True)
class MixedData:
    """Opaque and translucent colours to be clustered; see `kmeans_fast.session.Data`.

    Attributes
    ----------
    mixture : Mixture
        The colours.
    only_visible : bool
        Whether those that are fully transparent are left out.
    n_opaque : int
        How many entries, the last ones, are opaque: at least one if there are opaque colours.
    machine : Machine
        What it runs on.
    fixed : ndarray of float64, shape (F, 4)
        Entries that are held, opaque ones last: the last that are translucent and the first that are opaque.
    """

    mixture: Mixture
    only_visible: bool
    n_opaque: int
    machine: Machine
    fixed: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))

    @property
    def _fixed_kinds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is fixed and translucent, and what is opaque, as colours of three channels."""
        is_opaque = self.fixed[:, 3] == OPAQUE_ALPHA
        return self.fixed[~is_opaque], self.fixed[is_opaque, :3] / UNIT

    @property
    def opaque(self) -> ColorHistogram | None:
        """Opaque colours."""
        return self.mixture.opaque

    @property
    def others(self) -> list[ColorHistogram]:
        """Other colours that take part: what is fully transparent, and what is translucent."""
        hidden = None if self.only_visible else self.mixture.hidden
        return [part for part in (hidden, self.mixture.visible) if part is not None]

    @property
    def with_hidden(self) -> MixedData:
        """The same with all colours; the first entry is for what is fully transparent."""
        return replace(self, only_visible=False)

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return all colours, translucent ones first, or None if there are more than `limit`."""
        opaque = [] if self.opaque is None else [self.opaque]
        if sum(len(part) for part in (*self.others, *opaque)) > limit:
            return None
        others, opaque_colors = (
            without(fixed, np.unique(np.concatenate([part.colors for part in parts]), axis=0)) if parts else None
            for parts, fixed in zip((self.others, opaque), self._fixed_kinds, strict=True)
        )
        centroids = self._stacked(others, opaque_colors)
        return centroids if len(centroids) <= limit else None

    def start(self, name: str, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Find K first centroids, for each kind among its own colours."""
        n_translucent = n_clusters - self.n_opaque
        translucent, opaque = self._fixed_kinds
        return self._stacked(
            # what is fully transparent takes part only where nothing else does, or when all has started
            self._start_of(self.others[-1] if self.others else None, translucent, name, n_translucent, draws),
            self._start_of(self.opaque, opaque, name, self.n_opaque, draws),
        )

    def _start_of(
        self, part: ColorHistogram | None, fixed: NDArray[np.float64], name: str, n_clusters: int, draws: Draws
    ) -> NDArray[np.float64] | None:
        """Find the centroids that aren't fixed."""
        if part is None or n_clusters == len(fixed):
            return None
        if len(fixed):
            data = FixedData(ColorData(part, None, False, self.machine), fixed)
            return data.start(name, n_clusters, draws)[len(fixed) :]
        if n_clusters == len(part):
            return part.colors.astype(np.float64)
        return STARTS[name].of_colors(part, n_clusters, draws, self.machine)

    def _stacked(self, translucent: NDArray[Any] | None, opaque: NDArray[Any] | None) -> NDArray[np.float64]:
        """Return centroids, with what is fixed, given premultiplied ones and opaque ones as they are."""
        parts = [np.empty((0, 4)) if translucent is None else translucent.astype(np.float64), self.fixed]
        if opaque is not None:
            parts.append(_with_alpha(opaque))
        return np.concatenate(parts)

    def algorithm(self, n_clusters: int) -> Algorithm:
        """Return the algorithm for K clusters."""
        parts = []
        n_translucent = n_clusters - self.n_opaque
        for colors in self.others:
            algorithm = HistogramAlgorithm(colors, n_clusters, *self.machine)
            parts.append(_Part(algorithm, slice(0, n_clusters), slice(0, n_translucent), 4, 1))
        if self.opaque is not None:
            algorithm = HistogramAlgorithm(self.opaque, self.n_opaque, *self.machine)
            own = slice(n_translucent, n_clusters)
            parts.append(_Part(algorithm, own, own, 3, UNIT))
        mixed = MixedAlgorithm(parts, n_translucent, n_clusters)
        if not len(self.fixed):
            return mixed
        return FixedAlgorithm(mixed, self.fixed, n_translucent - len(self._fixed_kinds[0]))

    def labels(self, algorithm: Algorithm) -> NDArray[Any]:
        """Return labels of the picture's colours, of all of them."""
        mixture, of_parts = self.mixture, algorithm.labels
        n_hidden = 0 if self.only_visible or mixture.hidden is None else 1
        n_others = n_hidden + len(mixture.places)
        labels = np.empty(len(mixture.colors), of_parts.dtype)
        labels[mixture.is_hidden] = of_parts[:n_hidden]
        labels[mixture.is_visible] = of_parts[n_hidden:n_others][mixture.places]
        labels[mixture.is_opaque] = of_parts[n_others:]
        return labels


class _Part(NamedTuple):
    """The passes over the colours of one kind."""

    algorithm: HistogramAlgorithm
    entries: slice
    """That these colours choose among."""
    own: slice
    """That none but these colours can fill."""
    n_channels: int
    unit: int
    """Length of one of the part's steps in a centroid's."""

    def centroids(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the entries in the part's own channels and steps."""
        return np.ascontiguousarray(centroids[self.entries, : self.n_channels]) / self.unit


class MixedAlgorithm:
    """The passes of Lloyd's algorithm for entries of two kinds; see `kmeans_fast.lloyd.Algorithm`.

    Parameters
    ----------
    parts : list
        Of what is fully transparent, of translucent colours, and of opaque ones, where there are any.
    n_translucent : int
        How many entries, the first ones, are for translucent colours only.
    n_clusters : int
        K.
    """

    name = "histogram"

    def __init__(self, parts: list[_Part], n_translucent: int, n_clusters: int) -> None:
        self._parts = parts
        self._n_translucent = n_translucent
        self._n_clusters = n_clusters

    @property
    def labels(self) -> NDArray[Any]:
        """Those of the parts, one after the other."""
        dtype = smallest_label_dtype(self._n_clusters)
        return np.concatenate(
            [part.algorithm.labels.astype(dtype) + dtype.type(part.entries.start) for part in self._parts]
        )

    def assign(self, centroids: NDArray[np.float64]) -> None:
        """Label every colour."""
        for part in self._parts:
            part.algorithm.assign(part.centroids(centroids))

    def assign_and_sum(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Label every colour; return the sums of each cluster's pixels, and in the last column their number."""
        sums = np.zeros((self._n_clusters, 5))
        for part in self._parts:
            of_part = part.algorithm.assign_and_sum(part.centroids(centroids))
            sums[part.entries, : part.n_channels] += of_part[:, :-1] * part.unit
            sums[part.entries, -1] += of_part[:, -1]
        sums[self._n_translucent :, 3] = OPAQUE_ALPHA * sums[self._n_translucent :, 4]
        return sums

    def measure(self, centroids: NDArray[np.float64]) -> Measure:
        """Measure the clusters that the labels describe, in pixels."""
        inertia, totals = 0.0, np.zeros(self._n_clusters)
        for part in self._parts:
            measure = part.algorithm.measure(part.centroids(centroids))
            inertia += measure.inertia * part.unit**2
            totals[part.entries] += measure.totals
        return Measure(inertia, totals.astype(np.int64), totals)

    def givers(self, centroids: NDArray[np.float64]) -> list[Givers]:
        """Return for each kind of entry each cluster's farthest colour that may become one."""
        found = []
        for part in self._parts:
            distances, points = part.algorithm.farthest_members(part.centroids(centroids))
            found.append(Givers(part.own, distances, points if part.n_channels == 4 else _with_alpha(points)))
        return found


def _with_alpha(colors: NDArray[Any]) -> NDArray[np.float64]:
    """Return opaque colours (K, 3) of 8 bits as centroids."""
    return np.column_stack([colors.astype(np.float64) * UNIT, np.full(len(colors), float(OPAQUE_ALPHA))])


def mixed_data(mixture: Mixture, n_clusters: int, machine: Machine, fixed: NDArray[np.float64]) -> MixedData:
    """Return the colours to be clustered into K entries, of which those (F, 4) are fixed.

    If some colours are fully transparent, it is the others, unless an entry for them is fixed, too.
    """
    fixed = fixed[np.argsort(fixed[:, 3] == OPAQUE_ALPHA, kind="stable")]
    only_visible = mixture.has_visible and bool((fixed[:, 3] > 0).all())
    return MixedData(mixture, only_visible, _share(mixture, n_clusters, machine, fixed), machine, fixed)


def _share(mixture: Mixture, n_clusters: int, machine: Machine, fixed: NDArray[np.float64]) -> int:
    """Return how many of K entries for visible colours are to be opaque, with what is fixed."""
    opaque, translucent = mixture.opaque, mixture.visible
    is_opaque = fixed[:, 3] == OPAQUE_ALPHA
    n_fixed, n_left = int(is_opaque.sum()), n_clusters - len(fixed)
    if opaque is None or translucent is None:
        return n_fixed if opaque is None else n_fixed + n_left
    least = max(n_left - len(without(fixed[~is_opaque], translucent.colors)), 0 if n_fixed else 1)
    most = min(n_left, len(without(fixed[is_opaque, :3] / UNIT, opaque.colors)))
    if least >= most:
        return n_fixed + least
    boxes = _split(opaque, translucent, n_clusters, machine)
    means = giving_way(fixed, boxes[:, 1:] / boxes[:, :1], n_left)
    return n_fixed + min(max(int((means[:, 3] == OPAQUE_ALPHA).sum()), least), most)


def _split(opaque: ColorHistogram, translucent: ColorHistogram, n_boxes: int, machine: Machine) -> NDArray[Any]:
    """Return boxes of one kind each: how many pixels, and the sums of their channels."""
    least = seeding.ITEMS_PER_SPLIT * n_boxes
    coordinates, moments = seeding.cubes(translucent, least, machine)
    opaque_coordinates, opaque_moments = seeding.cubes(opaque, least, machine)
    opaque_moments[:, 1:] *= UNIT
    starts = np.array([0, len(moments), len(moments) + len(opaque_moments)])
    boxes: NDArray[Any] = machine.engine.color_seeding.split(
        np.concatenate([coordinates, np.pad(opaque_coordinates, ((0, 0), (0, 1)))]),
        np.concatenate([moments, np.column_stack([opaque_moments, OPAQUE_ALPHA * opaque_moments[:, 0]])]),
        starts,
        min(n_boxes, int(starts[-1])),
    )
    return boxes
