"""How many fresh sessions errors may cost."""

import ctypes as c

from hypothesis import given, strategies as st

import core
from core import SESSION_BUDGET_US as SECOND


def take(b, burst, now):
    return core.session_budget_take(c.byref(b), burst, now)


def following(b, burst):
    return core.session_budget_next(c.byref(b), burst)


def test_a_burst_and_then_one_a_second():
    b, now = core.SessionBudget(), 10**15
    assert [take(b, 3, now) for _ in range(5)] == [True] * 3 + [False] * 2
    assert following(b, 3) == now + SECOND
    assert not take(b, 3, now + SECOND - 1)
    assert [take(b, 3, now + SECOND) for _ in range(2)] == [True, False]
    # after a while all of it is there again
    assert [take(b, 3, now + 100 * SECOND) for _ in range(4)] == [True] * 3 + [False]


@given(st.integers(1, 50), st.lists(st.integers(0, 3 * SECOND), max_size=100))
def test_never_more(burst, steps):
    b, now, taken = core.SessionBudget(), 10**15, []
    for step in steps:
        now += step
        there = following(b, burst) <= now
        assert take(b, burst, now) == there
        if there:
            taken.append(now)
        # in whatever time
        assert all(len([t for t in taken if t >= since]) <= burst + (now - since) // SECOND for since in taken)


@given(st.integers(1, 50), st.integers(-(10**12), 0), st.integers(1, 50))
def test_the_clock_is_set_back_or_the_pool_is_smaller(burst, step, smaller):
    b, now = core.SessionBudget(), 10**15
    while take(b, burst, now):
        pass
    now += step
    take(b, smaller, now)
    assert following(b, smaller) <= now + 2 * SECOND
