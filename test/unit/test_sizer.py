"""The size of chunks."""

import ctypes as c
import random

from hypothesis import given, strategies as st

import core


def batch_of(s, batch_time_us, batch_size):
    return core.sizer_batch(c.byref(s), batch_time_us, batch_size)


def sized(message_ns, ready, idle, workers, batch_time_us=10_000, batch_size=100, carried=100):
    s = core.Sizer(message_ns)
    return core.sizer_size(
        c.byref(s), core.SizerLoad(ready, idle, workers), batch_time_us, batch_of(s, batch_time_us, batch_size), carried
    )


def share(ready, idle):
    return sized(1000, ready, idle, idle, 10_000_000)


def test_a_transaction_is_what_takes_batch_time():
    assert batch_of(core.Sizer(0), 10_000, 100) == 1  # not known yet
    assert batch_of(core.Sizer(50_000_000), 10_000, 100) == 1  # a slow handler
    assert batch_of(core.Sizer(1_000_000), 10_000, 100) == 10
    assert batch_of(core.Sizer(50_000), 10_000, 1000) == 200  # fills the time
    assert batch_of(core.Sizer(50_000), 10_000, 100) == 100  # the limit
    assert batch_of(core.Sizer(1), 10_000, 0) == 1


def test_size():
    assert sized(0, 1000, 1, 1) == 1  # not known yet
    assert sized(50_000, 1000, 1, 4, batch_size=1000) == 200  # a transaction
    assert sized(50_000, 100, 1, 100, batch_size=1) == 50  # what takes a quarter of its time
    assert sized(1, 1000, 1, 1, batch_size=1, carried=1) == 1
    assert sized(1, 1000, 0, 0) == 100
    assert sized(1, 0, 1, 1, batch_size=0, carried=0) == 1
    assert share(100, 4) == 25
    assert share(5, 4) == 1
    assert share(3, 4) == 1


def test_slow_ones_come_several_if_every_worker_could_have_as_many():
    assert sized(50_000_000, 100_000, 1, 100) == 10
    assert sized(50_000_000, 999, 1, 100) == 9
    assert sized(50_000_000, 199, 1, 100) == 1
    assert sized(500_000_000, 100_000, 1, 100) == 1
    assert sized(5_000_000, 100_000, 1, 100) == 100
    assert sized(5_000_000, 100_000, 1, 100, carried=7) == 7


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


