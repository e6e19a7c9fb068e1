"""`ColorHistogram` against np.unique: counting, adding, looking up, saving, and what is refused."""

import errno
import io
import os
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kmeans_fast as kf
from kmeans_fast.colors import counting, counts, histogram, tables
from kmeans_fast.colors.tables import ColorTables
from kmeans_fast.engines.codes import decode, encode
from kmeans_fast.lending import machine_for
from kmeans_fast.points.access import Points


def as_numbers(colors):
    """Each colour (..., C) as a number in base 256, (N,)."""
    flat = colors.reshape(-1, colors.shape[-1]).astype(np.uint32)
    return sum(flat[:, -1 - f] * np.uint32(256**f) for f in range(flat.shape[1]))


def assert_counts(result, image):
    """The colours and counts are those of the image, and the codes ascend."""
    numbers, counts = np.unique(as_numbers(image), return_counts=True)
    order = np.argsort(as_numbers(result.colors))
    assert np.array_equal(as_numbers(result.colors)[order], numbers)
    assert np.array_equal(result.counts[order], counts)
    assert result.colors.shape == (len(result), image.shape[-1])
    assert (np.diff(result.codes.astype(np.int64)) > 0).all()
    assert (result.counts.dtype, result.codes.dtype, result.colors.dtype) == (np.int64, np.uint32, np.uint8)
    assert result.n_pixels == image[..., 0].size


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_codes_and_colours(n_channels):
    colors = np.random.default_rng(0).integers(0, 256, (5000, n_channels), np.uint8)
    assert np.array_equal(decode(encode(colors), n_channels), colors)
    # the lowest bit of each channel, and the highest: the first channel's comes first
    assert encode(np.eye(n_channels, dtype=np.uint8)).tolist() == [2**bit for bit in range(n_channels)][::-1]
    assert int(encode(np.eye(n_channels, dtype=np.uint8) << 7)[0]) == 2 ** (8 * n_channels - 1)
    assert decode(np.empty(0, np.uint32), n_channels).shape == (0, n_channels)
    # an aligned cube of side 8 is a stretch of codes
    cubes = np.unique(colors >> 3, axis=0)
    assert len(np.unique(encode(colors) >> np.uint32(3 * n_channels))) == len(cubes)


@pytest.mark.parametrize("n_threads", [1, 7])
@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_a_picture(cat, engine, n_channels, n_threads):
    image = np.dstack([cat, cat[..., ::-1]])[..., :n_channels]
    tall = np.concatenate([image] * 3)  # for several chunks
    options = {"engine": engine, "n_threads": n_threads}
    result = kf.ColorHistogram.from_image(tall, **options)
    assert_counts(result, tall)
    labels = np.arange(len(result), dtype=np.uint32)
    assert np.array_equal(result.colors[result.labels_of(tall, labels, **options)], tall)


@pytest.mark.parametrize("n_threads", [2, 3, 7])
@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_several_tables(cat, engine, n_channels, n_threads, monkeypatch):
    """Small chunks, so that every table gets some; no more tables than are allowed."""
    monkeypatch.setattr(counting, "PIXELS_PER_TABLE", 1000)
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 1000)
    used = []
    zeros = np.zeros

    def count_tables(shape, dtype):
        used.append(shape)
        return zeros(shape, dtype)

    monkeypatch.setattr(counting.np, "zeros", count_tables)
    image = cat[..., :n_channels]
    result = kf.ColorHistogram.from_image(image, engine=engine, n_threads=n_threads)
    monkeypatch.undo()
    assert used[0] == (min(n_threads, 3), max(512, 256**n_channels))
    assert_counts(result, image)


@pytest.mark.parametrize("n_channels", [3, 4])
def test_lean_tables(cat, engine, n_channels, monkeypatch):
    """They come from elsewhere, and count the same."""
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 1000)
    lent = []
    monkeypatch.setattr(tables, "sparse_zeros", lambda *how: lent.append(how) or np.zeros(*how))
    image = np.dstack([cat, np.where(cat[..., :1] < 200, 255, cat[..., :1])])[..., :n_channels]
    with machine_for(engine, 1, 1, 1) as machine:
        usual, lean = (counting.count_colors(Points(image), machine, is_lean=is_lean) for is_lean in (False, True))
    assert lent == [((1, 2**24), np.uint8)]
    assert all(map(np.array_equal, usual, lean))


