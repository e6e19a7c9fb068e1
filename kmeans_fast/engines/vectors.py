"""Parts of kernels that LLVM wouldn't make well of loops, written in its own terms; see `numba_jit.emitted`."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmeans_fast.engines import levels
from kmeans_fast.engines.compiling import dispatcher
from kmeans_fast.engines.tiles import PAIR, QUAD, SIDE, VECTORS
from kmeans_fast.engines.tiles import STEP as CENTROIDS

WORD, INDEX, NUMBER = ir.IntType(64), ir.IntType(32), ir.FloatType()
# Products and sums may be fused.
FUSED = ("contract",)


def arrays_of(context: Any, builder: Any, kinds: Any, values: Any) -> list[Any]:
    """Return arguments of a part as arrays, whose data and shape can be asked for."""
    return [context.make_array(kind)(context, builder, value) for kind, value in zip(kinds, values, strict=True)]


def repeated(builder: Any, value: Any, vector: Any) -> Any:
    """Return a vector whose lanes all have a value."""
    alone = builder.insert_element(vector(ir.Undefined), value, INDEX(0))
    return builder.shuffle_vector(alone, vector(ir.Undefined), ir.VectorType(INDEX, vector.count)(None))


@intrinsic
def _add_products(_: Any, rows: Any, directions: Any, products: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        arrays = arrays_of(context, builder, signature.args, arguments)
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

    tile = [(c, v, cgutils.alloca_once(builder, vector)) for c in range(CENTROIDS) for v in range(VECTORS)]
    for c, v, total in tile:
        builder.store(builder.load(place(products, WORD(c), v), align=4), total)
    with cgutils.for_range(builder, n_features) as loop:
        points = [builder.load(place(rows, loop.index, v), align=4) for v in range(VECTORS)]
        g = builder.mul(loop.index, WORD(CENTROIDS))
        places = [builder.gep(directions, [builder.add(g, WORD(c))]) for c in range(CENTROIDS)]
        factors = [repeated(builder, builder.load(at), vector) for at in places]
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
        source, target = arrays_of(context, builder, signature.args[:2], arguments[:2])
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


@intrinsic
def _multiply(_: Any, local: Any, directions: Any, ahead: Any, products: Any, first: Any, distance: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        points, factors, following, target = arrays_of(context, builder, signature.args[:4], arguments[:4])
        length = builder.sdiv(cgutils.unpack_tuple(builder, points.shape)[0], WORD(QUAD))
        vector = ir.VectorType(NUMBER, max(SIDE, levels.lanes()))
        sums = _products(builder, (points.data, factors.data, following.data), length, vector)
        for c in range(PAIR):
            place = builder.gep(target.data, [builder.add(builder.mul(WORD(c), arguments[5]), arguments[4])])
            mask = ir.Constant(ir.VectorType(INDEX, QUAD), list(range(c * QUAD, (c + 1) * QUAD)))
            four = builder.shuffle_vector(sums, sums, mask)
            builder.store(four, builder.bitcast(place, four.type.as_pointer()), align=4)

    return types.none(local, directions, ahead, products, first, distance), generate


def _products(builder: Any, data: tuple[Any, Any, Any], length: Any, vector: Any) -> Any:
    """Return the products of QUAD points and PAIR centroids, by centroid, whose features all lie in a row."""
    points, factors, ahead = data

    def load(array: Any, row: int, column: Any) -> Any:
        index = builder.add(builder.mul(length, WORD(row)), column)
        return builder.load(builder.bitcast(builder.gep(array, [index]), vector.as_pointer()), align=4)

    totals = [cgutils.alloca_once_value(builder, vector([0.0] * vector.count)) for _ in range(PAIR * QUAD)]
    with cgutils.for_range_slice(builder, WORD(0), length, WORD(vector.count)) as (f, _):
        four = [load(points, p, f) for p in range(QUAD)]
        pair = [load(factors, c, f) for c in range(PAIR)]
        _read_ahead(builder, builder.gep(ahead, [f]))
        for i, total in enumerate(totals):
            product = builder.fmul(four[i % QUAD], pair[i // QUAD], flags=FUSED)
            builder.store(builder.fadd(builder.load(total), product, flags=FUSED), total)
    return _summed(builder, [builder.load(total) for total in totals])


def _read_ahead(builder: Any, place: Any) -> None:
    """Have a line come into the cache; it doesn't matter if there is no such place."""
    pointer = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, INDEX, INDEX, INDEX])
    prefetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
    builder.call(prefetch, [builder.bitcast(place, pointer), INDEX(0), INDEX(3), INDEX(1)])


def _summed(builder: Any, vectors: list[Any]) -> Any:
    """Return the sum of each vector's lanes, all in one vector."""
    while vectors[0].type.count > len(vectors):
        size = vectors[0].type.count
        vectors = [_added(builder, v, v, range(size // 2), range(size // 2, size)) for v in vectors]
    while len(vectors) > 1:
        size = 2 * vectors[0].type.count
        vectors = [
            _added(builder, a, b, range(0, size, 2), range(1, size, 2))
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]


def _added(builder: Any, a: Any, b: Any, some: range, others: range) -> Any:
    """Add lanes of two vectors to others of them."""
    masks = (ir.Constant(ir.VectorType(INDEX, len(lanes)), list(lanes)) for lanes in (some, others))
    return builder.fadd(*(builder.shuffle_vector(a, b, mask) for mask in masks))


def _multiply_some(local: Any, directions: Any, ahead: Any, products: Any, first: Any, distance: Any) -> None:
    _multiply(local, directions, ahead, products, first, distance)  # type: ignore[call-arg]


multiply = dispatcher(_multiply_some, fastmath=False)
