"""Arithmetic on offsets: all of 64 bits, and nothing wraps around."""

from hypothesis import given, strategies as st

import core

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

any_offset = st.one_of(
    st.integers(INT64_MIN, INT64_MAX),
    st.sampled_from([INT64_MIN, INT64_MIN + 1, -1001, -2, -1, 0, 1, INT64_MAX - 1, INT64_MAX]),
)
any_count = any_offset.filter(lambda n: n >= 0)


def held(n):
    return max(INT64_MIN, min(INT64_MAX, n))


@given(any_offset)
def test_after_and_before(offset):
    assert core.offset_after(offset) == held(offset + 1)
    assert core.offset_before(offset) == held(offset - 1)


@given(any_offset, any_count)
def test_later(offset, n):
    assert core.offset_later(offset, n) == held(offset + n)


@given(any_offset, any_offset)
def test_count(one, other):
    assert core.offset_count(one, other) == held(max(0, other - one))


def test_extremes():
    assert core.offset_after(INT64_MAX) == INT64_MAX and core.offset_after(-1) == 0
    assert core.offset_before(INT64_MIN) == INT64_MIN and core.offset_before(0) == -1
    assert core.offset_count(INT64_MIN, INT64_MAX) == INT64_MAX and core.offset_count(INT64_MAX, INT64_MIN) == 0
    assert core.offset_count(0, INT64_MAX) == INT64_MAX and core.offset_count(5, 5) == 0
    assert core.offset_later(INT64_MAX, INT64_MAX) == INT64_MAX and core.offset_later(INT64_MIN, INT64_MAX) == -1
