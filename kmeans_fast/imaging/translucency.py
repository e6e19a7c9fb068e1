"""Pictures with transparency: their opaque and their translucent colours, clustered together.

An opaque pixel has to stay opaque. So entries are of two kinds: opaque colours choose among the *opaque* entries only,
translucent ones among all, and the mean of an opaque entry's members is taken with an alpha of 255, which is the best
that it can be. Each step of Lloyd's algorithm lowers the error under this condition as it does without.

Everything is measured in premultiplied colours, as `spaces` makes them, of 8 bits times 255, where all that is fully
transparent is one colour. Opaque colours are the most mostly; for their part, they are compared as the three channels
that they are, with centroids in steps of these. Where hidden colours are to be kept, colours are compared as they are,
and what is fully transparent has entries of its own as well: a third kind, which has to stay transparent.

How many entries each kind gets is found by splitting: each kind of colours begins as a box of its own, and each time
that box of all is split where it lowers the error most, until there are as many as entries.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors import seeding
from kmeans_fast.colors.cell_passes import HistogramAlgorithm
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.draws import Draws
from kmeans_fast.engines.codes import OPAQUE
from kmeans_fast.fixing import FixedAlgorithm, FixedData, giving_way, without
from kmeans_fast.imaging.mixture import HIDDEN, Apart, Mixture, Parts, are_among
from kmeans_fast.lending import Machine
from kmeans_fast.lloyd import Algorithm, Givers, Measure
from kmeans_fast.options import STARTS
from kmeans_fast.points.dense import smallest_label_dtype
from kmeans_fast.session import ColorData


class _Kind(NamedTuple):
    """Colours that have entries which none but these colours can fill."""

    parts: list[ColorHistogram]
    own: slice
    """Those entries."""
    fixed: NDArray[np.float64]
    """The last of them, which are held, in the channels and steps of the parts."""
    alpha: int | None
    """Of all of them, in a centroid's steps; None if each has its own, which any colours may choose then."""

    @property
    def n_distinct(self) -> int:
        """How many colours it has beside what is fixed."""
        return sum(len(part) - int(are_among(self.fixed, part).sum()) for part in self.parts)

    def distinct(self) -> NDArray[Any]:
        """Return its colours without what is fixed."""
        n_channels = self.fixed.shape[1]
        colors = [np.empty((0, n_channels), np.uint8), *(part.colors for part in self.parts)]
        return without(self.fixed, np.unique(np.concatenate(colors), axis=0))

    def start(self, name: str, draws: Draws, machine: Machine) -> NDArray[Any]:
        """Find the centroids that aren't fixed."""
        n_fixed, n_clusters = self.fixed.shape[0], self.own.stop - self.own.start
        if not self.parts or n_clusters == n_fixed:
            return self.fixed[:0]
        colors = self.parts[-1]  # premultiplied, what is hidden takes part where nothing else does, or after the start
        if n_fixed:
            data = FixedData(ColorData(colors, None, False, machine), self.fixed)
            return data.start(name, n_clusters, draws)[n_fixed:]
        if n_clusters == len(colors):
            return colors.colors
        return STARTS[name].of_colors(colors, n_clusters, draws, machine)


