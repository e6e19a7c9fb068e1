"""What `quantize` returns: a palette with its counts and error, and the image that it makes."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.arrays import is_masked_array, look_up
from kmeans_fast.imaging import encoding, writing
from kmeans_fast.imaging.channels import in_8_bits, is_translucent, with_channels
from kmeans_fast.imaging.encoding import COMPRESS_LEVEL
from kmeans_fast.imaging.files import check_destination, write_picture
from kmeans_fast.imaging.metadata import Metadata
from kmeans_fast.imaging.notation import color_of, hex_of
from kmeans_fast.imaging.palette import Palette, swatches

if TYPE_CHECKING:
    from PIL import Image

# Pixels of a picture in a notebook.
_MOST_SHOWN = 2**20


@dataclass(frozen=True, eq=False, repr=False)
class Quantized:
    """What `quantize` and `palette` both return.

    Attributes
    ----------
    palette : numpy.ndarray
        uint8, or uint16 for a picture of 16 bits, of shape (K, C): C is 1 for grey, 3 for RGB, and 4 for RGBA (straight
        alpha) if an entry is not opaque.
        The entries are distinct and each is used; the fully transparent one, if there is one, is (0, 0, 0, 0). A
        palette that was given is as it was, and with dithering an entry may be left without pixels.
    counts : numpy.ndarray
        int64 of shape (K,): how many pixels each entry has.
    mse : float
        Mean squared distance of a pixel to its entry: the squared differences are summed over the channels (R, G and B
        for a colour picture) and averaged over the pixels. Unit: squared 8-bit steps. With transparency, over the four
        channels of the colours premultiplied with alpha, or as they are if hidden colours are kept.
    psnr : float
        Peak signal-to-noise ratio in dB, from the mean over the channels as is usual:
        ``10 log10(255² / (mse / C))`` with the number C of channels that mse sums over. Infinite if mse is 0.
    n_iter : int
        Iterations of k-means.
    converged : bool
        Whether k-means stopped by itself, and not because of `max_iter` or the callback.
    quality_met : bool
        Whether `psnr` is as high, and the largest error as low, as was asked for; True if nothing was.

    Examples
    --------
    >>> import numpy as np
    >>> import kmeans_fast as kf
    >>> image = np.array([[[250, 0, 0], [254, 0, 0], [0, 0, 200]]], np.uint8)
    >>> kf.palette(image, 2)
    <QuantizedPalette: 2 colors, mse 2.67, psnr 48.64 dB>
    """

    palette: NDArray[Any]
    counts: NDArray[np.int64]
    mse: float
    psnr: float
    n_iter: int
    converged: bool
    quality_met: bool

    @property
    def n_colors(self) -> int:
        """Number of palette entries, K."""
        return len(self.palette)

    @property
    def hex_colors(self) -> list[str]:
        """The entries, rounded to 8 bits, as ``#rrggbb``; ``#rrggbbaa`` if the palette has an alpha channel."""
        return hex_of(in_8_bits(self.palette))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._described()}>"

    def _described(self) -> str:
        return f"{self.n_colors} colors, mse {self.mse:.2f}, psnr {self.psnr:.2f} dB"

    def _repr_html_(self) -> str:
        """Swatches for a notebook: colour, share and number of pixels of each entry."""
        return swatches(self._described(), self.hex_colors, self.counts)


