"""Pictures of a clustering: the points in colour space, the palette, the convergence, before and after.

Every function returns its figure and draws into given axes if asked. Nothing is shown and matplotlib's pyplot is left
alone: pyplot keeps each figure that it makes until someone closes it, which fills the memory of a server. A figure made
here goes away with its last name, and a notebook displays it as the value of a cell.

Needs matplotlib: ``pip install kmeans_fast[plot]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmeans_fast import arrays, validation
from kmeans_fast.imaging.palette import Palette
from kmeans_fast.imaging.palettes import Quantized, QuantizedImage
from kmeans_fast.results import KMeansResult

try:
    import matplotlib as mpl  # noqa: F401 - before others import it, who don't explain
except ImportError as error:
    raise ImportError(
        "kmeans_fast.plotting needs matplotlib, which is not installed: pip install kmeans_fast[plot]",
        name="matplotlib",
    ) from error

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kmeans_fast.plotting.amounts import color_top, distances_of, spread_sample, triangle_sizes
from kmeans_fast.plotting.checks import (
    checked_axes,
    checked_image,
    checked_numbers,
    checked_palette,
    checked_shares,
    checked_shifts,
)
from kmeans_fast.plotting.drawing import (
    NotebookFigure,
    draw_color_space,
    draw_difference,
    draw_image,
    draw_shifts,
    draw_triangles,
    figure_of,
    new_axes,
    write_code,
)

__all__ = ["plot_clusters", "plot_comparison", "plot_convergence", "plot_palette"]


def plot_clusters(
    points: ArrayLike,
    centroids: ArrayLike,
    new_centroids: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    n_points: int = 5000,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw points in their own colours, and the centroids before and after an iteration, in three dimensions.

    Parameters
    ----------
    points : array of shape (N, 3) or (H, W, 3)
        Colours, or an image: uint8, uint16, or numbers from 0 to 1 or from 0 to 255 (see Notes).
    centroids : array of shape (K, 3)
        Drawn as hollow triangles pointing down, in the units of `points`.
    new_centroids : array of shape (K, 3), optional
        Drawn as filled triangles in their own colours, each tied by a line to the centroid that it comes from.
    labels : integer array of shape ``points.shape[:-1]``, optional
        The cluster of each point, from 0 to K - 1. A triangle is the larger the more points its cluster has.
        Without labels all triangles have one size.
    n_points : int, default 5000
        How many points are drawn, at most. They are spread evenly over `points`, and are the same ones at every call.
    ax : matplotlib Axes with ``projection="3d"``, optional
        Where to draw. By default in a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The new figure, or the one that `ax` belongs to.

    Raises
    ------
    TypeError
        If an array holds no real numbers, `labels` no integers, `n_points` is no integer, or `ax` is not 3-D.
    ValueError
        If a shape does not fit, a value is not finite or is no colour, a label is no cluster, or `n_points` < 1.

    Notes
    -----
    Numbers that are not uint8 or uint16 count as colours from 0 to 1 if they are floats and none is above 1, and as
    colours from 0 to 255 otherwise.

    Examples
    --------
    Draw each iteration, one file after the other:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import kmeans_fast as kf
    >>> from kmeans_fast.plotting import plot_clusters
    >>> points = kf.read_image(kf.sample_path()).reshape(-1, 3)
    >>> folder = Path(tempfile.mkdtemp())
    >>> def draw(iteration, centroids, new_centroids, shift):
    ...     labels = kf.assign(points, centroids)
    ...     figure = plot_clusters(points, centroids, new_centroids, labels, n_points=500)
    ...     figure.suptitle(f"iteration {iteration}, shift {shift:.3g}")
    ...     figure.savefig(folder / f"iteration_{iteration:02}.png", dpi=50)
    >>> result = kf.kmeans(points, 4, max_iter=2, callback=draw)
    >>> sorted(path.name for path in folder.iterdir())
    ['iteration_01.png', 'iteration_02.png']
    """
    points = checked_numbers("points", points)
    if points.ndim < 2 or points.shape[-1] != 3 or points.size == 0:
        raise ValueError(f"points must have shape (N, 3) or (H, W, 3) and not be empty, got {points.shape}")
    centroids = arrays.centroids("centroids", centroids, 3)
    if new_centroids is not None:
        new_centroids = arrays.centroids("new_centroids", new_centroids, 3, len(centroids))
    sizes = triangle_sizes(labels, points.shape[:-1], len(centroids))
    sample = spread_sample(points, validation.integer("n_points", n_points, 1))
    top = color_top("points", points)
    # Any: the methods of 3-D axes have no type stubs.
    space: Any = new_axes(7.2, 6.4, projection="3d") if ax is None else checked_axes(ax, name="3d")
    draw_color_space(space, top)
    space.scatter(*sample.T, c=sample / top, s=5, linewidths=0, depthshade=False, zorder=1)
    draw_triangles(space, centroids, new_centroids, sizes, top)
    return figure_of(space)


