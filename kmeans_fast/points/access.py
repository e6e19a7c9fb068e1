"""Points as the kernels want them: one chunk at a time, C-contiguous, of one of five dtypes, read-only.

Whatever else comes in (other strides, byte orders, dtypes; images that can't be flattened in place) is copied a chunk
at a time, so that no input is ever copied whole, and each kernel is compiled for few types.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.machine.chunks import CHUNK_SIZE

KERNEL_DTYPES: set[np.dtype[Any]] = {np.dtype(t) for t in (np.uint8, np.uint16, np.int16, np.float32, np.float64)}
# Other dtypes are widened, without loss, to one of those.
WIDENED_DTYPES: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.bool_): np.dtype(np.uint8),
    np.dtype(np.int8): np.dtype(np.int16),
    np.dtype(np.float16): np.dtype(np.float32),
    np.dtype(np.int32): np.dtype(np.float64),
    np.dtype(np.uint32): np.dtype(np.float64),
    np.dtype(np.int64): np.dtype(np.float64),
    np.dtype(np.uint64): np.dtype(np.float64),
}
# Beyond these, a float64 can't hold an integer, or the square of a value, or a sum of squares over many points.
LARGEST_INTEGER = 2**53
LARGEST_FLOAT = 1e140
# Values whose least and largest are looked for while they are in a cache.
CHECKED_AT_ONCE = 2**18

ForEach = Callable[..., None]
FindExtremes = Callable[[NDArray[Any], NDArray[np.float64]], None]


class Points:
    """An array of points with features on its last axis, read in chunks.

    Parameters
    ----------
    array : ndarray, shape (..., D)
        Real numbers; at least two axes. Anything that users bring is for `kmeans_fast.arrays.select`.
    name : str
        What error messages call the array.

    Raises
    ------
    TypeError
        If the dtype isn't one of real numbers up to 64 bits.
    ValueError
        If there are no points or no features.
    """

    def __init__(self, array: NDArray[Any], name: str = "points") -> None:
        self.array = array
        self.name = name
        native: np.dtype[Any] = self.array.dtype.newbyteorder("=")
        if native not in KERNEL_DTYPES and native not in WIDENED_DTYPES:
            raise TypeError(f"{name} must be real numbers of up to 64 bits, got dtype {self.array.dtype}")
        self.dtype = WIDENED_DTYPES.get(native, native)
        self.shape = self.array.shape[:-1]
        self.size = math.prod(self.shape)
        self.n_features = self.array.shape[-1]
        if self.size == 0:
            raise ValueError(f"{name} must not be empty, got shape {self.array.shape}")
        if self.n_features == 0:
            raise ValueError(f"{name} must have features, got shape {self.array.shape}")
        self._flat = self._flatten()
        self._magnitudes: tuple[float, float] | None = None  # once they have been looked for

    def _flatten(self) -> NDArray[Any] | None:
        """Return the array as (N, D) where that takes no copy."""
        try:
            return self.array.reshape((self.size, self.n_features), copy=False)
        except ValueError:  # the strides don't allow it
            return None

    def chunk(self, start: int, stop: int) -> NDArray[Any]:
        """Return points `start` to `stop` as a read-only C-contiguous (stop − start, D) array of `self.dtype`."""
        part = self._flat[start:stop] if self._flat is not None else _rows(self.array, start, stop)
        chunk: NDArray[Any] = np.require(part, self.dtype, ["C", "ALIGNED"]).view()
        chunk.setflags(write=False)
        return chunk

    @property
    def is_one_array(self) -> bool:
        """Whether the kernels can take all points at once, without a copy."""
        flat = self._flat
        return flat is not None and flat.dtype == self.dtype and flat.flags.c_contiguous and flat.flags.aligned

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the points at these places in the flattened order, as (n, D) float64."""
        return self.array[np.unravel_index(indices, self.shape)].astype(np.float64)

    @property
    def may_be_infinite(self) -> bool:
        """Whether the dtype has values that a computation can't take."""
        return self.dtype.kind == "f"

    def magnitudes(self, for_each: ForEach, find_extremes: FindExtremes) -> tuple[float, float]:
        """Return the least magnitude above 0, or infinity, and the largest; NaN or infinity if there is such a float.

        `for_each(function, tasks)` may call the function from several threads, `find_extremes` is an engine's.
        """
        if self._magnitudes is None:
            step = max(1, CHECKED_AT_ONCE // self.n_features)
            starts = range(0, self.size, step)
            extremes = np.empty((len(starts), 2))

            def look(i: int) -> None:
                find_extremes(self.chunk(starts[i], min(starts[i] + step, self.size)), extremes[i])

            for_each(look, range(len(starts)))
            self._magnitudes = float(extremes[:, 0].min()), float(extremes[:, 1].max())
        return self._magnitudes

    def check_values(self, for_each: ForEach | None = None, find_extremes: FindExtremes | None = None) -> None:
        """Raise a ValueError for NaN, infinity, or numbers whose squares float64 can't hold; see `magnitudes`."""
        if not self.may_be_infinite:
            return
        if for_each and find_extremes and self.magnitudes(for_each, find_extremes)[1] <= self._limit:
            return
        step = max(1, min(CHUNK_SIZE, CHECKED_AT_ONCE // self.n_features))
        for start in range(0, self.size, step):
            stop = min(start + step, self.size)
            chunk = self.chunk(start, stop)
            self._check_extremes(float(chunk.min()), float(chunk.max()), start, stop)  # which pass a NaN on

    @property
    def _limit(self) -> float:
        return LARGEST_FLOAT if self.array.dtype.kind == "f" else LARGEST_INTEGER

    def _check_extremes(self, low: float, high: float, start: int, stop: int) -> None:
        if not (np.isfinite(low) and np.isfinite(high)):
            way_out = "; mask= leaves points out" if self.name == "points" else ""
            raise ValueError(
                f"{self.name} must be finite, got NaN or infinity among points {start} to {stop - 1}{way_out}"
            )
        if max(-low, high) > self._limit:
            raise ValueError(f"{self.name} must be at most {self._limit:g} in magnitude, got {max(-low, high):g}")


def _rows(array: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
    """Return rows `start` to `stop` of an array (..., D) taken as (N, D), copying few others."""
    if array.ndim == 2:
        return array[start:stop]
    stride = math.prod(array.shape[1:-1])
    first, last = start // stride, (stop - 1) // stride
    if first == last:
        return _rows(array[first], start - first * stride, stop - first * stride)
    if stride > stop - start:
        border = last * stride
        return np.concatenate([_rows(array, start, border), _rows(array, border, stop)])
    return array[first : last + 1].reshape(-1, array.shape[-1])[start - first * stride : stop - first * stride]
