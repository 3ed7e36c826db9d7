"""Messages of transactions."""

import ctypes as c

from hypothesis import given, strategies as st

import core

BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


def test_bound_texts():
    assert [float(core.sizes_bound(i)) for i in range(core.SIZES_BOUNDS)] == BOUNDS


@given(st.lists(st.one_of(st.integers(0, 1100), st.integers(0, 2**32 - 1)), max_size=60))
def test_bounds_are_exact(sizes):
    s = core.Sizes()
    c.memset(c.byref(s), 0xFF, c.sizeof(s))
    core.sizes_reset(c.byref(s))
    for size in sizes:
        core.sizes_add(c.byref(s), size)
    copy = core.Sizes()
    core.sizes_copy(c.byref(copy), c.byref(s))
    cumulative = (c.c_uint64 * (core.SIZES_BOUNDS + 1))()
    core.sizes_cumulative(c.byref(copy), cumulative)
    assert list(cumulative) == [sum(size <= bound for size in sizes) for bound in BOUNDS] + [len(sizes)]
    assert core.sizes_sum(c.byref(copy)) == sum(sizes)
