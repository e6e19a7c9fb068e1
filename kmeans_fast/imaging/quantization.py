"""An image in K colours: `quantize` and the `QuantizedImage` that it returns.

The way: pixels to points (`coding`), k-means (`kmeans_fast.clustering`), centroids rounded to 8 bits, and only then the
last assignment, so that every pixel gets the entry that is nearest to it in the palette as stored.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import validation
from kmeans_fast.clustering import kmeans, partition
from kmeans_fast.histogram import ColorHistogram
from kmeans_fast.imaging.coding import coding_of
from kmeans_fast.imaging.metrics import psnr
from kmeans_fast.lloyd import Callback

_SWATCH = (
    '<span style="display:inline-block;margin:2px;font:12px monospace">'
    '<span style="display:block;width:7em;height:3em;border:1px solid #888;background:{color}"></span>'
    "{color}<br>{share:.1%}<br>{count}</span>"
)
_MOST_SWATCHES = 256


@dataclass(frozen=True, eq=False, repr=False)
class QuantizedImage:
    """An image as a palette and, for every pixel, the index of its entry.

    Attributes
    ----------
    palette : numpy.ndarray
        uint8 of shape (K, C): C is 1 for grey, 3 for RGB, and 4 for RGBA (straight alpha) if an entry is not opaque.
        The entries are distinct and each is used; the fully transparent one, if there is one, is (0, 0, 0, 0).
    labels : numpy.ndarray
        Smallest unsigned integers that hold K−1, of shape (H, W): ``palette[labels]`` is the image.
    counts : numpy.ndarray
        int64 of shape (K,): how many pixels each entry has.
    mse : float
        Mean squared distance of a pixel to its entry: the squared differences are summed over the channels (R, G and B
        for a colour picture) and averaged over the pixels. Unit: squared 8-bit steps. With transparency, over the four
        channels of the colours premultiplied with alpha.
    psnr : float
        Peak signal-to-noise ratio in dB, from the mean over the channels as is usual:
        ``10 log10(255² / (mse / C))`` with the number C of channels that mse sums over. Infinite if mse is 0.
    n_iter : int
        Iterations of k-means.
    converged : bool
        Whether k-means stopped by itself, and not because of `max_iter` or the callback.

    Examples
    --------
    >>> import numpy as np
    >>> import kmeans_fast as kf
    >>> image = np.array([[[250, 0, 0], [254, 0, 0], [0, 0, 200]]], np.uint8)
    >>> result = kf.quantize(image, 2)
    >>> result
    <QuantizedImage: 3×1 pixels, 2 colors, mse 2.67, psnr 48.64 dB>
    >>> sorted(result.hex_colors)
    ['#0000c8', '#fc0000']
    >>> result.to_array().tolist()
    [[[252, 0, 0], [252, 0, 0], [0, 0, 200]]]
    """

    palette: NDArray[np.uint8]
    labels: NDArray[np.unsignedinteger[Any]]
    counts: NDArray[np.int64]
    mse: float
    psnr: float
    n_iter: int
    converged: bool

    @property
    def n_colors(self) -> int:
        """Number of palette entries, K."""
        return len(self.palette)

    @property
    def hex_colors(self) -> list[str]:
        """The entries as ``#rrggbb``; ``#rrggbbaa`` if the palette has an alpha channel."""
        n_channels = max(3, self.palette.shape[1])
        entries = np.broadcast_to(self.palette, (self.n_colors, n_channels))
        return [f"#{entry.tobytes().hex()}" for entry in entries]

    def to_array(self) -> NDArray[np.uint8]:
        """Make the image: uint8 of shape (H, W) if grey, else (H, W, 3) or, with an alpha channel, (H, W, 4)."""
        palette = self.palette[:, 0] if self.palette.shape[1] == 1 else self.palette
        image: NDArray[np.uint8] = palette[self.labels]
        return image

    def save(self, path: str | os.PathLike[str], *, icc_profile: bytes | None = None) -> int:
        """Write an indexed PNG with exactly these entries, in this order; all of it or nothing.

        Parameters
        ----------
        path : str or path-like
            Name of the file, ending in ``.png``; an existing file is replaced.
        icc_profile : bytes, optional
            A colour profile to put into the file.

        Returns
        -------
        int
            The size of the file in bytes.

        Raises
        ------
        ValueError
            If the name does not end in ``.png`` or belongs to something that is no file.
        OSError
            If the folder does not exist or can't be written, or the disk is full. Nothing half-written remains.

        Notes
        -----
        The fewest of 1, 2, 4 or 8 bits a pixel are used. More than 256 entries can't be indexed and are written as
        8-bit RGB or RGBA.
        """
        from kmeans_fast.imaging.files import write_indexed_png

        return write_indexed_png(path, self.palette, self.labels, icc_profile=icc_profile)

    def __repr__(self) -> str:
        height, width = self.labels.shape
        return (
            f"<QuantizedImage: {width}×{height} pixels, {self.n_colors} colors, "
            f"mse {self.mse:.2f}, psnr {self.psnr:.2f} dB>"
        )

    def _repr_html_(self) -> str:
        """Swatches for a notebook: colour, share and number of pixels of each entry."""
        swatches = [
            _SWATCH.format(color=color, share=count / self.labels.size, count=count)
            for color, count in zip(self.hex_colors[:_MOST_SWATCHES], self.counts.tolist(), strict=False)
        ]
        if self.n_colors > _MOST_SWATCHES:
            swatches.append(f"<span>and {self.n_colors - _MOST_SWATCHES} more</span>")
        height, width = self.labels.shape
        title = f"{width}×{height} pixels, {self.n_colors} colors, mse {self.mse:.2f}, psnr {self.psnr:.2f} dB"
        return f"<div><div>{title}</div>{''.join(swatches)}</div>"


