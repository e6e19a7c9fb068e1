"""Several pictures as one array (F, H, W, C): the frames of an animation, the pages of a file, or a list of pictures.

Frames are clustered as one picture, so that they have one palette, and a colour has the same entry in all of them.
Pillow puts each frame together with those before it, as the file's disposal and blending say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import arrays
from kmeans_fast.imaging import tiff
from kmeans_fast.imaging.allowed import UnsupportedError, check_size, how_to_allow_more, most_pixels
from kmeans_fast.imaging.channels import with_channels, without_idle_alpha
from kmeans_fast.imaging.decoding import Decoded, count_frames_of, decode, upright
from kmeans_fast.imaging.headers import sizes_to_allocate
from kmeans_fast.imaging.metadata import Timing, read_metadata, with_everything
from kmeans_fast.imaging.modes import CONVERSIONS
from kmeans_fast.imaging.notes import with_usable_profile
from kmeans_fast.imaging.opening import open_image, size_unmentioned, warnings_ignored
from kmeans_fast.imaging.sources import Source

if TYPE_CHECKING:
    from PIL import Image

# Of Pillow's formats, those of which the pictures in a file are an animation.
_ANIMATIONS = frozenset({"GIF", "PNG", "WEBP", "AVIF"})


@dataclass(frozen=True, eq=False, repr=False)
class Frames:
    """The pictures of one file; `quantize` gives them one palette.

    Attributes
    ----------
    pixels : numpy.ndarray
        uint8 of shape (F, H, W, 3), or (F, H, W, 4) with straight alpha if at least one pixel is not opaque; each frame
        as it is seen, put together with those before it.
    duration : tuple of float
        How long each is shown, in milliseconds; 0 for pages.
    loop : int
        How many times they are played; 0 for ever.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> import kmeans_fast as kf
    >>> pictures = [np.full((4, 5, 3), value, np.uint8) for value in (0, 100, 250)]
    >>> file = io.BytesIO()
    >>> kf.quantize(pictures, 2).save(file, format="gif", duration=40, loop=0) > 0
    True
    >>> frames = kf.read_frames(file.getvalue())
    >>> frames
    <Frames: 2 of 5×4 pixels, 120 ms, played for ever>
    """

    pixels: NDArray[np.uint8]
    duration: tuple[float, ...]
    loop: int = 0

    def __len__(self) -> int:
        return len(self.pixels)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return iter(self.pixels)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        frame: NDArray[np.uint8] = self.pixels[index]
        return frame

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.pixels, dtype, copy=copy)

    def __repr__(self) -> str:
        height, width = self.pixels.shape[1:3]
        times = {0: "for ever", 1: "once"}.get(self.loop, f"{self.loop} times")
        return f"<Frames: {len(self)} of {width}×{height} pixels, {sum(self.duration):g} ms, played {times}>"


class Sequence(NamedTuple):
    """What is in a file of several pictures."""

    decoded: Decoded
    """Of which the pixels are (F, H, W, C) if there is a timing."""
    timing: Timing | None
    """Of frames; None if there is one picture, or the first was taken, with a note."""


def decode_sequence(file: Source, max_pixels: int | None, kind: str, *, keep_metadata: bool = False) -> Sequence:
    """Decode all pictures of a file if they are a sequence of this kind, "animation", "pages" or "any"; else the first.

    All of them together may have `max_pixels` pixels.
    """
    found = None
    if kind in ("animation", "any"):
        found = _decode_animation(file, most_pixels(max_pixels), keep_metadata=keep_metadata)
    if found is None and kind in ("pages", "any"):
        found = _decode_pages(file, max_pixels, keep_metadata=keep_metadata)
    if found is not None:
        return found
    return Sequence(decode(file, max_pixels, count_frames=True, keep_metadata=keep_metadata), None)


def _check_all(n_frames: int, size: tuple[int, int], limit: int | None) -> None:
    if limit is not None and n_frames * math.prod(size) > limit:
        raise UnsupportedError(
            f"has {n_frames} pictures of {size[0]} x {size[1]} = {n_frames * math.prod(size)} pixels; at most {limit} "
            f"are allowed. {how_to_allow_more()}"
        )


def _decode_animation(file: Source, limit: int | None, *, keep_metadata: bool) -> Sequence | None:
    for size in sizes_to_allocate(file):
        check_size(size, limit)
    if tiff.is_tiff(file):
        return None
    opened = open_image(file, None)
    image = opened.image
    if image.format not in _ANIMATIONS:
        return None
    check_size(image.size, limit)
    n_frames = count_frames_of(image) or 1
    is_extra = bool(image.info.get("default_image"))  # which a PNG shows where animations are not known
    if n_frames - is_extra < 2:
        return None
    _check_all(n_frames - is_extra, image.size, limit)
    image = open_image(file, None).image
    with size_unmentioned(image.size):
        pixels, durations = _decoded_frames(image, range(int(is_extra), n_frames))
    orientation = _orientation(image)
    metadata = read_metadata(file, image, orientation)
    if keep_metadata:
        with warnings_ignored(Warning):
            metadata = with_everything(metadata, image, orientation)
    metadata, notes = with_usable_profile(metadata)
    pixels = np.stack([upright(frame, orientation) for frame in pixels]) if orientation in range(2, 9) else pixels
    return Sequence(Decoded(pixels, metadata, notes), Timing(durations, _n_plays(image)))


def _decoded_frames(image: Image.Image, places: range) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    width, height = image.size
    pixels = np.empty((len(places), height, width, 4), np.uint8)
    durations = []
    for number, place in enumerate(places):
        image.seek(place)
        if image.size != (width, height):
            raise UnsupportedError("has frames beyond the edges of its first one, which is not read; frame= reads one")
        if image.mode not in CONVERSIONS:
            raise UnsupportedError(
                f"has frames of Pillow's mode {image.mode!r}, which are not read as an animation; frame= reads one"
            )
        pixels[number] = np.asarray(image.convert("RGBA"))
        durations.append(float(image.info.get("duration", 0)))
    return np.ascontiguousarray(without_idle_alpha(pixels)), tuple(durations)


def _orientation(image: Image.Image) -> object:
    try:
        with warnings_ignored(Warning):
            return image.getexif().get(tiff.ORIENTATION)
    except MemoryError:
        raise
    except Exception:  # metadata that nobody can parse may raise anything
        return None


def _n_plays(image: Image.Image) -> int:
    """Return how many times it is played: a GIF has the number of repetitions, none if it says nothing."""
    loop = image.info.get("loop")
    if image.format != "GIF":
        return loop if isinstance(loop, int) else 0
    return 1 if loop is None else loop + 1 if loop > 0 else 0


def _decode_pages(file: Source, max_pixels: int | None, *, keep_metadata: bool) -> Sequence | None:
    if not tiff.is_tiff(file):
        return None
    with warnings_ignored(Warning):
        n_pages = tiff.count_pictures(file)
        kinds = [tiff.read_tags(file, number) for number in range(n_pages)]
    sizes = {kind.size for kind in kinds if kind is not None}
    if n_pages < 2 or len(sizes) != 1:  # thumbnails, mostly
        return None
    _check_all(n_pages, sizes.pop(), most_pixels(max_pixels))
    pages = [decode(file, max_pixels, frame=number, keep_metadata=keep_metadata) for number in range(n_pages)]
    pixels = [page.pixels if page.pixels.ndim == 3 else page.pixels[..., np.newaxis] for page in pages]
    if len({page.shape[:2] for page in pixels}) != 1:
        return None
    notes = tuple(dict.fromkeys(note for page in pages for note in page.notes))
    return Sequence(Decoded(stacked(pixels), pages[0].metadata, notes), Timing((0.0,) * n_pages))


# ---------------------------------------------------------------------------------------------------- arrays


def are_frames(image: Any) -> bool:
    """Say whether this is a list of pictures and no picture: Pillow's, arrays with rows and columns, or `Frames`."""
    if isinstance(image, Frames):
        return True
    return (
        isinstance(image, list | tuple)
        and len(image) > 0
        and all(arrays.is_pillow_image(item) or getattr(item, "ndim", 0) >= 2 for item in image)
    )


def stacked(pictures: list[NDArray[Any]], name: str = "image") -> NDArray[Any]:
    """Stack pictures (H, W, C) of one size and depth, with as many channels as any of them has.

    Raises
    ------
    ValueError
        If they differ.
    """
    for what, found in (
        ("size", [f"{picture.shape[1]} x {picture.shape[0]}" for picture in pictures]),
        ("depth", [str(picture.dtype) for picture in pictures]),
    ):
        if len(set(found)) > 1:
            other = next(value for value in found if value != found[0])
            raise ValueError(f"{name} must be of one {what} as it is a list of frames, got {found[0]} and {other}")
    n_channels = max(picture.shape[2] for picture in pictures)
    return np.stack([with_channels(picture, n_channels) for picture in pictures])


def read_all(frames: Any, read: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
    """Read each of several pictures as an array (H, W, C), and stack them."""
    if isinstance(frames, Frames):
        return frames.pixels
    return stacked([read(frame) for frame in frames])
