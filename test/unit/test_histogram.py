"""Percentiles."""

import ctypes as c
import math

from hypothesis import given, strategies as st

import core

times = st.lists(st.one_of(st.integers(1, 100), st.integers(1, 2 ** 39),
                           st.integers(0, 39).map(lambda n: 2 ** n)), min_size=1, max_size=60)


def histogram(times=()):
    h = core.Histogram()
    core.histogram_reset(c.byref(h))
    for us in times:
        core.histogram_add(c.byref(h), us)
    return h


def percentile(h, p):
    return core.histogram_percentile(c.byref(h), p)


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
    assert core.histogram_sum(c.byref(h)) == sum(times)


@given(st.integers(1, 2 ** 40 - 1))
def test_bucket_is_exact(us):
    """The bucket that floating point would choose, where that is sure of it."""
    h = histogram([us])
    bucket = list(h.count).index(1)
    exact = math.log2(us) * 4
    assert bucket == math.floor(exact) or abs(exact - round(exact)) < 1e-9


def test_bounds():
    assert list(histogram([0]).count).index(1) == 0
    assert list(histogram([2 ** 40 - 1]).count).index(1) == core.HISTOGRAM_BUCKETS - 1
    assert list(histogram([2 ** 40]).count).index(1) == core.HISTOGRAM_BUCKETS - 1
    assert list(histogram([2 ** 64 - 1]).count).index(1) == core.HISTOGRAM_BUCKETS - 1
    assert percentile(histogram([2 ** 64 - 1]), 1) == 2.0 ** 40
    h = histogram([10, 1000])
    assert percentile(h, -1) == percentile(h, 0) < 12
    assert percentile(h, 2) == percentile(h, 1) > 1000
