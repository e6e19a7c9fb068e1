"""EXIF data and XMP put into a TIFF that is there: Pillow can't write those beside pixels that are compressed.

A TIFF is a chain of directories, found by their offsets (TIFF 6.0, section 2). So the data go behind the file, with a
directory for the first picture that has its tags and theirs; all else stays where it is.
"""

from __future__ import annotations

import struct

XMP = 700
_ENTRY = 12  # bytes


def with_tags(tiff: bytes, exif: bytes | None, xmp: bytes | None) -> bytes:
    """Add what isn't there yet to the tags of the first picture of a TIFF that was just written, of less than 4 GB."""
    from PIL import Image

    order = "<" if tiff[:2] == b"II" else ">"
    added = Image.Exif()
    if exif is not None:
        added.load(exif)
    if xmp is not None:
        added[XMP] = xmp
    added.endian = order
    tiff += bytes(len(tiff) % 2)
    head = len(b"Exif\0\0") + 8
    data = added.tobytes(offset=len(tiff))[head:]
    entries, following = _directory(tiff, struct.unpack_from(order + "I", tiff, 4)[0], order)
    entries = _directory(data, 0, order)[0] | entries
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + following
    data += bytes(len(data) % 2)
    return tiff[:4] + struct.pack(order + "I", len(tiff) + len(data)) + tiff[8:] + data + directory


def _directory(data: bytes, start: int, order: str) -> tuple[dict[int, bytes], bytes]:
    """Return the entries of the directory there by their tags, and the offset of the next one."""
    (n_entries,) = struct.unpack_from(order + "H", data, start)
    places = range(start + 2, start + 2 + n_entries * _ENTRY, _ENTRY)
    entries = {struct.unpack_from(order + "H", data, place)[0]: data[place : place + _ENTRY] for place in places}
    return entries, data[places.stop : places.stop + 4]
