"""Random numbers: fixed for ever, and fair."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmeans_fast.draws import Draws


def test_the_stream_is_fixed():
    draws = Draws(0)
    assert [draws.below(1000) for _ in range(4)] == [271, 617, 24, 533]
    assert draws.uniform() == 0.8132702392002724
    assert Draws(7).sample(100, 5) == [75, 46, 2, 51, 1]


def test_many_at_once_are_the_same_as_one_by_one():
    one_by_one, at_once = Draws(5), Draws(5)
    assert at_once.uniforms((20, 5)).ravel().tolist() == [one_by_one.uniform() for _ in range(100)]
    assert at_once.uniforms((0,)).tolist() == []
    assert at_once.uniform() == one_by_one.uniform()


@given(st.integers(1, 2**64), st.integers(0, 2**64))
def test_below_stays_below(limit, seed):
    assert 0 <= Draws(seed).below(limit) < limit


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 10**6))
def test_samples_are_different_and_below(extra, size, seed):
    sample = Draws(seed).sample(size + extra, size)
    assert len(set(sample)) == size
    assert all(0 <= number < size + extra for number in sample)


def test_every_subset_is_equally_likely():
    draws = Draws(3)
    seen = collections.Counter(frozenset(draws.sample(5, 2)) for _ in range(10_000))
    assert len(seen) == 10
    # 1000 of each expected, standard deviation 30
    assert max(seen.values()) < 1150
    assert min(seen.values()) > 850


def test_uniform_is_uniform():
    draws = Draws(1)
    values = [draws.uniform() for _ in range(10_000)]
    assert 0 <= min(values) < 0.001
    assert 0.999 < max(values) < 1
    assert sum(values) / len(values) == pytest.approx(0.5, abs=0.012)
