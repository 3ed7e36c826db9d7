"""The tracker against a naive one made of lists."""

import ctypes as c
import itertools
import math
import random

from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import core

WINDOW = 100_000


class Message:
    def __init__(self, offset, ref):
        self.offset = offset
        self.ref = core.Ref(ref.segment, ref.index)
        self.state = 0
        self.held = 0

    def mark(self, lsn):
        core.tracker_complete(self.ref.segment, self.ref.index, lsn)
        self.state = lsn

    def found_done(self, epoch):
        core.tracker_found_done(epoch.t, self.ref)
        self.state = epoch.start_lsn or core.DONE


class Segments:
    """All segments ever made, and which of them the tests have at hand."""

    def __init__(self):
        self.at_hand = []
        self.made = 0

    def get(self):
        if self.at_hand:
            return self.at_hand.pop()
        self.made += 1
        return core.segment_new(self.made)

    def take_back(self, segment):
        assert segment not in self.at_hand, "given back twice"
        self.at_hand.append(segment)

    def free(self):
        assert len(self.at_hand) == self.made, "a segment was not given back"
        for segment in self.at_hand:
            core.segment_free(segment)


class Epoch:
    """A tracker and its model, kept side by side."""

    def __init__(self, segments, start=0, window=WINDOW, told=None, start_lsn=0):
        self.t = core.tracker_new(start, window)
        self.segments = segments
        self.window = window
        self.messages = []  # all ever taken
        self.head = 0  # how many of them the done head has passed
        self.head_offset = start
        self.start_lsn = start_lsn  # what was done before counts on it
        self.head_lsn = start_lsn  # the highest of those messages
        self.durable = start
        self.last_offset = start - 1
        self.next_offset = start  # the least that may come
        self.end = None  # (messages taken at the time, offset)
        self.steps = []  # (offset, highest LSN it counts on): exact
        self.pairs = []  # the same, as few as the tracker keeps
        self.closed = False
        if start_lsn:
            told = start if told is None else told
            core.tracker_count_on(self.t, told, start_lsn)
            if told < start:
                self.durable = told
                self.steps.append((start, start_lsn))
                self.pairs.append((start, start_lsn))

    # -- what is done to both

    def begin(self, offset):
        ref = core.Ref()
        needed = not self.closed and core.tracker_needs_segment(self.t)
        result = core.tracker_begin(self.t, offset, c.byref(ref))
        assert needed or result != core.NEED_SEGMENT
        if result == core.NEED_SEGMENT:
            core.tracker_add_segment(self.t, self.segments.get())
            result = core.tracker_begin(self.t, offset, c.byref(ref))
        if offset <= self.last_offset:
            assert result == core.REPEATED
            return None
        if self.closed or len(self.messages) - self.head >= self.window:
            assert result == core.FULL
            return None
        assert result == core.TAKEN
        message = Message(offset, ref)
        assert not core.tracker_is_done(ref.segment, ref.index)
        self.messages.append(message)
        self.last_offset = offset
        self.next_offset = offset + 1
        return message

    def hold(self, message):
        core.tracker_pin(self.t, message.ref)
        message.held += 1

    def release(self, message):
        core.tracker_release(self.t, message.ref)
        message.held -= 1
        self.take_free()

    def record_end(self, offset):
        core.tracker_record_end(self.t, offset)
        self.end = (len(self.messages), offset)

    def advance(self, flushed):
        moved = core.tracker_advance(self.t, flushed)
        before = self.durable
        self.model_advance(flushed)
        assert moved == (self.durable > before)
        self.check(flushed)
        self.take_free()

    def close(self):
        nobody = not any(m.held for m in self.messages)
        assert core.tracker_close(self.t) == nobody
        self.closed = True
        self.head = len(self.messages)
        self.end = None
        self.take_free()

    def take_free(self):
        while segment := core.tracker_take_free(self.t):
            for i, m in enumerate(self.messages):
                if m.ref.segment == segment:
                    assert not m.held, "given back while held"
                    assert i < self.head, "given back while pending"
            # gone for good: another message may get the place
            for m in self.messages:
                if m.ref.segment == segment:
                    m.ref.segment = None
            self.segments.take_back(segment)

    # -- the model

    def model_advance(self, flushed):
        while self.pairs and self.pairs[0][1] <= flushed:
            self.durable = self.pairs.pop(0)[0]
        lsn = self.head_lsn
        while self.head < len(self.messages) and self.messages[self.head].state:
            message = self.messages[self.head]
            if message.state != core.DONE:
                lsn = max(lsn, message.state)
            self.head += 1
            self.head_lsn = lsn
            self.step(message.offset + 1, lsn, flushed)
        if self.end and self.head >= self.end[0]:
            self.step(self.end[1], lsn, flushed)
            self.end = None

    def step(self, offset, lsn, flushed):
        if offset <= self.head_offset:
            return
        self.head_offset = offset
        self.steps.append((offset, lsn))
        if lsn <= flushed:
            self.durable = offset
        elif self.pairs and (self.pairs[-1][1] == lsn or len(self.pairs) == core.UNFLUSHED):
            self.pairs[-1] = (offset, lsn)
        else:
            self.pairs.append((offset, lsn))

    # -- and they agree

    def check(self, flushed):
        pending = [m for m in self.messages[self.head :] if not m.state]
        assert core.tracker_head(self.t) == self.head_offset
        assert core.tracker_committable(self.t) == self.durable
        assert core.tracker_depth(self.t) == len(self.messages) - self.head
        assert core.tracker_has_room(self.t) == (not self.closed and len(self.messages) - self.head < self.window)
        target = core.tracker_flush_target(self.t)
        assert target == (self.pairs[-1][1] if self.pairs else 0)
        assert (target == 0) == (self.durable == self.head_offset)

        marks = [m.state for m in self.messages[self.head :] if m.state != core.DONE]
        assert core.tracker_highest_lsn(self.t) == max([self.head_lsn] + marks)

        offset = c.c_int64(-1)
        assert core.tracker_oldest_pending(self.t, c.byref(offset)) == bool(pending)
        if pending:
            assert offset.value == pending[0].offset

        # whatever the pairs do: what is committable never counts on an LSN not flushed ...
        unsafe = [offset for offset, lsn in self.steps if lsn > self.flushed_ever(flushed)]
        assert not unsafe or core.tracker_committable(self.t) < unsafe[0]
        # ... and below it all is done
        assert all(m.state for m in self.messages if m.offset < self.durable)

    def flushed_ever(self, flushed):
        self.highest = max(getattr(self, "highest", 0), flushed)
        return self.highest

    def check_each_done(self, flushed):
        found = []
        callback = core.RUN_CALLBACK(lambda arg, first, last: found.extend(range(first, last + 1)))
        core.tracker_each_done(self.t, flushed, callback, None)
        assert found == [m.offset for m in self.messages[self.head :] if m.state == core.DONE or 0 < m.state <= flushed]

    def end_of_test(self):
        for m in self.messages:
            while m.held:
                self.release(m)
        self.close()
        core.free(self.t)


