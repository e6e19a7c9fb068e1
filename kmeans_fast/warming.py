"""`warmup`: have what is mostly used compiled before it is needed; and what there is of compiled code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kmeans_fast import engines
from kmeans_fast.assigning import assign
from kmeans_fast.clustering import kmeans
from kmeans_fast.colors.counting import PIXELS_PER_TASK
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.colors.thinning import thinned
from kmeans_fast.engines.numba_dense import PLAIN_WORK
from kmeans_fast.imaging.quantization import quantize
from kmeans_fast.lending import machine_for
from kmeans_fast.machine.chunks import MANY_FEATURES
from kmeans_fast.machine.processors import available_threads
from kmeans_fast.points.cell_passes import LEAST_COMPARED, LEAST_POINTS
from kmeans_fast.points.many_features import MOST_HALVED
from kmeans_fast.points.shorts import FEWEST_CLUSTERS

# Points of any other dtype are widened to one of these.
DTYPES = (np.float32, np.float64)
FURTHER_DTYPES = (np.uint8, np.uint16, np.int16)
# Those of pictures. With transparency the values of 8 bits are multiplied by alpha, to 16.
COLOR_DTYPES = (np.uint8, np.uint16)
WIDTH = 400
# Labels of one byte and of two.
N_CLUSTERS = (2, 257)


def warmup(*, everything: bool = False) -> None:
    """Compile what is mostly used, and keep the code for the processes to come.

    That is all that `quantize` and `kmeans` need for 8-bit pictures, opaque or not, and `kmeans` and `assign` for
    float32 and float64 points, with up to 256 clusters. Takes half a minute the first time on two cores, as several
    processes compile at once; does nothing where nothing can be compiled. Made for the build of a container:
    ``kmeans-fast warmup`` in its last step lets every process start with compiled code.

    Parameters
    ----------
    everything : bool
        Compile for pictures of 16 bits, points of all other dtypes, and more clusters too.

    Raises
    ------
    OSError
        If there is no folder that code could be kept in.
    RuntimeError
        If something couldn't be compiled.

    Notes
    -----
    The code is for the best level of processors, such as x86-64-v3, that this one has. ``NUMBA_CPU_NAME=x86-64-v2``,
    set for the build and for later, makes it for older ones. ``NUMBA_CACHE_DIR`` sets the folder; anyone who can write
    to it can run code as those who use it.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> kf.warmup()  # doctest: +SKIP
    """
    from kmeans_fast.engines import levels, objects, obstacles, serving

    if obstacles.to_compiling():
        return
    folder = objects.writable_folder()
    if folder is None:
        raise OSError("no folder for compiled code can be written to; NUMBA_CACHE_DIR can name one")
    # A use may need one kernel after the other.
    while missing := serving.missing_for(lambda: _use(everything)):
        serving.compile_at_once(missing, folder, levels.best_level(), available_threads())


def precompile(folder: str) -> None:
    """Compile everything for all usual processors of this platform, into a folder: what a platform's wheel brings."""
    from kmeans_fast.engines import levels, objects, serving

    missing = serving.missing_for(lambda: _use(everything=True))
    for level in levels.shipped_levels():
        serving.compile_at_once(missing, Path(folder), level, available_threads())
    Path(folder, objects.SHIPPED_SOURCE.name).write_text(objects.source_stamp())


