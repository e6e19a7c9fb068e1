"""Ready-made callbacks for `kmeans_fast.kmeans`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.lloyd import Callback


def print_progress(iteration: int, centroids: NDArray[Any], new_centroids: NDArray[Any], shift: float) -> None:
    """Print the iteration and the change in centroid locations: the largest squared move of one.

    Parameters
    ----------
    iteration : int
        Counts from 1.
    centroids, new_centroids : ndarray, shape (K, D)
        Before and after the iteration.
    shift : float
        The largest squared move of a centroid, in squared units of the points.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> result = kf.kmeans([[0], [1], [8], [9]], 2, init=[[0], [1]], callback=kf.print_progress)
    iteration 1: change in centroid locations 25 (1 of 2 centroids moved)
    iteration 2: change in centroid locations 6.25 (2 of 2 centroids moved)
    iteration 3: change in centroid locations 0 (0 of 2 centroids moved)
    """
    moved = np.any(centroids != new_centroids, axis=1).sum()
    print(
        f"iteration {iteration}: change in centroid locations {shift:g} ({moved} of {len(centroids)} centroids moved)",
        flush=True,
    )


@contextmanager
def progress_bar(**options: Any) -> Iterator[Callback]:
    """Show a bar of tqdm's that counts iterations, in a notebook one of its own; the extra `notebook` brings it.

    Parameters
    ----------
    **options
        For ``tqdm.auto.tqdm``, such as ``total=`` for the most iterations there will be.

    Yields
    ------
    callable
        The `callback` for `kmeans_fast.kmeans`, `quantize` and those of Dask's arrays.

    Raises
    ------
    ImportError
        If tqdm isn't installed.

    Examples
    --------
    >>> import io
    >>> import kmeans_fast as kf
    >>> from kmeans_fast.progress import progress_bar
    >>> with progress_bar(file=io.StringIO()) as callback:
    ...     result = kf.kmeans([[0], [1], [8], [9]], 2, init=[[0], [1]], callback=callback)
    >>> result.n_iter
    3
    """
    from tqdm.auto import tqdm

    with tqdm(**{"desc": "iterations", "unit": "", **options}) as bar:

        def show(iteration: int, centroids: NDArray[Any], new_centroids: NDArray[Any], shift: float) -> None:  # noqa: ARG001
            bar.set_postfix(shift=f"{shift:.3g}", refresh=False)
            bar.update()  # what it returns would end the run

        yield show
