"""What a file says beside its pixels: how colours and size are meant, and, if it is to be kept, everything else.

How colours and size are meant is needed to show the picture as it was: the profile (ICC), in a PNG the chunks gAMA,
cHRM, cICP and sRGB as they are, and the dots per inch. EXIF, XMP and texts are read only where they are asked for. No
orientation is among them, because pixels are made upright when they are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kmeans_fast.imaging.sources import Source

if TYPE_CHECKING:
    from PIL import Image

# PNG readers, Pillow's among them, take a larger profile for an attack, and refuse the file.
MOST_PROFILE_BYTES = 2**20

# The chunks of a PNG that say how colours are meant, with their sizes (PNG, third edition, 11.3.2).
_COLOR_CHUNKS = {b"gAMA": 4, b"cHRM": 32, b"cICP": 4, b"sRGB": 1}
_PROFILE_TAG, _XMP_TAG = 34675, 700
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _ORIENTATION = 282, 283, 296, 274
_EXIF_IFD, _GPS_IFD, _INTEROPERABILITY_IFD, _EXIF_WIDTH, _EXIF_HEIGHT = 0x8769, 0x8825, 0xA005, 0xA002, 0xA003
# Those of the first directory that are about the picture as a whole; the others are about its file, or a thumbnail.
_KEPT_TAGS = (270, 271, 272, 305, 306, 315, 316, 18246, 33432, 40091, 40092, 40093, 40094, 40095)
# The most that fits a PNG's dots per metre.
_MOST_DPI = 50_000_000
_XMP_ORIENTATION = re.compile(rb"""\s*tiff:Orientation=(["'])\d\1|<tiff:Orientation>\d</tiff:Orientation>""")


class Metadata(NamedTuple):
    """What goes into a file beside pixels."""

    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    """Dots per inch, horizontally and vertically."""
    color_chunks: tuple[tuple[bytes, bytes], ...] = ()
    """Names and contents of a PNG's chunks."""
    exif: bytes | None = None
    xmp: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    """Keywords and texts."""

    @property
    def fields(self) -> frozenset[str]:
        """The names of those that say something."""
        return frozenset(name for name, value in self._asdict().items() if value)

    def only(self, fields: frozenset[str]) -> Metadata:
        """Leave out all others."""
        return Metadata(**{name: value for name, value in self._asdict().items() if name in fields})


class Timing(NamedTuple):
    """How an animation is played."""

    durations: tuple[float, ...]
    """Of each frame, in milliseconds."""
    loop: int = 0
    """How many times it is played; 0 for ever."""


def read_metadata(file: Source, image: Image.Image, orientation: object) -> Metadata:
    """Read what one of Pillow's images says of how its colours and size are meant."""
    chunks = tuple(_color_chunks(file)) if image.format == "PNG" else ()
    profile = image.info.get("icc_profile")
    known = profile if isinstance(profile, bytes) and profile else None
    return Metadata(known, _turned(_dpi(image.info), orientation), chunks)


def with_everything(metadata: Metadata, image: Image.Image, orientation: object) -> Metadata:
    """Add all else that is kept, of an image that has been loaded; EXIF data that can't be parsed are left out."""
    try:
        exif = image.getexif()
        ifds = {ifd: dict(exif.get_ifd(ifd)) for ifd in (_EXIF_IFD, _GPS_IFD)}
        metadata = metadata._replace(exif=_exif(exif, ifds, metadata.dpi, orientation))
    except MemoryError:
        raise
    except Exception:  # noqa: S110, of which there is a note, where the orientation is asked for
        pass
    xmp = image.info.get("xmp")
    return metadata._replace(xmp=_without_orientation(xmp) if isinstance(xmp, bytes) else None, texts=_texts(image))


def metadata_of_tags(tags: Mapping[int, Any], *, everything: bool) -> Metadata:
    """Make metadata of a TIFF's tags."""
    profile, xmp, orientation = tags.get(_PROFILE_TAG), tags.get(_XMP_TAG), tags.get(_ORIENTATION)
    dpi = _turned(_dpi_of_tags(tags), orientation)
    known = Metadata(profile if isinstance(profile, bytes) and profile else None, dpi)
    if not everything:
        return known
    return known._replace(
        exif=_exif(tags, {}, dpi, orientation), xmp=_without_orientation(xmp) if isinstance(xmp, bytes) else None
    )


def _color_chunks(file: Source) -> Iterator[tuple[bytes, bytes]]:
    """Find a PNG's chunks before its pixels; one of another size than it should have means nothing."""
    position, seen = 8, set()
    while True:
        file.seek(position)
        head = file.read(8)
        length, name = int.from_bytes(head[:4]), head[4:]
        if len(head) < 8 or name == b"IDAT":
            return
        if _COLOR_CHUNKS.get(name) == length and name not in seen:
            seen.add(name)
            data = file.read(length)
            if len(data) == length:
                yield name, data
        position += 12 + length


def _dpi(info: Mapping[Any, Any]) -> tuple[float, float] | None:
    dpi = info.get("dpi")
    return _checked_dpi(*dpi) if isinstance(dpi, tuple) and len(dpi) == 2 else None


def _dpi_of_tags(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    factor = {2: 1.0, 3: 2.54}.get(tags.get(_RESOLUTION_UNIT, 2))
    x, y = tags.get(_X_RESOLUTION), tags.get(_Y_RESOLUTION)
    if factor is None or x is None or y is None:
        return None
    return _checked_dpi(x, y, factor)


def _checked_dpi(x: Any, y: Any, factor: float = 1.0) -> tuple[float, float] | None:
    """Return dots per inch, unless they mean nothing: 0, as many writers have it, or beyond what can be written."""
    try:
        dpi = float(x) * factor, float(y) * factor
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return dpi if all(math.isfinite(value) and 0.01 <= value <= _MOST_DPI for value in dpi) else None


def _turned(dpi: tuple[float, float] | None, orientation: object) -> tuple[float, float] | None:
    """Exchange what a quarter turn exchanges."""
    return dpi[::-1] if dpi is not None and orientation in (5, 6, 7, 8) else dpi


def _exif(
    tags: Mapping[int, Any],
    ifds: Mapping[int, Mapping[int, Any]],
    dpi: tuple[float, float] | None,
    orientation: object,
) -> bytes | None:
    """Make EXIF data of what is about the picture: no orientation, thumbnail or place in a file."""
    from PIL import Image

    exif = Image.Exif()
    for tag in _KEPT_TAGS:
        if tag in tags:
            exif[tag] = tags[tag]
    for number, ifd in ifds.items():
        kept = {tag: value for tag, value in ifd.items() if tag != _INTEROPERABILITY_IFD}
        if orientation in (5, 6, 7, 8) and kept.keys() >= {_EXIF_WIDTH, _EXIF_HEIGHT}:
            kept[_EXIF_WIDTH], kept[_EXIF_HEIGHT] = kept[_EXIF_HEIGHT], kept[_EXIF_WIDTH]
        if kept:
            exif[number] = kept
    if not dict(exif):
        return None
    if dpi is not None:
        exif[_X_RESOLUTION], exif[_Y_RESOLUTION], exif[_RESOLUTION_UNIT] = *dpi, 2
    return exif.tobytes()


def _without_orientation(xmp: bytes) -> bytes:
    return _XMP_ORIENTATION.sub(b"", xmp)


def _texts(image: Image.Image) -> tuple[tuple[str, str], ...]:
    """Return a PNG's texts, without those that wrap something else, or the comment of another format."""
    found = getattr(image, "text", None)
    if image.format == "PNG" and isinstance(found, dict):
        return tuple((key, text) for key, text in found.items() if not key.startswith(("Raw profile type", "XML:")))
    comment = image.info.get("comment")
    text = comment.decode("latin-1") if isinstance(comment, bytes) else comment
    return (("Comment", text),) if isinstance(text, str) and text else ()
