"""What matplotlib is told to draw: the parts of the pictures."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import patheffects, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

INK = "#222222"  # outlines and text: softer than black, as dark in print
HALO = [patheffects.withStroke(linewidth=3.5, foreground="white")]  # keeps a triangle visible on points of its colour


class NotebookFigure(Figure):
    """A matplotlib figure that a notebook displays without pyplot; in all else an ordinary figure."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def new_axes(width: float, height: float, **how: str) -> Axes:
    """Make axes in a figure of their own, of so many inches."""
    return NotebookFigure(figsize=(width, height), layout="constrained").add_subplot(**how)


def draw_color_space(ax: Any, top: float) -> None:
    """Make three-dimensional axes those of red, green and blue, from 0 to `top`."""
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


def draw_triangles(
    ax: Any, old: NDArray[np.float64], new: NDArray[np.float64] | None, sizes: NDArray[np.float64], top: float
) -> None:
    """Draw centroids as triangles, new ones joined to where they were."""
    old_style = {"marker": "v", "facecolors": "none", "edgecolors": INK, "linewidths": 1.4}
    handles = [Line2D([], [], marker="v", ls="", mfc="none", mec=INK, ms=8, label="centroids")]
    if new is not None:
        for start, end in zip(old, new, strict=True):
            ax.plot(*np.stack([start, end]).T, color=INK, linewidth=1.0, zorder=2, path_effects=HALO)
        colors = np.clip(new / top, 0, 1)
        ax.scatter(*new.T, s=sizes, marker="^", c=colors, edgecolors=INK, depthshade=False, zorder=3, path_effects=HALO)
        handles.append(Line2D([], [], marker="^", ls="", mfc="#b0b0b0", mec=INK, ms=8, label="new centroids"))
    ax.scatter(*old.T, s=sizes, depthshade=False, zorder=4, path_effects=HALO, **old_style)
    ax.legend(handles=handles, loc="upper left", frameon=False)


def write_code(ax: Axes, x: float, level: NDArray[np.uint8], share: float, inches: float) -> None:
    """Write a colour's code and share onto its bar, as far as there is room."""
    hex_color = f"#{level.tobytes().hex()}"
    cover = level[3] / 255 if len(level) == 4 else 1.0  # the rest is the white of the page
    is_light = cover * (level[:3] @ (0.299, 0.587, 0.114)) + (1 - cover) * 255 > 140
    ink = INK if is_light else "white"
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


def draw_shifts(ax: Axes, shifts: NDArray[np.float64], tol: float) -> None:
    """Draw how far centroids moved, on a logarithmic scale that has a place for 0."""
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
        ax.text(0.5, 0.5, "no iteration was needed", transform=ax.transAxes, ha="center", color=INK)
        ax.set_xticks([])
    if has_line:
        ax.axhline(tol, color="#c8553d", linewidth=1.2, linestyle="--", label=f"tol = {tol:g}")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    ax.set(xlabel="iteration", ylabel="largest squared move of a centroid")
    ax.grid(which="major", color="#e3e3e3", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)


def draw_image(ax: Axes, image: NDArray[Any], top: float, title: str) -> None:
    """Draw an image without axes."""
    if image.ndim == 2:
        ax.imshow(image, cmap="gray", vmin=0, vmax=top)
    else:
        ax.imshow(image if image.dtype == np.uint8 else image / top)
    ax.set_title(title)
    ax.set_axis_off()


def draw_difference(ax: Axes, distances: NDArray[np.float32]) -> None:
    """Draw distances of pixels, with a scale beside them."""
    largest = float(distances.max())
    drawn = ax.imshow(distances, cmap="magma", vmin=0, vmax=largest or 1.0)
    ax.set_title(f"difference: up to {largest:.1f} levels" if largest else "difference: none")
    ax.set_axis_off()
    bar = ax.figure.colorbar(drawn, cax=ax.inset_axes((1.02, 0.0, 0.04, 1.0)))
    bar.set_label("distance in 8-bit levels")
    bar.outline.set_visible(False)


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes are in, however deep."""
    figure = ax.figure
    while isinstance(figure, SubFigure):
        figure = figure.figure
    return figure
