"""Pictures of a clustering: the points in colour space, the palette, the convergence, before and after.

Every function returns its figure and draws into given axes if asked. Nothing is shown and matplotlib's pyplot is left
alone: pyplot keeps each figure that it makes until someone closes it, which fills the memory of a server. A figure made
here goes away with its last name, and a notebook displays it as the value of a cell.

Needs matplotlib: ``pip install kmeans_fast[plot]``.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import arrays, validation
from kmeans_fast.imaging.palette import Palette
from kmeans_fast.imaging.palettes import Quantized, QuantizedImage
from kmeans_fast.results import KMeansResult
from kmeans_fast.sampling import spread_places

try:
    from matplotlib import patheffects, ticker
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D
except ImportError as error:
    raise ImportError(
        "kmeans_fast.plotting needs matplotlib, which is not installed: pip install kmeans_fast[plot]",
        name="matplotlib",
    ) from error

__all__ = ["plot_clusters", "plot_comparison", "plot_convergence", "plot_palette"]

_INK = "#222222"  # outlines and text: softer than black, as dark in print
_HALO = [patheffects.withStroke(linewidth=3.5, foreground="white")]  # keeps a triangle visible on points of its colour


class NotebookFigure(Figure):
    """A matplotlib figure that a notebook displays without pyplot; in all else an ordinary figure."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


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
    points = _checked_numbers("points", points)
    if points.ndim < 2 or points.shape[-1] != 3 or points.size == 0:
        raise ValueError(f"points must have shape (N, 3) or (H, W, 3) and not be empty, got {points.shape}")
    centroids = arrays.centroids("centroids", centroids, 3)
    if new_centroids is not None:
        new_centroids = arrays.centroids("new_centroids", new_centroids, 3, len(centroids))
    sizes = _triangle_sizes(labels, points.shape[:-1], len(centroids))
    sample = _spread_sample(points, validation.integer("n_points", n_points, 1))
    top = _color_top("points", points)
    # Any: the methods of 3-D axes have no type stubs.
    space: Any = _new_axes(7.2, 6.4, projection="3d") if ax is None else _checked_axes(ax, name="3d")
    _draw_color_space(space, top)
    space.scatter(*sample.T, c=sample / top, s=5, linewidths=0, depthshade=False, zorder=1)
    _draw_triangles(space, centroids, new_centroids, sizes, top)
    return _figure_of(space)


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
    palette = _checked_palette(palette)
    top = _color_top("palette", palette)
    palette = np.broadcast_to(palette, (len(palette), max(3, palette.shape[1])))
    shares = _checked_shares(counts, len(palette))
    ax = _new_axes(8.0, 1.6) if ax is None else _checked_axes(ax)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_axis_off()
    lefts = np.concatenate([[0.0], np.cumsum(shares)[:-1]])
    ax.bar(lefts, 1.0, width=shares, align="edge", color=palette / top, linewidth=0)
    levels = np.rint(palette * (255 / top)).astype(np.uint8)
    inches = shares * ax.bbox.width / ax.figure.dpi
    for left, share, level, width in zip(lefts, shares, levels, inches, strict=True):
        _write_code(ax, left + share / 2, level, share, width)
    return _figure_of(ax)


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
    shifts, tol = _checked_shifts(shifts), validation.number("tol", tol)
    ax = _new_axes(6.4, 3.8) if ax is None else _checked_axes(ax)
    _draw_shifts(ax, shifts, tol)
    return _figure_of(ax)


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
    before, after = _checked_image("before", before), _checked_image("after", after)
    if before.shape[:2] != after.shape[:2] or before.ndim != after.ndim:
        raise ValueError(f"before and after must have the same shape, got {before.shape} and {after.shape}")
    tops = _color_top("before", before), _color_top("after", after)
    if axes is None:
        height = min(max(4.0 * before.shape[0] / before.shape[1], 1.0), 12.0) + 0.4
        axes = list(NotebookFigure(figsize=(13.0, height), layout="constrained").subplots(1, 3))
    elif len(axes) != 3:
        raise ValueError(f"axes must be three, for before, after and difference, got {len(axes)}")
    first, second, third = (_checked_axes(ax) for ax in axes)
    _draw_image(first, before, tops[0], "before")
    _draw_image(second, after, tops[1], "after")
    _draw_difference(third, _distances(before, after, tops))
    return _figure_of(first)


# ---------------------------------------------------------------------------------------------------- drawing


def _new_axes(width: float, height: float, **how: str) -> Axes:
    return NotebookFigure(figsize=(width, height), layout="constrained").add_subplot(**how)


def _draw_color_space(ax: Any, top: float) -> None:
    ax.computed_zorder = False  # else matplotlib sorts whole collections by depth, and points may hide the centroids
    ax.set(xlim=(0, top), ylim=(0, top), zlim=(0, top), xlabel="red", ylabel="green", zlabel="blue")
    ax.zaxis.labelpad = 10
    ax.set_box_aspect((1, 1, 1), zoom=0.9)
    ax.view_init(elev=22, azim=-60)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color((0.97, 0.97, 0.97))
        axis.set_major_locator(ticker.FixedLocator(_quarters(top)))
        axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))


