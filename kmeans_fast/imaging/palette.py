"""Colours in an order, as designers and programs want them: `Palette`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.imaging.channels import in_8_bits
from kmeans_fast.imaging.notation import checked_colors, hex_of
from kmeans_fast.imaging.palette_formats import BY_SUFFIX, FORMATS, checked_entries, json_of
from kmeans_fast.machine.files import replace_file

_SWATCH = (
    '<span style="display:inline-block;margin:2px;font:12px monospace">'
    '<span style="display:block;width:7em;height:3em;border:1px solid #888;background:{0}"></span>{0}{1}</span>'
)
_MOST_SWATCHES = 256


@dataclass(frozen=True, eq=False, repr=False)
class Palette:
    """Colours in an order; an array for NumPy, and a sequence of tuples.

    Parameters
    ----------
    palette : array_like of uint8 or uint16, shape (K, 1), (K, 3) or (K, 4), or sequence of str
        Grey, RGB, or RGBA with straight alpha; or colours such as ``"#ff8000"``, ``"#ff800080"``, ``"#f80"`` or
        ``"orange"``. Integers of another dtype are taken for 8 bits.
    counts : ndarray of int64, shape (K,), optional
        How many pixels each entry has.

    Raises
    ------
    TypeError, ValueError
        If the palette is empty, of another shape or type, or holds what is no colour; if counts are of another shape.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> palette = kf.Palette(["#ff8000", "navy"])
    >>> palette.hex
    ['#ff8000', '#000080']
    >>> for red, green, blue in palette:
    ...     print(red, green, blue)
    255 128 0
    0 0 128
    """

    palette: NDArray[Any]
    counts: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "palette", checked_colors("palette", self.palette))
        if self.counts is not None and np.shape(self.counts) != (self.n_colors,):
            raise ValueError(f"counts must have shape ({self.n_colors},), got {np.shape(self.counts)}")

    @property
    def n_colors(self) -> int:
        """Number of entries, K."""
        return len(self.palette)

    @property
    def hex(self) -> list[str]:
        """The entries, rounded to 8 bits, as ``#rrggbb``; ``#rrggbbaa`` if the palette has an alpha channel."""
        return hex_of(in_8_bits(self.palette))

    @property
    def share(self) -> Any:
        """The fraction of the pixels that each entry has, an array of float64 (K,), or None if that isn't known."""
        return None if self.counts is None else self.counts / self.counts.sum()

    def __len__(self) -> int:
        return len(self.palette)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return map(tuple, self.palette.tolist())

    def __getitem__(self, index: int) -> tuple[int, ...]:
        return tuple(self.palette[index].tolist())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.palette, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.n_colors} colors>"

    def _repr_html_(self) -> str:
        """Swatches for a notebook."""
        return swatches(f"{self.n_colors} colors", self.hex, self.counts)

    def to_css(self, name: str = "color") -> str:
        """Return the entries as custom properties of CSS, numbered from 1.

        Examples
        --------
        >>> import kmeans_fast as kf
        >>> print(kf.Palette(["#ff8000", "navy"]).to_css("brand"))
        :root {
          --brand-1: #ff8000;
          --brand-2: #000080;
        }
        """
        return "\n".join([":root {", *(f"  --{name}-{i}: {color};" for i, color in enumerate(self.hex, 1)), "}"])

    def to_json(self) -> str:
        """Return the entries as JSON: ``colors``, a list of objects with ``hex`` and, if known, `count` and `share`.

        Examples
        --------
        >>> import kmeans_fast as kf
        >>> print(kf.Palette(["#ff8000"]).to_json())
        {
         "colors": [
          {
           "hex": "#ff8000"
          }
         ]
        }
        """
        return json_of(self.hex, self.counts)

    def save(self, path: str | os.PathLike[str] | BinaryIO, *, format: str | None = None) -> int:
        r"""Write the entries, rounded to 8 bits, in this order; all of it or nothing. `read_palette` reads such files.

        Parameters
        ----------
        path : str, path-like or binary file object
            Name of the file; an existing file is replaced. Or a file object, which is not closed.
        format : {None, "hex", "gpl", "act", "ase", "jasc", "riff", "json", "png"}
            By default what the name ends in, where ``.pal`` is ``"jasc"``:

            - ``"hex"``: a colour a line, ``rrggbb`` or ``rrggbbaa``;
            - ``"gpl"``: for GIMP, Inkscape and Krita; with alpha for Aseprite;
            - ``"act"``: Adobe's colour table: up to 256 entries, of which one may be fully transparent;
            - ``"ase"``: Adobe Swatch Exchange, opaque;
            - ``"jasc"`` and ``"riff"``: the two kinds of ``.pal``, Paint Shop Pro's and Microsoft's, opaque;
            - ``"json"``: what `to_json` returns;
            - ``"png"``: a picture with a pixel for each of up to 256 entries.

        Returns
        -------
        int
            The size of the file in bytes.

        Raises
        ------
        ValueError
            If the name ends in something else, or the format can't hold so many entries, or alpha.
        OSError
            If the file can't be written. Nothing half-written remains.

        Examples
        --------
        >>> import io
        >>> import kmeans_fast as kf
        >>> file = io.BytesIO()
        >>> kf.Palette(["#ff8000", "navy"]).save(file, format="hex")
        14
        >>> file.getvalue()
        b'ff8000\n000080\n'
        """
        name = _format_of(path, format)
        entries = checked_entries(in_8_bits(self.palette), name)
        data = f"{self.to_json()}\n".encode() if name == "json" else FORMATS[name].write(entries)
        if isinstance(path, str | os.PathLike):
            replace_file(Path(path), data)
        else:
            path.write(data)
        return len(data)


def _format_of(path: str | os.PathLike[str] | BinaryIO, name: str | None) -> str:
    """Return the name of a format, by default by what a file's name ends in."""
    if name is not None:
        return validation.choice("format", name, FORMATS)
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"format must be given for a file object, one of {', '.join(map(repr, FORMATS))}")
    suffix = Path(path).suffix.lower()
    if suffix not in BY_SUFFIX:
        raise ValueError(f"a palette's name must end in {', '.join(sorted(BY_SUFFIX))}, got {str(path)!r}")
    return BY_SUFFIX[suffix]


def swatches(heading: str, colors: list[str], counts: NDArray[np.int64] | None) -> str:
    """Return HTML for a notebook: the colour of each entry, and if known its share and number of pixels."""
    told = [""] * len(colors)
    if counts is not None:
        told = [f"<br>{count / int(counts.sum()):.1%}<br>{count}" for count in counts.tolist()]
    shown = [_SWATCH.format(*each) for each in zip(colors[:_MOST_SWATCHES], told, strict=False)]
    if len(colors) > _MOST_SWATCHES:
        shown.append(f"<span>and {len(colors) - _MOST_SWATCHES} more</span>")
    return f"<div><div>{heading}</div>{''.join(shown)}</div>"
