"""What is clustered: points as they are, or colours that stand for many pixels; `kmeans` asks the same of both."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import color_seeding, seeding
from kmeans_fast.dense import DenseAlgorithm
from kmeans_fast.draws import Draws
from kmeans_fast.engines import Engine
from kmeans_fast.filtering import HistogramAlgorithm
from kmeans_fast.histogram import ColorHistogram
from kmeans_fast.lloyd import Algorithm
from kmeans_fast.points import Points
from kmeans_fast.threads import Workers

NO_WEIGHTS = np.empty(0)


class Input(Protocol):
    """Points to be clustered."""

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return the distinct points in lexicographic order, or None if there are more than `limit`."""

    def random(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Draw K points without replacement."""

    def k_means_plus_plus(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Choose K points by greedy k-means++."""

    def split(self, n_clusters: int) -> NDArray[np.float64]:
        """Return the means of K boxes that the colours are split into."""

    def best_on_cubes(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Return the best of several runs on cubes of colours."""

    def algorithm(self, n_clusters: int) -> Algorithm:
        """Return the algorithm for K clusters."""

    def labels(self, algorithm: Algorithm) -> NDArray[Any]:
        """Return the labels, in the shape of the points, that belong to those of the algorithm."""


class PointInput:
    """Any points, with weights (N,) or none (0,)."""

    def __init__(self, points: Points, weights: NDArray[np.float64], engine: Engine, workers: Workers) -> None:
        self._points = points
        self._weights = weights
        self._engine = engine
        self._workers = workers

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return the distinct points of positive weight in lexicographic order, or None if there are more."""
        return seeding.distinct_points(self._points, self._weights, limit, self._engine)

    def random(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Draw K points of positive weight, without replacement."""
        return seeding.random_points(self._points, self._weights, n_clusters, draws)

    def k_means_plus_plus(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Choose K points by greedy k-means++."""
        return seeding.k_means_plus_plus(self._points, self._weights, n_clusters, draws, self._engine, self._workers)

    def split(self, n_clusters: int) -> NDArray[np.float64]:  # noqa: ARG002 - ColorInput's
        """Refuse: only colours are sorted into cubes."""
        raise ValueError("init='variance' needs 8-bit points with 1 to 4 features and no sample_weight")

    def best_on_cubes(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:  # noqa: ARG002 - as above
        """Refuse, as above."""
        raise ValueError("init='cubes' needs 8-bit points with 1 to 4 features and no sample_weight")

    def algorithm(self, n_clusters: int) -> Algorithm:
        """Return the dense algorithm."""
        return DenseAlgorithm(self._points, self._weights, n_clusters, self._engine, self._workers)

    def labels(self, algorithm: Algorithm) -> NDArray[Any]:
        """Return the algorithm's labels in the shape of the points."""
        return algorithm.labels.reshape(self._points.shape)


class ColorInput:
    """8-bit pixels by their colours. Draws are made among the pixels in the order of their colours.

    Parameters
    ----------
    histogram : ColorHistogram
        The colours and their counts.
    image : Points or None
        The pixels, if labels are wanted for them and not for the colours.
    is_dense : bool
        Whether the algorithm is to look at each pixel nevertheless.
    engine, workers
        Whose kernels to run, and who runs them.
    """

    def __init__(
        self, histogram: ColorHistogram, image: Points | None, is_dense: bool, engine: Engine, workers: Workers
    ) -> None:
        self._histogram = histogram
        self._image = image
        self._is_dense = is_dense
        self._engine = engine
        self._workers = workers

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return the colours in lexicographic order, or None if there are more than `limit`."""
        if len(self._histogram) > limit:
            return None
        return np.unique(self._histogram.colors, axis=0).astype(np.float64)

    def random(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Draw K pixels without replacement."""
        return seeding.random_pixels(self._histogram, n_clusters, draws)

    def k_means_plus_plus(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Choose K colours by greedy k-means++, each counting as often as it occurs."""
        histogram = self._histogram
        if histogram.n_pixels <= color_seeding.MOST_PIXELS:
            return color_seeding.k_means_plus_plus(histogram, n_clusters, draws, self._engine, self._workers)
        counts, colors = histogram.counts.astype(np.float64), Points(histogram.colors)
        return seeding.k_means_plus_plus(colors, counts, n_clusters, draws, self._engine, self._workers)

    def split(self, n_clusters: int) -> NDArray[np.float64]:
        """Return the means of K boxes that the colours are split into, by what lowers the squared error most."""
        return color_seeding.split_by_variance(self._histogram, n_clusters, self._engine)

    def best_on_cubes(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Return the best of several runs on cubes of colours."""
        return color_seeding.best_on_cubes(self._histogram, n_clusters, draws, self._engine, self._workers)

    def algorithm(self, n_clusters: int) -> Algorithm:
        """Return the histogram algorithm, or the dense one if that was asked for."""
        if self._is_dense and self._image is not None:
            return DenseAlgorithm(self._image, NO_WEIGHTS, n_clusters, self._engine, self._workers)
        return HistogramAlgorithm(self._histogram, n_clusters, self._engine, self._workers)

    def labels(self, algorithm: Algorithm) -> NDArray[Any]:
        """Return labels of the pixels where there are some, and otherwise of the colours."""
        if self._image is None:
            return algorithm.labels
        if self._is_dense:
            return algorithm.labels.reshape(self._image.shape)
        options: dict[str, Any] = {"engine": self._engine.name, "n_threads": self._workers.n_threads}
        return self._histogram.labels_of(self._image.array, algorithm.labels, **options)


def choose(
    points: Points,
    histogram: ColorHistogram | None,
    weights: NDArray[np.float64],
    algorithm: str,
    is_drawn: bool,
    engine: Engine,
    workers: Workers,
) -> Input:
    """Choose between points and colours.

    8-bit points of 1 to 4 features without weights are clustered by colour. Even the dense algorithm takes its first
    centroids from the colours, where they are drawn, so that they are the same.
    """
    if histogram is not None:
        return ColorInput(histogram, None, False, engine, workers)
    if has_colors(points, weights) and (is_drawn or algorithm != "dense"):
        counted = ColorHistogram.from_image(points.array, engine=engine.name, n_threads=workers.n_threads)
        return ColorInput(counted, points, algorithm == "dense", engine, workers)
    return PointInput(points, weights, engine, workers)


def has_colors(points: Points, weights: NDArray[np.float64]) -> bool:
    """Say whether a histogram can stand for the points."""
    return points.array.dtype == np.uint8 and points.n_features <= 4 and not weights.size
