"""`ColorHistogram`: the distinct colours of pictures and how many pixels have each."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast.arrays import Selection, select
from kmeans_fast.colors.cells import Built, build
from kmeans_fast.colors.counting import count_colors, count_in_order
from kmeans_fast.colors.counts import Counts, merge
from kmeans_fast.colors.lookup import Lookup
from kmeans_fast.colors.placing import Placed, put
from kmeans_fast.colors.sorting import decoded, encoded, runs, sort
from kmeans_fast.engines.codes import MAX_CHANNELS, decode
from kmeans_fast.lending import Machine, machine_for
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.machine.files import replace_file
from kmeans_fast.points.access import Points
from kmeans_fast.validation import thread_count

# Logarithm of the most pixels, by the bytes of a channel: sums of values over more would leave the integers that a
# float64 holds.
MOST_PIXELS_BITS = {1: 45, 2: 37}
# The arrays in a file, with the dtypes that each may have; the same on every machine. Codes of colours of 16 bits a
# channel are the wider ones.
FILE_DTYPES: dict[str, list[np.dtype[Any]]] = {
    "n_channels": [np.dtype("<i8")],
    "codes": [np.dtype("<u4"), np.dtype("<u8")],
    "counts": [np.dtype("<i8")],
}


class ColorHistogram:
    """Distinct colours of 1 to 4 channels of 8 or 16 bits, and the number of pixels of each.

    Made by `from_image` or `load`. `kmeans` takes it as points that stand for all the pixels, so that a picture of any
    size can be clustered exactly, tile by tile.

    Attributes
    ----------
    colors : ndarray of uint8 or uint16, shape (N, C)
        In the order of their codes; read-only.
    counts : ndarray of int64, shape (N,)
        The number of pixels of each colour; read-only.
    codes : ndarray of uint32, or uint64 for 16 bits, shape (N,)
        The colours' Morton codes, ascending; read-only.

    Examples
    --------
    >>> import numpy as np
    >>> import kmeans_fast as kf
    >>> image = np.array([[[0, 0, 255], [0, 0, 255], [255, 0, 0]]], np.uint8)
    >>> histogram = kf.ColorHistogram.from_image(image)
    >>> histogram
    <ColorHistogram: 2 colours of 3 channels, 3 pixels>
    >>> histogram.colors.tolist(), histogram.counts.tolist()
    ([[0, 0, 255], [255, 0, 0]], [2, 1])
    >>> (histogram + histogram).counts.tolist()
    [4, 2]
    """

    colors: NDArray[Any]
    counts: NDArray[np.int64]
    codes: NDArray[Any]

    def __init__(
        self, n_channels: int, codes: NDArray[Any], counts: NDArray[np.int64], colors: NDArray[Any] | None = None
    ) -> None:
        self._set(n_channels, codes, counts, colors)

    def _set(
        self, n_channels: int, codes: NDArray[Any], counts: NDArray[np.int64], colors: NDArray[Any] | None = None
    ) -> None:
        self.codes, self.counts = codes, counts
        self.colors = decode(codes, n_channels) if colors is None else colors
        for array in (self.codes, self.counts, self.colors):
            array.setflags(write=False)
        self._built: Built | None = None
        self._n_pixels: int | None = None
        self.placed: Placed | None = None

    def built(self, machine: Machine) -> Built:
        """Return the colours sorted into cells, for the package's own use; sorted once, when first asked for."""
        if self._built is None:
            self._built = build(self.colors, self.codes, self.counts, machine)
        return self._built

    @classmethod
    def from_image(
        cls,
        image: ArrayLike,
        *,
        mask: ArrayLike | None = None,
        channel_axis: int | None = -1,
        engine: str = "auto",
        n_threads: int | None = None,
    ) -> ColorHistogram:
        """Count the colours of an image.

        Parameters
        ----------
        image : array_like of uint8 or uint16, shape (..., C)
            1 to 4 channels on the last axis, any strides, read in place. Pixels that are masked are not counted.
        mask : array_like of bool, shape ``image.shape[:-1]``, optional
            True for each pixel that is to be counted.
        channel_axis : int or None
            Where the channels are; None for a grey image (H, W).
        engine : {"auto", "numba", "numpy"}
            Which implementation; the result is the same.
        n_threads : int, optional
            The most threads to use, of which no more than three are.

        Returns
        -------
        ColorHistogram

        Raises
        ------
        TypeError
            If the image isn't uint8 or uint16.
        ValueError
            If it has no pixels, other than 1 to 4 channels, or more than 2⁴⁵ pixels, with 16 bits 2³⁷.

        Notes
        -----
        Beyond the result of 12 + C bytes a colour, 16 + 2·C with 16 bits, it takes at most 16 MB for each thread used,
        48 MB in all, and a few megabytes of work space. With four channels, or 16 bits, it takes up to 60, or 80,
        bytes a colour besides; or, where nearly all pixels differ, up to 256 MB to sort their codes.

        Examples
        --------
        >>> import kmeans_fast as kf
        >>> kf.ColorHistogram.from_image(kf.read_image(kf.sample_path()))
        <ColorHistogram: 32584 colours of 3 channels, 135300 pixels>
        """
        pixels = _checked_image(image, mask, channel_axis).points
        with machine_for(engine, thread_count(n_threads), pixels.size, pixels.size) as machine:
            return count(pixels, machine)

    def update(
        self,
        image: ArrayLike,
        *,
        mask: ArrayLike | None = None,
        channel_axis: int | None = -1,
        engine: str = "auto",
        n_threads: int | None = None,
    ) -> None:
        """Count the colours of a further image, or tile, in addition.

        Parameters and errors as for `from_image`; and a ValueError if the image has other channels than the histogram,
        or another depth, or if there were too many pixels in all.

        Examples
        --------
        >>> import kmeans_fast as kf
        >>> image = kf.read_image(kf.sample_path())
        >>> histogram = kf.ColorHistogram.from_image(image[:100])
        >>> histogram.update(image[100:])
        >>> histogram == kf.ColorHistogram.from_image(image)
        True
        """
        pixels = _checked_image(image, mask, channel_axis).points
        self._check_kind("image", pixels.n_features, pixels.dtype)
        check_size(self.n_pixels + pixels.size, pixels.dtype)
        with machine_for(engine, thread_count(n_threads), pixels.size, pixels.size) as machine:
            self._set(self.n_channels, *_merged(self, count(pixels, machine)))

    def __add__(self, other: object) -> ColorHistogram:
        if not isinstance(other, ColorHistogram):
            return NotImplemented
        self._check_kind("the other histogram", other.n_channels, other.colors.dtype)
        check_size(self.n_pixels + other.n_pixels, self.colors.dtype)
        return ColorHistogram(self.n_channels, *_merged(self, other))

    def __radd__(self, other: object) -> ColorHistogram:
        """Let ``sum(histograms)`` begin with its 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ColorHistogram):
            return NotImplemented
        return (
            (self.n_channels, self.colors.dtype) == (other.n_channels, other.colors.dtype)
            and np.array_equal(self.codes, other.codes)
            and np.array_equal(self.counts, other.counts)
        )

    def __len__(self) -> int:
        """Return the number of distinct colours."""
        return len(self.codes)

    def __repr__(self) -> str:
        depth = "" if self.colors.dtype == np.uint8 else " of 16 bits"
        return f"<ColorHistogram: {len(self)} colours of {self.n_channels} channels{depth}, {self.n_pixels} pixels>"

    def _check_kind(self, name: str, n_channels: int, dtype: np.dtype[Any]) -> None:
        """Raise a ValueError unless colours of this kind can be in here."""
        if n_channels != self.n_channels:
            raise ValueError(f"{name} must have {self.n_channels} channels as the histogram, got {n_channels}")
        if dtype != self.colors.dtype:
            raise ValueError(
                f"{name} must be of {self.colors.dtype} as the histogram, got {dtype}; "
                "image * np.uint16(257) makes 16 bits of 8"
            )

    @property
    def n_channels(self) -> int:
        """Channels of a colour, C."""
        return int(self.colors.shape[1])

    @property
    def n_pixels(self) -> int:
        """Pixels counted."""
        if self._n_pixels is None:
            # cells know the sums of their counts, which are fewer
            counts = self.counts if self._built is None else self._built.moments[:, 0]
            self._n_pixels = int(counts.sum())
        return self._n_pixels

    def labels_of(
        self,
        image: ArrayLike,
        color_labels: NDArray[Any],
        *,
        mask: ArrayLike | None = None,
        channel_axis: int | None = -1,
        engine: str = "auto",
        n_threads: int | None = None,
    ) -> NDArray[Any]:
        """Give each pixel of an image the label of its colour.

        Parameters
        ----------
        image : array_like of uint8 or uint16, shape (..., C)
            Of which every pixel's colour has been counted here. That isn't checked, and a colour that wasn't may get
            any label.
        color_labels : array_like, shape (N,)
            A label for each of `colors`, such as the labels that `kmeans` gives for a histogram.
        mask, channel_axis, engine, n_threads
            As for `from_image`.

        Returns
        -------
        ndarray, the shape of the image without its axis of channels
            Of the dtype of `color_labels`; a masked array if the image has a mask.

        Raises
        ------
        TypeError
            If the image isn't uint8 or uint16.
        ValueError
            If the image has other channels than the histogram, or another depth, or there isn't one label a colour.

        Notes
        -----
        It takes at most 16 MB of work space times the size of a label; with four channels 32 bytes a colour that isn't
        opaque besides, with 16 bits up to 64 bytes a colour instead.

        Examples
        --------
        >>> import numpy as np
        >>> import kmeans_fast as kf
        >>> image = np.array([[[9], [3], [9]]], np.uint8)
        >>> kf.ColorHistogram.from_image(image).labels_of(image, np.array([10, 20], np.uint8))
        array([[20, 10, 20]], dtype=uint8)
        """
        selection = _checked_image(image, mask, channel_axis)
        points = selection.points
        self._check_kind("image", points.n_features, points.dtype)
        by_color = np.ascontiguousarray(color_labels)
        if by_color.shape != self.counts.shape:
            raise ValueError(f"color_labels must have shape {self.counts.shape}, got {by_color.shape}")
        with machine_for(engine, thread_count(n_threads), points.size, points.size) as machine:
            return selection.labels(label_pixels(self, points, by_color, machine))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the histogram to a file in NumPy's npz format; all of it or nothing.

        Parameters
        ----------
        path : str or path-like
            Name of the file, to which nothing is added; an existing file is replaced.

        Raises
        ------
        OSError
            If the file can't be written. A file that was there before is then as it was.

        Examples
        --------
        >>> import kmeans_fast as kf, pathlib, tempfile
        >>> histogram = kf.ColorHistogram.from_image(kf.read_image(kf.sample_path()))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     histogram.save(pathlib.Path(folder) / "cat.npz")
        ...     kf.ColorHistogram.load(pathlib.Path(folder) / "cat.npz") == histogram
        True
        """
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            n_channels=np.array(self.n_channels, "<i8"),
            codes=self.codes.astype(self.codes.dtype.newbyteorder("<"), copy=False),
            counts=self.counts.astype("<i8", copy=False),
        )
        replace_file(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ColorHistogram:
        """Read a histogram that `save` wrote. Nothing is ever unpickled.

        Parameters
        ----------
        path : str or path-like
            Name of the file.

        Returns
        -------
        ColorHistogram

        Raises
        ------
        OSError
            If there is no such file, or it can't be read.
        ValueError
            If the file is damaged or holds something else.
        """
        data = Path(path).read_bytes()
        try:
            arrays = _read_arrays(data)
            _check_arrays(**arrays)
        except MemoryError:
            raise
        except Exception as error:  # a damaged zip file can make its reader raise anything
            raise ValueError(f"{str(path)!r} is not a histogram or is damaged ({error})") from error
        codes, counts = arrays["codes"], arrays["counts"].astype(np.int64)
        codes = codes.astype(codes.dtype.newbyteorder("="))
        return cls(int(arrays["n_channels"]), codes, counts)


def count(pixels: Points, machine: Machine) -> ColorHistogram:
    """Count the colours of pixels of 1 to 4 channels of 8 or 16 bits."""
    codes, counts = count_colors(pixels, machine)
    return ColorHistogram(pixels.n_features, codes, counts, decoded(codes, pixels.n_features, machine))


def count_and_place(pixels: Points, machine: Machine) -> ColorHistogram:
    """Do as `count`, and keep the pixels' order where they were sorted: 64 MB at most.

    Labels of the same pixels then take a tenth of the time.
    """
    counts, order = count_in_order(pixels, machine)
    histogram = ColorHistogram(pixels.n_features, *counts, decoded(counts.codes, pixels.n_features, machine))
    if order.size:
        histogram.placed = Placed.of(pixels, order)
    return histogram


def sort_points(
    n: int,
    chunk: Callable[[int, int], NDArray[Any]],
    kind: tuple[int, np.dtype[Any]],
    machine: Machine,
    counts: NDArray[np.int64] | None = None,
) -> tuple[ColorHistogram, NDArray[Any]]:
    """Return the distinct ones of n points of 8 or 16 bits as a histogram, and the place of each point in it.

    `chunk(start, stop)` gives some points (m, C); their C and dtype are `kind`. Each point counts as `counts` (n,) say,
    or once.
    """
    n_channels, dtype = kind
    numbers = np.arange(n, dtype=np.uint32 if n <= 2**32 else np.int64)
    codes = encoded(n, chunk, f"u{4 * dtype.itemsize}", machine)
    codes, order = sort(codes, numbers, 8 * dtype.itemsize * n_channels, machine)
    codes, sizes = runs(codes, machine)
    places = np.empty_like(order)
    put(order, sizes, np.arange(len(sizes), dtype=order.dtype), places, machine)
    totals = sizes if counts is None or (counts == 1).all() else _summed(counts, order, sizes, machine)
    return ColorHistogram(n_channels, codes, totals, decoded(codes, n_channels, machine)), places


def _summed(
    counts: NDArray[np.int64], order: NDArray[Any], sizes: NDArray[np.int64], machine: Machine
) -> NDArray[np.int64]:
    """Return the sums of stretches of so many counts in order."""
    ordered = np.empty_like(counts)

    def take(bounds: tuple[int, int]) -> None:
        ordered[slice(*bounds)] = counts[order[slice(*bounds)]]

    machine.workers.for_each(take, chunk_bounds(len(order)))
    if len(sizes) == len(order):
        return ordered
    sums: NDArray[np.int64] = np.add.reduceat(ordered, np.cumsum(sizes) - sizes)
    return sums


def label_pixels(
    histogram: ColorHistogram, pixels: Points, color_labels: NDArray[Any], machine: Machine
) -> NDArray[Any]:
    """Return the label of each pixel's colour, flat."""
    colors, codes, placed = histogram.colors, histogram.codes, histogram.placed
    if placed is not None and placed.knows(pixels):
        return placed.labels_of(pixels, colors, Counts(codes, histogram.counts), color_labels, machine)
    return Lookup(colors, codes, color_labels, machine.engine).labels_of(pixels, machine)


def number_pixels(histogram: ColorHistogram, pixels: Points, machine: Machine) -> NDArray[Any]:
    """Return where in the histogram each pixel's colour is, flat."""
    numbers = np.arange(len(histogram), dtype=np.min_scalar_type(len(histogram) - 1))
    return label_pixels(histogram, pixels, numbers, machine)


def fits(n_pixels: float, dtype: np.dtype[Any]) -> bool:
    """Say whether so many pixels, or such a sum of whole weights, keep all sums exact."""
    return bool(n_pixels <= 2 ** MOST_PIXELS_BITS[dtype.itemsize])


def _read_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays in the content of a file."""
    if not data.startswith(b"PK"):
        raise ValueError("it doesn't begin as an npz file does")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name] for name in FILE_DTYPES}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype not in FILE_DTYPES[name]:
            raise ValueError(f"{name} must be an array of dtype {' or '.join(map(str, FILE_DTYPES[name]))}")
    return arrays


def _check_arrays(n_channels: NDArray[Any], codes: NDArray[Any], counts: NDArray[Any]) -> None:
    """Raise a ValueError unless the arrays of a file make a histogram."""
    if n_channels.shape != () or not 1 <= n_channels <= MAX_CHANNELS:
        raise ValueError(f"n_channels must be one number from 1 to {MAX_CHANNELS}")
    if codes.ndim != 1 or codes.size == 0 or counts.shape != codes.shape:
        raise ValueError(f"codes and counts must have one shape (N,), N > 0, got {codes.shape} and {counts.shape}")
    n_values = 2 ** (2 * codes.itemsize)
    if (codes[1:] <= codes[:-1]).any() or int(codes[-1]) >= n_values ** int(n_channels):
        raise ValueError(f"codes must ascend and stay below {n_values}**n_channels")
    if counts.min() < 1:
        raise ValueError(f"counts must be positive, got {counts.min()}")
    channel = np.dtype(f"u{codes.itemsize // 4}")
    check_size(counts.sum(dtype=np.float64), channel)  # int64 might overflow


def _checked_image(image: ArrayLike, mask: ArrayLike | None, channel_axis: int | None) -> Selection:
    selection = select("image", image, mask, channel_axis)
    points = selection.points
    if points.array.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise TypeError(
            f"a histogram is of 8-bit or 16-bit colours: image must be uint8 or uint16, got {points.array.dtype}; "
            "scale it to 0 to 255, round it and convert it with astype(np.uint8), or give it to kmeans as it is, which "
            "takes any real numbers"
        )
    if points.n_features > MAX_CHANNELS:
        raise ValueError(
            f"image must have 1 to {MAX_CHANNELS} channels, got {points.n_features}; channel_axis says where they are, "
            "and is None for a grey image"
        )
    check_size(points.size, points.dtype)
    return selection


def check_size(n_pixels: float, dtype: np.dtype[Any]) -> None:
    """Raise a ValueError unless so many pixels keep all sums exact."""
    if not fits(n_pixels, dtype):
        bits = MOST_PIXELS_BITS[dtype.itemsize]
        raise ValueError(
            f"a histogram of {8 * dtype.itemsize}-bit colours can count at most 2**{bits} pixels, got {n_pixels:.0f}"
        )


def _merged(a: ColorHistogram, b: ColorHistogram) -> Counts:
    return merge([Counts(a.codes, a.counts), Counts(b.codes, b.counts)])
