"""Formats of palette files: bytes as entries, and entries as bytes.

- ``hex``: a colour a line, ``rrggbb`` or ``rrggbbaa``, as Lospec has them.
- ``gpl``: GIMP's palettes [1]_; with alpha in Aseprite's extension of them [2]_.
- ``act``: Adobe's colour tables: 256 colours of three bytes and, if there are fewer, their number and which is
  transparent, big-endian [3]_.
- ``ase``: Adobe's swatches for exchange, as others found them to be [4]_: blocks of a type and a length; of a colour
  a name in UTF-16, a model and float32, all big-endian.
- ``jasc``: Paint Shop Pro's ``.pal``, lines of text.
- ``riff``: Microsoft's ``.pal``: a LOGPALETTE in RIFF, little-endian [5]_.
- ``json``: a list of colours as text, or of objects that have ``hex``; by itself or as ``colors``.
- ``png``: an indexed picture with a pixel for each entry; reading pictures is for `given`.

References
----------
.. [1] https://developer.gimp.org/core/standards/gpl
.. [2] "GIMP Palette File Format Extension", in the documentation of Aseprite.
.. [3] "Adobe Photoshop File Formats Specification", section "Color Table".
.. [4] https://carl.camera/default.aspx?section=color
.. [5] IBM and Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging.notation import entries_of, hex_of

# Of all formats together: no palette has more.
MOST_ENTRIES = 2**16
Entries = NDArray[np.uint8]


class Format(NamedTuple):
    """How a kind of file is read and written."""

    suffix: str
    read: Callable[[bytes], Entries] | None
    write: Callable[[Entries], bytes]
    """Of entries with 3 or 4 channels."""
    most: int = MOST_ENTRIES
    """Entries that it holds."""
    transparent: int | None = 0
    """How many entries of it may be fully transparent, and no other one may be translucent; None for any alpha."""


def checked_entries(entries: Entries, name: str) -> Entries:
    """Return entries as RGB, or as RGBA if one is not opaque, if a format can hold them."""
    kind = FORMATS[name]
    if len(entries) > kind.most:
        raise ValueError(f"palette must have at most {kind.most} entries as {name}, got {len(entries)}")
    if entries.shape[1] < 4 or (entries[:, 3] == 255).all():
        return np.ascontiguousarray(np.broadcast_to(entries[:, :3], (len(entries), 3)))
    n_faint = int((entries[:, 3] < 255).sum())
    if kind.transparent is not None and (n_faint > kind.transparent or entries[:, 3].min() > 0):
        others = ", ".join(repr(other) for other, kind in FORMATS.items() if kind.transparent is None)
        raise ValueError(f"palette must be opaque as {name}, got {n_faint} entries that aren't; {others} hold them")
    return entries


def _numbers(fields: list[str], n_channels: int) -> tuple[int, ...]:
    """Return so many channels that a line of text begins with."""
    numbers = [int(field) for field in fields[:n_channels] if field.isascii() and field.isdigit()]
    if len(numbers) != n_channels or max(numbers) > 255:
        raise ValueError(f"expected {n_channels} numbers from 0 to 255, got {' '.join(fields)[:40]!r}")
    return tuple(numbers)


def _lines(data: bytes) -> list[str]:
    return [line.strip() for line in data.decode("utf-8-sig").splitlines()]


def _read_hex(data: bytes) -> Entries:
    return entries_of("the file", filter(None, _lines(data)))


def _write_hex(entries: Entries) -> bytes:
    return "".join(f"{color[1:]}\n" for color in hex_of(entries)).encode()


def _read_gpl(data: bytes) -> Entries:
    first, *lines = _lines(data)
    if first != "GIMP Palette":
        raise ValueError("its first line is not 'GIMP Palette'")
    n_channels = 4 if "Channels: RGBA" in lines else 3
    colors = [line for line in lines if line and line[0] != "#" and not line.startswith(("Name:", "Columns:", "Chan"))]
    return np.array([_numbers(line.split(), n_channels) for line in colors], np.uint8)


def _write_gpl(entries: Entries) -> bytes:
    channels = "Channels: RGBA\n" if entries.shape[1] == 4 else ""
    rows = zip(entries.tolist(), hex_of(entries), strict=True)
    colors = [" ".join(f"{value:3}" for value in row) + f"\t{color}\n" for row, color in rows]
    return f"GIMP Palette\nName: kmeans_fast\nColumns: 0\n{channels}#\n{''.join(colors)}".encode()


def _read_act(data: bytes) -> Entries:
    if len(data) not in (768, 772):
        raise ValueError(f"it has {len(data)} bytes instead of 768 or 772")
    entries = np.frombuffer(data[:768], np.uint8).reshape(256, 3)
    n_entries, transparent = struct.unpack(">HH", data[768:] or b"\x01\x00\xff\xff")
    if not 1 <= n_entries <= 256:
        raise ValueError(f"it names {n_entries} colours, of up to 256")
    entries = entries[:n_entries]
    if transparent >= n_entries:
        return entries
    alpha = np.full(n_entries, 255, np.uint8)
    alpha[transparent] = 0
    return np.column_stack([entries, alpha])


def _write_act(entries: Entries) -> bytes:
    transparent = int(entries[:, 3].argmin()) if entries.shape[1] == 4 else 0xFFFF
    end = struct.pack(">HH", len(entries), transparent)
    return entries[:, :3].tobytes().ljust(768, b"\0") + end


def _read_ase(data: bytes) -> Entries:
    if data[:4] != b"ASEF" or len(data) < 12:
        raise ValueError("it does not begin with 'ASEF'")
    (n_blocks,) = struct.unpack_from(">I", data, 8)
    blocks = list(_ase_blocks(data))
    if len(blocks) < n_blocks:
        raise ValueError(f"it ends after {len(blocks)} of {n_blocks} blocks")
    return np.array([_ase_color(block) for kind, block in blocks if kind == 1], np.uint8)


def _ase_blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 12
    while start < len(data):
        kind, size = struct.unpack_from(">HI", data, start)
        start += 6 + size
        if start > len(data):
            raise ValueError("a block is longer than the file")
        yield kind, data[start - size : start]


def _ase_color(block: bytes) -> tuple[int, ...]:
    model_at = 2 + 2 * struct.unpack_from(">H", block)[0]
    model = block[model_at : model_at + 4]
    n_values = {b"RGB ": 3, b"Gray": 1, b"GRAY": 1}.get(model)
    if n_values is None:
        raise ValueError(f"it has a colour of the model {model!r}; those of RGB and grey are read")
    values = struct.unpack_from(f">{n_values}f", block, model_at + 4)
    if not all(0 <= value <= 1 for value in values):
        raise ValueError(f"it has a colour outside 0 to 1: {values}")
    return tuple(round(value * 255) for value in values * (3 // n_values))


def _write_ase(entries: Entries) -> bytes:
    blocks = []
    for color, entry in zip(hex_of(entries), entries.tolist(), strict=True):
        name = struct.pack(">H", len(color) + 1) + f"{color}\0".encode("utf-16-be")
        block = name + struct.pack(">4s3fH", b"RGB ", *(value / 255 for value in entry), 2)
        blocks.append(struct.pack(">HI", 1, len(block)) + block)
    return struct.pack(">4sHHI", b"ASEF", 1, 0, len(blocks)) + b"".join(blocks)


def _read_pal(data: bytes) -> Entries:
    return _read_riff(data) if data[:4] == b"RIFF" else _read_jasc(data)


def _read_jasc(data: bytes) -> Entries:
    lines = list(filter(None, _lines(data)))
    if lines[:2] != ["JASC-PAL", "0100"] or not lines[2:3] or not lines[2].isdigit():
        raise ValueError("it begins neither with 'RIFF' nor with 'JASC-PAL', '0100' and a number")
    if len(lines) < 3 + int(lines[2]):
        raise ValueError(f"it has {len(lines) - 3} of {int(lines[2])} colours")
    return np.array([_numbers(line.split(), 3) for line in lines[3 : 3 + int(lines[2])]], np.uint8)


def _write_jasc(entries: Entries) -> bytes:
    colors = "".join("{} {} {}\r\n".format(*entry) for entry in entries.tolist())
    return f"JASC-PAL\r\n0100\r\n{len(entries)}\r\n{colors}".encode()


def _read_riff(data: bytes) -> Entries:
    if data[8:12] != b"PAL ":
        raise ValueError("it is RIFF, but no palette")
    start = 12
    while data[start : start + 4] not in (b"data", b""):
        (size,) = struct.unpack_from("<I", data, start + 4)
        start += 8 + size + size % 2
    _, n_entries = struct.unpack_from("<HH", data, start + 8)
    colors = data[start + 12 : start + 12 + 4 * n_entries]
    if len(colors) < 4 * n_entries:
        raise ValueError(f"it has {len(colors) // 4} of {n_entries} colours")
    return np.frombuffer(colors, np.uint8).reshape(n_entries, 4)[:, :3]  # the fourth says how Windows may use it


def _write_riff(entries: Entries) -> bytes:
    colors = np.pad(entries, ((0, 0), (0, 1))).tobytes()
    chunk = struct.pack("<4sIHH", b"data", 4 + len(colors), 0x0300, len(entries)) + colors
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunk), b"PAL ") + chunk


def _read_json(data: bytes) -> Entries:
    content = json.loads(data)
    colors: Any = content.get("colors") if isinstance(content, dict) else content
    if not isinstance(colors, list):
        raise ValueError("it is neither a list of colours nor has one as 'colors'")
    return entries_of("the file", [color.get("hex") if isinstance(color, dict) else color for color in colors])


def json_of(colors: list[str], counts: NDArray[np.int64] | None) -> str:
    """Return colours as JSON, with their counts and shares if these are known."""
    described: list[dict[str, Any]] = [{"hex": color} for color in colors]
    if counts is not None:
        for color, count in zip(described, counts.tolist(), strict=True):
            color |= {"count": count, "share": count / int(counts.sum())}
    return json.dumps({"colors": described}, indent=1)


def _write_png(entries: Entries) -> bytes:
    from PIL import Image

    picture = Image.fromarray(np.arange(len(entries), dtype=np.uint8)[np.newaxis])
    picture.putpalette(entries[:, :3].tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **({"transparency": entries[:, 3].tobytes()} if entries.shape[1] == 4 else {}))
    return buffer.getvalue()


FORMATS = {
    "hex": Format(".hex", _read_hex, _write_hex, transparent=None),
    "gpl": Format(".gpl", _read_gpl, _write_gpl, transparent=None),
    "act": Format(".act", _read_act, _write_act, most=256, transparent=1),
    "ase": Format(".ase", _read_ase, _write_ase),
    "jasc": Format(".pal", _read_pal, _write_jasc),
    "riff": Format(".pal", _read_pal, _write_riff, most=2**16 - 1),
    "json": Format(".json", _read_json, lambda entries: json_of(hex_of(entries), None).encode(), transparent=None),
    "png": Format(".png", None, _write_png, most=256, transparent=None),
}
# What a name's ending stands for; JASC's is the more usual of the two.
BY_SUFFIX = {kind.suffix: name for name, kind in reversed(FORMATS.items())}
