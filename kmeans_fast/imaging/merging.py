"""Entries of a palette that look alike, made one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging.channels import in_8_bits
from kmeans_fast.imaging.mapping import Found
from kmeans_fast.imaging.picture_colors import Colors
from kmeans_fast.imaging.uniform import oklab


def merged(colors: Colors, found: Found, limit: float) -> Found:
    """Merge the two opaque entries that are nearest to each other in Oklab, as long as they are within `limit`.

    The new one takes the place of the first, has the colours of both, and is their mean in the space of the colours.
    """
    palette, labels, _ = found
    entries, counts = palette.palette, palette.counts
    while (pair := _nearest_pair(entries, limit)) is not None:
        first, second = pair
        points = colors.space.embed(entries[[first, second]]).astype(np.float64)
        mean = (points * counts[[first, second], np.newaxis]).sum(axis=0) / counts[[first, second]].sum()
        entries = np.delete(entries, second, axis=0)
        entries[first] = colors.space.restore(mean[np.newaxis])[0]
        counts = np.delete(counts, second)
        counts[first] += palette.counts.sum() - counts.sum()
        labels = np.where(labels == second, first, labels - (labels > second)).astype(labels.dtype)
    if len(entries) == palette.n_colors:
        return found
    algorithm = colors.dense(len(entries))
    algorithm.labels[:] = labels
    inertia = algorithm.measure(colors.space.embed(entries).astype(np.float64)).inertia
    return Found.of(colors, entries, labels, counts, inertia, (palette.n_iter, palette.converged))


def _nearest_pair(entries: NDArray[Any], limit: float) -> tuple[int, int] | None:
    """Return the first two opaque entries of those that are nearest to each other, if they are within `limit`."""
    rgb = np.broadcast_to(entries[:, :3], (len(entries), 3))
    space = oklab(1.0)
    points = space.embed(in_8_bits(rgb)).astype(np.float64)
    distances = ((points[:, np.newaxis] - points) ** 2).sum(axis=2)
    distances[np.tril_indices(len(entries))] = np.inf
    if entries.shape[1] == 4:
        is_faint = entries[:, 3] < np.iinfo(entries.dtype).max
        distances[is_faint] = distances[:, is_faint] = np.inf
    first, second = divmod(int(distances.argmin()), len(entries))
    return (first, second) if distances[first, second] <= (limit * space.scale) ** 2 else None