@dataclass(frozen=True, eq=False, repr=False)
class QuantizedImage(Quantized):
    """An image as a palette and, for every pixel, the index of its entry.

    Attributes
    ----------
    palette, counts, mse, psnr, n_iter, converged, quality_met
        As in `Quantized`.
    labels : numpy.ndarray
        Smallest unsigned integers that hold K−1, of shape (H, W), or (F, H, W) of frames: ``palette[labels]`` is the
        image. A masked array if the image had a mask, 0 where that leaves pixels out, which count for nothing.

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

    labels: NDArray[np.unsignedinteger[Any]]

    def to_8_bit(self) -> QuantizedImage:
        """Round the entries to 8 bits; those that become the same are one, in the place of the first.

        `mse` and `psnr` stay those of the entries as they were.
        """
        _, firsts, places = np.unique(in_8_bits(self.palette), axis=0, return_index=True, return_inverse=True)
        order = np.sort(firsts)
        entry = np.searchsorted(order, firsts[places.reshape(-1)])
        return replace(
            self,
            palette=in_8_bits(self.palette)[order],
            counts=np.bincount(entry, self.counts, len(order)).astype(np.int64),
            labels=look_up(self.labels, entry.astype(np.min_scalar_type(len(order) - 1))),
        )

    def filled(self, color: str = "#00000000") -> QuantizedImage:
        """Give what is masked a colour, by default none, so that there is no mask; files and Pillow have none.

        The entry is the last, unless the colour is in the palette already. `mse` and `psnr` stay those of the others.

        Examples
        --------
        >>> import numpy as np
        >>> import kmeans_fast as kf
        >>> kf.quantize(np.ma.masked_equal(np.eye(2, dtype=np.uint8), 0), 1).filled("white").to_array().tolist()
        [[1, 255], [255, 1]]
        """
        top = np.iinfo(self.palette.dtype).max
        entry = np.array([color_of("color", color)], self.palette.dtype) * (top // 255)
        if not is_masked_array(self.labels):
            return self
        masked = np.ma.getmaskarray(self.labels)
        if not masked.any():
            return replace(self, labels=np.ma.getdata(self.labels))
        is_grey = self.palette.shape[1] == 1 and len(set(entry[0, :3])) == 1 and entry[0, 3] == top
        n_channels = 1 if is_grey else max(self.palette.shape[1], 4 if is_translucent(entry) else 3)
        entries = np.vstack([with_channels(self.palette, n_channels), with_channels(entry, n_channels)])
        place = int((entries == entries[-1]).all(axis=1).argmax())
        counts = np.append(self.counts, 0)[: max(place + 1, self.n_colors)]
        counts[place] += np.count_nonzero(masked)
        labels = np.where(masked, place, self.labels).astype(np.min_scalar_type(len(counts) - 1))
        return replace(self, palette=entries[: len(counts)], counts=counts, labels=labels)

    def _unmasked_labels(self) -> NDArray[np.unsignedinteger[Any]]:
        if is_masked_array(self.labels):
            raise ValueError(
                "a picture with a mask has pixels without a colour; filled() gives them one, or makes "
                "them transparent, and to_array() returns a masked array"
            )
        return self.labels

    def to_array(self) -> NDArray[Any]:
        """Make the image, of the palette's dtype: (H, W) if grey, else (H, W, 3) or, with alpha, (H, W, 4).

        Of frames there is an axis before these. Of an image with a mask it is a masked array.
        """
        return look_up(self.labels, self.palette[:, 0] if self.palette.shape[1] == 1 else self.palette)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return `to_array`, so that what takes arrays takes this too."""
        if copy is False:
            raise ValueError("a QuantizedImage holds labels, so an array of it is always a copy; got copy=False")
        self._unmasked_labels()
        return self.to_array().astype(dtype or self.palette.dtype, copy=False)

    def to_pil(self, frame: int | None = None) -> Image.Image:
        """Make one of Pillow's images: of mode P with these entries, or for more than 256, L, RGB or RGBA.

        Parameters
        ----------
        frame : int, optional
            Which one, if there are frames.

        Raises
        ------
        ValueError
            If the palette has 16 bits a channel, which Pillow's palettes can't have: see `to_8_bit`; or there is a
            mask: see `filled`. If there are frames and `frame` doesn't say which, or there are none and it does.

        Examples
        --------
        >>> import numpy as np
        >>> import kmeans_fast as kf
        >>> kf.quantize(np.eye(8, dtype=np.uint8) * 255, 2).to_pil().mode
        'P'
        """
        if self.palette.dtype != np.uint8:
            raise ValueError(f"Pillow's palettes have 8 bits a channel, got {self.palette.dtype}; to_8_bit() rounds")
        labels = self._unmasked_labels()
        if (labels.ndim == 3) != (frame is not None):
            held = f"{len(labels)} frames" if labels.ndim == 3 else "no frames"
            raise ValueError(f"frame must say which of several frames, and there are {held}, got {frame!r}")
        return writing.indexed_image(self.palette, labels if frame is None else labels[frame])

    def _repr_png_(self) -> bytes:
        """Show a notebook the picture, or of frames the first.

        Of one with more than a million pixels it is every n-th of each row and column; what is masked is transparent.
        """
        whole = self.filled()
        first = whole.labels[0] if whole.labels.ndim == 3 else whole.labels
        step = math.ceil(math.sqrt(first.size / _MOST_SHOWN))
        shown = replace(whole, labels=np.ascontiguousarray(first[::step, ::step])).to_8_bit()
        return writing.encode(encoding.FORMATS["png"], shown.palette, shown.labels)

    def _repr_html_(self) -> str:
        """Show the picture above its swatches: where there is HTML, notebooks show nothing else."""
        picture = base64.b64encode(self._repr_png_()).decode()
        return f'<div><img src="data:image/png;base64,{picture}" style="max-width:100%">{super()._repr_html_()}</div>'

    def save(
        self,
        path: str | os.PathLike[str] | BinaryIO,
        *,
        format: str | None = None,
        compress_level: int = COMPRESS_LEVEL,
        encoder: str = "zlib",
        icc_profile: bytes | None = None,
        duration: float | Sequence[float] | None = None,
        loop: int | None = None,
    ) -> int:
        """Write a picture file with exactly these entries; all of it or nothing.

        Frames make an animation as GIF, PNG or WebP, and pages as TIFF.

        Parameters
        ----------
        path : str, path-like or binary file object
            Name of the file; an existing file is replaced, and its permissions are kept. Or a file object, which gets
            the bytes at its present position once all of them are there, and is not closed.
        format : {None, "png", "gif", "webp", "tiff", "bmp"}
            By default what the name ends in, ``.png``, ``.gif``, ``.webp``, ``.tif``, ``.tiff`` or ``.bmp``; PNG for a
            file object whose name ends in none of these. All are without loss, and keep the order of the entries if
            they are indexed:

            - ``"png"``: indexed with the fewest of 1, 2, 4 or 8 bits a pixel; RGB or RGBA for more than 256 entries;
            - ``"gif"``: up to 256 entries, of which one may be fully transparent and the others must be opaque;
            - ``"webp"``: lossless, which decides by itself what is indexed; up to 16,383 pixels a row and column;
            - ``"tiff"``: indexed with 8 bits a pixel, or RGB for more than 256 entries, or RGBA if some aren't opaque;
            - ``"bmp"``: indexed, or RGB for more than 256 entries; opaque.
        compress_level : int
            Of zlib, from 0, not at all, to 9; for PNG. With 6, as by default, small drawings and icons get 9 if that
            makes them smaller. Up to 16 entries make smaller files in an order in which
            neighbours are alike, such as ``quantize(..., sort="luma")``.
        encoder : {"zlib", "libdeflate"}
            What compresses a PNG of one picture. libdeflate, which the extra ``kmeans_fast[libdeflate]`` brings, takes
            about half of the time or less for files of about the same size, and has levels up to 12, of which those
            from 10 on make smaller files than any of zlib's. Bytes then depend on its version, too.
        icc_profile : bytes, optional
            A colour profile to put into the file, PNG, WebP or TIFF, of at most 1 MiB, because PNG readers refuse
            more. An array has none: that of a file is for `compress` to carry over.
        duration : float or sequence of float, optional
            How long frames of an animation are shown, in milliseconds; 100 by default. A GIF has hundredths of a
            second. A frame that is like the one before is written as one that is shown longer.
        loop : int, optional
            How many times an animation is played; for ever if 0, as it is by default.

        Returns
        -------
        int
            The size of the file in bytes.

        Raises
        ------
        ValueError
            If there is a mask (see `filled`). If the format can't hold this: 16 bits a channel, which no palette can
            have (see `to_8_bit`), entries that aren't opaque, or so many of them. If the name ends in something else or
            belongs to something that is no file, the level is out of range or the profile too large, or either is for
            other formats; if `duration` or `loop` is given where nothing is played, or there are not as many durations
            as frames.
        TypeError
            If the file object was opened as text.
        OSError
            If the folder does not exist or can't be written, or the disk is full. Nothing half-written remains.
        ImportError
            If libdeflate is asked for and isn't installed.

        Examples
        --------
        >>> import io
        >>> import numpy as np
        >>> import kmeans_fast as kf
        >>> file = io.BytesIO()
        >>> kf.quantize(np.eye(8, dtype=np.uint8) * 255, 2).save(file, format="gif") == len(file.getvalue())
        True
        """
        encoding.check_profile(check_destination(path, format=format), icc_profile)
        metadata = Metadata(icc_profile=icc_profile)
        return write_picture(
            path,
            self.palette,
            self._unmasked_labels(),
            format=format,
            compress_level=compress_level,
            encoder=encoder,
            metadata=metadata,
            duration=duration,
            loop=loop,
        )

    def _described(self) -> str:
        *n_frames, height, width = self.labels.shape
        frames = f"{n_frames[0]} frames of " if n_frames else ""
        return f"{frames}{width}×{height} pixels, {super()._described()}"


@dataclass(frozen=True, eq=False, repr=False)
class QuantizedPalette(Quantized, Palette):
    """The colours of an image, without the image: a `Palette` that knows its pixels and error.

    Attributes
    ----------
    palette, counts, mse, psnr, n_iter, converged, quality_met
        As in a `QuantizedImage`.

    Examples
    --------
    >>> import numpy as np
    >>> import kmeans_fast as kf
    >>> image = np.array([[[250, 0, 0], [254, 0, 0], [0, 0, 200]]], np.uint8)
    >>> found = kf.palette(image, 2, sort="count")
    >>> list(zip(found, found.hex, found.share.round(2).tolist()))
    [((252, 0, 0), '#fc0000', 0.67), ((0, 0, 200), '#0000c8', 0.33)]
    """
