"""Lloyd's loop itself: where longer steps lead, what a callback's answer means, and that no loop can go on for ever."""

import numpy as np
import pytest

import kmeans_fast as kf
from kmeans_fast import lloyd

FAR_AWAY = [[2000, 0, 0], [0, 2000, 0]]
NEAR = [[20, 20, 20], [60, 50, 40], [100, 80, 60], [140, 120, 100], [180, 150, 130], [220, 200, 180]]


def test_an_emptied_centroid_stays_on_its_point(cat, engine):
    """Not beyond it, whatever the step: it is where the next iteration looks from."""
    seen = []
    options = {"relaxation": 1.9, "momentum": 0.6, "engine": engine}
    kf.kmeans(cat, 8, init=NEAR + FAR_AWAY, max_iter=3, callback=lambda *step: seen.append(step[1:3]), **options)
    (_, averages), (moved, _), (moved_on, _) = seen
    pixels = {tuple(pixel) for pixel in cat.reshape(-1, 3).tolist()}
    assert {tuple(row) for row in averages[6:].tolist()} <= pixels
    assert np.array_equal(moved[6:], averages[6:])
    # no momentum from the way to that point either: it goes 1.9 times as far as to its new average
    assert np.allclose(moved_on[6:], moved[6:] + 1.9 * (seen[1][1][6:] - moved[6:]))


def test_two_wasted_colours_cost_nothing(cat):
    quantized = kf.quantize(cat, 8, init=NEAR + FAR_AWAY)
    assert quantized.mse < 1.001 * kf.quantize(cat, 8).mse


@pytest.mark.parametrize(
    ("answer", "n_iter"),
    [
        (True, 1),
        (np.True_, 1),
        (np.array([0, 3]).any(), 1),
        (np.array([True]), 1),
        (1, 1),
        (None, 3),
        (False, 3),
        (np.False_, 3),
        (0, 3),
    ],
    ids=repr,
)
def test_any_true_answer_of_a_callback_ends_the_run(small_cat, answer, n_iter):
    assert kf.kmeans(small_cat, 4, max_iter=3, callback=lambda *_: answer).n_iter == n_iter


class NoNumbers:
    """An algorithm of which nothing can be relied on: all clusters are empty, and farthest points never the same."""

    name = "none"
    labels = np.zeros(3, np.uint8)
    rounds = 0

    def assign(self, _):
        self.rounds += 1

    def measure(self, centroids):
        return lloyd.Measure(np.nan, np.zeros(len(centroids), np.int64), np.zeros(len(centroids)))

    def givers(self, centroids):
        return [lloyd.Givers(slice(None), np.full(len(centroids), np.inf), np.full_like(centroids, self.rounds))]


def test_clusters_that_stay_empty_end_the_search_for_points():
    algorithm = NoNumbers()
    lloyd.partition(algorithm, np.zeros((5, 2)))
    assert algorithm.rounds == 6
