from itertools import islice
from math import comb

import numpy as np
import pytest

from shufflenet_det.bench import intervals


@pytest.mark.parametrize('percent, least', [(90, 64), (10, 64), (99, 662), (50, 11)])
def test_percentiles_have_a_least_number_of_samples(percent, least):
    assert intervals.least_samples(percent) == least
    samples = list(range(least))
    assert intervals.percentile(samples[:-1], percent) is None
    assert intervals.percentile(samples, percent) == pytest.approx(percent / 100 * (least - 1))


@pytest.mark.parametrize(
    'n, rank', [(0, None), (5, None), (6, 1), (8, 1), (9, 2), (20, 6), (64, 24), (100, 40)]
)
def test_ranks_of_the_interval_are_those_of_the_sign_test(n, rank):
    assert intervals.interval_rank(n) == rank


@pytest.mark.parametrize('n', [6, 9, 20, 64])
def test_ranks_are_the_innermost_that_cover(n):
    def outside(rank):
        return 2 * sum(comb(n, k) for k in range(rank)) / 2**n

    rank = intervals.interval_rank(n)
    assert outside(rank) <= 0.05 < outside(rank + 1)


def test_interval_holds_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        b = rng.lognormal(0, 0.5, 20)
        found = intervals.ratio_of(1.3 * b * rng.lognormal(0, 0.1, 20), b)
        held += found.low <= 1.3 <= found.high
    assert 0.945 <= held / 2000 <= 0.975  # the sign test of 20 pairs says 0.9586


def test_ratio_survives_a_machine_that_slows_down():
    speed = np.array([1.0, 1.0, 2.0, 4.0, 8.0, 16.0])
    found = intervals.ratio_of(3 * speed, 2 * speed)
    assert (found.median, found.low, found.high) == pytest.approx((1.5, 1.5, 1.5))


def test_interval_is_of_the_ordered_pairs():
    pairs = [1.5, 0.9, 1.2, 1.1, 1.3, 1.4]
    found = intervals.ratio_of(pairs, [1.0] * 6)
    assert (found.low, found.high) == pytest.approx((0.9, 1.5))
    assert found.median == pytest.approx((1.2 * 1.3) ** 0.5)
    assert intervals.ratio_of(pairs[:5], [1.0] * 5).low is None


@pytest.mark.parametrize(
    'low, high, band, tie',
    [(0.9, 1.1, 0, True), (1.01, 1.1, 0, False), (1.01, 1.1, 0.02, True),
     (0.9, 0.99, 0.02, True), (0.9, 0.97, 0.02, False), (None, None, 0.5, False)],
)  # fmt: skip
def test_ties(low, high, band, tie):
    assert intervals.Ratio(1.0, low, high, band).is_tie is tie


@pytest.mark.parametrize('size', [1, 2, 5])
def test_each_takes_each_place_once_in_a_block(size):
    rounds = list(islice(intervals.rotations(size, seed=3), 3 * size))
    for start in range(0, 3 * size, size):
        columns = zip(*rounds[start : start + size], strict=True)
        assert all(sorted(column) == list(range(size)) for column in columns)


def test_the_first_order_is_drawn():
    starts = {next(intervals.rotations(4, seed=seed))[0] for seed in range(30)}
    assert starts == {0, 1, 2, 3}


def test_share_of_variance_between_groups():
    e = np.exp
    assert intervals.share_between([[e(1), e(1)], [e(2), e(2)]]) == pytest.approx(1)
    assert intervals.share_between([[e(1), e(2)], [e(1), e(2)]]) == 0
    # within .02, mean square between 4, so (4 - .02) / 2 = 1.99 between
    groups = [[e(0.9), e(1.1)], [e(2.9), e(3.1)]]
    assert intervals.share_between(groups) == pytest.approx(1.99 / 2.01)
    assert intervals.share_between([[1.0, 2.0]]) is None
