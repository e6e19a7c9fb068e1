"""The pixels of a PNG as they are compressed: rows of labels, and the chunk that holds them (PNG, third edition, 5, 7).

Pillow filters rows in which several pixels share a byte: each byte is predicted from those above and before it. In
drawings, and with dithering, labels compress better as they are.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Up to so many entries several pixels share a byte.
MOST_PACKED = 16


def packed(labels: NDArray[np.integer[Any]], n_colors: int) -> bytes:
    """Return rows of labels (H, W), of up to 16 entries, with 1, 2 or 4 bits each; they are not filtered."""
    bits = 1 if n_colors <= 2 else 2 if n_colors <= 4 else 4
    height, width = labels.shape
    per_byte = 8 // bits
    padded = np.zeros((height, -(-width // per_byte) * per_byte), np.uint8)
    padded[:, :width] = labels
    rows = np.zeros((height, 1 + padded.shape[1] // per_byte), np.uint8)  # each begins with its filter
    for place in range(per_byte):
        rows[:, 1:] |= padded[:, place::per_byte] << np.uint8(8 - bits * (place + 1))
    return rows.tobytes()


def pixels_of(png: bytes) -> bytes:
    """Return the rows of a single picture, whatever they are; `png` is one that was just written, and whole."""
    return zlib.decompress(b"".join(content for name, content in _chunks(png) if name == b"IDAT"))


def with_pixels(png: bytes, compressed: bytes) -> bytes:
    """Give a picture such rows, compressed; all its other chunks stay."""
    chunks = list(_chunks(png))
    place = [name for name, _ in chunks].index(b"IDAT")
    others = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    parts = [*others[:place], (b"IDAT", compressed), *others[place:]]
    return png[:8] + b"".join(_chunk(name, content) for name, content in parts)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(png):
        length, name = struct.unpack_from(">I4s", png, position)
        yield name, png[position + 8 : position + 8 + length]
        position += 12 + length


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