@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_opaque_pixels_are_counted_apart(cat, engine, share, is_sorted, monkeypatch):
    """Whether none, some or all are, and however the others are counted; in several stretches of several tasks."""
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 10_000)
    monkeypatch.setattr(counting, "PIXELS_PER_TABLE", 10_000)
    monkeypatch.setattr(counting, "PIXELS_AT_ONCE", 50_000)
    monkeypatch.setattr(counting, "MAX_TABLE_PIXELS", 50_000)
    monkeypatch.setattr(counting, "LEAST_SAMPLE", 0)
    monkeypatch.setattr(counting, "LEAST_OPAQUE", -1)
    monkeypatch.setattr(counting, "MOSTLY", 0 if is_sorted else 2)
    alpha = cat[..., 1].copy()
    alpha[: round(share * len(cat))] = 255
    image = np.dstack([cat, alpha])
    result = kf.ColorHistogram.from_image(image, engine=engine, n_threads=2)
    assert_counts(result, image)
    labels = np.arange(len(result), dtype=np.uint32)
    assert np.array_equal(result.colors[result.labels_of(image, labels, engine=engine, n_threads=2)], image)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_merging_in_pieces(small_cat, n_channels, monkeypatch):
    """Many chunks, and pieces far smaller than the parts."""
    image = np.dstack([small_cat, small_cat[..., :1]])[..., :n_channels]
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 500)
    monkeypatch.setattr(counting, "PIXELS_PER_TABLE", 2000)
    monkeypatch.setattr(counting, "TABLE_CHANNELS", 0)
    monkeypatch.setattr(counts, "MERGE_SIZE", 16)
    assert_counts(kf.ColorHistogram.from_image(image, n_threads=3), image)


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_narrow_counts_are_as_wide_as_their_sum_needs(dtype):
    codes = np.arange(3, dtype=dtype)
    bytes_each = counts.Counts(codes, np.array([1, 200, 255])).narrowed()
    assert bytes_each.counts.dtype == np.uint8
    twice = counts.merge_narrow([bytes_each, counts.Counts(codes[1:], bytes_each.counts[1:])])
    assert (twice.counts.dtype, twice.codes.dtype) == (np.uint16, dtype)
    assert twice.counts.tolist() == [1, 400, 510]
    many = counts.Counts(codes, np.array([1, 2**32 - 1, 2**40])).narrowed()
    assert counts.merge_narrow([twice, many, twice]).counts.tolist() == [3, 2**32 + 799, 2**40 + 1020]


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(np.asfortranarray, id="F-ordered"),
        pytest.param(lambda image: image[::2, 1::3], id="strided"),
        pytest.param(lambda image: image[::-1, ::-1, ::-1], id="flipped"),
        pytest.param(lambda image: np.broadcast_to(image[0, 0], (400, 400, 3)), id="broadcast"),
        pytest.param(lambda image: image.reshape(-1, 3), id="list of pixels"),
        pytest.param(lambda image: image[np.newaxis, :, np.newaxis], id="five axes"),
        pytest.param(lambda image: image[:1, :1], id="one pixel"),
    ],
)
def test_layouts(cat, engine, view):
    image = view(cat)
    result = kf.ColorHistogram.from_image(image, engine=engine)
    assert_counts(result, image)
    labels = np.arange(len(result), dtype=np.uint16)
    assert np.array_equal(result.colors[result.labels_of(image, labels, engine=engine)], image)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))))
def test_small_images(image):
    for engine in ("auto", "numpy"):
        result = kf.ColorHistogram.from_image(image, engine=engine)
        assert_counts(result, image)
        labels = np.arange(len(result), dtype=np.uint8)
        assert np.array_equal(result.colors[result.labels_of(image, labels, engine=engine)], image)


