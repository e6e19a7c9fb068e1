"""Codes of colours: both ways, and in the order that cubes need."""

import numpy as np
import pytest

from kmeans_fast import engines
from kmeans_fast.engines.codes import CODES_AT_ONCE, decode, encode, with_alpha, without_alpha


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_there_and_back(n_channels, dtype):
    most = np.iinfo(dtype).max
    drawn = np.random.default_rng(0).integers(0, most, (CODES_AT_ONCE + 99, n_channels), dtype, endpoint=True)
    colors = np.concatenate([drawn, [[0] * n_channels, [most] * n_channels]]).astype(dtype)
    codes = encode(colors)
    assert codes.dtype == (np.uint32 if dtype == np.uint8 else np.uint64)
    assert np.array_equal(decode(codes, n_channels), colors)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_bits_alternate_between_channels_from_the_highest_on(dtype):
    color = np.array([[0b110, 0b011, 0b101]], dtype)
    assert encode(color).tolist() == [0b101_110_011]


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_engines_make_the_same_codes(engine, n_channels, dtype):
    kernels = engines.load(engine).sorting
    colors = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (999, n_channels), dtype, endpoint=True)
    codes, back = np.empty(999, f"u{4 * colors.itemsize}"), np.empty_like(colors)
    kernels.encode(colors, codes)
    kernels.decode(codes, back)
    assert np.array_equal(codes, encode(colors))
    assert np.array_equal(back, colors)


def test_alpha_of_opaque_colours_can_be_left_out_of_codes():
    colors = np.random.default_rng(2).integers(0, 256, (999, 3), np.uint8)
    opaque = np.column_stack([colors, np.full(999, 255, np.uint8)])
    assert np.array_equal(with_alpha(encode(colors)), encode(opaque))
    assert np.array_equal(without_alpha(encode(opaque)), encode(colors))


def test_small_values_have_the_same_codes_with_more_bits():
    colors = np.random.default_rng(0).integers(0, 256, (1000, 3), np.uint8)
    assert np.array_equal(encode(colors), encode(colors.astype(np.uint16)))
