"""The pixels of a picture, checked: an array, in whatever form it came, and the space that they are compared in."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import arrays
from kmeans_fast.arrays import Selection
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.imaging import frames
from kmeans_fast.imaging.channels import is_translucent, with_channels
from kmeans_fast.imaging.dithering import check_depth
from kmeans_fast.imaging.given import of_depth
from kmeans_fast.imaging.requests import Request
from kmeans_fast.imaging.spaces import NAMED, Space, plain, with_transparency
from kmeans_fast.lending import machine_for
from kmeans_fast.points.access import Points
from kmeans_fast.points.fractions import in_16_bits, integers_of


class Pixels(NamedTuple):
    """The pixels of a picture."""

    channels: NDArray[Any]
    """(H, W, C), (F, H, W, C) of frames, or (N, C) where some are left out, of uint8 or uint16.

    There is no alpha channel that says nothing.
    """
    space: Space
    """Where their colours are compared."""
    given: NDArray[Any]
    """Palette entries that are given, (0 or more, C), with the same channels and depth."""
    selection: Selection
    """Which ones of the picture they are."""
    counts: NDArray[np.int64] | None = None
    """How many pixels each stands for, if they are the colours of a histogram."""

    @property
    def size(self) -> int:
        """How many there are."""
        return self.selection.points.size


def checked_pixels_or_colors(image: Any, request: Request) -> Pixels:
    """Return `checked_pixels`, and of a histogram its colours as the pixels of a picture."""
    if not isinstance(image, ColorHistogram):
        return checked_pixels(image, request)
    if request.mask is not None or request.channel_axis != -1:
        raise ValueError("mask and channel_axis are for arrays; ColorHistogram.from_image takes them too")
    return checked_pixels(image.colors[np.newaxis], request)._replace(counts=image.counts)


def checked_pixels(image: Any, request: Request) -> Pixels:
    """Return a picture's pixels, if what was asked for can be asked of it."""
    selection = _selected(image, request)
    array = selection.points.array
    check_depth(array, request.dithering)
    given = np.empty((0, array.shape[-1]), array.dtype)
    if request.entries is not None:
        given = of_depth("palette" if request.fixed is None else "fixed", request.entries, array.dtype)
        array, given = _alike(array, given, request)
    translucent = (is_translucent(array) and not request.drops_transparent) or is_translucent(given)
    space = plain(array.dtype)
    if translucent:
        space = with_transparency(array.dtype, keeps_hidden=request.keep_hidden_color)
    if request.space != "srgb":
        _check_named_space(array, translucent, request)
        space = NAMED[request.space](request.lightness, int(np.iinfo(array.dtype).max))
    if not space.has_alpha:
        array, given = array[..., : 4 if request.drops_transparent else 3], given[..., :3]
    if not isinstance(request.options.init, str):
        if space.has_alpha:
            raise ValueError("init must be the name of a method for a picture with transparency, got an array")
        request.options.check_features(given.shape[1])
    if request.fixed is not None and len(np.unique(space.embed(given), axis=0)) < len(given):
        raise ValueError("fixed must be of colours that differ in the space they are compared in, got two too close")
    if space.has_alpha and request.palette is None:
        _check_kinds(array, given, request)
    return Pixels(array, space, given, selection)


def _alike(array: NDArray[Any], entries: NDArray[Any], request: Request) -> tuple[NDArray[Any], NDArray[Any]]:
    """Bring pixels and entries to the same channels: alpha if any is not opaque, and else grey if both are."""
    n_channels = 4 if is_translucent(array) or is_translucent(entries) else 3
    if array.shape[-1] == entries.shape[1] == 1 and request.space == "srgb":
        n_channels = 1
    return with_channels(array, n_channels), with_channels(entries, n_channels)


def _check_kinds(array: NDArray[Any], fixed: NDArray[Any], request: Request) -> None:
    """Check that one entry more than is fixed is enough for a picture's kinds of pixels, if there is but one."""
    n_colors = request.options.n_clusters
    if n_colors - len(fixed) > 1:
        return
    top = np.iinfo(array.dtype).max
    is_hidden = array[..., 3] == 0
    needs_hidden = is_hidden.any() and not (fixed[:, 3] == 0).any()
    rest = array[..., 3] == top if len(fixed) else ~is_hidden
    if needs_hidden and rest.any() and not (fixed[:, 3] == top).any():
        raise ValueError(
            f"n_colors must be at least {len(fixed) + 2} for a picture that is transparent in one place only, "
            f"got {n_colors}"
        )


