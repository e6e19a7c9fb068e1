"""What a TIFF's tags say of its pixels, and those kinds of TIFF that Pillow misreads or doesn't know.

Pillow and its libtiff read a plane of 16-bit grey rightly, whatever the compression. So a picture whose channels are
stored one after the other, or that has only one, is read plane by plane, each as a small TIFF of its own; what the
values mean is then up to us. All that is decoded is bounded as ever, by libtiff and Pillow's limits.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging.sources import Source

if TYPE_CHECKING:
    from PIL import TiffImagePlugin

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_SIZES = 317, 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT = 338, 339

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5
PREMULTIPLIED, STRAIGHT = 1, 2
UNSIGNED, SIGNED, FLOAT = 1, 2, 3

_FORMAT_NAMES = {UNSIGNED: "unsigned integers", SIGNED: "signed integers", FLOAT: "floating-point numbers"}
_PHOTOMETRIC_NAMES = {
    WHITE_IS_ZERO: "grey, white is zero",
    BLACK_IS_ZERO: "grey",
    RGB: "RGB",
    3: "palette",
    4: "mask",
    CMYK: "separated inks",
    6: "YCbCr",
    8: "CIE L*a*b*",
    32803: "raw sensor",
    34892: "linear raw",
}
_COLOR_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4}

# What may be done with arrays that are no pictures of 8 bits a channel.
HOW_TO_READ = "tifffile.imread gives its values as an array: scale that to uint8, or give it to kmeans"


@dataclass(frozen=True)
class Tiff:
    """The first picture's tags, as far as its pixels depend on them."""

    byte_order: str
    tags: Mapping[int, Any]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.one(WIDTH, 0), self.one(LENGTH, 0)

    @property
    def tile_size(self) -> tuple[int, int]:
        """Size of the tiles, for which the decoder allocates memory; (0, 0) if there are only strips."""
        return self.one(TILE_WIDTH, 0), self.one(TILE_LENGTH, 0)

    @property
    def bits(self) -> tuple[int, ...]:
        """Bits of each channel."""
        bits = self.all(BITS, (1,))
        return bits * self.n_samples if len(bits) == 1 else bits

    @property
    def n_samples(self) -> int:
        """Number of channels."""
        return self.one(SAMPLES, 1)

    @property
    def photometric(self) -> int:
        """What the channels mean."""
        return self.one(PHOTOMETRIC, BLACK_IS_ZERO)

    @property
    def sample_format(self) -> int:
        """That of all channels; 0 if they differ."""
        formats = set(self.all(SAMPLE_FORMAT, (UNSIGNED,)))
        return formats.pop() if len(formats) == 1 else 0

    @property
    def is_planar(self) -> bool:
        """Whether channels are stored one after the other."""
        return self.n_samples > 1 and self.one(PLANAR, 1) == 2

    def one(self, tag: int, default: int) -> int:
        """Return a tag that holds one integer."""
        return self.all(tag, (default,))[0]

    def all(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return a tag that holds integers."""
        value = self.tags.get(tag, default)
        values = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(item, int) for item in values) or (default and not values):
            raise ValueError(f"the tag {tag} of the TIFF should hold integers, not {value!r}")
        return values

    def __str__(self) -> str:
        """Name the kind, as in: TIFF with 5 channels of 8-bit unsigned integers (grey)."""
        bits = "/".join(map(str, sorted(set(self.bits))))
        values = _FORMAT_NAMES.get(self.sample_format, "values of another kind")
        channels = "1 channel" if self.n_samples == 1 else f"{self.n_samples} channels"
        meaning = _PHOTOMETRIC_NAMES.get(self.photometric, f"photometric interpretation {self.photometric}")
        order = ", each stored by itself" if self.is_planar else ""
        return f"TIFF with {channels} of {bits}-bit {values} ({meaning}{order})"


def is_tiff(file: Source) -> bool:
    """Tell a TIFF by how it begins."""
    file.seek(0)
    return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_tags(file: Source, frame: int = 0) -> Tiff | None:
    """Read the tags of a TIFF's first picture, or of number `frame`; None if `file` is no TIFF, or there is none."""
    if not is_tiff(file):
        return None
    directory = _directory(file)
    seen: set[int] = set()  # one that leads back to another ends the list
    for number in range(frame + 1):
        if number and (directory.next == 0 or directory.next in seen):
            return None
        seen.add(directory.next)
        file.seek(directory.next)
        directory.load(file)
    return Tiff("<" if directory.prefix == b"II" else ">", directory)


def _directory(file: Source) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Read a TIFF's header, which says where the first directory is."""
    from PIL import TiffImagePlugin

    file.seek(0)
    head = file.read(8)
    return TiffImagePlugin.ImageFileDirectory_v2(head + (file.read(8) if b"+" in head[2:4] else b""))


def count_pictures(file: Source) -> int:
    """Count the directories of a TIFF; one that leads back to another ends the list."""
    directory = _directory(file)
    starts: set[int] = set()
    while directory.next and directory.next not in starts and directory.next < file.n_bytes:
        starts.add(directory.next)
        file.seek(directory.next)
        directory.load(file)
    return len(starts)


def is_misread(kind: Tiff) -> bool:
    """Tell whether Pillow takes this kind for another, or puts its bytes together in the wrong order."""
    if kind.sample_format == SIGNED and set(kind.bits) == {8}:
        return True
    # libtiff has put compressed values into the machine's order, and Pillow turns them once more.
    native = ">" if sys.byteorder == "big" else "<"
    return kind.byte_order != native and kind.one(COMPRESSION, 1) != 1 and set(kind.bits) == {32}


def is_read_by_planes(kind: Tiff) -> bool:
    """Tell whether `read_planes` is for this kind: channels by themselves, of more than 8 bits or with an extra one."""
    if len(set(kind.bits)) != 1 or len(kind.bits) != kind.n_samples or kind.one(FILL_ORDER, 1) != 1:
        return False
    n_colors = _COLOR_CHANNELS.get(kind.photometric)
    if n_colors is None or kind.n_samples - n_colors not in (0, 1):
        return False
    bits = kind.bits[0]
    if kind.n_samples == 1:
        return (bits, kind.sample_format) in {(12, UNSIGNED), (16, UNSIGNED), (16, SIGNED)}
    wide = bits in (12, 16) and kind.sample_format == UNSIGNED
    return kind.is_planar and (wide or (bits == 8 and kind.sample_format == UNSIGNED))


def read_planes(file: Source, kind: Tiff) -> list[NDArray[np.uint16]]:
    """Read the channels as they are stored, one by one."""
    return [_read_plane(file, kind, number) for number in range(kind.n_samples)]


def _read_plane(file: Source, kind: Tiff, number: int) -> NDArray[np.uint16]:
    from PIL import Image

    with Image.open(io.BytesIO(_tiff_of_plane(file, kind, number))) as image:
        return np.asarray(image).astype(np.uint16)  # a copy; of the machine's byte order


def _tiff_of_plane(file: Source, kind: Tiff, number: int) -> bytes:
    """Make a TIFF of one channel, as unsigned grey, from the strips or tiles of a plane as they are."""
    is_tiled = TILE_OFFSETS in kind.tags
    offset_tag, size_tag = (TILE_OFFSETS, TILE_SIZES) if is_tiled else (STRIP_OFFSETS, STRIP_SIZES)
    offsets, sizes = (_of_plane(kind.all(tag), kind.n_samples, number) for tag in (offset_tag, size_tag))
    if len(offsets) != len(sizes) or not offsets or sum(sizes) > file.n_bytes:
        raise ValueError("the TIFF's strips or tiles are not where its tags say")
    parts = []
    for offset, size in zip(offsets, sizes, strict=True):
        file.seek(offset)
        parts.append(file.read(size))
    if sum(map(len, parts)) < sum(sizes):
        raise ValueError("the TIFF ends within its strips or tiles")
    # A byte holds parts of two values of 12 bits, so they have no byte order; Pillow knows them as little-endian only.
    order = "<" if kind.bits[0] == 12 else kind.byte_order
    starts = [8 + sum(sizes[:index]) for index in range(len(sizes))]
    width, length = kind.size
    tags = {WIDTH: [width], LENGTH: [length], BITS: [kind.bits[0]], COMPRESSION: [kind.one(COMPRESSION, 1)]}
    tags |= {PHOTOMETRIC: [BLACK_IS_ZERO], SAMPLES: [1], PREDICTOR: [kind.one(PREDICTOR, 1)]}
    tags |= {offset_tag: starts, size_tag: list(sizes)}
    if is_tiled:
        tags |= {tag: [kind.one(tag, 0)] for tag in (TILE_WIDTH, TILE_LENGTH)}
    else:
        tags[ROWS_PER_STRIP] = [min(kind.one(ROWS_PER_STRIP, length), length)]
    return _written(order, b"".join(parts), tags)


def _of_plane(values: Sequence[int], n_planes: int, number: int) -> Sequence[int]:
    each = len(values) // n_planes
    return values[number * each : (number + 1) * each]


def _written(order: str, data: bytes, tags: Mapping[int, Sequence[int]]) -> bytes:
    """Write a TIFF of `data` and tags, all of them 32-bit integers."""
    data += bytes(len(data) % 2)
    entries, values = b"", b""
    start = 8 + len(data) + 2 + 12 * len(tags) + 4  # of the values that don't fit into an entry
    for tag, numbers in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        where = packed if len(numbers) == 1 else struct.pack(f"{order}I", start + len(values))
        values += packed if len(numbers) > 1 else b""
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + where
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values


def picture_of(kind: Tiff, planes: Sequence[NDArray[np.uint16]]) -> NDArray[np.uint8]:
    """Make a picture of 8 bits a channel from the planes: (H, W), (H, W, 3), or (H, W, 4) with straight alpha."""
    from PIL import Image

    top = 2 ** kind.bits[0] - 1
    n_colors = _COLOR_CHANNELS[kind.photometric]
    colors, extra = list(planes[:n_colors]), list(planes[n_colors:])
    meaning = kind.one(EXTRA_SAMPLES, 0) if extra else 0
    if meaning == PREMULTIPLIED:
        colors = [_divided(color, extra[0], top) for color in colors]
    if kind.photometric == WHITE_IS_ZERO:
        colors = [top - color for color in colors]
    channels = [scaled(color, top) for color in colors]
    if kind.photometric == CMYK:
        inks = Image.merge("CMYK", [Image.fromarray(channel) for channel in channels])
        return np.asarray(inks.convert("RGB"))
    if meaning in (PREMULTIPLIED, STRAIGHT):
        channels = (channels if len(channels) == 3 else channels * 3) + [scaled(extra[0], top)]
    return channels[0] if len(channels) == 1 else np.stack(channels, axis=-1)


def scaled(values: NDArray[Any], top: int) -> NDArray[np.uint8]:
    """Scale integers from 0 to `top` to 8 bits, rounded."""
    table = ((np.arange(top + 1) * 255 + top // 2) // top).astype(np.uint8)
    pixels: NDArray[np.uint8] = table[values]
    return pixels


def _divided(color: NDArray[np.uint16], alpha: NDArray[np.uint16], top: int) -> NDArray[np.uint16]:
    """Undo the multiplication by alpha, rounded; a colour that can't be seen stays as it is."""
    divisor = np.maximum(alpha, 1).astype(np.int64)
    straight = (color.astype(np.int64) * top + divisor // 2) // divisor
    return np.where(alpha > 0, np.minimum(straight, top), color).astype(np.uint16)


def rescaled(values: NDArray[Any], top: int) -> NDArray[Any]:
    """Scale integers from 0 to `top` to 16 bits, rounded."""
    return (values.astype(np.int64) * 65535 + top // 2) // top
