"""Failures that are no longer a matter of single messages."""

import ctypes as c

from hypothesis import given, strategies as st

import core
from core import FIRST_WAIT, LONGEST_WAIT


def run(outcomes, limit):
    """Number of outcomes until it halts; None: never."""
    b = core.Breaker()
    for n, outcome in enumerate(outcomes, 1):
        if outcome == "S":
            core.breaker_success(c.byref(b))
        elif core.breaker_error(c.byref(b), limit):
            return n
    return None


def test_in_a_row():
    assert run("EESEEE", 3) == 6
    assert run("EESEES", 3) is None
    assert run("E", 1) == 1


@given(st.text("ES", max_size=60), st.integers(1, 8))
def test_errors(outcomes, limit):
    at = outcomes.find("E" * limit)
    assert run(outcomes, limit) == (None if at < 0 else at + limit)


def environment(b, message, sqlstate="53100", used_up=False, before=None):
    return core.breaker_environment(
        c.byref(b), sqlstate.encode(), message[0], message[1], used_up, b.successes if before is None else before
    )


A, B, C = (1, 10), (1, 11), (2, 10)


def test_a_second_message_of_the_same_class():
    b = core.Breaker()
    assert not environment(b, A)
    assert not environment(b, A)  # the same again says nothing new
    assert not environment(b, B, "58030")  # another class
    assert environment(b, C, "58000")
    assert b.wait_us == FIRST_WAIT
    assert environment(b, A)
    assert b.wait_us == 2 * FIRST_WAIT
    assert core.breaker_success(c.byref(b))
    assert b.wait_us == 0
    assert not core.breaker_success(c.byref(b))
    assert not environment(b, A)  # and all begins anew


def test_success_between_makes_it_the_message_s_own():
    b = core.Breaker()
    for _ in range(5):
        assert not environment(b, A, "53200")
        core.breaker_success(c.byref(b))
        assert not environment(b, B, "53200")
        core.breaker_success(c.byref(b))


def test_the_only_message_that_can_run():
    b = core.Breaker()
    before = b.successes
    assert not environment(b, A, before=before)
    assert not environment(b, A, before=before)
    assert environment(b, A, used_up=True, before=before)
    # others have succeeded since it failed first: it is its own fault
    b = core.Breaker()
    assert not environment(b, A, before=before)
    core.breaker_success(c.byref(b))
    assert not environment(b, A, used_up=True, before=before)


def test_two_that_are_left_are_at_fault_themselves():
    """Both failed, others then succeeded, and now there is nobody else to succeed."""
    b = core.Breaker()
    assert not environment(b, A, "53200", before=0)
    assert environment(b, B, "53200", before=0)
    assert core.breaker_success(c.byref(b))
    for used_up in (False, False, True):
        assert not environment(b, A, "53200", used_up, before=0)
        assert not environment(b, B, "53200", used_up, before=0)


def test_wait_grows_to_its_limit():
    b = core.Breaker()
    environment(b, A)
    waits = []
    for n in range(10):
        assert environment(b, B if n % 2 else C)
        waits.append(b.wait_us)
    assert waits == [min(FIRST_WAIT * 2**n, LONGEST_WAIT) for n in range(10)]


def test_to_wait_without_asking():
    b = core.Breaker()
    core.breaker_wait(c.byref(b))
    assert b.wait_us == FIRST_WAIT
    assert environment(b, A)
    assert b.wait_us == 2 * FIRST_WAIT
    for _ in range(20):
        core.breaker_wait(c.byref(b))
    assert b.wait_us == LONGEST_WAIT
    assert core.breaker_success(c.byref(b))


steps = st.lists(
    st.one_of(st.just("S"), st.tuples(st.sampled_from([A, B, C]), st.sampled_from(["53100", "58030"]))), max_size=40
)


@given(steps)
def test_model(steps):
    """Waits exactly when a message fails that has not seen others succeed, right after one
    of the same class, and until a success."""
    b, last, waiting, successes, first = core.Breaker(), None, False, 0, {}
    for step in steps:
        if step == "S":
            assert core.breaker_success(c.byref(b)) == waiting
            last, waiting, successes = None, False, successes + 1
        else:
            message, sqlstate = step
            before = first.setdefault(message, successes)
            if last is not None and last[1][:2] == sqlstate[:2] and last[0] != message and before == successes:
                waiting = True
            assert environment(b, message, sqlstate, before=before) == waiting
            last = step
        assert (b.wait_us > 0) == waiting
