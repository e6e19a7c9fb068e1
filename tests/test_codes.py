"""Codes of colours: both ways, and in the order that cubes need."""

import numpy as np
import pytest

from kmeans_fast.engines.codes import CODES_AT_ONCE, decode, encode


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


def test_small_values_have_the_same_codes_with_more_bits():
    colors = np.random.default_rng(0).integers(0, 256, (1000, 3), np.uint8)
    assert np.array_equal(encode(colors), encode(colors.astype(np.uint16)))
