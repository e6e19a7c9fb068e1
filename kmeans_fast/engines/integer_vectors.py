"""Products of integers of 16 bits, as parts of kernels, written in LLVM's terms; see `shorts` and `vectors`.

LLVM makes one instruction of two products and their sum, on any processor that has one: PMADDWD, say.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmeans_fast.engines import levels
from kmeans_fast.engines.compiling import dispatcher
from kmeans_fast.engines.shorts import CENTROIDS, LARGEST, POINTS, VECTORS
from kmeans_fast.engines.vectors import INDEX, WORD, arrays_of, repeated

SHORT = ir.IntType(16)


@intrinsic
def _compare_shorts(_: Any, tile: Any, factors: Any, offsets: Any, best: Any, second: Any, nearest: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        arrays = arrays_of(context, builder, signature.args, arguments)
        n_pairs = builder.sdiv(cgutils.unpack_tuple(builder, arrays[0].shape)[0], WORD(POINTS))
        n_groups = builder.sdiv(cgutils.unpack_tuple(builder, arrays[2].shape)[0], WORD(CENTROIDS))
        lanes = levels.lanes()
        with cgutils.for_range_slice(builder, WORD(0), WORD(POINTS), WORD(VECTORS * lanes)) as (first, _):
            _compare_some(builder, [array.data for array in arrays], n_pairs, n_groups, first, lanes)

    return types.none(tile, factors, offsets, best, second, nearest), generate


def _compare_some(builder: Any, data: list[Any], n_pairs: Any, n_groups: Any, first: Any, lanes: int) -> None:
    """Find the nearest two centroids of some vectors of points."""
    tile, factors, offsets, *found = data
    vector = ir.VectorType(INDEX, lanes)
    starts = (vector([LARGEST.item()] * lanes), vector([LARGEST.item()] * lanes), vector([0] * lanes))
    states = [[cgutils.alloca_once_value(builder, start) for start in starts] for _ in range(VECTORS)]
    sums = [[cgutils.alloca_once(builder, vector) for _ in range(VECTORS)] for _ in range(CENTROIDS)]
    with cgutils.for_range(builder, n_groups) as groups:
        centroid = builder.mul(groups.index, WORD(CENTROIDS))
        for c in range(CENTROIDS):
            offset = repeated(builder, builder.load(builder.gep(offsets, [builder.add(centroid, WORD(c))])), vector)
            for total in sums[c]:
                builder.store(offset, total)
        with cgutils.for_range(builder, n_pairs) as pairs:
            row = builder.add(builder.mul(pairs.index, WORD(POINTS)), first)
            column = builder.mul(builder.add(builder.mul(groups.index, n_pairs), pairs.index), WORD(CENTROIDS))
            points = [_load(builder, tile, builder.add(row, WORD(v * lanes)), vector) for v in range(VECTORS)]
            for c in range(CENTROIDS):
                factor = builder.load(builder.gep(factors, [builder.add(column, WORD(c))]))
                for total, some in zip(sums[c], points, strict=True):
                    product = _sum_of_products(builder, repeated(builder, factor, vector), some)
                    builder.store(builder.add(builder.load(total), product), total)
        for c in range(CENTROIDS):
            label = repeated(builder, builder.trunc(builder.add(centroid, WORD(c)), INDEX), vector)
            for total, state in zip(sums[c], states, strict=True):
                _compete(builder, builder.load(total), label, state)
    for v, state in enumerate(states):
        for value, array in zip(state, found, strict=True):
            place = builder.gep(array, [builder.add(first, WORD(v * lanes))])
            builder.store(builder.load(value), builder.bitcast(place, vector.as_pointer()), align=4)


def _load(builder: Any, array: Any, index: Any, vector: Any) -> Any:
    return builder.load(builder.bitcast(builder.gep(array, [index]), vector.as_pointer()), align=4)


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


def _compare(tile: Any, factors: Any, offsets: Any, best: Any, second: Any, nearest: Any) -> None:
    _compare_shorts(tile, factors, offsets, best, second, nearest)  # type: ignore[call-arg]  # Numba brings the first


compare_shorts = dispatcher(_compare, fastmath=False)
