"""Centroids as colours, for notebooks. Nothing is fetched: pictures are inside the page."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging.files import write_picture
from kmeans_fast.imaging.palette import Palette

# Pixels of the longer side of a picture: more is for files, as notebooks keep all that they show.
LONGEST_SIDE = 512


def page(heading: str, palette: NDArray[np.uint8], counts: NDArray[np.int64], labels: Any) -> str:
    """Return the picture if labels are those of one, and colour, share and number of pixels of each entry."""
    image = ""
    # what is masked has no colour, and what is Dask's is not in memory
    if isinstance(labels, np.ndarray) and labels.ndim == 2 and not np.ma.is_masked(labels):
        step = -(-max(labels.shape) // LONGEST_SIDE)
        file = io.BytesIO()
        write_picture(file, palette, np.ma.getdata(labels)[::step, ::step], format="png")
        image = f'<img alt="" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'
    return f"<div><div>{heading}</div>{image}{Palette(palette, counts)._repr_html_()}</div>"
