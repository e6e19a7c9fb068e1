"""From a picture's bytes to 8 bits a channel.

Entry point: `decode`. imageio and Pillow are imported inside functions, here and in what this calls, so that
``import kmeans_fast`` costs neither.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging import tiff
from kmeans_fast.imaging.allowed import UnsupportedError, check_size, most_pixels, no_such_frame
from kmeans_fast.imaging.channels import is_translucent
from kmeans_fast.imaging.headers import sizes_to_allocate
from kmeans_fast.imaging.metadata import Metadata, metadata_of_tags, read_metadata, with_everything
from kmeans_fast.imaging.modes import (
    CONVERSIONS,
    GREY_MODES,
    INTEGER_MODES,
    checked_16_bits,
    decode_8_bits,
    grey_values,
    why_not,
    with_transparent_color,
)
from kmeans_fast.imaging.notes import channel_notes, depth_notes, frame_notes, with_usable_profile
from kmeans_fast.imaging.opening import Opened, Reader, open_image, open_plugin, size_unmentioned, warnings_ignored
from kmeans_fast.imaging.sources import Source

if TYPE_CHECKING:
    from PIL import Image

# A tile of a TIFF may have that many pixels even if the picture may not: small pictures come in one large tile.
TILE_PIXELS = 2**20


class Decoded(NamedTuple):
    """A picture, and what goes with it."""

    pixels: NDArray[np.uint8]
    """(H, W), (H, W, 3) or (H, W, 4), upright; may be read-only."""
    metadata: Metadata
    """Without a colour profile that isn't for RGB: one for grey or CMYK does not fit a palette."""
    notes: tuple[str, ...]
    """What of the file is not in `pixels`, each as a part of a sentence."""


def decode(
    file: Source,
    max_pixels: int | None,
    *,
    frame: int | None = None,
    count_frames: bool = False,
    keep_metadata: bool = False,
) -> Decoded:
    """Decode a picture of a file, unless it has more than `max_pixels` pixels or is of a kind that isn't read.

    Of several it is the first, or number `frame`. To count frames takes a walk through the file; without, there is no
    note of them. Metadata other than what says how colours and size are meant are only read if they are to be kept.
    """
    limit = most_pixels(max_pixels)
    for size in sizes_to_allocate(file):
        check_size(size, limit)
    with warnings_ignored(Warning):  # those of metadata are raised again when the picture is read
        kind = tiff.read_tags(file, frame or 0)
    if kind is not None:
        _check_tiff(kind, limit)
        if tiff.is_read_by_planes(kind):
            return _decode_planes(file, kind, count_frames=count_frames, keep_metadata=keep_metadata)
    opened = open_image(file, kind)
    check_size(opened.image.size, limit)
    if frame:
        _go_to(opened.image, frame)
        check_size(opened.image.size, limit)
    pixels, orientation, notes = _decode_by_pillow(opened)
    metadata = read_metadata(file, opened.image, orientation)
    if keep_metadata:
        opened = open_image(file, kind)
        with warnings_ignored(Warning):  # of what has been read already
            opened.image.load()  # some may come after the pixels
            metadata = with_everything(metadata, opened.image, orientation)
    metadata, profile_notes = with_usable_profile(metadata)
    notes += profile_notes + (frame_notes(count_frames_of(opened.image)) if count_frames else ())
    return Decoded(upright(pixels, orientation), metadata, notes)


def _go_to(image: Image.Image, frame: int) -> None:
    """Let an image that has just been opened be another one of its file's."""
    first = image.tell()
    try:
        with warnings_ignored(Warning):
            image.seek(first + frame)
    except EOFError:
        raise no_such_frame(frame, getattr(image, "n_frames", 1)) from None


def _check_tiff(kind: tiff.Tiff, limit: int | None) -> None:
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS is not None and math.prod(kind.size) > 2 * Image.MAX_IMAGE_PIXELS:
        return  # Pillow says so
    check_size(kind.size, limit)
    if limit is not None:
        check_size(kind.tile_size, max(limit, TILE_PIXELS), "tiles of ")
    if tiff.is_misread(kind):
        raise UnsupportedError(f"is a {kind}, which is not read because Pillow misreads it; {tiff.HOW_TO_READ}")


def _decode_planes(file: Source, kind: tiff.Tiff, *, count_frames: bool, keep_metadata: bool) -> Decoded:
    with size_unmentioned(kind.size):
        planes = tiff.read_planes(file, kind)
    if kind.sample_format == tiff.SIGNED:
        planes = [checked_16_bits(planes[0].view(np.int16)).astype(np.uint16)]
    notes = () if kind.bits[0] == 8 else depth_notes(max(int(plane.max()) for plane in planes), kind.bits[0])
    pixels = _without_idle_alpha(tiff.picture_of(kind, planes), is_grey=kind.photometric <= tiff.BLACK_IS_ZERO)
    metadata, profile_notes = with_usable_profile(metadata_of_tags(kind.tags, everything=keep_metadata))
    notes += profile_notes + channel_notes(kind)
    if count_frames:
        notes += frame_notes(tiff.count_pictures(file))
    return Decoded(upright(pixels, kind.tags.get(tiff.ORIENTATION)), metadata, notes)


def _decode_by_pillow(opened: Opened) -> tuple[NDArray[np.uint8], object, tuple[str, ...]]:
    """Decode a picture; returns pixels, orientation and notes."""
    _, image, kind = opened
    mode = image.mode
    with open_plugin(opened) as plugin:
        reader = Reader(opened, plugin)
        if mode in INTEGER_MODES:
            values = grey_values(opened, reader.read("I"))
            notes = depth_notes(int(values.max()), 16)
            pixels = with_transparent_color(tiff.scaled(values, 65535), values, image.info.get("transparency"))
        elif mode in CONVERSIONS:
            pixels, notes = decode_8_bits(opened, reader)
        else:
            raise UnsupportedError(why_not(mode, reader))
        # Asked for only now, because Pillow turns a TIFF while it decodes it, and then forgets the orientation. Not
        # left to the plugin's rotate=True: imageio 2.38 mirrors the channels instead if a palette was applied.
        orientation, exif_notes = reader.orientation()
    if kind is not None:
        notes += channel_notes(kind)
    return _without_idle_alpha(pixels, is_grey=mode in GREY_MODES), orientation, notes + exif_notes


def _without_idle_alpha(pixels: NDArray[np.uint8], *, is_grey: bool) -> NDArray[np.uint8]:
    """Leave out an alpha channel in which all pixels are opaque."""
    if pixels.ndim == 3 and pixels.shape[2] == 4 and not is_translucent(pixels):
        return pixels[..., 0] if is_grey else pixels[..., :3]
    return pixels


def upright(pixels: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    """Undo an EXIF orientation: 1 to 8, anything else is taken as 1."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def count_frames_of(image: Image.Image) -> int | None:
    """Count the pictures in a file, None if the others are damaged; `image` can't be decoded afterwards."""
    try:
        with warnings_ignored(Warning):
            return int(getattr(image, "n_frames", 1))
    except MemoryError:
        raise
    except Exception:  # the first picture is not to blame
        return None