def _use(everything: bool) -> None:
    """Do a little of all that is to be compiled."""
    for n_clusters in N_CLUSTERS[: 1 + everything]:
        for dtype in DTYPES + FURTHER_DTYPES * everything:
            for n_features in (3, 4, MANY_FEATURES):
                _cluster_points(dtype, n_clusters, n_features)
            for n_features in (3, MOST_HALVED + 1):  # compared in halves, and in shorts
                _cluster_points(dtype, max(n_clusters, FEWEST_CLUSTERS), n_features)
        for dtype in DTYPES:
            points = _ramp(LEAST_POINTS, 3).astype(dtype)
            kmeans(points, n_clusters, init=points[:n_clusters], max_iter=LEAST_COMPARED, tol=1e9)
        for dtype in COLOR_DTYPES[: 1 + everything]:
            for channels in (1, 2, 3, 4):
                _use_colors(dtype, channels, n_clusters)
        _quantize_translucent(n_clusters)
    quantize(_picture(1, 3, np.uint8)[:, :9], 3, effort=2)
    for codes, channel in ((np.uint32, np.uint8), (np.uint64, np.uint16))[: 1 + everything]:
        twice = np.tile(np.arange(2 * PIXELS_PER_TASK, dtype=codes), 2)  # more than a table has room for
        ColorHistogram.from_image(twice.view(channel).reshape(-1, 4), n_threads=1)