def _quarters(top: float) -> list[float]:
    if top == 1:
        return [0, 0.25, 0.5, 0.75, 1]
    return [0, *((top + 1) / 4 * np.array([1, 2, 3])), top]


def _draw_triangles(
    ax: Any, old: NDArray[np.float64], new: NDArray[np.float64] | None, sizes: NDArray[np.float64], top: float
) -> None:
    old_style = {"marker": "v", "facecolors": "none", "edgecolors": _INK, "linewidths": 1.4}
    handles = [Line2D([], [], marker="v", ls="", mfc="none", mec=_INK, ms=8, label="centroids")]
    if new is not None:
        for start, end in zip(old, new, strict=True):
            ax.plot(*np.stack([start, end]).T, color=_INK, linewidth=1.0, zorder=2, path_effects=_HALO)
        colors = np.clip(new / top, 0, 1)
        ax.scatter(
            *new.T, s=sizes, marker="^", c=colors, edgecolors=_INK, depthshade=False, zorder=3, path_effects=_HALO
        )
        handles.append(Line2D([], [], marker="^", ls="", mfc="#b0b0b0", mec=_INK, ms=8, label="new centroids"))
    ax.scatter(*old.T, s=sizes, depthshade=False, zorder=4, path_effects=_HALO, **old_style)
    ax.legend(handles=handles, loc="upper left", frameon=False)


def _write_code(ax: Axes, x: float, level: NDArray[np.uint8], share: float, inches: float) -> None:
    hex_color = f"#{level.tobytes().hex()}"
    cover = level[3] / 255 if len(level) == 4 else 1.0  # the rest is the white of the page
    is_light = cover * (level[:3] @ (0.299, 0.587, 0.114)) + (1 - cover) * 255 > 140
    ink = _INK if is_light else "white"
    style: dict[str, Any] = {
        "color": ink,
        "ha": "center",
        "va": "center",
        "fontsize": 9,
        "family": "monospace",
        "clip_on": True,
    }
    if inches >= 0.75:
        ax.text(x, 0.5, f"{hex_color}\n{share:.1%}".replace("%", " %"), **style)
    elif inches >= 0.17:
        ax.text(x, 0.5, f"{hex_color} {share:.1%}".replace("%", " %"), rotation=90, **style)


def _draw_shifts(ax: Axes, shifts: NDArray[np.float64], tol: float) -> None:
    iterations = np.arange(1, len(shifts) + 1)
    positive = shifts[shifts > 0]
    has_line = 0 < tol < np.inf
    drawn = np.append(positive, tol) if has_line else positive
    # One decade below all that is drawn: there the scale reads 0.
    floor = 10.0 ** (np.floor(np.log10(drawn.min())) - 1) if drawn.size else 0.1
    heights = np.where(shifts > 0, shifts, floor)
    ax.set_yscale("log")
    ax.plot(iterations, heights, color="#1f6f8b", linewidth=1.5, marker="o", markersize=4, label="shift")
    at_zero = shifts == 0
    if at_zero.any():
        ax.plot(
            iterations[at_zero], heights[at_zero], ls="", marker="o", mfc="white", mec="#1f6f8b", ms=8,
            clip_on=False, zorder=5, label="0: no centroid moved",
        )  # fmt: skip
        ax.set_ylim(bottom=floor)
    ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda y, _: "0" if at_zero.any() and y <= floor else f"{y:g}"))
    ax.yaxis.set_minor_formatter(ticker.NullFormatter())
    if not shifts.size:
        ax.text(0.5, 0.5, "no iteration was needed", transform=ax.transAxes, ha="center", color=_INK)
        ax.set_xticks([])
    if has_line:
        ax.axhline(tol, color="#c8553d", linewidth=1.2, linestyle="--", label=f"tol = {tol:g}")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    ax.set(xlabel="iteration", ylabel="largest squared move of a centroid")
    ax.grid(which="major", color="#e3e3e3", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)


def _draw_image(ax: Axes, image: NDArray[Any], top: float, title: str) -> None:
    if image.ndim == 2:
        ax.imshow(image, cmap="gray", vmin=0, vmax=top)
    else:
        ax.imshow(image if image.dtype == np.uint8 else image / top)
    ax.set_title(title)
    ax.set_axis_off()


def _draw_difference(ax: Axes, distances: NDArray[np.float32]) -> None:
    largest = float(distances.max())
    drawn = ax.imshow(distances, cmap="magma", vmin=0, vmax=largest or 1.0)
    ax.set_title(f"difference: up to {largest:.1f} levels" if largest else "difference: none")
    ax.set_axis_off()
    bar = ax.figure.colorbar(drawn, cax=ax.inset_axes((1.02, 0.0, 0.04, 1.0)))
    bar.set_label("distance in 8-bit levels")
    bar.outline.set_visible(False)