# ---- every order of completion


def test_layout():
    assert core.shim_sizeof(5) == 16


def test_named_example():
    segments = Segments()
    e = Epoch(segments)
    for offset in range(5):
        e.begin(offset)
    heads = []
    for offset in (0, 2, 4, 1, 3):
        e.messages[offset].mark(core.DONE)
        e.advance(0)
        heads.append(core.tracker_committable(e.t))
    assert heads == [1, 1, 1, 3, 5]
    e.end_of_test()
    segments.free()


def test_all_orders_of_up_to_8_messages():
    """Heads after each step; with nothing to flush, and with a flush two commits behind."""
    t = core.tracker_new(0, 8)
    segment = core.segment_new(1)
    ref = core.Ref()
    orders = 0
    for n in range(1, 9):
        for lag in (None, 2):
            if lag and n == 8:
                continue  # 7 do for the second round
            for order in itertools.permutations(range(n)):
                orders += 1
                core.tracker_init(t, 0, 8)
                core.tracker_add_segment(t, segment)
                for offset in range(n):
                    core.tracker_begin(t, offset, ref)
                done = [0] * n
                for step, which in enumerate(order):
                    lsn = 100 + step if lag else core.DONE
                    flushed = 100 + step - lag if lag else 0
                    core.tracker_complete(segment, which, lsn)
                    done[which] = lsn
                    core.tracker_advance(t, flushed)
                    head = next((i for i, d in enumerate(done) if not d), n)
                    assert core.tracker_head(t) == head
                    if lag:
                        head = next((i for i, d in enumerate(done) if not 0 < d <= flushed), n)
                    assert core.tracker_committable(t) == head
    assert orders == sum(math.factorial(n) for n in (*range(1, 9), *range(1, 8)))
    core.tracker_close(t)
    assert core.tracker_take_free(t) == segment
    core.segment_free(segment)
    core.free(t)


# ---- single rules


