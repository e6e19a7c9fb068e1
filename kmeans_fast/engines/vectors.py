"""Parts of kernels that LLVM wouldn't make well of loops, written in its own terms; see `numba_jit.emitted`.

With `compiling`, the only module that imports Numba.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmeans_fast.engines import levels
from kmeans_fast.engines.compiling import dispatcher

WORD, INDEX, NUMBER = ir.IntType(64), ir.IntType(32), ir.FloatType()
# The sums that are kept in registers: with as many vectors of points and a factor, all 16 that AVX2 has.
VECTORS, CENTROIDS = 3, 4
# Points, and features, that are turned about at a time.
SIDE = 8
# Products and sums may be fused.
FUSED = ("contract",)


@intrinsic
def _add_products(_: Any, rows: Any, directions: Any, products: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        block = builder.sdiv(cgutils.unpack_tuple(builder, arrays[2].shape)[0], WORD(CENTROIDS))
        n_features = builder.sdiv(cgutils.unpack_tuple(builder, arrays[1].shape)[0], WORD(CENTROIDS))
        data = [array.data for array in arrays]
        lanes = levels.lanes()
        with cgutils.for_range_slice(builder, WORD(0), block, WORD(VECTORS * lanes)) as (first, _):
            _add_to_tile(builder, data, block, n_features, first, ir.VectorType(NUMBER, lanes))

    return types.none(rows, directions, products), generate


def _add_to_tile(builder: Any, data: list[Any], block: Any, n_features: Any, first: Any, vector: Any) -> None:
    rows, directions, products = data

    def place(array: Any, row: Any, v: int) -> Any:
        """Return where a vector of points is in a row of a block."""
        index = builder.add(builder.add(builder.mul(row, block), first), WORD(v * vector.count))
        return builder.bitcast(builder.gep(array, [index]), vector.as_pointer())

    def repeated(value: Any) -> Any:
        alone = builder.insert_element(vector(ir.Undefined), value, INDEX(0))
        return builder.shuffle_vector(alone, vector(ir.Undefined), ir.VectorType(INDEX, vector.count)(None))

    tile = [(c, v, cgutils.alloca_once(builder, vector)) for c in range(CENTROIDS) for v in range(VECTORS)]
    for c, v, total in tile:
        builder.store(builder.load(place(products, WORD(c), v), align=4), total)
    with cgutils.for_range(builder, n_features) as loop:
        points = [builder.load(place(rows, loop.index, v), align=4) for v in range(VECTORS)]
        g = builder.mul(loop.index, WORD(CENTROIDS))
        factors = [repeated(builder.load(builder.gep(directions, [builder.add(g, WORD(c))]))) for c in range(CENTROIDS)]
        for c, v, total in tile:
            product = builder.fmul(factors[c], points[v], flags=FUSED)
            builder.store(builder.fadd(builder.load(total), product, flags=FUSED), total)
    for c, v, total in tile:
        builder.store(builder.load(total), place(products, WORD(c), v), align=4)


def _add(rows: Any, directions: Any, products: Any) -> None:
    _add_products(rows, directions, products)  # type: ignore[call-arg]  # Numba brings the first


add_products = dispatcher(_add, fastmath=False)


@intrinsic
def _turn_about(_: Any, local: Any, rows: Any, first: Any, distance: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        source, target = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
        )
        n_features = builder.sdiv(cgutils.unpack_tuple(builder, source.shape)[0], WORD(SIDE))
        vector = ir.VectorType(NUMBER, SIDE)
        with cgutils.for_range_slice(builder, WORD(0), n_features, WORD(SIDE)) as (f, _):

            def place(array: Any, row: Any, length: Any, column: Any) -> Any:
                index = builder.add(builder.mul(row, length), column)
                return builder.bitcast(builder.gep(array.data, [index]), vector.as_pointer())

            square = [builder.load(place(source, WORD(i), n_features, f), align=4) for i in range(SIDE)]
            for i, value in enumerate(_turned(builder, square)):
                builder.store(value, place(target, builder.add(f, WORD(i)), arguments[3], arguments[2]), align=4)

    return types.none(local, rows, first, distance), generate


def _turned(builder: Any, square: list[Any]) -> list[Any]:
    """Exchange rows and columns of a square of vectors: parts of 1 number first, then of 2, then of 4."""
    size = 1
    while size < len(square):
        turned = list(square)
        for i in range(len(square)):
            if not i & size:
                a, b = square[i], square[i + size]
                lower = [j if not j & size else len(square) + j - size for j in range(len(square))]
                upper = [j + size if not j & size else len(square) + j for j in range(len(square))]
                for place, lanes in ((i, lower), (i + size, upper)):
                    mask = ir.Constant(ir.VectorType(INDEX, len(square)), lanes)
                    turned[place] = builder.shuffle_vector(a, b, mask)
        square, size = turned, 2 * size
    return square


def _turn(local: Any, rows: Any, first: Any, distance: Any) -> None:
    _turn_about(local, rows, first, distance)  # type: ignore[call-arg]


turn_about = dispatcher(_turn, fastmath=False)