def plot_palette(
    palette: ArrayLike | Quantized | Palette, counts: ArrayLike | None = None, *, ax: Axes | None = None
) -> Figure:
    r"""Draw the colours of a palette side by side, each as wide as its share, with its hex code.

    Parameters
    ----------
    palette : array of shape (K, 3), (K, 1) if grey, or (K, 4) with alpha; a `Palette`, or what `quantize` returned
        uint8, uint16, or numbers from 0 to 1 or from 0 to 255, as in :func:`plot_clusters`. A result brings its counts.
    counts : array of shape (K,), optional
        Number of pixels of each colour. Without counts all are equally wide.
    ax : matplotlib Axes, optional
        Where to draw. By default in a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The new figure, or the one that `ax` belongs to. The code is left out where a swatch is too narrow for it.

    Raises
    ------
    TypeError
        If an array holds no real numbers, or `ax` is no Axes.
    ValueError
        If a shape does not fit, a value is not finite or is no colour, a count is negative, or all counts are zero.

    Examples
    --------
    >>> from kmeans_fast.plotting import plot_palette
    >>> figure = plot_palette([[255, 99, 71], [70, 130, 180]], counts=[3, 1])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['#ff6347\n75.0 %', '#4682b4\n25.0 %']
    """
    if isinstance(palette, Quantized | Palette):
        counts = palette.counts if counts is None else counts
        palette = palette.palette
    palette = checked_palette(palette)
    top = color_top("palette", palette)
    palette = np.broadcast_to(palette, (len(palette), max(3, palette.shape[1])))
    shares = checked_shares(counts, len(palette))
    ax = new_axes(8.0, 1.6) if ax is None else checked_axes(ax)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_axis_off()
    lefts = np.concatenate([[0.0], np.cumsum(shares)[:-1]])
    ax.bar(lefts, 1.0, width=shares, align="edge", color=palette / top, linewidth=0)
    levels = np.rint(palette * (255 / top)).astype(np.uint8)
    inches = shares * ax.bbox.width / ax.figure.dpi
    for left, share, level, width in zip(lefts, shares, levels, inches, strict=True):
        write_code(ax, left + share / 2, level, share, width)
    return figure_of(ax)


def plot_convergence(shifts: ArrayLike | KMeansResult, tol: float = 0.0, *, ax: Axes | None = None) -> Figure:
    """Draw the shift of each iteration on a logarithmic scale.

    Parameters
    ----------
    shifts : array of shape (n_iter,), or KMeansResult
        Largest squared move of a centroid in each iteration, as in ``KMeansResult.shifts``. A zero, which has no place
        on a logarithmic scale, is drawn as a hollow point on the lower edge, where the scale reads 0. Where there was
        no iteration, as with fewer colours than clusters, the picture says so.
    tol : float, default 0.0
        Drawn as a dashed line unless it is zero or infinite.
    ax : matplotlib Axes, optional
        Where to draw. By default in a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The new figure, or the one that `ax` belongs to.

    Raises
    ------
    TypeError
        If `shifts` or `tol` is no real number, or `ax` is no Axes.
    ValueError
        If `shifts` is not one-dimensional, or a value is negative, infinite (allowed for `tol`) or NaN.

    Examples
    --------
    >>> from kmeans_fast.plotting import plot_convergence
    >>> figure = plot_convergence([812.5, 30.2, 1.7, 0.0], tol=0.5)
    >>> figure.axes[0].get_yscale()
    'log'
    """
    if isinstance(shifts, KMeansResult):
        shifts = shifts.shifts
    shifts, tol = checked_shifts(shifts), validation.number("tol", tol)
    ax = new_axes(6.4, 3.8) if ax is None else checked_axes(ax)
    draw_shifts(ax, shifts, tol)
    return figure_of(ax)


def plot_comparison(
    before: ArrayLike | QuantizedImage, after: ArrayLike | QuantizedImage, *, axes: Sequence[Axes] | None = None
) -> Figure:
    """Draw an image before and after, and how far each pixel has moved in colour.

    The difference is the Euclidean distance between the two colours of a pixel, counted in 8-bit levels (0 to 255 in
    each channel). Its scale ends at the largest distance that occurs; the bar beside it says how far that is. Colours
    with alpha are compared in four channels, premultiplied, so that nothing hidden counts.

    Parameters
    ----------
    before, after : array of shape (H, W, 3), (H, W) or (H, W, 1) if grey, or (H, W, 4) with alpha
        The two images, or what `quantize` returned: uint8, uint16, or numbers from 0 to 1 or from 0 to 255, as in
        :func:`plot_clusters`. One may have alpha and the other none.
    axes : sequence of three matplotlib Axes, optional
        Where to draw before, after and difference. By default side by side in a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The new figure, or the one that the axes belong to.

    Raises
    ------
    TypeError
        If an image holds no real numbers, or an element of `axes` is no Axes.
    ValueError
        If an image has another shape, the two do not fit each other, a value is no colour, or there are not three axes.

    Examples
    --------
    >>> import numpy as np
    >>> from kmeans_fast.plotting import plot_comparison
    >>> before = np.zeros((20, 30, 3), np.uint8)
    >>> after = before + np.array([3, 0, 4], np.uint8)
    >>> figure = plot_comparison(before, after)
    >>> figure.axes[2].get_title()
    'difference: up to 5.0 levels'
    """
    before, after = checked_image("before", before), checked_image("after", after)
    if before.shape[:2] != after.shape[:2] or before.ndim != after.ndim:
        raise ValueError(f"before and after must have the same shape, got {before.shape} and {after.shape}")
    tops = color_top("before", before), color_top("after", after)
    if axes is None:
        height = min(max(4.0 * before.shape[0] / before.shape[1], 1.0), 12.0) + 0.4
        axes = list(NotebookFigure(figsize=(13.0, height), layout="constrained").subplots(1, 3))
    elif len(axes) != 3:
        raise ValueError(f"axes must be three, for before, after and difference, got {len(axes)}")
    first, second, third = (checked_axes(ax) for ax in axes)
    draw_image(first, before, tops[0], "before")
    draw_image(second, after, tops[1], "after")
    draw_difference(third, distances_of(before, after, tops))
    return figure_of(first)