def test_full_window_and_repeated():
    segments = Segments()
    e = Epoch(segments, start=10, window=3)
    assert e.begin(9) is None  # below the start
    first, second, third = e.begin(10), e.begin(15), e.begin(16)
    assert e.begin(17) is None  # full
    assert e.begin(16) is None  # repeated, though full
    second.mark(core.DONE)
    third.mark(core.DONE)
    e.advance(0)
    assert e.begin(17) is None  # the window counts from the oldest pending
    first.mark(core.DONE)
    e.advance(0)
    assert core.tracker_committable(e.t) == 17
    assert e.begin(17) is not None
    e.end_of_test()
    segments.free()


def test_unflushed_queue_overflows():
    """One commit for each message, and no flush for long."""
    segments = Segments()
    e = Epoch(segments)
    n = core.UNFLUSHED * 3
    for offset in range(n):
        e.begin(offset)
        e.messages[offset].mark(1000 + offset)
        e.advance(0)
    assert core.tracker_committable(e.t) == 0
    assert core.tracker_flush_target(e.t) == 1000 + n - 1
    # the older pairs are exact, the newest waits for its last commit
    for i in range(core.UNFLUSHED - 1):
        e.advance(1000 + i)
        assert core.tracker_committable(e.t) == i + 1
    e.advance(1000 + n - 2)
    assert core.tracker_committable(e.t) == core.UNFLUSHED - 1
    e.advance(1000 + n - 1)
    assert core.tracker_committable(e.t) == n
    assert core.tracker_flush_target(e.t) == 0
    e.end_of_test()
    segments.free()


