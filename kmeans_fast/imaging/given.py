"""Palettes that are given: read from files, and brought to the channels and depth of a picture."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging.channels import without_idle_alpha
from kmeans_fast.imaging.files import read_image
from kmeans_fast.imaging.notation import checked_colors
from kmeans_fast.imaging.palette import Palette
from kmeans_fast.imaging.palette_formats import BY_SUFFIX, FORMATS, MOST_ENTRIES
from kmeans_fast.imaging.palettes import Quantized
from kmeans_fast.imaging.sources import check_source

# Of a palette's file: of all formats, JSON takes the most for an entry.
MOST_BYTES = 512 * MOST_ENTRIES
MOST_IN_PICTURE = 256


def read_palette(path: str | os.PathLike[str]) -> Palette:
    """Read a palette's file, or the colours of a picture.

    Parameters
    ----------
    path : str or path-like
        A file whose name ends in ``.hex``, ``.gpl`` (GIMP, or Aseprite with alpha), ``.act`` (Adobe's colour table),
        ``.ase`` (Adobe Swatch Exchange, of RGB or grey), ``.pal`` (Paint Shop Pro's or Microsoft's) or ``.json``; or
        otherwise a picture that `read_image` reads.

    Returns
    -------
    Palette
        Entries as they are in the file, in their order, also if one is there twice: uint8, with alpha if one isn't
        opaque. Of an indexed picture those of its palette, used or not; of another one its distinct colours, at most
        256, in the order in which they are first met, row by row.

    Raises
    ------
    ValueError
        If the file is damaged, has no colours or, as a picture, more than 256.
    OSError
        If it can't be read.

    Examples
    --------
    >>> import kmeans_fast as kf, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "two.gpl"
    ...     size = kf.Palette(["#ff8000", "navy"]).save(path)
    ...     kf.read_palette(path).hex
    ['#ff8000', '#000080']
    """
    check_source(path)
    name = BY_SUFFIX.get(Path(path).suffix.lower())
    read = None if name is None else FORMATS[name].read
    if read is None:
        return Palette(_colors_of_picture(path))
    with Path(path).open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"{str(path)!r} is larger than any palette, {MOST_BYTES:,} bytes")
    try:
        entries = read(data)
    except (ValueError, struct.error, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is no palette that can be read: {error}") from error
    if not 0 < len(entries) <= MOST_ENTRIES:
        raise ValueError(f"{str(path)!r} must have 1 to {MOST_ENTRIES:,} colours, got {len(entries):,}")
    return Palette(entries)


def _colors_of_picture(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    pixels = read_image(path)  # which refuses what is damaged or too large
    indexed = _entries_of_indexed(path)
    if indexed is not None:
        return indexed
    colors = np.atleast_3d(pixels).reshape(-1, 1 if pixels.ndim == 2 else pixels.shape[2])
    distinct, firsts = np.unique(colors, axis=0, return_index=True)
    if len(distinct) > MOST_IN_PICTURE:
        raise ValueError(
            f"{str(path)!r} must have at most {MOST_IN_PICTURE} colours to be a palette, got {len(distinct):,}; "
            "kmeans_fast.palette(image, n_colors) finds one for it"
        )
    entries: NDArray[np.uint8] = distinct[np.argsort(firsts)]
    return entries


def _entries_of_indexed(path: str | os.PathLike[str]) -> NDArray[np.uint8] | None:
    from PIL import Image

    with Image.open(path) as picture:
        if picture.mode != "P":
            return None
        picture.load()
        picture.apply_transparency()
        entries = np.array(picture.getpalette("RGBA"), np.uint8).reshape(-1, 4)
    return without_idle_alpha(entries).copy()


def checked_palette(name: str, palette: Any) -> NDArray[Any]:
    """Return a palette, whatever it comes as, as an array (K, C) of its own, uint8 or uint16."""
    if isinstance(palette, Palette | Quantized):
        return palette.palette
    if isinstance(palette, str | os.PathLike):
        return read_palette(palette).palette
    return checked_colors(name, palette)


def of_depth(name: str, entries: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return entries with the depth of a picture."""
    if entries.dtype == dtype:
        return entries
    if dtype == np.uint16:
        return entries.astype(np.uint16) * np.uint16(257)
    raise ValueError(
        f"{name} must have 8 bits a channel for a picture of 8 bits, got 16; np.rint(palette / 257).astype(np.uint8) "
        "makes 8 bits of 16"
    )