def _cluster_points(dtype: DTypeLike, n_clusters: int, n_features: int) -> None:
    """Cluster just more points than are compared plainly, one cluster empty; label all and few; draw centroids."""
    n_points = max(PLAIN_WORK // n_clusters + 1, 2 * n_clusters)
    points: NDArray[Any] = _ramp(n_points, n_features).astype(dtype)
    init = np.concatenate([points[: n_clusters - 1], points[:1]])
    kmeans(points, n_clusters, init=init, max_iter=2, algorithm="dense")
    for some in (points, points[:9]):
        assign(some, init)
    kmeans(points[:100], 2, max_iter=1, sample_weight=np.arange(100))


def _use_colors(dtype: DTypeLike, channels: int, n_clusters: int) -> None:
    """Count and label a small picture and one that is large enough for tables; cluster colours, one cluster empty.

    Those of 16 bits with each value a byte twice, and not; and as floats.
    """
    large = _picture(PIXELS_PER_TASK // WIDTH + 1, channels, dtype)
    for image in (large[:5], large, large[:5] ^ 1, large ^ 1):
        histogram = ColorHistogram.from_image(image)
        for labels in (np.min_scalar_type(n_clusters - 1), np.uint32, np.intp)[: 2 + (n_clusters > 256)]:
            histogram.labels_of(image, np.zeros(len(histogram), labels))
    few = np.arange(9 * channels, dtype=dtype).reshape(9, channels)
    for points in (few, large[0]):
        kmeans(points, 2, sample_weight=np.arange(len(points)), max_iter=1)
    for kind in DTYPES:
        fractions = (large[0] ^ 1) / np.iinfo(dtype).max
        kmeans(fractions.astype(kind), 2, max_iter=1, algorithm="histogram")
    colors = ColorHistogram.from_image(large[:1])
    if n_clusters < len(colors):
        emptied = np.concatenate([colors.colors[: n_clusters - 1], colors.colors[:1]])
        for init in ("variance", "k-means++", "cubes", emptied):
            kmeans(colors, n_clusters, init=init, max_iter=2)


def _quantize_translucent(n_clusters: int) -> None:
    """Quantize a small picture with transparency, dither, and label few colours, multiplied by alpha."""
    image = _picture(1, 4, np.uint8)
    for init in ("cubes", "variance", "k-means++"):
        quantize(image, max(n_clusters, 17), init=init, max_iter=2)  # with few, nothing is left to draw
    for dither in ("floyd-steinberg", "bayer"):
        opaque = np.ascontiguousarray(image[..., :3])
        quantize(opaque, max(n_clusters, 17), init="k-means++", max_iter=2, dither=dither)  # few need no cubes
    quantize(image, n_clusters, init="k-means++", max_iter=2, min_region=50)
    for depth in (np.uint8, np.uint16):
        quantize(_picture(1, 3, depth), n_clusters, max_iter=2, space="oklab")
    quantize(_noise(), max(n_clusters, 17), max_iter=2)
    half_opaque = _noise()
    half_opaque[:, ::2, 3] = 255
    quantize(half_opaque, max(n_clusters, 17), max_iter=2)
    ColorHistogram.from_image(half_opaque)  # counts opaque pixels apart, as `quantize` does of larger pictures
    with machine_for("auto", 1, LEAST_POINTS, LEAST_POINTS**2) as machine:
        thinned(ColorHistogram.from_image(image), 2, 1, machine)
    points = image[0, :9].astype(np.uint16)
    assign(points, points[np.arange(n_clusters) % 9])
    kmeans(points, 3, init=points[[0, 1, 0]], max_iter=2, algorithm="dense")


def _picture(height: int, channels: int, dtype: DTypeLike) -> NDArray[Any]:
    """Make a picture that uses all bits."""
    values = _ramp(height * WIDTH, channels) * (np.iinfo(dtype).max // 255)
    return values.astype(dtype).reshape(height, WIDTH, channels)


def _noise() -> NDArray[np.uint8]:
    """Make a picture with transparency of which all pixels differ, large enough to be sorted and to share work."""
    codes = np.arange(2 * PIXELS_PER_TASK // WIDTH * WIDTH, dtype=np.uint32) * np.uint32(0x9E3779B1)
    return codes.view(np.uint8).reshape(-1, WIDTH, 4)


def _ramp(n_points: int, n_features: int) -> NDArray[np.int64]:
    """Points that differ, all between 0 and 255."""
    steps = np.arange(n_points)
    return np.stack([steps * (2 * f + 3) // (f + 1) % 256 for f in range(n_features)], axis=1)


class CompiledCode(NamedTuple):
    """What is kept of compiled kernels."""

    folder: str | None
    """None if there is no place for any."""
    is_writable: bool
    n_kernels: int
    n_kept: int
    """Those with code for this processor."""
    is_shipped: bool = False
    """Whether the wheel brought some."""


def compiled_code() -> CompiledCode:
    """Look up what is kept of the kernels."""
    from kmeans_fast.engines import objects, obstacles
    from kmeans_fast.engines.numba_jit import KERNELS

    engines.load("auto")
    kept = set() if obstacles.to_running() else objects.kernels_kept()
    folder = objects.writable_folder()
    shown = folder or next((place for place in objects.folders() if place.is_dir()), None)
    n_kept = sum(kernel.name in kept for kernel in KERNELS)
    is_shipped = n_kept > 0 and objects.shipped()
    return CompiledCode(None if shown is None else str(shown), folder is not None, len(KERNELS), n_kept, is_shipped)


def describe() -> dict[str, str]:
    """Return what would run here: the engine and why, its threading, its threads, and where machine code is kept."""
    facts = {
        "engine": _describe_engine(),
        "threading": "Python threads around kernels that release the GIL",
        "threads": str(available_threads()),
        "cache": _describe_cache(),
    }
    failures = _describe_failures()
    return facts | {"failed": failures} if failures else facts


def _describe_engine() -> str:
    from kmeans_fast.engines import levels, obstacles

    obstacle = obstacles.to_compiling() or levels.obstacle()
    if obstacle and (obstacles.to_running() or compiled_code().n_kept == 0):
        return f"numpy, as {obstacle}"
    if obstacle:
        return f"compiled code where there is some, else numpy; nothing more is compiled, as {obstacle}"
    return "compiled code where there is some, else numpy, until it has cost more than compiling would"


def _describe_cache() -> str:
    state = compiled_code()
    if state.folder is None:
        return "none, as no folder for it can be written to: compiled anew in each process"
    how = "warm" if state.n_kept == state.n_kernels else "partly warm" if state.n_kept else "cold"
    brought = ", brought by the wheel or" if state.is_shipped else ","
    can_grow = "" if state.is_writable else ", which can only be read"
    return (
        f"{how}, {state.n_kept} of {state.n_kernels} kernels compiled for this processor{brought} in "
        f"{state.folder}{can_grow}"
    )


def _describe_failures() -> str:
    from kmeans_fast.engines import objects

    failures = objects.failures()
    if not failures:
        return ""
    kernel, reason = next(iter(failures.items()))
    others = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
    return f"{objects.short_name(kernel)}{others} couldn't be compiled, so that numpy serves: {reason}"
