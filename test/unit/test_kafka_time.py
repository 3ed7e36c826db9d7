"""Kafka's timestamps and PostgreSQL's: all of 64 bits, and back."""

import ctypes as c
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

import core

MIN_US, END_US = -211813488000000000, 9223371331200000000
EPOCH_MS = 946684800000
MIN_MS, END_MS = MIN_US // 1000 + EPOCH_MS, END_US // 1000 + EPOCH_MS
NO_TIME = -1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

any_ms = st.one_of(
    st.integers(INT64_MIN, INT64_MAX),
    st.sampled_from([INT64_MIN, INT64_MAX, MIN_MS, MIN_MS - 1, END_MS, END_MS - 1, 0, -1, -2, -1001]),
)


def to_us(ms):
    us = c.c_int64(77)
    known = core.kafka_time_to_us(ms, c.byref(us))
    assert known or us.value == 0
    return us.value if known else None


@given(any_ms)
def test_what_postgresql_can_hold(ms):
    expected = (ms - EPOCH_MS) * 1000
    assert to_us(ms) == (expected if ms != NO_TIME and MIN_US <= expected < END_US else None)


@given(any_ms)
def test_and_back(ms):
    us = to_us(ms)
    if us is not None:
        assert core.kafka_time_from_us(us) == ms


@given(st.one_of(st.integers(MIN_US, END_US - 1), st.sampled_from([MIN_US, END_US - 1, -1, 0, 1, -1000])))
def test_from_us_rounds_towards_the_past(us):
    assert core.kafka_time_from_us(us) == us // 1000 + EPOCH_MS


@pytest.mark.parametrize(
    "when",
    [
        datetime(1, 1, 1),
        datetime(1969, 12, 31, 23, 59, 59, 998000),
        datetime(1970, 1, 1),
        datetime(2026, 11, 30, 12, 0, 0, 1000),
    ],
)
def test_known_times(when):
    when = when.replace(tzinfo=timezone.utc)
    ms = (when - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
    us = (when - datetime(2000, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
    assert to_us(ms) == us


def test_extremes():
    assert to_us(INT64_MIN) is None and to_us(INT64_MAX) is None
    assert to_us(MIN_MS) == MIN_US and to_us(MIN_MS - 1) is None
    assert to_us(END_MS - 1) == END_US - 1000 and to_us(END_MS) is None
    assert to_us(-1) is None and to_us(-2) == (-2 - EPOCH_MS) * 1000