@given(
    st.integers(1, 2**40),
    st.integers(0, 2**31),
    st.integers(0, 2**31),
    st.integers(0, 2**62),
    st.integers(0, 2**52),
    st.integers(0, 2**31),
    st.integers(0, 2**31),
)
def test_size_in_range(ready, idle, workers, handler, batch_time, batch_size, carried):
    batch = batch_of(core.Sizer(handler), batch_time, batch_size)
    assert 1 <= batch <= max(batch_size, 1)
    assert batch == 1 or batch * handler <= batch_time * 1000
    size = sized(handler, ready, idle, workers, batch_time, batch_size, carried)
    assert 1 <= size <= max(batch, carried)
    assert size <= ready
    # more than a transaction: quick ones of an idle worker's share, or a share of the whole pool's
    assert (
        size <= max(batch, 1)
        or size * handler <= batch_time * 250
        or (size * handler <= 500_000_000 and size <= ready // max(workers, 1))
    )


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 1000), st.integers(1, 1000)), min_size=1, max_size=30))
def test_running_mean(chunks):
    s, mean = core.Sizer(), None
    for busy_us, n, batch in chunks:
        core.sizer_took(c.byref(s), busy_us, n, batch)
        ns = busy_us * 1000 // n
        mean = ns if mean is None else mean
        for _ in range(-(-n // batch)):  # as if each transaction had been a chunk
            mean = (mean * 7 + ns) // 8
        mean = max(mean, 1)
        assert s.message_ns == mean


@given(st.integers(0, 100), st.integers(1, 50_000))
def test_after_one_that_outlasted_patience_transactions_are_of_one(busy_us, batch_time_us):
    """However quick the others were: what follows may take as long."""
    s = core.Sizer()
    for _ in range(100):
        core.sizer_took(c.byref(s), busy_us * 100, 100, 100)
    core.sizer_took(c.byref(s), core.sizer_max_wait_us(batch_time_us), 1, 1)
    assert batch_of(s, batch_time_us, 1000) == 1


def test_quick_ones_make_transactions_large_again():
    s = core.Sizer()
    core.sizer_took(c.byref(s), 10_000_000, 1, 1)
    chunks = messages = 0
    while (size := batch_of(s, 10_000, 100)) < 100:
        core.sizer_took(c.byref(s), 50 * size, size, size)
        chunks += 1
        messages += size
    assert chunks < 100 and messages < 2000


@given(st.integers(1, 60_000_000))
def test_patience(batch_time_us):
    patience = core.sizer_max_wait_us(batch_time_us)
    assert patience >= 1_000_000
    assert patience >= 20 * batch_time_us
    assert patience == 1_000_000 or patience == 20 * batch_time_us


# ---- after failures


def size_of(s, batch_size):
    return batch_of(s, 2**40, batch_size)


def test_halved_and_doubled():
    s = core.Sizer(1000)
    assert size_of(s, 100) == 100
    core.sizer_rolled_back(c.byref(s), 100, 500, False)
    assert size_of(s, 100) == 50
    core.sizer_rolled_back(c.byref(s), 100, 500, False)  # an older one, of another worker
    assert size_of(s, 100) == 50
    core.sizer_rolled_back(c.byref(s), 50, 500, False)
    assert size_of(s, 100) == 25
    for expected in (50, 100):
        core.sizer_went_well(c.byref(s), 4999, 100)
        assert size_of(s, 100) == expected // 2
        core.sizer_went_well(c.byref(s), 1, 100)
        assert size_of(s, 100) == expected
    core.sizer_rolled_back(c.byref(s), 7, 100, True)
    assert size_of(s, 100) == 1
    core.sizer_went_well(c.byref(s), 1000, 100)
    assert size_of(s, 100) == 2


class Naive:
    """Says the same of a list of all that has happened, with fractions for the size."""

    def __init__(self):
        self.limit, self.losses, self.well = None, [], []

    def rolled_back(self, n, lost, conflict):
        size = 1 if conflict else max(n // 2, 1)
        self.limit = size if self.limit is None else min(self.limit, size)
        self.losses.append(min(lost, 1_000_000))
        self.well = []

    def went_well(self, us, batch_size):
        self.well.append(max(us, 1))
        if self.limit is not None and sum(self.well) >= 10 * max(self.losses):
            self.limit *= 2
            self.well = []
            if self.limit >= batch_size:
                self.limit, self.losses = None, []

    def size(self, batch_size):
        return batch_size if self.limit is None else min(self.limit, batch_size)


events = st.lists(
    st.one_of(
        st.tuples(st.just("lost"), st.integers(1, 1000), st.integers(1, 2_000_000), st.booleans()),
        st.tuples(st.just("well"), st.integers(0, 30_000_000)),
    ),
    max_size=60,
)


@given(events, st.integers(1, 1000))
def test_against_a_naive_one(events, batch_size):
    s, naive = core.Sizer(1), Naive()
    for kind, *arguments in events:
        if kind == "lost":
            core.sizer_rolled_back(c.byref(s), *arguments)
            naive.rolled_back(*arguments)
        else:
            core.sizer_went_well(c.byref(s), *arguments, batch_size)
            naive.went_well(*arguments, batch_size)
        assert size_of(s, batch_size) == naive.size(batch_size)
        assert 1 <= size_of(s, batch_size) <= batch_size


@given(st.integers(2, 1000), st.floats(0, 0.3), st.floats(0, 0.05), st.integers(1, 1000), st.integers(0, 2**32))
def test_about_a_tenth_is_lost(batch_size, bad, conflicts, handler_us, seed):
    """Whatever fails: but for a loss at each size on the way down, no more than a tenth of
    what goes well is done in vain."""
    dice = random.Random(seed)
    s, lost, well, largest = core.Sizer(handler_us * 1000), 0, 0, 0
    for _ in range(500):
        n = size_of(s, batch_size)
        failed = next((i for i in range(n) if dice.random() < bad), None)
        if dice.random() < conflicts:
            failed = dice.randrange(n)
        if failed is None:
            core.sizer_went_well(c.byref(s), n * handler_us, batch_size)
            well += n * handler_us
        elif n > 1:
            loss = min((failed + 1) * handler_us, 1_000_000)
            core.sizer_rolled_back(c.byref(s), n, loss, dice.random() < 0.5)
            lost += loss
            largest = max(largest, loss)
    assert lost <= well / 10 + batch_size.bit_length() * largest


@given(st.integers(2, 1000), st.integers(1, 2**40), st.integers(1, 1000))
def test_it_recovers(batch_size, lost_us, handler_us):
    s = core.Sizer(1)
    core.sizer_rolled_back(c.byref(s), batch_size, lost_us, True)
    well = 0
    while s.limit > 0:
        core.sizer_went_well(c.byref(s), handler_us * 1000, batch_size)
        well += handler_us * 1000
    assert well <= batch_size.bit_length() * (10 * min(lost_us, 1_000_000) + handler_us * 1000)
