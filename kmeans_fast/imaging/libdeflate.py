"""PNGs compressed anew by libdeflate, in a fraction of zlib's time or to fewer bytes; an extra, asked for by name.

Entry point: `recompressed`. The pixels, their filters and all other chunks stay as they are (PNG, third edition, 5 and
10).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

MOST_LEVEL = 12


def check_installed() -> None:
    """Raise ImportError, with what to do, if libdeflate isn't there."""
    try:
        import deflate  # noqa: F401
    except ImportError as error:
        raise ImportError("encoder='libdeflate' needs deflate: pip install 'kmeans_fast[libdeflate]'") from error


def recompressed(png: bytes, level: int) -> bytes:
    """Compress the pixels of a single picture anew, from 0 to 12; `png` is one that was just written, and whole."""
    import deflate

    parts, stored = [png[:8]], []
    for name, content in _chunks(png):
        if name == b"IDAT":
            stored.append(content)
            continue
        if stored:
            pixels = zlib.decompress(b"".join(stored))
            parts.append(_chunk(b"IDAT", bytes(deflate.zlib_compress(pixels, level))))
            stored = []
        parts.append(_chunk(name, content))
    return b"".join(parts)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(png):
        length, name = struct.unpack_from(">I4s", png, position)
        yield name, png[position + 8 : position + 8 + length]
        position += 12 + length


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
