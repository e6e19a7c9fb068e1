"""Chunks, the unit of summation and of work for a thread; and pieces, the unit of work where a chunk is too much."""

from itertools import pairwise

# Points in a chunk; as sums are made chunk by chunk, it may depend on the input but not on the threads. So many take
# the fastest pass 0.3 ms, thirty times what handing them to a thread costs.
CHUNK_SIZE = 65_536
# Features from which on a point is much work, so that points are shared in pieces, and chunks have so many numbers, or
# bytes of what is kept for each chunk.
MANY_FEATURES = 5
NUMBERS_IN_A_CHUNK, BYTES_A_CLUSTER = 2**18, 16
# Sums that numbers in a row are added to by turns, as each waits for the last addition to it.
N_STRANDS = 4


def chunk_bounds(n_points: int, n_clusters: int = 1, n_features: int = 1) -> list[tuple[int, int]]:
    """Cut `n_points` into chunks, the same ones whatever the number of threads.

    With many clusters chunks are larger, so that what is kept for each chunk stays below a byte a point and feature.
    """
    size = CHUNK_SIZE * max(1, -(-n_clusters // 1024))
    if n_features >= MANY_FEATURES:
        size = N_STRANDS * (1 + max(NUMBERS_IN_A_CHUNK, BYTES_A_CLUSTER * n_clusters) // (N_STRANDS * n_features))
    return [(start, min(start + size, n_points)) for start in range(0, n_points, size)]


# Points times features times centroids in a piece, where a point counts as 32 centroids more: some 2 ms of compiled
# code, beside a twentieth for calling it and laying out centroids. And how much less is still worth a thread.
PIECE_WORK, SHARE = 2**27, 4
# Fewer would not be worth preparing the centroids for, except where they keep an interrupt waiting.
FEWEST_IN_A_PIECE = 512
LONGEST_PIECE = 2**30
# Pieces for each thread at least, so that threads end together.
PIECES_EACH = 4


def piece_size(n_features: int, n_clusters: int, work: int) -> int:
    """Return how many points of many features are so much work, but not too few of them."""
    fewest = min(FEWEST_IN_A_PIECE, max(1, LONGEST_PIECE // (n_features * n_clusters)))
    return max(fewest, work // (n_features * (n_clusters + 32)))


def shared_bounds(n_points: int, n_features: int, n_clusters: int, n_threads: int) -> list[tuple[int, int]]:
    """Cut points of many features into pieces for threads to share."""
    size = min(CHUNK_SIZE, piece_size(n_features, n_clusters, PIECE_WORK))
    if n_threads > 1:
        size = min(size, max(FEWEST_IN_A_PIECE, n_points // (PIECES_EACH * n_threads)))
    return even_bounds(0, n_points, size)


def count_pieces(n_points: int, n_features: int, n_clusters: int) -> int:
    """Return how many parts threads can share: chunks of few features, pieces of many."""
    if n_features < MANY_FEATURES:
        return len(chunk_bounds(n_points))
    return -(-n_points // min(CHUNK_SIZE, piece_size(n_features, n_clusters, PIECE_WORK // SHARE)))


def even_bounds(start: int, stop: int, largest: int) -> list[tuple[int, int]]:
    """Cut a range into as few parts of at most the largest size as there can be, all about as large."""
    n_parts = -(-(stop - start) // largest)
    cuts = [start + (stop - start) * i // n_parts for i in range(n_parts + 1)]
    return list(pairwise(cuts))
