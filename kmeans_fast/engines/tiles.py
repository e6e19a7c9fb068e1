"""The sizes of tiles of points, centroids and features, which `numba_products` and the code of `vectors` agree on."""

# Vectors of points and centroids whose products' sums are kept in registers: with as many vectors of points and a
# factor, all 16 that AVX2 has.
VECTORS, STEP = 3, 4
# Points, and features, turned about at a time.
SIDE = 8
# Points, and centroids, whose features are multiplied as they lie. So many points stay in the L1 cache up to 2048
# features.
QUAD, PAIR = 4, 2
