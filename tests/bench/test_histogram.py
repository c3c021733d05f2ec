"""The histogram: every value lands where its bucket says, and percentiles are nearly exact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet.bench.histogram import HIGHEST, Histogram, bucket, highest


@given(st.integers(0, HIGHEST))
def test_a_bucket_reports_at_most_one_percent_more_than_it_counted(us: int) -> None:
    reported = highest(bucket(us))
    assert us <= reported <= us + us // 100


def test_buckets_follow_each_other_without_gaps() -> None:
    last = bucket(HIGHEST)
    for index in range(last):
        assert bucket(highest(index)) == index
        assert bucket(highest(index) + 1) == index + 1
    assert highest(last) == HIGHEST


@given(st.lists(st.integers(0, 10_000_000), min_size=1), st.sampled_from([0.0, 0.5, 0.99, 1.0]))
def test_percentiles_agree_with_sorting(values: list[int], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    rank = max(1, -int(-len(values) * share // 1))
    exact = sorted(values)[rank - 1]
    assert exact <= histogram.percentile(share) <= exact + exact // 100


def test_what_is_out_of_range_counts_at_the_ends() -> None:
    histogram = Histogram()
    histogram.record(-5)
    histogram.record(HIGHEST * 10)
    assert histogram.percentile(0.5) == 0
    assert histogram.percentile(1.0) == HIGHEST


def test_an_empty_one_says_zero() -> None:
    histogram = Histogram()
    assert histogram.percentile(0.99) == 0
    for us in (10, 10, 200):
        histogram.record(us)
    assert histogram.total == 3
    assert histogram.percentile(0.99) == 200


def test_a_share_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Histogram().percentile(99)