def test_tiles_make_the_whole(cat, engine):
    whole = kf.ColorHistogram.from_image(cat)
    tiles = [kf.ColorHistogram.from_image(cat[:, start : start + 100], engine=engine) for start in range(0, 451, 100)]
    assert sum(tiles[1:], tiles[0]) == whole
    updated = kf.ColorHistogram.from_image(cat[:10])
    updated.update(cat[10:], engine=engine)
    assert updated == whole
    assert updated != tiles[0]
    assert whole != "a histogram"


def test_counts_past_32_bits():
    one = kf.ColorHistogram.from_image(np.full((2, 3), 7, np.uint8))
    for _ in range(40):
        one = one + one
    assert one.counts.tolist() == [2**41]
    image = np.array([[0, 0, 0], [7, 7, 7]], np.uint8)
    result = kf.kmeans(one + kf.ColorHistogram.from_image(image[:1]), 1)
    assert result.centroids.tolist() == [[7 * 2**41 / (2**41 + 1)] * 3]
    for _ in range(4):
        one = one + one
    with pytest.raises(ValueError, match=re.escape("at most 2**45 pixels, got 70368744177664")):
        one + one
    assert one.counts.tolist() == [2**45]


def test_too_many_pixels_are_refused_before_any_work(monkeypatch):
    huge = np.broadcast_to(np.uint8(7), (2**23, 2**23, 3))  # takes no memory
    full = kf.ColorHistogram.from_image(np.zeros((2, 3), np.uint8))
    for _ in range(44):
        full = full + full
    monkeypatch.setattr(histogram, "count_colors", None)
    with pytest.raises(ValueError, match=re.escape("at most 2**45 pixels, got 70368744177664")):
        kf.ColorHistogram.from_image(huge)
    with pytest.raises(ValueError, match=re.escape("at most 2**45 pixels, got 35184372088834")):
        full.update(np.zeros((2, 3), np.uint8))
    assert full.counts.tolist() == [2**45]


def test_what_was_given_out_stays_as_it_was(small_cat):
    result = kf.ColorHistogram.from_image(small_cat[:9])
    colors, counts = result.colors, result.counts
    before = counts.copy()
    assert result.update(small_cat) is None
    assert np.array_equal(counts, before)
    assert len(colors) < len(result) == len(result.colors) == len(result.counts)


