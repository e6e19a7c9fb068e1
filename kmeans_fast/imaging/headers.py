"""Sizes that a picture's header tells before Pillow acts on them, for the formats in which Pillow alone would be late.

Pillow refuses too many pixels by the size that it has read, but some of its decoders allocate memory when the file is
opened, or go by another size than that. The layouts are those of the formats' specifications.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator

from kmeans_fast.imaging.sources import Source


def sizes_to_allocate(file: Source) -> Iterator[tuple[int, int]]:
    """Find sizes for which Pillow allocates memory before `Image.size` can be asked, or that are not `Image.size`."""
    file.seek(0)
    start = file.read(30)
    find = next((_SIZE_FINDERS[magic] for magic in _SIZE_FINDERS if start.startswith(magic)), None)
    if find is not None:
        yield from find(file, start)
    file.seek(0)


def _webp_size(_file: Source, start: bytes) -> Iterator[tuple[int, int]]:
    """Find the canvas of a WebP, all of which is allocated when the file is opened."""
    if start[8:16] == b"WEBPVP8X" and len(start) == 30:
        yield 1 + int.from_bytes(start[24:27], "little"), 1 + int.from_bytes(start[27:30], "little")
    elif start[8:16] == b"WEBPVP8L" and len(start) >= 25:
        bits = int.from_bytes(start[21:25], "little")
        yield 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif start[8:16] == b"WEBPVP8 " and len(start) == 30:
        yield int.from_bytes(start[26:28], "little") & 0x3FFF, int.from_bytes(start[28:30], "little") & 0x3FFF


def _gif_sizes(file: Source, start: bytes) -> Iterator[tuple[int, int]]:
    """Find the screen of a GIF and its first frame, which may be larger, and be allocated when the file is opened."""
    if len(start) < 13:
        return
    width, height, flags = struct.unpack_from("<HHB", start, 6)
    yield width, height
    file.seek(13 + (3 << (flags & 7) + 1 if flags & 128 else 0))
    while (kind := file.read(1)) not in (b"", b";", b","):
        if kind == b"!":
            file.read(1)  # which extension it is
            while length := file.read(1):
                if length == b"\0":
                    break
                file.seek(length[0], os.SEEK_CUR)
    frame = file.read(8)
    if len(frame) == 8:
        left, top, width, height = struct.unpack("<HHHH", frame)
        yield left + width, top + height


def _ico_size(file: Source, start: bytes) -> Iterator[tuple[int, int]]:
    """Find the size of the icon that Pillow decodes when it opens the file; the directory may belie it."""
    file.seek(6)
    directory = file.read(16 * int.from_bytes(start[4:6], "little"))
    icons = list(struct.iter_unpack("<BBBBHHII", directory[: len(directory) // 16 * 16]))
    if icons:
        yield from _part_size(file, min(icons, key=_rank_of_icon)[7])


def _rank_of_icon(icon: tuple[int, ...]) -> tuple[int, int]:
    """Sort icons as Pillow does: the largest first; of those, the one with the fewest bits a pixel."""
    width, height, n_colors, _, _, bits, _, _ = icon
    return -(width or 256) * (height or 256), bits or (n_colors and math.ceil(math.log2(n_colors))) or 256


def _icns_sizes(file: Source, _start: bytes) -> Iterator[tuple[int, int]]:
    """Find the sizes of all icons that are files of their own; Pillow goes by the names of the blocks."""
    position, starts = 8, {}
    while len(block := _read_at(file, position, 8)) == 8:
        name, length = struct.unpack(">4sI", block)
        if length == 0:
            break
        starts[name] = position + 8
        position += length
    for name in starts.keys() & _ICNS_FILES:
        yield from _part_size(file, starts[name])


def _part_size(file: Source, position: int) -> Iterator[tuple[int, int]]:
    """Find the size of a PNG, JPEG 2000 or BMP without its file header that begins at `position`."""
    from PIL import BmpImagePlugin, Jpeg2KImagePlugin, PngImagePlugin

    start = _read_at(file, position, 12)
    file.seek(position)
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        yield PngImagePlugin.PngImageFile(file).size
    elif start.startswith((b"\xff\x4f\xff\x51", b"\x0d\x0a\x87\x0a")) or start[4:] == b"jP  \x0d\x0a\x87\x0a":
        yield Jpeg2KImagePlugin.Jpeg2KImageFile(file).size
    elif start[1:4] == b"\0\0\0":
        width, height = BmpImagePlugin.DibImageFile(file).size
        yield width, height // 2  # a mask is below the picture


def _read_at(file: Source, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


_ICNS_FILES = frozenset({b"icp4", b"icp5", b"icp6"} | {b"ic%02d" % number for number in range(7, 15)})
_SIZE_FINDERS: dict[bytes, Callable[[Source, bytes], Iterator[tuple[int, int]]]] = {
    b"RIFF": _webp_size,
    b"GIF8": _gif_sizes,
    b"\0\0\1\0": _ico_size,
    b"icns": _icns_sizes,
}
