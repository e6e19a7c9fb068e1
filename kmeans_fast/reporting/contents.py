"""What is on a page, as numbers: made here, and turned into JSON for its script."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast._version import __version__
from kmeans_fast.imaging.palettes import QuantizedImage
from kmeans_fast.reporting.cloud import Cloud
from kmeans_fast.reporting.errors import Errors
from kmeans_fast.reporting.trace import Run

# Steps that the script can play. Of more iterations the first and some of the later ones are kept: most happens early.
MOST_STEPS = 60


@dataclass(frozen=True)
class Contents:
    """What is on a page, except for its pictures.

    Attributes
    ----------
    title : str
        What the picture is called.
    n_bytes, n_bytes_after : int or None, int
        Size of the picture's file, if there is one, and as an indexed PNG.
    n_distinct : int
        Colours of the picture.
    space, dither : str
        As for `quantize`.
    quantized : QuantizedImage
        The result.
    cloud : Cloud
        The picture's colours.
    entries : ndarray of float64, shape (V, D)
        The palette's entries that aren't fully transparent, as points.
    visible : ndarray of int, shape (V,)
        Which ones these are.
    run : Run
        The run that the palette came from; its centroids are in the order of `entries`.
    tol : float
        At which shift it was to stop.
    errors : Errors
        Of all pixels.
    seconds : dict of str to float
        Time of each stage.
    """

    title: str
    n_bytes: int | None
    n_bytes_after: int
    n_distinct: int
    space: str
    dither: str
    quantized: QuantizedImage
    cloud: Cloud
    entries: NDArray[np.float64]
    visible: NDArray[np.intp]
    run: Run
    tol: float
    errors: Errors
    seconds: dict[str, float]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.quantized.labels.shape
        return width, height

    @property
    def n_pixels(self) -> int:
        """Pixels of the picture."""
        return self.quantized.labels.size


def as_json(contents: Contents) -> str:
    """Write all numbers as JSON that may stand in a script element: no "<" is in it."""
    quantized, cloud = contents.quantized, contents.cloud
    steps = steps_of(contents.run)
    centroids = [contents.run.centroids[i] for i in steps] + [contents.entries]
    island = {
        "version": __version__,
        "title": contents.title,
        "width": contents.size[0],
        "height": contents.size[1],
        "bytes_before": contents.n_bytes,
        "bytes_after": contents.n_bytes_after,
        "colors_before": contents.n_distinct,
        "colors_after": quantized.n_colors,
        "space": contents.space,
        "dither": contents.dither,
        "mse": quantized.mse,
        "psnr": quantized.psnr if math.isfinite(quantized.psnr) else None,
        "quality_met": bool(quantized.quality_met),
        "n_iter": quantized.n_iter,
        "converged": bool(quantized.converged),
        "largest_error": contents.errors.largest,
        "median_error": contents.errors.median,
        "palette": quantized.palette.tolist(),
        "hex_colors": quantized.hex_colors,
        "counts": quantized.counts.tolist(),
        "shifts": contents.run.shifts,
        "tol": contents.tol if math.isfinite(contents.tol) else None,
        "steps": [*steps, len(contents.run.shifts)],
        "centroids": [_short(step) for step in centroids],
        "visible": contents.visible.tolist(),
        "cloud": {
            "axes": cloud.axes,
            "low": _short(cloud.low),
            "high": _short(cloud.high),
            "points": _short(cloud.points),
            "colors": [bytes(color).hex() for color in cloud.colors],
            "counts": cloud.counts.tolist(),
        },
        "seconds": {stage: round(seconds, 4) for stage, seconds in contents.seconds.items()},
    }
    return json.dumps(island, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def steps_of(run: Run) -> list[int]:
    """Return after how many iterations centroids are shown, apart from the palette that they become."""
    n = len(run.centroids)
    if n <= MOST_STEPS:
        return list(range(n))
    chosen: list[int] = np.unique(np.rint(np.geomspace(1, n, MOST_STEPS)).astype(int) - 1).tolist()
    return chosen


def _short(points: NDArray[np.float64]) -> list[Any]:
    """Return numbers with two places, and whole ones as integers, which JSON writes in fewer characters."""
    rounded = np.round(points, 2)
    if rounded.ndim > 1:
        return [_short(row) for row in rounded]
    return [int(number) if number.is_integer() else number for number in rounded.tolist()]
