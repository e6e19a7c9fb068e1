"""`ColorHistogram`: the distinct colours of pictures and how many pixels have each."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import engines, validation
from kmeans_fast.atomic import replace_file
from kmeans_fast.color_codes import MAX_CHANNELS, decode
from kmeans_fast.counting import TABLE_CHANNELS, Counts, count_colors, merge
from kmeans_fast.points import Points, chunk_bounds
from kmeans_fast.threads import available_threads, lent_workers

# Sums of 8-bit values over more pixels than this would leave the integers that a float64 holds.
MOST_PIXELS = 2**45
# Logarithm of the number of parts that the codes of four channels are divided into, to search in one of them.
PART_BITS = 18


class ColorHistogram:
    """Distinct colours of 1 to 4 channels of 8 bits, and the number of pixels of each.

    Made by `from_image` or `load`. `kmeans` takes it as points that stand for all the pixels, so that a picture of any
    size can be clustered exactly, tile by tile.

    Attributes
    ----------
    colors : ndarray of uint8, shape (N, C)
        In the order of their codes; read-only.
    counts : ndarray of int64, shape (N,)
        The number of pixels of each colour; read-only.
    codes : ndarray of uint32, shape (N,)
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

    colors: NDArray[np.uint8]
    counts: NDArray[np.int64]
    codes: NDArray[np.uint32]

    def __init__(self, n_channels: int, codes: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        self._set(n_channels, codes, counts)

    def _set(self, n_channels: int, codes: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        n_pixels = counts.sum(dtype=np.float64)
        if n_pixels > MOST_PIXELS:
            raise ValueError(f"a histogram can count at most 2**45 pixels, got {n_pixels:.0f}")
        self.codes, self.counts, self.colors = codes, counts, decode(codes, n_channels)
        for array in (self.codes, self.counts, self.colors):
            array.setflags(write=False)

    @classmethod
    def from_image(cls, image: ArrayLike, *, engine: str = "auto", n_threads: int | None = None) -> ColorHistogram:
        """Count the colours of an image.

        Parameters
        ----------
        image : array_like of uint8, shape (..., C)
            1 to 4 channels on the last axis, any strides, read in place. A grey image (H, W) is passed as
            ``image[..., np.newaxis]``.
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
            If the image isn't uint8.
        ValueError
            If it has no pixels, fewer than two axes, or more than four channels.

        Notes
        -----
        Takes at most 64 MB for each thread used, 192 MB in all, and 12 bytes a colour.
        """
        points = _checked_image(image)
        kernels = engines.load(engine).histogram
        most = available_threads() if n_threads is None else validation.integer("n_threads", n_threads, 1)
        return cls(points.n_features, *count_colors(points, kernels, most))

    def update(self, image: ArrayLike, *, engine: str = "auto", n_threads: int | None = None) -> None:
        """Count the colours of a further image, or tile, in addition; parameters and errors as for `from_image`."""
        more = ColorHistogram.from_image(image, engine=engine, n_threads=n_threads)
        self._set(self.n_channels, *_merged(self, more))

    def __add__(self, other: object) -> ColorHistogram:
        if not isinstance(other, ColorHistogram):
            return NotImplemented
        return ColorHistogram(self.n_channels, *_merged(self, other))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ColorHistogram):
            return NotImplemented
        return (
            self.n_channels == other.n_channels
            and np.array_equal(self.codes, other.codes)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]  # it can be updated

    def __len__(self) -> int:
        """Return the number of distinct colours."""
        return len(self.codes)

    def __repr__(self) -> str:
        return f"<ColorHistogram: {len(self)} colours of {self.n_channels} channels, {self.n_pixels} pixels>"

    @property
    def n_channels(self) -> int:
        """Channels of a colour, C."""
        return int(self.colors.shape[1])

    @property
    def n_pixels(self) -> int:
        """Pixels counted."""
        return int(self.counts.sum())

    def labels_of(
        self, image: ArrayLike, color_labels: NDArray[Any], *, engine: str = "auto", n_threads: int | None = None
    ) -> NDArray[Any]:
        """Give each pixel of an image the label of its colour.

        Parameters
        ----------
        image : array_like of uint8, shape (..., C)
            Of which every pixel's colour has been counted here; what another one gets isn't defined.
        color_labels : ndarray, shape (N,)
            A label for each of `colors`, such as the labels that `kmeans` gives for a histogram.
        engine, n_threads
            As for `from_image`.

        Returns
        -------
        ndarray, shape ``image.shape[:-1]``
            Of the dtype of `color_labels`.

        Raises
        ------
        TypeError
            If the image isn't uint8.
        ValueError
            If the image has other channels than the histogram, or there isn't one label a colour.

        Examples
        --------
        >>> import numpy as np
        >>> import kmeans_fast as kf
        >>> image = np.array([[[9], [3], [9]]], np.uint8)
        >>> kf.ColorHistogram.from_image(image).labels_of(image, np.array([10, 20], np.uint8))
        array([[20, 10, 20]], dtype=uint8)
        """
        points = _checked_image(image)
        if points.n_features != self.n_channels:
            raise ValueError(f"image must have {self.n_channels} channels as the histogram, got {points.n_features}")
        if np.shape(color_labels) != self.counts.shape:
            raise ValueError(f"color_labels must have shape {self.counts.shape}, got {np.shape(color_labels)}")
        kernels = engines.load(engine).histogram
        labels = np.empty(points.size, color_labels.dtype)
        if self.n_channels <= TABLE_CHANNELS:
            table = np.zeros(2 ** (8 * self.n_channels), color_labels.dtype)
            table[self.codes] = color_labels
        else:
            n_parts = np.arange(2**PART_BITS + 1, dtype=np.uint64)
            starts = np.searchsorted(self.codes, n_parts << np.uint64(8 * self.n_channels - PART_BITS))

        def run(bounds: tuple[int, int]) -> None:
            pixels, own = points.chunk(*bounds), labels[slice(*bounds)]
            if self.n_channels <= TABLE_CHANNELS:
                kernels.look_up(pixels, table, own)
            else:
                kernels.search(pixels, self.codes, starts, color_labels, own)

        with lent_workers(n_threads, points.size) as lent:
            lent.for_each(run, chunk_bounds(points.size))
        return labels.reshape(points.shape)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the histogram to an .npz file; all of it or nothing.

        Raises
        ------
        OSError
            If the file can't be written. Nothing half-written remains.
        """
        buffer = io.BytesIO()
        np.savez_compressed(buffer, n_channels=np.int64(self.n_channels), codes=self.codes, counts=self.counts)
        replace_file(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ColorHistogram:
        """Read a histogram that `save` wrote. Nothing is ever unpickled.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged or holds something else.
        """
        data = Path(path).read_bytes()
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                n_channels, codes, counts = (arrays[name] for name in ("n_channels", "codes", "counts"))
        except Exception as error:  # a damaged zip file can make its reader raise anything
            raise ValueError(f"{str(path)!r} is not a histogram or is damaged ({error})") from error
        problem = _problem(n_channels, codes, counts)
        if problem:
            raise ValueError(f"{str(path)!r} is not a histogram or is damaged ({problem})")
        return cls(int(n_channels), codes, counts)


def _problem(n_channels: NDArray[Any], codes: NDArray[Any], counts: NDArray[Any]) -> str | None:
    """Say what is wrong with the arrays of a file, if anything is."""
    if n_channels.shape != () or n_channels.dtype != np.int64 or not 1 <= n_channels <= 4:
        return "n_channels must be an integer from 1 to 4"
    if codes.ndim != 1 or codes.dtype != np.uint32 or counts.shape != codes.shape or counts.dtype != np.int64:
        return "codes and counts must be uint32 and int64 of one shape (N,)"
    if codes.size == 0 or (codes[1:] <= codes[:-1]).any() or int(codes[-1]) >= 2 ** (8 * int(n_channels)):
        return "codes must ascend and stay below their limit"
    return "counts must be positive" if counts.min() < 1 else None


def _checked_image(image: ArrayLike) -> Points:
    points = Points(image, "image")
    if points.array.dtype != np.uint8:
        raise TypeError(
            f"a histogram is of 8-bit colours: image must be uint8, got {points.array.dtype}; "
            "kmeans clusters other points as they are"
        )
    if points.n_features > MAX_CHANNELS:
        raise ValueError(f"image must have 1 to 4 channels on its last axis, got shape {points.array.shape}")
    return points


def _merged(a: ColorHistogram, b: ColorHistogram) -> Counts:
    if a.n_channels != b.n_channels:
        raise ValueError(f"histograms must have the same number of channels, got {a.n_channels} and {b.n_channels}")
    return merge([Counts(a.codes, a.counts), Counts(b.codes, b.counts)])