def test_a_chunk_shares_a_pair():
    segments = Segments()
    e = Epoch(segments)
    for offset in range(core.UNFLUSHED * 10):
        e.begin(offset).mark(50 + offset // 10)
        e.advance(49)
    for lsn in range(50, 50 + core.UNFLUSHED):
        e.advance(lsn)
        assert core.tracker_committable(e.t) == (lsn - 49) * 10
    e.end_of_test()
    segments.free()


def test_end_of_partition():
    segments = Segments()
    e = Epoch(segments, start=5)
    e.record_end(7)  # nothing there but markers
    e.advance(0)
    assert core.tracker_committable(e.t) == 7
    message = e.begin(8)
    e.record_end(10)
    e.advance(0)
    assert core.tracker_committable(e.t) == 7  # 8 is pending
    message.mark(77)
    e.advance(76)
    assert core.tracker_committable(e.t) == 7
    assert core.tracker_head(e.t) == 10
    e.advance(77)
    assert core.tracker_committable(e.t) == 10
    e.record_end(9)  # never back
    e.advance(77)
    assert core.tracker_committable(e.t) == 10
    e.end_of_test()
    segments.free()


def test_what_was_read_is_not_durable_yet():
    """A hole at the start, then a message that the rows say is done: not to be told before they are
    durable themselves, nor is anything that comes later."""
    segments = Segments()
    e = Epoch(segments, start=1, start_lsn=500)
    assert core.tracker_committable(e.t) == 1
    e.begin(3).found_done(e)
    e.advance(499)
    assert (core.tracker_head(e.t), core.tracker_committable(e.t)) == (4, 1)
    assert core.tracker_flush_target(e.t) == core.tracker_highest_lsn(e.t) == 500
    e.begin(4).mark(core.DONE)  # a handler that wrote nothing
    e.record_end(7)
    e.advance(499)
    assert (core.tracker_head(e.t), core.tracker_committable(e.t)) == (7, 1)
    e.begin(8)
    e.begin(9).found_done(e)
    e.check_each_done(499)  # nor as a run beyond the head
    e.check_each_done(500)
    e.advance(500)
    assert core.tracker_committable(e.t) == 7
    e.end_of_test()
    segments.free()


def test_start_that_kafka_does_not_know():
    segments = Segments()
    e = Epoch(segments, start=10, told=4, start_lsn=500)
    assert core.tracker_committable(e.t) == 4
    e.begin(10).mark(600)
    e.advance(499)
    assert core.tracker_committable(e.t) == 4
    e.advance(500)
    assert core.tracker_committable(e.t) == 10
    e.advance(600)
    assert core.tracker_committable(e.t) == 11
    e.end_of_test()
    segments.free()


def test_segment_comes_back_once_and_late():
    segments = Segments()
    e = Epoch(segments)
    for offset in range(core.SEGMENT_SLOTS + 1):
        e.begin(offset)
    held = e.messages[3]
    e.hold(held)
    e.hold(held)
    for m in e.messages:
        m.mark(core.DONE)
    e.advance(0)
    assert segments.at_hand == []  # left by the head, but held
    e.release(held)
    assert segments.at_hand == []
    segment = held.ref.segment
    e.release(held)
    assert segments.at_hand == [segment]
    e.end_of_test()
    segments.free()


def test_segment_that_is_not_needed():
    segments = Segments()
    e = Epoch(segments)
    e.begin(0)
    spare = segments.get()
    core.tracker_add_segment(e.t, spare)
    assert core.tracker_take_free(e.t) == spare
    e.close()
    core.tracker_add_segment(e.t, spare)
    assert core.tracker_take_free(e.t) == spare
    segments.take_back(spare)
    e.end_of_test()
    segments.free()


def test_old_epoch_does_not_move_the_new_one():
    segments = Segments()
    old = Epoch(segments)
    messages = [old.begin(offset) for offset in range(10)]
    old.hold(messages[4])
    old.close()
    assert segments.at_hand == []  # a worker may still mark
    new = Epoch(segments)
    for offset in range(10):
        new.begin(offset)
    messages[4].mark(core.DONE)
    new.advance(2**63)
    assert core.tracker_head(new.t) == 0
    assert core.tracker_head(old.t) == 0
    old.release(messages[4])
    assert len(segments.at_hand) == 1
    old.end_of_test()
    new.end_of_test()
    segments.free()


def test_closed_tracker_still_becomes_durable():
    segments = Segments()
    e = Epoch(segments)
    e.begin(0).mark(500)
    e.begin(1)
    e.advance(499)
    e.close()
    assert core.tracker_committable(e.t) == 0
    e.advance(500)
    assert core.tracker_committable(e.t) == 1
    assert e.begin(2) is None
    e.end_of_test()
    segments.free()


def test_closed_tracker_forgets_the_end():
    """What was pending is given up, not done."""
    segments = Segments()
    e = Epoch(segments)
    e.begin(0)
    e.record_end(5)
    e.close()
    e.advance(2**63)
    assert core.tracker_head(e.t) == core.tracker_committable(e.t) == 0
    core.tracker_needs_segment(e.t)
    e.end_of_test()
    segments.free()


# ---- anything goes


class TrackerMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.segments = Segments()
        self.epochs = []
        self.lsn = 10
        self.flushed = 10

    @initialize(
        start=st.integers(0, 2**40),
        window=st.sampled_from([1, 2, 7, 300, 100_000]),
        behind=st.sampled_from([0, 0, 1, 1000]),
        ahead=st.sampled_from([None, -5, 0, 1, 300]),
    )
    def first_epoch(self, start, window, behind, ahead):
        start_lsn = 0 if ahead is None else self.lsn + ahead
        self.epochs.append(Epoch(self.segments, start, window, start - behind, start_lsn))
        self.lsn = max(self.lsn, start_lsn)

    @property
    def now(self):
        return self.epochs[-1]

    @rule(n=st.sampled_from([1, 2, 5, 64, 260]), gap=st.sampled_from([0, 0, 1, 13]), hold=st.sampled_from([0, 1, 3]))
    def take(self, n, gap, hold):
        for i in range(n):
            message = self.now.begin(self.now.next_offset + (i % 3) * gap)
            if message is None:
                break
            if hold and i % hold == 0:
                self.now.hold(message)

    @rule(back=st.integers(0, 5))
    def repeat(self, back):
        assert self.now.begin(self.now.last_offset - back) is None

    @rule(
        count=st.sampled_from([1, 3, 50, 1000]),
        skip=st.sampled_from([0, 0, 1, 2, 40]),
        every=st.sampled_from([1, 1, 2, 5]),
        shared=st.booleans(),
        flush=st.booleans(),
        data=st.data(),
    )
    def complete(self, count, skip, every, shared, flush, data):
        """A chunk commits: its messages share an LSN, or each has its own."""
        pending = [m for m in self.now.messages[self.now.head :] if not m.state]
        for m in pending[skip::every][:count]:
            if not flush:
                m.mark(core.DONE)
                continue
            if not shared:
                self.lsn += 1
            m.mark(self.lsn)
        self.lsn += data.draw(st.integers(1, 100))

    @rule(count=st.sampled_from([1, 3, 50, 1000]), skip=st.sampled_from([0, 0, 1, 40]))
    def found_done(self, count, skip):
        """They were done before the epoch."""
        for m in [m for m in self.now.messages[self.now.head :] if not m.state][skip:][:count]:
            m.found_done(self.now)

    @rule(n=st.integers(1, 20))
    def commit_out_of_order(self, n):
        """Marks arrive in another order than the commits' LSNs."""
        pending = [m for m in self.now.messages[self.now.head :] if not m.state][:n]
        for i, m in enumerate(pending):
            m.mark(self.lsn + len(pending) - i)
        self.lsn += n

    @rule(fraction=st.sampled_from([0.0, 0.0, 0.3, 0.9, 1.0]))
    def advance(self, fraction):
        self.flushed += int((self.lsn - self.flushed) * fraction)
        self.now.advance(self.flushed)

    @rule()
    def advance_with_less_confirmed(self):
        """A standby was added: what counts as durable is less than it was."""
        self.now.advance(self.flushed // 2)

    @rule(gap=st.integers(0, 3))
    def record_end(self, gap):
        self.now.record_end(self.now.next_offset + gap)
        self.now.next_offset += gap  # whatever comes, comes after the end

    @rule(n=st.sampled_from([1, 10, 1000]))
    def release(self, n):
        for epoch in self.epochs:
            for m in [m for m in epoch.messages if m.held][:n]:
                epoch.release(m)

    @precondition(lambda self: len(self.epochs) > 1)
    @rule(lsn=st.sampled_from([core.DONE, 5, 2**63]))
    def late_mark(self, lsn):
        """A worker of an older epoch commits what it still holds."""
        for epoch in self.epochs[:-1]:
            for m in epoch.messages:
                if m.held:
                    core.tracker_complete(m.ref.segment, m.ref.index, lsn)

    @precondition(lambda self: len(self.epochs) > 1)
    @rule()
    def advance_old_epochs(self):
        """What waited for its flush when the epoch ended."""
        for epoch in self.epochs[:-1]:
            epoch.advance(self.flushed)

    @precondition(lambda self: len(self.epochs) < 4)
    @rule(forward=st.integers(0, 100), window=st.sampled_from([1, 7, 300, 100_000]))
    def new_epoch(self, forward, window):
        old = self.now
        old.close()
        self.epochs.append(Epoch(self.segments, old.durable + forward, window))

    @rule()
    def each_done(self):
        self.now.check_each_done(self.flushed)

    @invariant()
    def agree(self):
        if self.epochs:
            self.now.check(0)

    def teardown(self):
        for epoch in self.epochs:
            epoch.end_of_test()
        self.segments.free()


TestTracker = TrackerMachine.TestCase
TestTracker.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)


@given(
    st.permutations(range(40)),
    st.lists(st.integers(0, 6), min_size=40, max_size=40),
    st.lists(st.integers(-3, 3), min_size=40, max_size=40),
)
def test_any_order_with_holes_and_flushes(order, gaps, flushes):
    segments = Segments()
    e = Epoch(segments, start=3)
    offset = 2
    for gap in gaps:
        offset += 1 + gap
        e.begin(offset)
    for step, (which, lag) in enumerate(zip(order, flushes)):
        e.messages[which].mark(core.DONE if lag == 3 else 100 + step)
        e.advance(100 + step + lag)
    e.advance(200)
    assert core.tracker_committable(e.t) == offset + 1
    e.end_of_test()
    segments.free()


@given(st.integers(0, 2**32), st.sampled_from([5, 100, 900]))
@settings(max_examples=10)
def test_long_run(seed, window):
    """Thousands of messages, many segments and flushes, marks in any order."""
    dice = random.Random(seed)
    segments = Segments()
    e = Epoch(segments, dice.randrange(1000), window)
    lsn = flushed = 10
    held = []
    for _ in range(300):
        for _ in range(dice.randrange(40)):
            message = e.begin(e.next_offset + dice.choice([0, 0, 0, 1, 9]))
            if message is not None and dice.random() < 0.3:
                e.hold(message)
                held.append(message)
        pending = [m for m in e.messages[e.head :] if not m.state]
        for m in dice.sample(pending, dice.randrange(len(pending) + 1)) + pending[:3]:
            lsn += dice.randrange(3)
            m.mark(dice.choice([core.DONE, lsn, lsn + dice.randrange(50)]))
        dice.shuffle(held)
        while held and dice.random() < 0.9:
            e.release(held.pop())
        flushed = max(flushed, lsn - dice.choice([0, 10, 200, 2000]))
        e.advance(flushed)
        e.check_each_done(flushed)
        if dice.random() < 0.1:
            e.next_offset += 2
            e.record_end(e.next_offset)
    e.end_of_test()
    segments.free()