def _check_named_space(array: NDArray[Any], translucent: bool, request: Request) -> None:
    """Check that a picture has colours of the space that was asked for."""
    name, init = request.space, request.options.init
    if translucent:
        raise ValueError(
            f"space={name!r} needs a picture without transparency, got alpha below 255; space='srgb' takes any, and "
            "what is put onto a background has none"
        )
    if array.shape[-1] < 3:
        raise ValueError(
            f"space={name!r} needs a picture of three channels, got a grey one; space='srgb' takes it, and "
            "np.stack([image] * 3, axis=-1) makes it RGB"
        )
    top = np.iinfo(array.dtype).max
    if not isinstance(init, str) and not np.isin(init, np.arange(top + 1)).all():
        raise ValueError(f"init must be whole numbers from 0 to {top} with space={name!r}; np.rint(init) rounds")


def _selected(image: Any, request: Request) -> Selection:
    """Return the pixels that take part, of uint8 or uint16."""
    options, channel_axis = request.options, request.channel_axis
    if frames.are_frames(image):
        array = frames.read_all(
            image, lambda frame: checked_image(frame, options.n_threads, channel_axis, options.engine)
        )
    else:
        array = _with_channels_last(_numbers_of(image), channel_axis)
    selection = arrays.select("image", array, request.mask)
    if selection.is_masked and (request.dithering.is_on or request.min_region > 1):
        raise ValueError("dither and min_region can't be given for a picture with a mask, as they need neighbours")
    return replace(
        selection, points=Points(_integers(selection.points.array, options.n_threads, options.engine), "image")
    )


def checked_image(
    image: Any, n_threads: int | None = None, channel_axis: int | None = -1, engine: str = "auto"
) -> NDArray[Any]:
    """Return a picture as an array (H, W, C), or frames as one (F, H, W, C), uint8 or uint16, without a mask.

    It is their own memory, if they are one array, or what their floats are fractions of.
    """
    if frames.are_frames(image):
        return frames.read_all(image, lambda frame: checked_image(frame, n_threads, channel_axis, engine))
    array = arrays.unmasked_numbers("image", _numbers_of(image), "; fill it, or say mask= where that is taken")
    return _integers(_with_channels_last(array, channel_axis), n_threads, engine)


def _numbers_of(image: Any) -> NDArray[Any]:
    if isinstance(image, ColorHistogram):
        raise TypeError("image must have its pixels, got a ColorHistogram; palette takes that, and kmeans")
    if isinstance(image, str | bytes | os.PathLike):
        raise TypeError(
            f"image must be an array or a picture of Pillow's, got {type(image).__name__}; "
            "read_image makes an array of a file"
        )
    if arrays.is_pillow_image(image) and image.mode not in ("L", "RGB", "RGBA", "I;16"):
        raise TypeError(
            f"image must be of Pillow's modes L, RGB, RGBA or I;16, got {image.mode}; .convert('RGB') makes it so"
        )
    array = arrays.numbers_of("image", image)
    if array.dtype.newbyteorder("=") not in (np.uint8, np.uint16, np.float32, np.float64):
        raise TypeError(
            f"image must be uint8, uint16, or floats from 0 to 1, got {array.dtype}; {_how_to_convert(array.dtype)}"
        )
    return array


def _with_channels_last(array: NDArray[Any], channel_axis: int | None) -> NDArray[Any]:
    """Return a picture (H, W, C), or frames (F, H, W, C); a grey one (H, W) needs no axis for its channel."""
    grey = array.ndim == 2 and channel_axis == -1
    pixels = array
    if array.ndim in (2, 3, 4):
        pixels = arrays.with_channels_last("image", array, None if grey else channel_axis)
    if pixels.ndim not in (3, 4) or pixels.shape[-1] not in (1, 3, 4):
        axis = "" if channel_axis == -1 else f", with channel_axis={channel_axis}"
        raise ValueError(
            f"image must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or be frames, got {array.shape}{axis}"
        )
    if array.size == 0:
        raise ValueError(f"image must have pixels, got shape {array.shape}")
    return pixels


def _integers(pixels: NDArray[Any], n_threads: int | None, engine: str) -> NDArray[Any]:
    """Return a picture's integers, those that its floats are fractions of, or else the nearest of 16 bits."""
    if pixels.dtype.kind == "u":
        return pixels
    points = Points(pixels, "image")
    with machine_for(engine, n_threads, points.size, points.size) as machine:
        integers = integers_of(points, machine)
        if integers is None:
            points.check_values()
            _check_range(pixels)
            integers = in_16_bits(points, machine.workers)
    return integers.reshape(pixels.shape)


def _check_range(pixels: NDArray[Any]) -> None:
    low, high = pixels.min(), pixels.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"image must be from 0 to 1 as it is of floats, got {low:g} to {high:g}; if its values reach up to 255, "
            "np.rint(image).astype(np.uint8) converts it"
        )


def _how_to_convert(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "np.where(image, 255, 0).astype(np.uint8) converts it"
    if dtype.kind == "f":
        return "image.astype(np.float32) converts it"
    return "if its values reach from 0 to 255, image.astype(np.uint8) converts it"
