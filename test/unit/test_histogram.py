"""Percentiles."""

import ctypes as c
import math

import pytest
from hypothesis import given, strategies as st

import core

times = st.lists(
    st.one_of(st.integers(1, 100), st.integers(1, 2**39), st.integers(0, 39).map(lambda n: 2**n)),
    min_size=1,
    max_size=60,
)


def histogram(times=()):
    h = core.Histogram()
    core.histogram_reset(c.byref(h))
    for us in times:
        core.histogram_add(c.byref(h), us)
    return h


def percentile(h, p):
    return core.histogram_percentile(c.byref(h), p)


def bucket_of(h):
    """The bucket of the one time, whichever side of a bound it is on."""
    if 1 in list(h.count):
        return list(h.count).index(1)
    return math.floor(math.log2(BOUNDS[list(h.beyond).index(1)]) * 4)


# OpenTelemetry's for durations of messaging, and three shorter ones; microseconds
BOUNDS = [
    100,
    500,
    1000,
    5000,
    10000,
    25000,
    50000,
    75000,
    100000,
    250000,
    500000,
    750000,
    1000000,
    2500000,
    5000000,
    7500000,
    10000000,
]
near_bounds = st.builds(lambda bound, by: bound + by, st.sampled_from(BOUNDS), st.integers(-2, 2))


def cumulative(h):
    result = (c.c_uint64 * (core.HISTOGRAM_BOUNDS + 1))()
    core.histogram_cumulative(c.byref(h), result)
    return list(result)


def test_bound_texts():
    assert [float(core.histogram_bound(i)) for i in range(core.HISTOGRAM_BOUNDS)] == [us / 1e6 for us in BOUNDS]


@given(st.lists(st.one_of(near_bounds, st.integers(0, 2**25), st.integers(0, 2**64 - 1)), max_size=60))
def test_bounds_are_exact(times):
    """A time belongs to a bound that it is equal to, as Prometheus has it."""
    h = histogram(times)
    assert cumulative(h) == [sum(us <= bound for us in times) for bound in BOUNDS] + [len(times)]
    copy = core.Histogram()
    core.histogram_copy(c.byref(copy), c.byref(h))
    assert bytes(copy) == bytes(h)


@given(st.lists(near_bounds, min_size=1), near_bounds)
def test_no_count_is_less_than_before(times, another):
    h = histogram(times)
    before = cumulative(h)
    core.histogram_add(c.byref(h), another)
    assert all(a <= b for a, b in zip(before, cumulative(h)))


@given(times, times)
def test_since_a_copy(before, after):
    h = histogram(before)
    copy = core.Histogram()
    core.histogram_copy(c.byref(copy), c.byref(h))
    for us in after:
        core.histogram_add(c.byref(h), us)
    core.histogram_subtract(c.byref(h), c.byref(copy))
    assert bytes(h.count) == bytes(histogram(after).count)
    assert bytes(h.beyond) == bytes(histogram(after).beyond)
    assert core.histogram_sum(c.byref(h)) == pytest.approx(sum(after) / 1e6)


def test_layout():
    assert core.shim_sizeof(6) == c.sizeof(core.Histogram)


def test_empty():
    h = core.Histogram()
    c.memset(c.byref(h), 0xFF, c.sizeof(h))
    core.histogram_reset(c.byref(h))
    assert percentile(h, 0.5) == -1
    assert core.histogram_count(c.byref(h)) == 0
    assert core.histogram_sum(c.byref(h)) == 0


@given(times, st.floats(0, 1))
def test_within_19_percent(times, p):
    h = histogram(times)
    exact = sorted(times)[max(math.ceil(p * len(times)), 1) - 1]
    assert exact <= percentile(h, p) <= exact * 1.1893
    assert core.histogram_count(c.byref(h)) == len(times)
    assert core.histogram_sum(c.byref(h)) == pytest.approx(sum(times) / 1e6)


def test_sum_of_times_of_years_does_not_wrap_around():
    h = core.Histogram()
    core.histogram_reset(c.byref(h))
    years = 56 * 365 * 86400 * 10**6  # a producer that sends seconds where milliseconds are wanted
    for _ in range(20000):
        core.histogram_add(c.byref(h), years)
    assert core.histogram_sum(c.byref(h)) == pytest.approx(20000 * years / 1e6)


@given(st.integers(1, 2**40 - 1))
def test_bucket_is_exact(us):
    """The bucket that floating point would choose, where that is sure of it."""
    h = histogram([us])
    bucket = bucket_of(h)
    exact = math.log2(us) * 4
    assert bucket == math.floor(exact) or abs(exact - round(exact)) < 1e-9


def test_bounds():
    assert list(histogram([0]).count).index(1) == 0
    assert list(histogram([2**40 - 1]).count).index(1) == core.HISTOGRAM_BUCKETS - 1
    assert list(histogram([2**40]).count).index(1) == core.HISTOGRAM_BUCKETS - 1
    assert list(histogram([2**64 - 1]).count).index(1) == core.HISTOGRAM_BUCKETS - 1
    assert percentile(histogram([2**64 - 1]), 1) == 2.0**40
    h = histogram([10, 1000])
    assert percentile(h, -1) == percentile(h, 0) < 12
    assert percentile(h, 2) == percentile(h, 1) > 1000