@dataclass(frozen=True)
class MixedData:
    """Colours of several kinds to be clustered; see `kmeans_fast.session.Data`.

    Attributes
    ----------
    mixture : Mixture or Apart
        The colours.
    only_visible : bool
        Whether those that are fully transparent are left out.
    n_opaque : int
        How many entries, the last ones, are opaque: at least one if there are opaque colours.
    machine : Machine
        What it runs on.
    fixed : ndarray of float64, shape (F, 4)
        Entries that are held, by alpha: the last of each kind.
    n_hidden : int
        How many entries, the first ones, are fully transparent, if such colours are kept; else 0.
    thin : Parts or None
        A part of the pixels that stands for all of them.
    """

    mixture: Mixture | Apart
    only_visible: bool
    n_opaque: int
    machine: Machine
    fixed: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))
    n_hidden: int = 0
    thin: Parts | None = None

    @property
    def parts(self) -> Parts:
        """Its colours of each kind."""
        return self.mixture.parts if self.thin is None else self.thin

    @property
    def _top(self) -> int:
        return OPAQUE * self.mixture.space.unit

    def kinds(self, n_clusters: int) -> list[_Kind]:
        """Return the kinds of colours in the order of their entries, and of their labels."""
        parts, space = self.parts, self.mixture.space
        first, last = self.n_hidden, n_clusters - self.n_opaque
        hidden = [] if self.only_visible or parts.hidden is None else [parts.hidden]
        visible = [] if parts.visible is None else [parts.visible]
        opaque = [] if parts.opaque is None else [parts.opaque]
        alpha, step = self.fixed[:, 3], space.step
        is_flat = (alpha == HIDDEN) & space.keeps_hidden, alpha == self._top
        own = _Kind(visible, slice(first, last), self.fixed[~(is_flat[0] | is_flat[1])], None)
        last_kind = _Kind(opaque, slice(last, n_clusters), self.fixed[is_flat[1], :3] / step, self._top)
        if not space.keeps_hidden:
            return [own._replace(parts=hidden + visible), last_kind]
        return [_Kind(hidden, slice(0, first), self.fixed[is_flat[0], :3] / step, HIDDEN), own, last_kind]

    @property
    def with_hidden(self) -> MixedData:
        """The same with all colours; the first entry is for what is fully transparent."""
        return replace(self, only_visible=False)

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return all colours in the order of their kinds, or None if there are more than `limit`."""
        kinds = self.kinds(limit)
        if sum(len(part) for kind in kinds for part in kind.parts) > limit:
            return None
        centroids = self._stacked(kinds, [kind.distinct() for kind in kinds])
        return centroids if len(centroids) <= limit else None

    def start(self, name: str, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Find K first centroids, for each kind among its own colours."""
        kinds = self.kinds(n_clusters)
        return self._stacked(kinds, [kind.start(name, draws, self.machine) for kind in kinds])

    def _stacked(self, kinds: list[_Kind], points: list[NDArray[Any]]) -> NDArray[np.float64]:
        """Return centroids, with what is fixed, given the others of each kind."""
        step = self.mixture.space.step
        found = [np.concatenate([some, kind.fixed]) for kind, some in zip(kinds, points, strict=True)]
        return np.concatenate([_in_4_channels(some, kind.alpha, step) for kind, some in zip(kinds, found, strict=True)])

    def algorithm(self, n_clusters: int) -> Algorithm:
        """Return the algorithm for K clusters."""
        kinds = self.kinds(n_clusters)
        parts = []
        for kind in kinds:
            entries = slice(0, n_clusters) if kind.alpha is None else kind.own
            for colors in kind.parts:
                algorithm = HistogramAlgorithm(colors, entries.stop - entries.start, *self.machine)
                unit = 1 if kind.alpha is None else self.mixture.space.step
                parts.append(_Part(algorithm, entries, kind.own, kind.alpha, unit))
        mixed = MixedAlgorithm(parts, n_clusters)
        places = [np.arange(kind.own.stop - len(kind.fixed), kind.own.stop) for kind in kinds]
        return FixedAlgorithm(mixed, self.fixed, np.concatenate(places)) if len(self.fixed) else mixed

    def labels(self, algorithm: Algorithm) -> NDArray[Any]:
        """Return labels of the picture's colours, of all of them."""
        hidden = None if self.only_visible else self.mixture.parts.hidden
        n_hidden = 0 if hidden is None else len(hidden)
        return self.mixture.labels(algorithm.labels, n_hidden)

    def thinned(self, n_points: int) -> MixedData | None:
        """Return about so many of the pixels, or None if that hardly leaves fewer colours."""
        thin = self.mixture.parts.thinned(n_points, self.machine)
        return None if thin is None else replace(self, thin=thin)


