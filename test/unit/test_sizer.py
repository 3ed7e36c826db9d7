"""The size of chunks."""

import ctypes as c

from hypothesis import given, strategies as st

import core


def sized(message_ns, ready, idle, batch_time_us=10_000, batch_size=100):
    return core.sizer_size(c.byref(core.Sizer(message_ns)), ready, idle, batch_time_us, batch_size)


def share(ready, idle):
    return sized(1000, ready, idle, 10_000_000, 100)


def test_size():
    assert sized(0, 1000, 1) == 1                               # not known yet
    assert sized(50_000_000, 1000, 1) == 1                      # a slow handler
    assert sized(50_000, 1000, 1, batch_size=1000) == 200       # fills the time
    assert sized(50_000, 1000, 1) == 100                        # the limit
    assert sized(1, 1000, 1, batch_size=1) == 1
    assert sized(1, 1000, 0) == 100
    assert sized(1, 0, 1, batch_size=0) == 1
    assert share(100, 4) == 25
    assert share(5, 4) == 1
    assert share(3, 4) == 1


@given(st.integers(1, 10_000), st.integers(1, 64))
def test_no_worker_is_left_idle_while_a_message_waits_behind_another(ready, idle):
    for left in range(idle, 0, -1):
        if ready == 0:
            break
        size = share(ready, left)
        assert 1 <= size <= 100
        ready -= size
        # every other idle worker still finds a message, if there were enough
        assert ready >= left - 1 or size == 1


@given(st.integers(1, 2 ** 40), st.integers(0, 2 ** 31), st.integers(0, 2 ** 62),
       st.integers(0, 2 ** 52), st.integers(0, 2 ** 31))
def test_size_in_range(ready, idle, handler, batch_time, batch):
    size = sized(handler, ready, idle, batch_time, batch)
    assert 1 <= size <= max(batch, 1)
    assert size <= ready
    assert size == 1 or size * handler <= batch_time * 1000


@given(st.lists(st.tuples(st.integers(0, 10 ** 8), st.integers(1, 1000)), min_size=1, max_size=30))
def test_running_mean(chunks):
    s, mean = core.Sizer(), None
    for busy_us, n in chunks:
        core.sizer_took(c.byref(s), busy_us, n)
        ns = busy_us * 1000 // n
        mean = max(ns if mean is None else (mean * 7 + ns) // 8, 1)
        assert s.message_ns == mean


@given(st.integers(0, 100), st.integers(1, 50_000))
def test_after_one_that_outlasted_patience_chunks_are_of_one(busy_us, batch_time_us):
    """However quick the others were: what follows may take as long."""
    s = core.Sizer()
    for _ in range(100):
        core.sizer_took(c.byref(s), busy_us * 100, 100)
    core.sizer_took(c.byref(s), core.sizer_patience_us(batch_time_us), 1)
    assert core.sizer_size(c.byref(s), 1000, 1, batch_time_us, 1000) == 1


def test_quick_ones_make_chunks_large_again():
    s = core.Sizer()
    core.sizer_took(c.byref(s), 10_000_000, 1)
    chunks = messages = 0
    while (size := core.sizer_size(c.byref(s), 10 ** 9, 1, 10_000, 100)) < 100:
        core.sizer_took(c.byref(s), 50 * size, size)
        chunks += 1
        messages += size
    assert chunks < 100 and messages < 2000


@given(st.integers(1, 60_000_000))
def test_patience(batch_time_us):
    patience = core.sizer_patience_us(batch_time_us)
    assert patience >= 1_000_000
    assert patience >= 20 * batch_time_us
    assert patience == 1_000_000 or patience == 20 * batch_time_us