def test_nothing_can_be_written_to(cat):
    result = kf.ColorHistogram.from_image(cat)
    for array in (result.colors, result.counts, result.codes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_saved_and_loaded(cat, tmp_path):
    path = tmp_path / "colours.npz"
    saved = kf.ColorHistogram.from_image(cat)
    saved.save(path)
    assert kf.ColorHistogram.load(path) == saved
    assert [file.name for file in tmp_path.iterdir()] == ["colours.npz"]


def test_files_have_the_same_bytes_and_replace_what_was_there(small_cat, tmp_path):
    first, second = tmp_path / "colours.npz", tmp_path / "the same"  # nothing is added to a name
    second.write_bytes(b"old")
    saved = kf.ColorHistogram.from_image(small_cat)
    saved.save(first)
    saved.save(str(second))
    assert first.read_bytes() == second.read_bytes()


def test_saving_that_fails_leaves_everything_as_it_was(small_cat, tmp_path, monkeypatch):
    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "colours.npz"
    path.write_bytes(b"old")
    saved = kf.ColorHistogram.from_image(small_cat)
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=r"No space left on device.*colours\.npz"):
        saved.save(path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        saved.save(tmp_path / "nowhere" / "colours.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["colours.npz"]
    assert path.read_bytes() == b"old"


@pytest.fixture(scope="module")
def saved(cat, tmp_path_factory):
    """A histogram, a file of it, and what is in that."""
    path = tmp_path_factory.mktemp("saved") / "colours.npz"
    colors = kf.ColorHistogram.from_image(cat[:20, :20])
    colors.save(path)
    return colors, path, path.read_bytes()


def test_a_file_cut_short_is_refused(saved):
    _, path, data = saved
    for length in [*range(100), *range(100, len(data), 7), *range(len(data) - 100, len(data))]:
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"colours\.npz' is not a histogram or is damaged"):
            kf.ColorHistogram.load(path)


@given(st.data())
def test_a_changed_file_is_refused_or_harmless(saved, data):
    """Not every byte of a zip file matters, such as those of dates."""
    colors, path, content = saved
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(changed)
    try:
        loaded = kf.ColorHistogram.load(path)
    except ValueError as error:
        assert "is not a histogram or is damaged" in str(error)  # noqa: PT017 - it may also pass
    else:
        assert loaded == colors


class Bomb:
    """Pickled, it calls a function when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("a file was unpickled",)

    def __repr__(self):
        return "Bomb()"  # names a test, which must be called the same in every process


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pickle.dumps(Bomb()), id="pickle"),
        pytest.param(b"\x93NUMPY" + bytes(100), id="npy"),
        pytest.param(b"PK\x03\x04" + bytes(100), id="zip"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(100), id="png"),
        pytest.param(b"", id="empty"),
    ],
)
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "colours.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"colours\.npz' is not a histogram or is damaged") as caught:
        kf.ColorHistogram.load(path)
    assert "pickle" not in str(caught.value)  # NumPy would tell how to load it nevertheless


GOOD = {"n_channels": np.int64(3), "codes": np.array([3, 9], np.uint32), "counts": np.array([1, 5])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_channels": np.int64(5)}, "n_channels must be one number from 1 to 4"),
        ({"n_channels": np.array([3, 3])}, "n_channels must be one number from 1 to 4"),
        ({"n_channels": np.float64(3)}, "n_channels must be an array of dtype int64"),
        ({"codes": np.array([3, 9])}, "codes must be an array of dtype uint32 or uint64"),
        ({"counts": np.array([1.0, 5.0])}, "counts must be an array of dtype int64"),
        ({"counts": np.array([1, 5, 6])}, r"codes and counts must have one shape \(N,\), N > 0, got \(2,\) and \(3,\)"),
        ({"codes": np.array([[3, 9]], np.uint32), "counts": np.array([[1, 5]])}, r"must have one shape \(N,\)"),
        ({"codes": np.array([9, 3], np.uint32)}, "codes must ascend and stay below 256"),
        ({"codes": np.array([3, 3], np.uint32)}, "codes must ascend and stay below 256"),
        ({"codes": np.array([3, 2**24], np.uint32)}, "codes must ascend and stay below 256"),
        ({"codes": np.array([3, 2**48], np.uint64)}, "codes must ascend and stay below 65536"),
        ({"codes": np.array([3, 9], np.uint64), "counts": np.array([2**37, 1])}, r"at most 2\*\*37 pixels, got"),
        ({"codes": np.empty(0, np.uint32), "counts": np.empty(0, np.int64)}, "N > 0"),
        ({"counts": np.array([1, 0])}, "counts must be positive, got 0"),
        ({"counts": np.array([-5, 1])}, "counts must be positive, got -5"),
        ({"counts": np.array([2**45, 1])}, r"at most 2\*\*45 pixels, got 35184372088833"),
        ({"counts": np.array([2**63 - 1, 2**63 - 1])}, r"at most 2\*\*45 pixels, got 18446744073709551616"),
        ({"counts": np.array([Bomb(), 1], object)}, "Object arrays cannot be loaded"),
    ],
    ids=str,
)
def test_a_file_that_holds_something_else(change, message, tmp_path):
    path = tmp_path / "colours.npz"
    np.savez(path, **GOOD)
    assert kf.ColorHistogram.load(path).counts.tolist() == [1, 5]
    buffer = io.BytesIO()
    np.savez(buffer, **{**GOOD, **change})
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match=message):
        kf.ColorHistogram.load(path)


def test_missing_arrays_and_files(tmp_path):
    np.savez(tmp_path / "other.npz", codes=GOOD["codes"])
    with pytest.raises(ValueError, match="is not a histogram or is damaged"):
        kf.ColorHistogram.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        kf.ColorHistogram.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((4, 4, 3)), TypeError, "image must be uint8 or uint16, got float64"),
        (np.zeros((4, 4, 3)), TypeError, "scale it to 0 to 255, round it and convert it with astype(np.uint8)"),
        (np.zeros((4, 4, 3), np.int16), TypeError, "image must be uint8 or uint16, got int16"),
        (np.zeros((4, 4, 3), bool), TypeError, "image must be uint8 or uint16, got bool"),
        ([[1, 2, 3]], TypeError, "image must be uint8 or uint16, got int64"),
        (
            np.zeros((30, 40), np.uint8),
            ValueError,
            "1 to 4 channels, got 40; channel_axis says where they are, and is None",
        ),
        (np.zeros((4, 4, 5), np.uint8), ValueError, "1 to 4 channels, got 5"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "image must not be empty, got shape (0, 4, 3)"),
        (np.zeros(4, np.uint8), ValueError, "image must have at least 2 axes"),
    ],
    ids=str,
)
def test_images_without_a_histogram(image, error, message):
    with pytest.raises(error, match=re.escape(message)):
        kf.ColorHistogram.from_image(image)


def test_what_does_not_fit_together(cat, monkeypatch):
    colors = kf.ColorHistogram.from_image(cat[:9, :9])
    grey = kf.ColorHistogram.from_image(cat[:9, :9, :1])
    with pytest.raises(ValueError, match="the other histogram must have 3 channels as the histogram, got 1"):
        colors + grey
    with monkeypatch.context() as patch:
        patch.setattr(histogram, "count_colors", None)  # refused before any work
        with pytest.raises(ValueError, match="image must have 1 channels as the histogram, got 3"):
            grey.update(cat)
    for other in (1, cat, [3]):
        with pytest.raises(TypeError, match="unsupported operand"):
            colors + other
    with pytest.raises(TypeError, match="unhashable"):
        hash(colors)
    with pytest.raises(ValueError, match="engine must be one of"):
        kf.ColorHistogram.from_image(cat, engine="cuda")
    with pytest.raises(ValueError, match="n_threads must be at least 1, got 0"):
        kf.ColorHistogram.from_image(cat, n_threads=0)
    with pytest.raises(ValueError, match="image must have 3 channels as the histogram, got 1"):
        colors.labels_of(cat[..., :1], np.zeros(len(colors), np.uint8))
    with pytest.raises(ValueError, match=re.escape("color_labels must have shape")):
        colors.labels_of(cat, np.zeros(3, np.uint8))


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_counts_beyond_8_bits(engine, n_channels, n_threads, monkeypatch):
    """In one table and in several; an entry that has been full goes on at 1."""
    monkeypatch.setattr(counting, "PIXELS_PER_TABLE", 1000)
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 10_000)
    counts = np.array([255, 256, 510, 511, 2**16 - 1, 2**16, 2**16 + 1, 2**18, 3, 100_000])
    generator = np.random.default_rng(n_channels)
    colors = generator.choice(256, (len(counts), n_channels), replace=False).astype(np.uint8)
    image = generator.permutation(np.repeat(colors, counts, axis=0))
    result = kf.ColorHistogram.from_image(image, engine=engine, n_threads=n_threads)
    found = {tuple(color): count for color, count in zip(result.colors.tolist(), result.counts.tolist(), strict=True)}
    assert found == {tuple(color): count for color, count in zip(colors.tolist(), counts.tolist(), strict=True)}


def test_counting_restarts_before_a_table_overflows(engine, cat, monkeypatch):
    monkeypatch.setattr(counting, "MAX_TABLE_PIXELS", 2**18)
    tall = np.concatenate([cat] * 5)
    tables = []
    collect = ColorTables.collect

    def note(self):
        tables.append(collect(self))
        return tables[-1]

    monkeypatch.setattr(ColorTables, "collect", note)
    assert_counts(kf.ColorHistogram.from_image(tall, engine=engine), tall)
    assert [table.counts.sum() for table in tables] == [2**18, 2**18, tall[..., 0].size - 2**19]
    assert {bits: 2**most * (2 ** (8 * bits) - 1) < 2**53 for bits, most in histogram.MOST_PIXELS_BITS.items()} == {
        1: True,
        2: True,
    }


def test_colors_that_were_not_counted_get_a_label(engine):
    """That isn't checked, but no memory outside of the arrays is read."""
    for n_channels in (3, 4):
        colors = np.arange(5 * n_channels, dtype=np.uint8).reshape(5, n_channels) * 9
        result = kf.ColorHistogram.from_image(colors)
        others = np.vstack([255 - colors, np.zeros_like(colors), np.full_like(colors, 255)])
        labels = result.labels_of(others, np.full(5, 7, np.uint8), engine=engine)
        assert set(labels.tolist()) <= {0, 7}


@pytest.mark.parametrize("n_channels", [1, 3, 4])
@pytest.mark.parametrize("n_others", [0, 1])
def test_16_bits_made_of_8_are_counted_as_these(cat, engine, n_channels, n_others, monkeypatch):
    """Unless there is another value, which is none of those looked at first."""
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 10_000)
    image = np.dstack([cat, cat[..., :1]])[..., :n_channels].astype(np.uint16) * np.uint16(257)
    image[150, 200, 0] ^= n_others
    result = kf.ColorHistogram.from_image(image, engine=engine, n_threads=2)
    codes, numbers = np.unique(encode(image.reshape(-1, n_channels)), return_counts=True)
    assert np.array_equal(result.codes, codes)
    assert np.array_equal(result.counts, numbers)
    labels = np.arange(len(result), dtype=np.uint32)
    assert np.array_equal(result.colors[result.labels_of(image, labels, engine=engine)], image)


