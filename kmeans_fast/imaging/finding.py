"""The search for a palette: k-means on a picture's colours in a space, and centroids rounded.

Only then are the colours assigned, so that each has the entry that is nearest to it in the palette as stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import session
from kmeans_fast.imaging import rounding
from kmeans_fast.imaging.mapping import Found
from kmeans_fast.imaging.merging import merged
from kmeans_fast.imaging.picture_colors import Colors
from kmeans_fast.imaging.requests import MOST_COLORS, Request
from kmeans_fast.imaging.sorting import order_of
from kmeans_fast.imaging.visible import VisibleColors
from kmeans_fast.lloyd import Algorithm, Run
from kmeans_fast.options import Options
from kmeans_fast.session import Data

MOST_ON_CUBES = 16
# From so many colours on, which few pictures have that are opaque and of 8 bits, a start on a part of the pixels pays.
MANY_COLORS = 2**19


def find_palette(colors: Colors, request: Request) -> Found:
    """Find the palette for counted colours: with so many entries, or so few that are good enough; in order."""
    if request.palette is not None:
        return _nearest(colors)
    is_enough = _aim(colors, request)
    found = (
        _few_enough(colors, request.options, is_enough)
        if request.is_search
        else _with_n_colors(colors, request.options)
    )
    is_met = is_enough(found)
    if request.merge:
        found = merged(colors, found, request.merge)
    palette, labels, error = found
    by = request.sort
    order = (
        _given_first(palette.palette, colors.given) if by == "none" else order_of(palette.palette, palette.counts, by)
    )
    sorted_ = replace(palette, palette=palette.palette[order], counts=palette.counts[order], quality_met=is_met)
    if (order[:-1] > order[1:]).any():
        labels = np.argsort(order).astype(labels.dtype)[labels]
    return Found(sorted_, labels, error)


def _given_first(entries: NDArray[Any], given: NDArray[Any]) -> NDArray[np.intp]:
    """Return the order of entries, all different, in which those that are given come first."""
    is_given = (entries == given[:, np.newaxis]).all(axis=2)
    return np.concatenate([is_given.argmax(axis=1), np.flatnonzero(~is_given.any(axis=0))])


def _nearest(colors: Colors) -> Found:
    """Assign the colours to the entries that are given; of equals the first is taken."""
    entries, points = colors.given, colors.given_points
    algorithm = colors.dense(len(entries))
    algorithm.assign(points)
    measure = algorithm.measure(points)
    return Found.of(colors, entries, algorithm.labels, measure.totals.astype(np.int64), measure.inertia)


def _aim(colors: Colors, request: Request) -> Callable[[Found], bool]:
    """Return what tells whether a palette is as good as was asked for."""
    quality, max_error = request.quality, request.max_error
    visible = None if max_error is None else VisibleColors(colors.histogram)

    def is_enough(found: Found) -> bool:
        palette = found.palette
        if quality is not None and palette.psnr < quality:
            return False
        if visible is None or max_error is None:
            return True
        return visible.largest_error(palette.palette, found.color_labels) <= max_error

    return is_enough


def _few_enough(colors: Colors, options: Options, is_enough: Callable[[Found], bool]) -> Found:
    """Find a number of colours that is enough where one less isn't; the most there may be if none is."""
    best = _with_n_colors(colors, replace(options, n_clusters=MOST_COLORS))
    if not is_enough(best):
        return best
    least, most = colors.least_entries, best.palette.n_colors
    while least < most:
        middle = (least + most) // 2
        found = _with_n_colors(colors, replace(options, n_clusters=middle))
        if is_enough(found):
            best, most = found, middle
        else:
            least = middle + 1
    return best


def _with_n_colors(colors: Colors, options: Options) -> Found:
    """Find a palette of so many entries: k-means, centroids rounded, and the assignment to what they became.

    With an effort above 1, of what each search ends at the palette of least error, so that none makes it worse.
    """
    n_clusters = options.n_clusters
    if isinstance(options.init, str):  # more would only take memory
        n_clusters = min(n_clusters, colors.most_entries) - len(colors.reserved)
    visible = colors.visible(n_clusters)
    in_space = _in_space(options, colors, n_clusters)
    algorithm, run = session.first_fit(visible, in_space)
    best = _rounded(colors, visible, algorithm, run, searched=False)
    for effort in range(2, options.effort + 1):
        run = session.refine(visible, algorithm, run, in_space, effort)
        best = min(best, _rounded(colors, visible, algorithm, run, searched=True), key=lambda found: found.error)
    return best


def _rounded(colors: Colors, visible: Data, algorithm: Algorithm, run: Run, *, searched: bool) -> Found:
    """Make a palette of the centroids of a run; look for a better one near it if that is wanted."""
    entries = np.vstack([colors.reserved, colors.entries(run.centroids)])
    everything = colors.everything(visible)
    # An algorithm of its own where the run's centroids are still to be searched from.
    if everything is not visible or searched:
        algorithm = everything.algorithm(len(entries))
    final = session.settle(everything, algorithm, colors.space.embed(entries).astype(np.float64))
    if searched:
        final = rounding.improved(everything, final, colors.rounded, len(colors.reserved))
        if colors.are_points:
            final = rounding.stepped(everything, final, colors.histogram, colors.machine)
    entries = colors.entries_at(final.centroids)  # exact: a centroid that had to be moved sits on a colour
    labels = everything.labels(final.algorithm).copy()
    return Found.of(colors, entries, labels, final.measure.counts, final.measure.inertia, (run.n_iter, run.converged))


def _in_space(options: Options, colors: Colors, n_clusters: int) -> Options:
    """Return options for so many clusters of points of the colours' space."""
    init, space, thin_max_iter = options.init, colors.space, 0
    if isinstance(init, str) and init == "auto":
        # With few colours a bad start is rarely mended, and a good one costs little.
        named = "cubes" if n_clusters <= MOST_ON_CUBES and options.effort else "variance"
        init = named if options.n_init == 1 else "k-means++"
        thin_max_iter = options.thin_max_iter if options.effort and colors.n_distinct >= MANY_COLORS else 0
    elif not isinstance(init, str):
        init = init if space.is_plain else space.embed(init.astype(colors.histogram.colors.dtype)).astype(np.float64)
        init = np.vstack([colors.given_points, init])
    in_steps = options.in_steps(space.unit, space.origin)
    return replace(in_steps, n_clusters=n_clusters, init=init, thin_max_iter=thin_max_iter)
