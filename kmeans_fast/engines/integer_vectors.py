"""Products of integers of 16 bits, as parts of kernels, in LLVM's terms; see `shorts`, `halves` and `vectors`.

LLVM makes one instruction of two products and their sum, on any processor that has one: PMADDWD, say; and of the upper
half of a product: PMULHW.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmeans_fast.engines import halves, levels, shorts
from kmeans_fast.engines.compiling import dispatcher
from kmeans_fast.engines.shorts import VECTORS
from kmeans_fast.engines.vectors import INDEX, WORD, arrays_of, repeated

SHORT = ir.IntType(16)

Vectors = list[list[Any]]
"""Of some centroids, the vectors of sums of their products with some points."""


@intrinsic
def _compare_shorts(
    _: Any, tile: Any, factors: Any, offsets: Any, totals: Any, best: Any, second: Any, nearest: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        arrays = arrays_of(context, builder, signature.args, arguments)
        n_pairs = builder.sdiv(_size(builder, arrays[0]), WORD(shorts.POINTS))
        n_groups = builder.sdiv(_size(builder, arrays[2]), WORD(shorts.CENTROIDS))
        comparison = _OfPairs(builder, [array.data for array in arrays], n_pairs, n_groups)
        with builder.if_else(builder.icmp_signed(">", n_pairs, WORD(shorts.PAIRS_AT_ONCE))) as (long, short):
            with long:
                comparison.find_by_strips()
            with short:
                comparison.find_at_once()

    return types.none(tile, factors, offsets, totals, best, second, nearest), generate


@intrinsic
def _compare_halves(_: Any, tiles: Any, factors: Any, offsets: Any, leads: Any, nearest: Any, n_features: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        arrays = arrays_of(context, builder, signature.args[:5], arguments[:5])
        n_groups = builder.sdiv(_size(builder, arrays[2]), WORD(halves.CENTROIDS))
        length = builder.mul(arguments[5], WORD(halves.POINTS))
        n_tiles = builder.sdiv(_size(builder, arrays[0]), length)
        with cgutils.for_range(builder, n_tiles) as tile:
            values = builder.gep(arrays[0].data, [builder.mul(tile.index, length)])
            first = builder.mul(tile.index, WORD(halves.POINTS))
            found = [builder.gep(array.data, [first]) for array in arrays[3:]]
            data = [values, arrays[1].data, arrays[2].data, None, *found]
            _OfHalves(builder, data, arguments[5], n_groups).find_at_once()

    return types.none(tiles, factors, offsets, leads, nearest, n_features), generate


def _size(builder: Any, array: Any) -> Any:
    return cgutils.unpack_tuple(builder, array.shape)[0]


class _OfPairs:
    """What finds the nearest two centroids of a tile of points: some vectors of points, and a group of centroids.

    Products are of two features at a time, whose numbers lie side by side in a lane.
    """

    points, centroids, largest = shorts.POINTS, shorts.CENTROIDS, int(shorts.LARGEST)
    lane = INDEX

    def __init__(self, builder: Any, data: list[Any], depth: Any, n_groups: Any) -> None:
        self._builder, self._depth, self._n_groups = builder, depth, n_groups
        self._tile, self._factors, self._offsets, self._totals, *self._found = data
        self._lanes = levels.lanes() * INDEX.width // self.lane.width
        self._vector = ir.VectorType(self.lane, self._lanes)

    def spread(self, value: Any) -> Any:
        """Return a vector of a factor, or of an offset."""
        return repeated(self._builder, value, self._vector)

    def multiply(self, factor: Any, points: Any) -> Any:
        """Return what the products add to sums."""
        return _sum_of_products(self._builder, factor, points)

    def find_at_once(self) -> None:
        with self._vectors_of_points() as (first, _):
            self._find_two(first, lambda group: self._add_products(group, first, WORD(0), self._offset_vectors(group)))

    def find_by_strips(self) -> None:
        """Of many features, let all centroids meet some pairs, while these are in the nearest cache."""
        builder = self._builder
        with self._vectors_of_points() as (first, _), cgutils.for_range(builder, self._n_groups) as groups:
            self._keep(groups.index, first, self._offset_vectors(groups.index))
        strips = cgutils.for_range_slice(builder, WORD(0), self._depth, WORD(shorts.STRIP))
        groups_of = cgutils.for_range(builder, self._n_groups)
        with strips as (strip, _), self._vectors_of_points() as (first, _), groups_of as groups:
            kept = self._kept(groups.index, first)
            self._keep(groups.index, first, self._add_products(groups.index, first, strip, kept, shorts.STRIP))
        with self._vectors_of_points() as (first, _):
            self._find_two(first, lambda group: self._kept(group, first))

    def _vectors_of_points(self) -> Any:
        return cgutils.for_range_slice(self._builder, WORD(0), WORD(self.points), WORD(VECTORS * self._lanes))

    def _offset_vectors(self, group: Any) -> Vectors:
        builder, first = self._builder, self._builder.mul(group, WORD(self.centroids))
        places = (builder.gep(self._offsets, [builder.add(first, WORD(c))]) for c in range(self.centroids))
        return [[self.spread(builder.load(place))] * VECTORS for place in places]

    def _total(self, group: Any, first: Any, c: int, v: int) -> Any:
        builder = self._builder
        row = builder.mul(builder.add(builder.mul(group, WORD(self.centroids)), WORD(c)), WORD(self.points))
        return self._vector_at(self._totals, builder.add(row, first), v)

    def _vector_at(self, array: Any, first: Any, v: int) -> Any:
        """Return a pointer to one of the vectors that lie side by side from a place on."""
        place = self._builder.gep(array, [self._builder.add(first, WORD(v * self._lanes))])
        return self._builder.bitcast(place, self._vector.as_pointer())

    def _kept(self, group: Any, first: Any) -> Vectors:
        load, totals = self._builder.load, range(self.centroids)
        return [[load(self._total(group, first, c, v), align=4) for v in range(VECTORS)] for c in totals]

    def _keep(self, group: Any, first: Any, sums: Vectors) -> None:
        for c, row in enumerate(sums):
            for v, value in enumerate(row):
                self._builder.store(value, self._total(group, first, c, v), align=4)

    def _add_products(self, group: Any, first: Any, start: Any, starts: Vectors, most: int | None = None) -> Vectors:
        """Add to sums those of products of features, or pairs, from one on: of all, or of so many."""
        builder, size = self._builder, _left(self._builder, self._depth, start, most)
        sums = [[cgutils.alloca_once(builder, self._vector) for _ in row] for row in starts]
        _store_all(builder, starts, sums)
        with cgutils.for_range(builder, size) as loop:
            f = builder.add(start, loop.index)
            row = builder.add(builder.mul(f, WORD(self.points)), first)
            column = builder.mul(builder.add(builder.mul(group, self._depth), f), WORD(self.centroids))
            points = [builder.load(self._vector_at(self._tile, row, v), align=4) for v in range(VECTORS)]
            for c in range(self.centroids):
                factor = self.spread(builder.load(builder.gep(self._factors, [builder.add(column, WORD(c))])))
                for total, some in zip(sums[c], points, strict=True):
                    builder.store(builder.add(builder.load(total), self.multiply(factor, some)), total)
        return [[builder.load(total) for total in row] for row in sums]

    def _find_two(self, first: Any, sums_of: Callable[[Any], Vectors]) -> None:
        """Find the nearest two centroids of some vectors of points, and the values of these."""
        builder, vector = self._builder, self._vector
        starts = [vector([number] * self._lanes) for number in (self.largest, self.largest, 0)]
        states = [[cgutils.alloca_once(builder, vector) for _ in starts] for _ in range(VECTORS)]
        _store_all(builder, [starts] * VECTORS, states)
        with cgutils.for_range(builder, self._n_groups) as groups:
            for c, row in enumerate(sums_of(groups.index)):
                centroid = builder.add(builder.mul(groups.index, WORD(self.centroids)), WORD(c))
                label = repeated(builder, builder.trunc(centroid, self.lane), vector)
                for value, state in zip(row, states, strict=True):
                    _compete(builder, value, label, state)
        for v, state in enumerate(states):
            found = self.found(*(builder.load(place) for place in state))
            for values, array in zip(found, self._found, strict=True):
                builder.store(values, self._vector_at(array, first, v), align=2)

    def found(self, best: Any, second: Any, nearest: Any) -> tuple[Any, ...]:
        """Return what is to be written of some points."""
        return best, second, nearest


class _OfHalves(_OfPairs):
    """The same for the upper halves of products of a feature, whose factors come as 32 bits, in both halves."""

    points, centroids, largest = halves.POINTS, halves.CENTROIDS, halves.LARGEST
    lane = SHORT

    def spread(self, value: Any) -> Any:
        wide = ir.VectorType(INDEX, self._lanes // 2)
        return self._builder.bitcast(repeated(self._builder, value, wide), self._vector)

    def multiply(self, factor: Any, points: Any) -> Any:
        builder, wide = self._builder, ir.VectorType(INDEX, self._lanes)
        product = builder.mul(builder.sext(factor, wide), builder.sext(points, wide))
        upper = builder.lshr(product, wide([SHORT.width] * self._lanes))
        return builder.trunc(upper, self._vector)

    def found(self, best: Any, second: Any, nearest: Any) -> tuple[Any, ...]:
        """Return leads, without signs, and centroids."""
        return self._builder.sub(second, best), nearest


def _store_all(builder: Any, values: Any, places: Vectors) -> None:
    for row, own in zip(values, places, strict=True):
        for value, place in zip(row, own, strict=True):
            builder.store(value, place)


def _left(builder: Any, n_pairs: Any, start: Any, most: int | None) -> Any:
    """Return how many pairs there are from one on, at most so many."""
    left = builder.sub(n_pairs, start)
    return left if most is None else builder.select(builder.icmp_signed("<", left, WORD(most)), left, WORD(most))


def _sum_of_products(builder: Any, a: Any, b: Any) -> Any:
    """Return, for lanes of two numbers each, the sum of the products of the first and of the second."""
    shorts, wide = ir.VectorType(SHORT, 2 * a.type.count), ir.VectorType(INDEX, 2 * a.type.count)
    products = builder.mul(*(builder.sext(builder.bitcast(x, shorts), wide) for x in (a, b)), flags=("nsw",))
    first, second = (
        builder.shuffle_vector(
            products, products, ir.Constant(ir.VectorType(INDEX, a.type.count), list(range(i, wide.count, 2)))
        )
        for i in range(2)
    )
    return builder.add(first, second)


def _compete(builder: Any, value: Any, label: Any, state: list[Any]) -> None:
    """Let a centroid's values compete with the best so far; of equals the first wins."""
    best, second, nearest = (builder.load(place) for place in state)
    is_less = builder.icmp_signed("<", value, best)
    loser = builder.select(is_less, best, value)
    builder.store(builder.select(builder.icmp_signed("<", loser, second), loser, second), state[1])
    builder.store(builder.select(is_less, label, nearest), state[2])
    builder.store(builder.select(is_less, value, best), state[0])


def _compare(tile: Any, factors: Any, offsets: Any, totals: Any, best: Any, second: Any, nearest: Any) -> None:
    _compare_shorts(tile, factors, offsets, totals, best, second, nearest)  # type: ignore[call-arg]  # Numba brings the first


compare_shorts = dispatcher(_compare, fastmath=False)


def _compare_tiles(tiles: Any, factors: Any, offsets: Any, leads: Any, nearest: Any, n_features: Any) -> None:
    _compare_halves(tiles, factors, offsets, leads, nearest, n_features)  # type: ignore[call-arg]


compare_halves = dispatcher(_compare_tiles, fastmath=False)