def test_an_update_is_seen_by_the_next_run(small_cat):
    """What was sorted for an earlier run must not be used again."""
    histogram = kf.ColorHistogram.from_image(small_cat[:20])
    kf.kmeans(histogram, 4)
    histogram.update(small_cat[20:])
    fresh = kf.ColorHistogram.from_image(small_cat)
    assert np.array_equal(kf.kmeans(histogram, 4).centroids, kf.kmeans(fresh, 4).centroids)


def test_sum_of_histograms(cat):
    tiles = [cat[:100], cat[100:120], cat[120:]]
    assert sum(kf.ColorHistogram.from_image(tile) for tile in tiles) == kf.ColorHistogram.from_image(cat)
    with pytest.raises(TypeError):
        1 + kf.ColorHistogram.from_image(cat)


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_16_bits(cat, engine, n_channels, byte_order, tmp_path, monkeypatch):
    """All that there is for 8 bits: tiles, sums, labels, files."""
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 10_000)
    cat = cat[::2, ::2]
    image = np.dstack([cat, cat[..., ::-1]])[..., :n_channels].astype(byte_order + "u2") * 251
    image[:9] += 3
    image = image.astype(byte_order + "u2")
    whole = kf.ColorHistogram.from_image(image, engine=engine)
    colors, counts = np.unique(image.reshape(-1, n_channels), axis=0, return_counts=True)
    order = np.lexsort(whole.colors.T[::-1])
    assert np.array_equal(whole.colors[order], colors)
    assert np.array_equal(whole.counts[order], counts)
    assert (whole.colors.dtype, whole.codes.dtype) == (np.uint16, np.uint64)
    assert kf.ColorHistogram.from_image(image[:9]) + kf.ColorHistogram.from_image(image[9:]) == whole
    updated = kf.ColorHistogram.from_image(image[9:])
    updated.update(image[:9], engine=engine)
    assert updated == whole
    assert np.array_equal(whole.colors[whole.labels_of(image, np.arange(len(whole)), engine=engine)], image)
    whole.save(tmp_path / "colours.npz")
    assert kf.ColorHistogram.load(tmp_path / "colours.npz") == whole
    assert kf.ColorHistogram.load(tmp_path / "colours.npz").colors.dtype == np.uint16
    assert f"{n_channels} channels of 16 bits, {cat[..., 0].size} pixels" in repr(whole)


def test_depths_do_not_mix(small_cat):
    narrow, wide = (kf.ColorHistogram.from_image(small_cat.astype(dtype)) for dtype in (np.uint8, np.uint16))
    assert narrow != wide
    with pytest.raises(ValueError, match="the other histogram must be of uint8 as the histogram, got uint16"):
        narrow + wide
    with pytest.raises(
        ValueError, match=re.escape("image must be of uint16 as the histogram, got uint8; image * np.uint16(257)")
    ):
        wide.update(small_cat)
    with pytest.raises(ValueError, match="image must be of uint16 as the histogram, got uint8"):
        wide.labels_of(small_cat, np.zeros(len(wide), np.uint8))