class _Part(NamedTuple):
    """The passes over the colours of one kind, or of a part of it."""

    algorithm: HistogramAlgorithm
    entries: slice
    """That these colours choose among."""
    own: slice
    """That none but these colours can fill."""
    alpha: int | None
    """Of these, as in a kind: colours that have one are of three channels."""
    unit: int
    """Length of one of the part's steps in a centroid's."""

    @property
    def n_channels(self) -> int:
        return 4 if self.alpha is None else 3

    def centroids(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the entries in the part's own channels and steps."""
        return np.ascontiguousarray(centroids[self.entries, : self.n_channels]) / self.unit


class MixedAlgorithm:
    """The passes of Lloyd's algorithm for entries of two kinds; see `kmeans_fast.lloyd.Algorithm`.

    Parameters
    ----------
    parts : list
        Of what is fully transparent, of translucent colours, and of opaque ones, where there are any.
    n_clusters : int
        K.
    """

    name = "histogram"

    def __init__(self, parts: list[_Part], n_clusters: int) -> None:
        self._parts = parts
        self._n_clusters = n_clusters

    @property
    def labels(self) -> NDArray[Any]:
        """Those of the parts, one after the other."""
        dtype = smallest_label_dtype(self._n_clusters)
        ends = np.cumsum([0, *(part.algorithm.labels.size for part in self._parts)]).tolist()
        labels = np.empty(ends[-1], dtype)
        for part, start, stop in zip(self._parts, ends[:-1], ends[1:], strict=True):
            np.add(part.algorithm.labels, dtype.type(part.entries.start), out=labels[start:stop], dtype=dtype)
        return labels

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
        for part in self._parts:
            if part.alpha is not None:
                sums[part.own, 3] = part.alpha * sums[part.own, 4]
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
            found.append(Givers(part.own, distances, _in_4_channels(points, part.alpha, part.unit)))
        return found


def _in_4_channels(points: NDArray[Any], alpha: int | None, unit: int) -> NDArray[np.float64]:
    """Return colours of one alpha, of three channels in steps of so many, as centroids; others are that."""
    if alpha is None:
        return points.astype(np.float64)
    return np.column_stack([points.astype(np.float64) * unit, np.full(len(points), alpha)])


def mixed_data(mixture: Mixture | Apart, n_clusters: int, machine: Machine, fixed: NDArray[np.float64]) -> MixedData:
    """Return the colours to be clustered into K entries, of which those (F, 4) are fixed.

    If some colours are fully transparent, and aren't kept, it is the others, unless an entry for them is fixed, too.
    """
    kinds = (fixed[:, 3] > HIDDEN).astype(int) + (fixed[:, 3] == OPAQUE * mixture.space.unit)
    fixed = fixed[np.argsort(kinds, kind="stable")]
    only_visible = not mixture.space.keeps_hidden and mixture.parts.has_visible and bool((fixed[:, 3] > HIDDEN).all())
    data = MixedData(mixture, only_visible, 0, machine, fixed)
    shares = _shares(data, n_clusters)
    return replace(data, n_hidden=shares[0] if mixture.space.keeps_hidden else 0, n_opaque=shares[-1])


def _shares(data: MixedData, n_clusters: int) -> list[int]:
    """Return how many of K entries each kind gets, with what is fixed: as many as boxes, as far as it can have them."""
    kinds = data.kinds(n_clusters)
    fixed = np.array([len(kind.fixed) for kind in kinds])
    n_left = n_clusters - int(fixed.sum())
    most = np.array([kind.n_distinct for kind in kinds])
    least = np.array([bool(kind.parts) and kind.alpha is not None and not len(kind.fixed) for kind in kinds], int)
    shares = np.zeros(len(kinds), int)
    if (most > 0).sum() > 1 and least.sum() < n_left < most.sum():
        means = giving_way(data.fixed, _means_of_boxes(kinds, n_clusters, data), n_left)
        shares[:] = [(means[:, 3] == kind.alpha).sum() for kind in kinds]
        shares[-2] = len(means) - shares.sum()
    shares = np.clip(shares, least, most)
    while shares.sum() < n_left:
        shares[(most - shares).argmax()] += 1
    while shares.sum() > n_left:
        shares[(shares - least).argmax()] -= 1
    found: list[int] = (shares + fixed).tolist()
    return found


def _means_of_boxes(kinds: list[_Kind], n_boxes: int, data: MixedData) -> NDArray[np.float64]:
    """Return the means of boxes of one kind each that the colours are split into."""
    coordinates, moments = [], []
    for kind in kinds:
        for colors in kind.parts[-1:]:
            places, sums = seeding.cubes(colors, seeding.ITEMS_PER_SPLIT * n_boxes, data.machine)
            if kind.alpha is not None:
                sums[:, 1:] *= data.mixture.space.step
                places, sums = np.pad(places, ((0, 0), (0, 1))), np.column_stack([sums, kind.alpha * sums[:, 0]])
            coordinates.append(places)
            moments.append(sums)
    starts = np.cumsum([0, *map(len, moments)])
    n_boxes = max(len(moments), min(n_boxes, int(starts[-1])))
    boxes = data.machine.engine.color_seeding.split(
        np.concatenate(coordinates), np.concatenate(moments), starts, n_boxes
    )
    means: NDArray[np.float64] = boxes[:, 1:] / boxes[:, :1]
    return means