def _figure_of(ax: Axes) -> Figure:
    figure = ax.figure
    while isinstance(figure, SubFigure):
        figure = figure.figure
    return figure


# ---------------------------------------------------------------------------------------------------- numbers


def _spread_sample(points: NDArray[Any], n_points: int) -> NDArray[np.float64]:
    chosen = spread_places(points.size // 3, n_points)
    sample: NDArray[np.float64] = points[np.unravel_index(chosen, points.shape[:-1])].astype(np.float64)
    return sample


def _triangle_sizes(labels: ArrayLike | None, shape: tuple[int, ...], n_clusters: int) -> NDArray[np.float64]:
    """Return the area of each centroid's triangle, in square points."""
    if labels is None:
        return np.full(n_clusters, 110.0)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "ui":
        raise TypeError(f"labels must be integers, got dtype {labels.dtype}")
    if labels.shape != shape:
        raise ValueError(f"labels must have one label a point, shape {shape}, got {labels.shape}")
    if labels.min() < 0 or labels.max() >= n_clusters:
        raise ValueError(f"labels must be from 0 to {n_clusters - 1}, got {labels.min()} to {labels.max()}")
    return 50.0 + 500.0 * np.bincount(labels.reshape(-1), minlength=n_clusters) / labels.size


def _distances(before: NDArray[Any], after: NDArray[Any], tops: tuple[float, float]) -> NDArray[np.float32]:
    """Measure how far apart each pixel's two colours are, in 8-bit levels; float32 holds those levels exactly."""
    has_alpha = 4 in (before.shape[2:] + after.shape[2:])
    moves = _levels(before, tops[0], has_alpha) - _levels(after, tops[1], has_alpha)
    distances: NDArray[np.float32] = np.sqrt(np.einsum("...i,...i", moves, moves))
    return distances


def _levels(image: NDArray[Any], top: float, has_alpha: bool) -> NDArray[np.float32]:
    levels = np.atleast_3d(image).astype(np.float32) * np.float32(255 / top)
    if not has_alpha:
        return levels
    if levels.shape[2] == 3:
        return np.dstack([levels, np.full(levels.shape[:2], 255, np.float32)])
    levels[..., :3] *= levels[..., 3:] / 255
    return levels


def _color_top(name: str, values: NDArray[Any]) -> float:
    """Return the value that stands for full brightness: 255, 65535 or 1."""
    if values.dtype in (np.uint8, np.uint16):
        return float(np.iinfo(values.dtype).max)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    if low < 0 or high > 255:
        raise ValueError(f"{name} must be colours from 0 to 1 or from 0 to 255, got values from {low:g} to {high:g}")
    return 1.0 if values.dtype.kind == "f" and high <= 1 else 255.0


# ---------------------------------------------------------------------------------------------------- checks


def _checked_numbers(name: str, values: ArrayLike) -> NDArray[Any]:
    array = arrays.unmasked_numbers(name, values)
    if array.dtype.kind not in "uif":
        raise TypeError(f"{name} must be real numbers, got dtype {array.dtype}")
    return array


def _checked_palette(values: ArrayLike) -> NDArray[Any]:
    array = _checked_numbers("palette", values)
    if array.ndim != 2 or array.shape[1] not in (1, 3, 4) or len(array) == 0:
        raise ValueError(f"palette must have shape (K, 3), (K, 1) or (K, 4) with K at least 1, got {array.shape}")
    return array


def _checked_shifts(values: ArrayLike) -> NDArray[np.float64]:
    array = _checked_numbers("shifts", values).astype(np.float64)
    if array.ndim != 1:
        raise ValueError(f"shifts must have shape (n_iter,), got {array.shape}")
    wrong = array[~((array >= 0) & np.isfinite(array))]
    if wrong.size:
        raise ValueError(f"shifts must be finite and not negative, got {wrong[0]}")
    return array


def _checked_image(name: str, values: ArrayLike | QuantizedImage) -> NDArray[Any]:
    array = _checked_numbers(name, values.to_array() if isinstance(values, QuantizedImage) else values)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or array.size == 0:
        raise ValueError(f"{name} must be an image (H, W), (H, W, 3) or (H, W, 4) with pixels, got shape {array.shape}")
    return array[..., 0] if array.shape[2:] == (1,) else array


def _checked_shares(counts: ArrayLike | None, n_colors: int) -> NDArray[np.float64]:
    if counts is None:
        return np.full(n_colors, 1 / n_colors)
    array = _checked_numbers("counts", counts).astype(np.float64)
    if array.shape != (n_colors,):
        raise ValueError(f"counts must have one count a colour, shape ({n_colors},), got {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise ValueError(f"counts must be finite, not negative and not all zero, got {array.tolist()}")
    shares: NDArray[np.float64] = array / array.sum()
    return shares


def _checked_axes(ax: Axes, name: str | None = None) -> Axes:
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be matplotlib Axes, got {type(ax).__name__}")
    if name is not None and ax.name != name:
        raise TypeError(f"ax must be made with projection={name!r}, got projection={ax.name!r}")
    return ax