def quantize(
    image: NDArray[np.uint8],
    n_colors: int = 8,
    *,
    init: str | ArrayLike = "k-means++",
    n_init: int = 1,
    max_iter: int = 300,
    tol: float = 0.0,
    seed: int = 0,
    engine: str = "auto",
    n_threads: int | None = None,
    callback: Callback | None = None,
) -> QuantizedImage:
    """Reduce an image to `n_colors` colours by exact k-means on all its pixels.

    The centroids are rounded to 8 bits before the last assignment. So every pixel gets its nearest palette entry, the
    entries are distinct, each is used, and quantizing the result again changes nothing.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 of shape (H, W) or (H, W, 1) grey, (H, W, 3) RGB, or (H, W, 4) RGBA with straight alpha. Not changed.
    n_colors : int
        The number of colours, at least 1. A picture that has no more than these keeps them exactly.
    init, n_init, max_iter, tol, seed, engine, n_threads, callback
        As for `kmeans_fast.kmeans`. An array as `init` has one row of 8-bit values for each colour; it is not possible
        for a picture with transparency.

    Returns
    -------
    QuantizedImage
        Palette, labels, counts and error.

    Raises
    ------
    TypeError
        If `image` is no array or not uint8, or `n_colors` is no integer.
    ValueError
        If `image` has another shape or no pixels, if `n_colors` is below 1, or 1 for a picture that is transparent in
        one place and visible in another; and whatever `kmeans_fast.kmeans` says of the other options.

    Notes
    -----
    A picture whose pixels are all opaque gives the same result with an alpha channel as without. Otherwise colours are
    compared premultiplied with alpha, all fully transparent pixels share the entry (0, 0, 0, 0), which comes first, and
    their hidden colours pull on no centroid.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> image = kf.read_image(kf.sample_path())
    >>> result = kf.quantize(image, 8)
    >>> result.palette.shape, result.labels.shape, result.n_colors
    ((8, 3), (300, 451), 8)
    """
    _check_image(image)
    n_colors = validation.integer("n_colors", n_colors, 1)
    tol = validation.number("tol", tol)
    validation.function("callback", callback)
    where: dict[str, Any] = {"engine": engine, "n_threads": n_threads}
    coding = coding_of(image)
    n_clusters = n_colors - len(coding.reserved)
    if n_clusters == 0:
        raise ValueError("n_colors must be at least 2 for a picture that is transparent in one place only, got 1")
    if not isinstance(init, str) and coding.scale != 1:
        raise ValueError("init must be 'k-means++' or 'random' for a picture with transparency, got an array")
    if isinstance(init, str):
        n_clusters = min(n_clusters, coding.clustered[..., 0].size)

    # Opaque pixels are counted by colour once, for clustering, for the last assignment and for their labels.
    histogram = ColorHistogram.from_image(coding.points, **where) if coding.scale == 1 else None
    run = kmeans(
        coding.clustered if histogram is None else histogram,
        n_clusters,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol * coding.scale**2,
        seed=seed,
        callback=_in_8_bit_steps(callback, coding.scale),
        **where,
    )
    rounded = np.vstack([coding.reserved, coding.to_palette(run.centroids)])
    final = partition(coding.points if histogram is None else histogram, coding.to_points(rounded), **where)
    labels = final.labels if histogram is None else histogram.labels_of(coding.points, final.labels, **where)
    palette = coding.to_palette(final.centroids)  # exact: a centroid that had to be moved sits on a pixel
    n_channels = palette.shape[1]
    if n_channels == 4 and (palette[:, 3] == 255).all():
        palette = palette[:, :3]
    mse = final.inertia / coding.scale**2 / labels.size
    return QuantizedImage(palette, labels, final.counts, mse, psnr(mse, n_channels), run.n_iter, run.converged)


def _check_image(image: object) -> None:
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a NumPy array, got {type(image).__name__}; read_image makes one from a file")
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, got {image.dtype}; {_how_to_convert(image.dtype)}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise ValueError(f"image must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {image.shape}")
    if image.size == 0:
        raise ValueError(f"image must have pixels, got shape {image.shape}")


def _how_to_convert(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "np.where(image, 255, 0).astype(np.uint8) converts it"
    if dtype == np.uint16:
        return "if its values reach up to 65535, np.rint(image / 257).astype(np.uint8) converts it"
    if dtype.kind == "f":
        return "if its values reach from 0 to 1, np.rint(image * 255).astype(np.uint8) converts it"
    return "if its values reach from 0 to 255, image.astype(np.uint8) converts it"


def _in_8_bit_steps(callback: Callback | None, scale: int) -> Callback | None:
    """Let `callback` see centroids and shift in 8-bit steps, whatever the length of a step in the points."""
    if callback is None or scale == 1:
        return callback
    return lambda iteration, old, new, shift: callback(iteration, old / scale, new / scale, shift / scale**2)
