"""`KMeansResult`: what `kmeans` returns, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import arrays
from kmeans_fast.assigning import assign
from kmeans_fast.points.access import Points


@dataclass(frozen=True, eq=False, repr=False)
class KMeansResult:
    """What `kmeans` found. The labels always are the assignment to the centroids.

    Results are equal if all that was found has the same bytes, whatever ran. In a notebook, those of 8-bit points with
    3 or 4 features show as colours, with the picture if the points were one.

    Attributes
    ----------
    centroids : ndarray of float64, shape (K, D)
        All distinct, each with at least one point.
    labels : ndarray, the shape of the points without their axis of features
        The index of each point's nearest centroid, ties to the lowest; of the smallest unsigned dtype that holds K−1.
        Differences of unsigned integers wrap around: convert them first, as in ``np.diff(labels.astype(int))``. A
        masked array if the points had a mask.
    counts : ndarray of int64, shape (K,)
        The number of points of each centroid, whatever their weight; points that are left out count nowhere.
    inertia : float
        Sum of (weight times) squared distance to the centroid over all points, in squared units of the points. It is
        added up in another order by each algorithm, so that its last digits may differ.
    n_iter : int
        Iterations made; 0 if there were no more distinct points than clusters.
    converged : bool
        Whether the last shift was at most `tol`.
    shifts : ndarray of float64, shape (n_iter,)
        The largest squared move of a centroid in each iteration.
    algorithm : str
        The algorithm that ran: "dense", "histogram", or "cells" where floats were sorted into them.
    engine : str
        The engine that ran it.
    dtype : numpy.dtype
        Of the points.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> result = kf.kmeans([[0], [1], [8], [9]], 2, init=[[0], [9]])
    >>> result
    <KMeansResult: 4 points, 2 clusters, inertia 1, 2 iterations, converged>
    >>> result == kf.kmeans([[0], [1], [8], [9]], 2, init=[[0], [9]], engine="numpy")
    True
    """

    centroids: NDArray[np.float64]
    labels: NDArray[Any]
    counts: NDArray[np.int64]
    inertia: float
    n_iter: int
    converged: bool
    shifts: NDArray[np.float64]
    algorithm: str = field(compare=False)
    engine: str = field(compare=False)
    dtype: np.dtype[Any] = field(compare=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KMeansResult):
            return NotImplemented
        return all(_same(getattr(self, part.name), getattr(other, part.name)) for part in fields(self) if part.compare)

    def __hash__(self) -> int:
        return hash((self.centroids.tobytes(), self.counts.tobytes(), self.n_iter))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._described()}>"

    def _described(self) -> str:
        end = "converged" if self.converged else "not converged"
        return (
            f"{self.counts.sum()} points, {len(self.counts)} clusters, inertia {self.inertia:g}, "
            f"{self.n_iter} iterations, {end}"
        )

    def _repr_html_(self) -> str | None:
        """Swatches of the centroids for a notebook, and the picture, where the points were 8-bit colours."""
        if self.dtype != np.uint8 or self.centroids.shape[1] not in (3, 4):
            return None
        from kmeans_fast.imaging import swatches

        # first centroids that were given and had no iteration to move in may be anywhere
        palette = np.clip(np.rint(self.centroids), 0, 255).astype(np.uint8)
        return swatches.page(self._described(), palette, self.counts, self.labels)

    def predict(self, points: ArrayLike, **options: Any) -> NDArray[Any]:
        """Label other points with the index of their nearest centroid.

        Parameters
        ----------
        points : array_like, shape (..., D)
            Real numbers.
        mask, channel_axis, engine, n_threads
            As for `assign`.

        Returns
        -------
        ndarray
            What ``assign(points, centroids)`` returns.

        Examples
        --------
        >>> import kmeans_fast as kf
        >>> kf.kmeans([[0], [1], [8], [9]], 2, init=[[0], [9]]).predict([[2], [7]])
        array([0, 1], dtype=uint8)
        """
        return assign(points, self.centroids, **options)

    def transform(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the distances of points to all centroids.

        Parameters
        ----------
        points : array_like, shape (..., D)
            Real numbers.

        Returns
        -------
        ndarray of float64, shape (..., K)
            As many numbers as points times centroids: for few points.

        Raises
        ------
        ValueError
            If the points haven't as many features as the centroids, or are infinite or NaN.

        Examples
        --------
        >>> import kmeans_fast as kf
        >>> kf.kmeans([[0, 0], [3, 4]], 2, init=[[0, 0], [3, 4]]).transform([[0, 0]])
        array([[0., 5.]])
        """
        array = arrays.unmasked_numbers("points", points)
        n_features = self.centroids.shape[1]
        if array.ndim == 0 or array.shape[-1] != n_features:
            raise ValueError(f"points must have shape (..., {n_features}), got {array.shape}")
        checked = Points(np.atleast_2d(array))
        checked.check_values()
        squares = np.zeros((*array.shape[:-1], len(self.centroids)))
        for f in range(n_features):
            difference = array[..., f, np.newaxis].astype(np.float64) - self.centroids[:, f]
            squares += difference * difference
        return np.sqrt(squares)

    def to_array(self) -> NDArray[np.float64]:
        """Return each point's centroid: the picture in K colours, float64, the shape of the points.

        Where the points had a mask, what it left out is masked.

        Examples
        --------
        >>> import kmeans_fast as kf
        >>> kf.kmeans([[0], [1], [8], [9]], 2, init=[[0], [9]]).to_array().tolist()
        [[0.5], [0.5], [8.5], [8.5]]
        """
        return arrays.look_up(self.labels, self.centroids)


def _same(one: Any, two: Any) -> bool:
    """Say whether two values are alike, arrays in their bytes; those that are not in memory have to be the same."""
    if not isinstance(one, np.ndarray) or not isinstance(two, np.ndarray):
        return one is two or (not hasattr(one, "dtype") and not hasattr(two, "dtype") and bool(one == two))
    if (one.dtype, one.shape) != (two.dtype, two.shape):
        return False
    bits = f"u{one.dtype.itemsize}"
    return np.array_equal(np.ma.getdata(one).view(bits), np.ma.getdata(two).view(bits)) and np.array_equal(
        np.ma.getmaskarray(one), np.ma.getmaskarray(two)
    )
