"""Products of integers of 16 bits, as parts of kernels, written in LLVM's terms; see `shorts` and `vectors`.

LLVM makes one instruction of two products and their sum, on any processor that has one: PMADDWD, say.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmeans_fast.engines import levels
from kmeans_fast.engines.compiling import dispatcher
from kmeans_fast.engines.shorts import CENTROIDS, LARGEST, PAIRS_AT_ONCE, POINTS, STRIP, VECTORS
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
        n_pairs = builder.sdiv(cgutils.unpack_tuple(builder, arrays[0].shape)[0], WORD(POINTS))
        n_groups = builder.sdiv(cgutils.unpack_tuple(builder, arrays[2].shape)[0], WORD(CENTROIDS))
        comparison = _Comparison(builder, [array.data for array in arrays], n_pairs, n_groups)
        with builder.if_else(builder.icmp_signed(">", n_pairs, WORD(PAIRS_AT_ONCE))) as (long, short):
            with long:
                comparison.find_by_strips()
            with short:
                comparison.find_at_once()

    return types.none(tile, factors, offsets, totals, best, second, nearest), generate


class _Comparison:
    """What finds the nearest two centroids of a tile of points: some vectors of points, and a group of centroids."""

    def __init__(self, builder: Any, data: list[Any], n_pairs: Any, n_groups: Any) -> None:
        self._builder, self._n_pairs, self._n_groups = builder, n_pairs, n_groups
        self._tile, self._factors, self._offsets, self._totals, *self._found = data
        self._lanes = levels.lanes()
        self._vector = ir.VectorType(INDEX, self._lanes)

    def find_at_once(self) -> None:
        with self._vectors_of_points() as (first, _):
            self._find_two(first, lambda group: self._add_products(group, first, WORD(0), self._offset_vectors(group)))

    def find_by_strips(self) -> None:
        """Of many features, let all centroids meet some pairs, while these are in the nearest cache."""
        builder = self._builder
        with self._vectors_of_points() as (first, _), cgutils.for_range(builder, self._n_groups) as groups:
            self._keep(groups.index, first, self._offset_vectors(groups.index))
        strips = cgutils.for_range_slice(builder, WORD(0), self._n_pairs, WORD(STRIP))
        groups_of = cgutils.for_range(builder, self._n_groups)
        with strips as (strip, _), self._vectors_of_points() as (first, _), groups_of as groups:
            kept = self._kept(groups.index, first)
            self._keep(groups.index, first, self._add_products(groups.index, first, strip, kept, STRIP))
        with self._vectors_of_points() as (first, _):
            self._find_two(first, lambda group: self._kept(group, first))

    def _vectors_of_points(self) -> Any:
        return cgutils.for_range_slice(self._builder, WORD(0), WORD(POINTS), WORD(VECTORS * self._lanes))

    def _offset_vectors(self, group: Any) -> Vectors:
        builder, first = self._builder, self._builder.mul(group, WORD(CENTROIDS))
        places = (builder.gep(self._offsets, [builder.add(first, WORD(c))]) for c in range(CENTROIDS))
        return [[repeated(builder, builder.load(place), self._vector)] * VECTORS for place in places]

    def _total(self, group: Any, first: Any, c: int, v: int) -> Any:
        builder = self._builder
        row = builder.mul(builder.add(builder.mul(group, WORD(CENTROIDS)), WORD(c)), WORD(POINTS))
        return self._vector_at(self._totals, builder.add(row, first), v)

    def _vector_at(self, array: Any, first: Any, v: int) -> Any:
        """Return a pointer to one of the vectors that lie side by side from a place on."""
        place = self._builder.gep(array, [self._builder.add(first, WORD(v * self._lanes))])
        return self._builder.bitcast(place, self._vector.as_pointer())

    def _kept(self, group: Any, first: Any) -> Vectors:
        load = self._builder.load
        return [[load(self._total(group, first, c, v), align=4) for v in range(VECTORS)] for c in range(CENTROIDS)]

    def _keep(self, group: Any, first: Any, sums: Vectors) -> None:
        for c, row in enumerate(sums):
            for v, value in enumerate(row):
                self._builder.store(value, self._total(group, first, c, v), align=4)

    def _add_products(self, group: Any, first: Any, start: Any, starts: Vectors, most: int | None = None) -> Vectors:
        """Add to sums those of products of pairs from one on: of all, or of so many."""
        builder, n_pairs = self._builder, _left(self._builder, self._n_pairs, start, most)
        sums = [[cgutils.alloca_once(builder, self._vector) for _ in row] for row in starts]
        _store_all(builder, starts, sums)
        with cgutils.for_range(builder, n_pairs) as pairs:
            pair = builder.add(start, pairs.index)
            row = builder.add(builder.mul(pair, WORD(POINTS)), first)
            column = builder.mul(builder.add(builder.mul(group, self._n_pairs), pair), WORD(CENTROIDS))
            points = [builder.load(self._vector_at(self._tile, row, v), align=4) for v in range(VECTORS)]
            for c in range(CENTROIDS):
                factor = builder.load(builder.gep(self._factors, [builder.add(column, WORD(c))]))
                for total, some in zip(sums[c], points, strict=True):
                    product = _sum_of_products(builder, repeated(builder, factor, self._vector), some)
                    builder.store(builder.add(builder.load(total), product), total)
        return [[builder.load(total) for total in row] for row in sums]

    def _find_two(self, first: Any, sums_of: Callable[[Any], Vectors]) -> None:
        """Find the nearest two centroids of some vectors of points, and the values of these."""
        builder, vector = self._builder, self._vector
        starts = (
            vector([LARGEST.item()] * self._lanes),
            vector([LARGEST.item()] * self._lanes),
            vector([0] * self._lanes),
        )
        states = [[cgutils.alloca_once(builder, vector) for _ in starts] for _ in range(VECTORS)]
        _store_all(builder, [starts] * VECTORS, states)
        with cgutils.for_range(builder, self._n_groups) as groups:
            for c, row in enumerate(sums_of(groups.index)):
                centroid = builder.add(builder.mul(groups.index, WORD(CENTROIDS)), WORD(c))
                label = repeated(builder, builder.trunc(centroid, INDEX), vector)
                for value, state in zip(row, states, strict=True):
                    _compete(builder, value, label, state)
        for v, state in enumerate(states):
            for place, array in zip(state, self._found, strict=True):
                builder.store(builder.load(place), self._vector_at(array, first, v), align=4)


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
