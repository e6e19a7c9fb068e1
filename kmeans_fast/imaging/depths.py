"""What a picture's header says of the depth and meaning of its values and Pillow doesn't pass on.

The layouts are those of the formats' specifications.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from kmeans_fast.imaging.sources import Source


def png_depth(file: Source) -> int:
    """Return the bits of a sample of a PNG."""
    file.seek(24)
    return int.from_bytes(file.read(1))


def jpeg2000_depths(file: Source) -> list[int]:
    """Return the bits of each component of a JPEG 2000; empty if that isn't where it should be."""
    file.seek(_codestream_start(file))
    head = file.read(42)
    if head[:4] != b"\xff\x4f\xff\x51" or len(head) < 42:
        return []
    components = file.read(3 * int.from_bytes(head[40:42]))
    return [(depth & 127) + 1 for depth in components[::3]]


def _codestream_start(file: Source) -> int:
    """Find the codestream in the boxes of a JP2 file, or at the beginning if there are none."""
    file.seek(0)
    if file.read(4) == b"\xff\x4f\xff\x51":
        return 0
    position = 0
    while position < file.n_bytes:
        file.seek(position)
        head = file.read(16)
        length, start = int.from_bytes(head[:4]), 8
        if length == 1:
            length, start = int.from_bytes(head[8:16]), 16
        if head[4:8] == b"jp2c":
            return position + start
        if length < start:
            break
        position += length
    return 0


def fits_header(file: Source) -> dict[str, str]:
    """Return keywords and values of a FITS file's first header that describes an array."""
    file.seek(0)
    while True:
        header = dict(_fits_cards(file))
        if header.get("NAXIS", "0") != "0" or "END" not in header:
            return header


def _fits_cards(file: Source) -> Iterator[tuple[str, str]]:
    """Read the cards of one header, and go to the end of its blocks."""
    while len(card := file.read(80)) == 80:
        keyword = card[:8].decode("ascii", "replace").strip()
        value = card[8:].split(b"/")[0].decode("ascii", "replace").strip().removeprefix("=").strip()
        yield keyword, value
        if keyword == "END":
            file.seek(-file.tell() % 2880, os.SEEK_CUR)
            return
