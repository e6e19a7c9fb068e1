"""Connected regions of one label, found and merged, compiled. Both are serial.

In every signature: `labels` (n,) are those of a picture row by row, `width` pixels in each; a pixel's neighbours are
the four beside, above and below it. `links` (n,) int32 or int64 lead from each pixel, by one or more steps, to the
first pixel of its region, its root, where minus the number of the region's pixels stands instead (union-find; Tarjan
1975).
"""

import numpy as np

from kmeans_fast.engines.numba_jit import kernel, part


@part()
def _root(links, i):
    """Return a pixel's root, and halve the way there."""
    while links[i] >= 0:
        above = links[i]
        if links[above] >= 0:
            links[i] = links[above]
        i = above
    return i


@part()
def _join(links, a, b):
    """Make one region of two, given by their roots; return its root."""
    if a == b:
        return a
    first, second = min(a, b), max(a, b)
    links[first] += links[second]
    links[second] = first
    return first


@part(inline=True)
def _visit(
    labels,  # in
    j,
    label,
    links,  # in/out
    pixels,  # in/out
    n_seen,
    border,  # in/out
    n_beyond,
):
    """Take a neighbour in as a pixel of the region, unless it is one by now, or as one beyond its border."""
    if labels[j] != label:
        border[n_beyond] = j
        return n_seen, n_beyond + 1
    if links[j] == labels.shape[0]:
        return n_seen, n_beyond
    links[j] = labels.shape[0]
    pixels[n_seen] = j
    return n_seen + 1, n_beyond


@part()
def _flood(
    labels,  # in
    width,
    links,  # in/out
    root,
    pixels,  # out
    border,  # out
):
    """Write all pixels of a region, and what is beyond each edge of theirs; return how many edges there are.

    Links to n mark pixels that have been seen, and stay.
    """
    label, n = labels[root], np.int64(labels.shape[0])
    links[root] = n
    pixels[0], n_seen, n_beyond, k = root, 1, 0, 0
    while k < n_seen:
        i = pixels[k]
        column = i % width
        k += 1
        if i >= width:
            n_seen, n_beyond = _visit(labels, i - width, label, links, pixels, n_seen, border, n_beyond)
        if column > 0:
            n_seen, n_beyond = _visit(labels, i - 1, label, links, pixels, n_seen, border, n_beyond)
        if column < width - 1:
            n_seen, n_beyond = _visit(labels, i + 1, label, links, pixels, n_seen, border, n_beyond)
        if i < n - width:
            n_seen, n_beyond = _visit(labels, i + width, label, links, pixels, n_seen, border, n_beyond)
    return n_beyond


@part()
def _winner(
    labels,  # in
    border,  # in
    n_beyond,
    votes,  # in/out
):
    """Return the label that most of the pixels beyond a border have; the lowest of several."""
    winner = labels[border[0]]
    for k in range(n_beyond):
        votes[labels[border[k]]] += 1
    for k in range(n_beyond):
        other = labels[border[k]]
        if votes[other] > votes[winner] or (votes[other] == votes[winner] and other < winner):
            winner = other
    for k in range(n_beyond):
        votes[labels[border[k]]] = 0
    return winner


@kernel()
def find_regions(
    labels,  # in
    width,
    links,  # out
):
    """Link the pixels of each region, all of them to its root."""
    for i in range(labels.shape[0]):
        links[i] = -1
        root = i
        if i % width > 0 and labels[i - 1] == labels[i]:
            root = _join(links, root, _root(links, i - 1))
        if i >= width and labels[i - width] == labels[i]:
            _join(links, root, _root(links, i - width))
    for i in range(labels.shape[0]):
        if links[i] >= 0:
            links[i] = _root(links, i)


@kernel()
def merge_regions(
    labels,  # in/out
    width,
    links,  # in/out
    roots,  # in
    size,
    votes,  # in/out
    pixels,
    border,
    grown,  # out
):
    """Give regions of `size` pixels, in the order of their `roots`, to the label they have the longest border with.

    Those that are no longer so are left alone, and so is one without a border. Of equally long borders that with the
    lowest label counts. `votes` (K,) int64 are 0, and are so again; `pixels` (size,) and `border` (4 · size,) int64 are
    work space. Writes the root of what each has become a part of to `grown` (m,) int64, or −1.
    """
    for r in range(roots.shape[0]):
        grown[r] = -1
        if links[roots[r]] != -size:
            continue
        whole = roots[r]
        n_beyond = _flood(labels, width, links, whole, pixels, border)
        for k in range(size):
            links[pixels[k]] = whole
        links[whole] = -size
        if n_beyond == 0:
            continue
        winner = _winner(labels, border, n_beyond, votes)
        for k in range(n_beyond):
            if labels[border[k]] == winner:
                whole = _join(links, whole, _root(links, border[k]))
        for k in range(size):
            labels[pixels[k]] = winner
        grown[r] = whole
