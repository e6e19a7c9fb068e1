"""scikit-learn's k-means, with this package's speed and bytes: `KMeans`, `k_means` and `kmeans_plusplus`.

What they take and give is scikit-learn's [1]_; integers of 8 and 16 bits aren't converted, so that pixels are
clustered by their colours. From the same first centroids the centroids are scikit-learn's up to rounding. Drawn ones
differ, as the draws are this package's: the same on every machine.

References
----------
.. [1] F. Pedregosa et al., "Scikit-learn: machine learning in Python", Journal of Machine Learning Research 12, 2011.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from kmeans_fast import arrays, validation
from kmeans_fast.assigning import assign
from kmeans_fast.clustering import kmeans
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.draws import Draws
from kmeans_fast.engines.codes import MAX_CHANNELS
from kmeans_fast.lending import machine_for, work_of
from kmeans_fast.points import seeding
from kmeans_fast.points.access import Points
from kmeans_fast.progress import print_progress
from kmeans_fast.results import KMeansResult

# What is clustered as it is; everything else becomes the first of these.
DTYPES = (np.float64, np.float32, np.uint8, np.uint16, np.int16)
INITS = ("k-means++", "random")
# How often is begun anew where first centroids differ each time and nobody says how often.
N_INIT_OF_DRAWN = 10
# So many points are sorted in no time: then draws depend neither on their order nor on whether some come several times
# or have a weight.
MOST_SORTED = 2**16

Random = int | np.random.RandomState | None
Init = str | ArrayLike | Callable[..., ArrayLike]


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """K-means clustering with the interface of ``sklearn.cluster.KMeans``.

    Parameters
    ----------
    n_clusters : int
        K, the number of clusters.
    init : {"k-means++", "random"}, callable or array_like of shape (K, D)
        The first centroids, or a function of ``(X, n_clusters, random_state=...)`` that returns them.
    n_init : "auto" or int
        Runs, of which the one of least inertia counts. ``"auto"`` is 10 for ``"random"`` and functions, and else 1.
    max_iter : int
        Most iterations of a run.
    tol : float
        Stop when the sum of the squared moves of all centroids is at most this part of the mean variance of a feature.
    verbose : int
        Other than 0: print each iteration.
    random_state : int, RandomState or None
        What draws come from.
    copy_x : bool
        As X is never written to, both do the same.
    algorithm : {"lloyd"}
        ``"elkan"`` names another way to the same result, and is refused.

    Attributes
    ----------
    cluster_centers_ : ndarray of float64, or float32 for X of float32, shape (K, D)
    labels_ : ndarray of int32, shape (N,)
    inertia_ : float
        Weighted sum of squared distances to the closest centroid.
    n_iter_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (D,)
        Only if X has names, all of them strings.

    Examples
    --------
    >>> import numpy as np
    >>> from kmeans_fast.sklearn import KMeans
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> model = KMeans(2, random_state=0).fit(X)
    >>> model.predict([[0, 0], [12, 3]]).tolist() == model.predict([[1, 1], [11, 4]]).tolist()
    True
    >>> np.sort(model.cluster_centers_, axis=0)
    array([[ 1.,  2.],
           [10.,  2.]])
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Init = "k-means++",
        n_init: str | int = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: Random = None,
        copy_x: bool = True,
        algorithm: str = "lloyd",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> KMeans:  # noqa: ARG002, N803 - scikit-learn's names
        """Cluster points.

        Parameters
        ----------
        X : array_like, shape (N, D)
            Dense real numbers. uint8, uint16, int16, float32 and float64 are read as they are.
        y : ignored
            There by convention.
        sample_weight : array_like, shape (N,), optional
            A weight for each point.

        Returns
        -------
        KMeans
            Itself.

        Raises
        ------
        ValueError, TypeError
            If X is sparse or holds other than finite real numbers, or a parameter isn't allowed.
        """
        points: NDArray[Any] = validate_data(self, X, dtype=DTYPES, accept_sparse=False)
        self._check(points)
        result = self._best(points, sample_weight)
        centroids = result.centroids
        if len(centroids) < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({len(centroids)}) found smaller than n_clusters ({self.n_clusters}). "
                "Possibly due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=2,
            )
            # The first of equal centroids has the points.
            centroids = np.vstack([centroids, np.repeat(centroids[-1:], self.n_clusters - len(centroids), axis=0)])
        labels = result.labels
        if points.dtype == np.float32:
            centroids = centroids.astype(np.float32)
            labels = assign(points, centroids)
        self.cluster_centers_ = centroids
        self.labels_ = labels.astype(np.int32)
        self.inertia_ = result.inertia
        self.n_iter_ = max(1, result.n_iter)
        self._n_features_out = self.n_clusters
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.int32]:  # noqa: N803
        """Return the index of each point's closest centroid, ties to the lowest: int32, shape (N,)."""
        return assign(self._checked(X), self.cluster_centers_).astype(np.int32)

    def transform(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the distances of points to all centroids, shape (N, K)."""
        distances: NDArray[Any] = euclidean_distances(_as_floats(self._checked(X)), self.cluster_centers_)
        return distances

    def fit_predict(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> NDArray[np.int32]:  # noqa: ARG002, N803
        """Cluster points and return their labels, int32, shape (N,)."""
        return self.fit(X, sample_weight=sample_weight).labels_

    def fit_transform(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> NDArray[Any]:  # noqa: ARG002, N803
        """Cluster points and return their distances to all centroids, shape (N, K)."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def score(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> float:  # noqa: ARG002, N803
        """Return the weighted sum of squared distances of points to their closest centroids, negative."""
        points = self._checked(X)
        differences = points - self.cluster_centers_.astype(np.float64)[assign(points, self.cluster_centers_)]
        distances = np.einsum("ij,ij->i", differences, differences)
        return -float(distances @ _weights(points, sample_weight))

    def _checked(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        check_is_fitted(self)
        checked: NDArray[Any] = validate_data(self, X, dtype=DTYPES, accept_sparse=False, reset=False)
        return checked

    def _check(self, X: NDArray[Any]) -> None:  # noqa: N803
        """Raise for what isn't known here, in scikit-learn's words where there are some; `kmeans` checks the rest."""
        if self.algorithm != "lloyd":
            raise ValueError(
                f"algorithm must be 'lloyd', got {self.algorithm!r}; bounds that save work are kept anyway, and "
                "the result of each way is the same"
            )
        if isinstance(self.init, str):
            validation.choice("init", self.init, INITS)
        elif not callable(self.init):
            _check_shape(self.init, self.n_clusters, X)
        if self.n_init != "auto":
            validation.integer("n_init", self.n_init, 1)
        if len(X) < validation.cluster_count("n_clusters", self.n_clusters):
            raise ValueError(f"n_samples={len(X)} should be >= n_clusters={self.n_clusters}.")

    def _best(self, X: NDArray[Any], sample_weight: ArrayLike | None) -> KMeansResult:  # noqa: N803
        """Run as often as is asked for; return the best result, the first of equals."""
        stop = _Stop(_tolerance(X, validation.number("tol", self.tol)), bool(self.verbose))
        random = check_random_state(self.random_state)
        seed = int(random.randint(np.iinfo(np.int32).max))
        asked: dict[str, Any] = {"max_iter": self.max_iter, "sample_weight": sample_weight, "callback": stop}
        if isinstance(self.init, str) and (self.init == "random" or len(X) > MOST_SORTED):
            n_runs = self._n_runs(self.init == "random")
            return kmeans(X, self.n_clusters, init=self.init, n_init=n_runs, seed=seed, **asked)
        starts = self._starts(X, sample_weight, random, Draws(seed))
        return min((kmeans(X, self.n_clusters, init=start, **asked) for start in starts), key=lambda run: run.inertia)

    def _starts(
        self,
        X: NDArray[Any],  # noqa: N803
        sample_weight: ArrayLike | None,
        random: np.random.RandomState,
        draws: Draws,
    ) -> Iterator[ArrayLike]:
        """Yield the first centroids of each run."""
        if callable(self.init):
            for _ in range(self._n_runs(True)):
                start = self.init(X, self.n_clusters, random_state=random)
                _check_shape(start, self.n_clusters, X)
                yield start
        elif isinstance(self.init, str):
            order = np.lexsort(X.T[::-1])
            points, weights = X[order], _weights(X, sample_weight)[order]
            for _ in range(self._n_runs(False)):
                yield points[_draw_places(points, weights, self.n_clusters, None, draws)]
        else:
            if self._n_runs(False) > 1:
                warnings.warn(
                    "Explicit initial center position passed: performing only one init in KMeans instead of "
                    f"n_init={self.n_init}.",
                    RuntimeWarning,
                    stacklevel=5,
                )
            yield self.init

    def _n_runs(self, is_drawn: bool) -> int:
        if self.n_init == "auto":
            return N_INIT_OF_DRAWN if is_drawn else 1
        return int(self.n_init)


def _check_shape(centroids: ArrayLike, n_clusters: int, X: NDArray[Any]) -> None:  # noqa: N803
    shape = np.shape(centroids)
    if shape[:1] != (n_clusters,):
        raise ValueError(
            f"The shape of the initial centers {shape} does not match the number of clusters {n_clusters}."
        )
    if shape[1:] != X.shape[1:]:
        raise ValueError(
            f"The shape of the initial centers {shape} does not match the number of features of the data {X.shape[1]}."
        )


class _Stop:
    """scikit-learn's rule: stop when the squared moves of all centroids together are small."""

    def __init__(self, tolerance: float, is_verbose: bool) -> None:
        self._tolerance = tolerance
        self._is_verbose = is_verbose

    def __call__(self, iteration: int, old: NDArray[np.float64], new: NDArray[np.float64], shift: float) -> bool:
        if self._is_verbose:
            print_progress(iteration, old, new, shift)
        return float(((new - old) ** 2).sum()) <= self._tolerance


def _tolerance(X: NDArray[Any], tol: float) -> float:  # noqa: N803
    """Return what part `tol` of the mean variance of a feature is."""
    if tol == 0:
        return 0.0
    if X.dtype == np.uint8 and X.shape[1] <= MAX_CHANNELS:  # a tenth of the time
        histogram = ColorHistogram.from_image(X)
        means = np.average(histogram.colors, axis=0, weights=histogram.counts)
        variances = np.average((histogram.colors - means) ** 2, axis=0, weights=histogram.counts)
    else:
        variances = np.var(X, axis=0, dtype=np.float64)
    return float(variances.mean()) * tol


def _as_floats(X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
    return X if X.dtype.kind == "f" else X.astype(np.float64)


def k_means(
    X: ArrayLike,  # noqa: N803
    n_clusters: int,
    *,
    sample_weight: ArrayLike | None = None,
    init: Init = "k-means++",
    n_init: str | int = "auto",
    max_iter: int = 300,
    verbose: bool = False,
    tol: float = 1e-4,
    random_state: Random = None,
    copy_x: bool = True,
    algorithm: str = "lloyd",
    return_n_iter: bool = False,
) -> tuple[Any, ...]:
    """Cluster points, as ``sklearn.cluster.k_means`` does.

    Parameters
    ----------
    X : array_like, shape (N, D)
        The points.
    n_clusters : int
        K, the number of clusters.
    sample_weight, init, n_init, max_iter, verbose, tol, random_state, copy_x, algorithm
        As for `KMeans`.
    return_n_iter : bool
        Whether to return the number of iterations too.

    Returns
    -------
    centroid : ndarray, shape (K, D)
    label : ndarray of int32, shape (N,)
    inertia : float
    best_n_iter : int
        Only if `return_n_iter`.

    Examples
    --------
    >>> from kmeans_fast.sklearn import k_means
    >>> centroid, label, inertia = k_means([[0.0], [1.0], [9.0]], 2, init=[[0.0], [9.0]])
    >>> centroid.ravel().tolist(), label.tolist(), inertia
    ([0.5, 9.0], [0, 0, 1], 0.5)
    """
    model = KMeans(
        n_clusters,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        verbose=verbose,
        tol=tol,
        random_state=random_state,
        copy_x=copy_x,
        algorithm=algorithm,
    ).fit(X, sample_weight=sample_weight)
    found = (model.cluster_centers_, model.labels_, model.inertia_)
    return (*found, model.n_iter_) if return_n_iter else found


def kmeans_plusplus(
    X: ArrayLike,  # noqa: N803
    n_clusters: int,
    *,
    sample_weight: ArrayLike | None = None,
    random_state: Random = None,
    n_local_trials: int | None = None,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Choose points by greedy k-means++, as ``sklearn.cluster.kmeans_plusplus`` does.

    Parameters
    ----------
    X : array_like, shape (N, D)
        The points.
    n_clusters : int
        K, at most N.
    sample_weight : array_like, shape (N,), optional
        A weight for each point.
    random_state : int, RandomState or None
        What draws come from.
    n_local_trials : int, optional
        Candidates for each point; by default 2 + ⌊ln K⌋.

    Returns
    -------
    centers : ndarray, shape (K, D)
        Of the dtype of X.
    indices : ndarray of int64, shape (K,)
        Their places in X.

    Examples
    --------
    >>> from kmeans_fast.sklearn import kmeans_plusplus
    >>> centers, indices = kmeans_plusplus([[0.0], [0.0], [7.0]], 2, random_state=1)
    >>> sorted(centers.ravel().tolist()), 2 in indices
    ([0.0, 7.0], True)
    """
    points: NDArray[Any] = check_array(X, dtype=DTYPES)
    n_clusters = validation.cluster_count("n_clusters", n_clusters)
    if n_clusters > len(points):
        raise ValueError(f"n_samples={len(points)} should be >= n_clusters={n_clusters}.")
    if n_local_trials is not None:
        n_local_trials = validation.integer("n_local_trials", n_local_trials, 1)
    draws = Draws(int(check_random_state(random_state).randint(np.iinfo(np.int32).max)))
    places = _draw_places(points, _weights(points, sample_weight), n_clusters, n_local_trials, draws)
    return points[places], places


def _weights(points: NDArray[Any], sample_weight: ArrayLike | None) -> NDArray[np.float64]:
    """Return a weight for each point."""
    _, weights = arrays.with_weights(arrays.select("X", points), sample_weight)
    return weights if weights.size else np.ones(len(points))


def _draw_places(
    array: NDArray[Any], weights: NDArray[np.float64], n_clusters: int, n_candidates: int | None, draws: Draws
) -> NDArray[np.int64]:
    """Draw points by greedy k-means++."""
    points = Points(array, "X")
    points.check_values()
    if n_candidates is None:
        n_candidates = seeding.candidate_count(n_clusters)
    with machine_for("auto", None, points.size, work_of(points.size, n_clusters, points.n_features)) as machine:
        return seeding.k_means_plus_plus_places(points, weights, n_clusters, n_candidates, draws, machine)
