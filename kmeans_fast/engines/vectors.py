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
