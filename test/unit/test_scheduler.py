"""The scheduler against a naive one made of lists of lists."""

import ctypes as c
import random

from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

import core

MANY = core.Limits(2**32 - 1, 2**64 - 1)


class Message:
    """An item; order None is a free one."""

    def __init__(self, partition, order, size, arrival, kind=0):
        self.partition = partition
        self.order = order
        self.arrival = arrival
        self.rank = (arrival, 0)  # its age, and its place among those of its age
        self.item = core.Item(order or 0, order is not None, False, kind, size)
        self.address = c.addressof(self.item)

    def __repr__(self):
        return f"<{self.arrival} of {self.order}>"


class Partition:
    def __init__(self, handle):
        self.handle = handle
        self.waiting = []  # by arrival
        self.in_hand = []
        self.removed = False

    def held(self):
        return {m.order for m in self.in_hand if m.order is not None}

    def ready(self):
        held = self.held()
        return [m for m in self.waiting if m.order not in held]


class Scheduler:
    """The real one and its model, kept side by side."""

    def __init__(self):
        self.pieces = core.outstanding()
        self.s = core.sched_new()
        self.partitions = []
        self.ring = []  # partitions with something ready, next one first
        self.by_address = {}
        self.arrivals = 0
        self.added = self.gone = 0

    def add_partition(self):
        p = Partition(core.sched_add_partition(self.s))
        self.partitions.append(p)
        return p

    def add_first(self, p, order, kind=0):
        m = Message(p, order, 1, self.arrivals, kind)
        behind = [other for other in p.waiting if order is not None and other.order == order]
        if behind:
            m.rank = (behind[0].rank[0], behind[0].rank[1] - 1)
        self.arrivals += 1
        self.added += 1
        self.by_address[m.address] = m
        core.sched_add_first(self.s, p.handle, c.byref(m.item))
        p.waiting.append(m)
        p.waiting.sort(key=lambda m: m.rank)
        self.turn(p)
        return m

    def add(self, p, order, size=1, kind=0):
        m = Message(p, order, size, self.arrivals, kind)
        self.arrivals += 1
        self.added += 1
        self.by_address[m.address] = m
        core.sched_add(self.s, p.handle, c.byref(m.item))
        p.waiting.append(m)
        self.turn(p)
        return m

    def turn(self, p):
        if not p.ready():
            if p in self.ring:
                self.ring.remove(p)
        elif p not in self.ring:
            self.ring.append(p)

    def expected(self, messages, size):
        """The oldest, then the rest of its order, then the oldest of the others ..."""
        if not self.ring:
            return []
        ready = self.ring[0].ready()
        chunk, total = [], 0

        def fits(m):
            return not chunk or (
                m.item.kind == chunk[0].item.kind
                and not m.item.alone
                and not chunk[0].item.alone
                and len(chunk) < messages
                and total + m.item.bytes <= size
            )

        while ready:
            first = ready[0]
            group = [m for m in ready if m.order == first.order] if first.order is not None else [first]
            if not fits(first):
                break
            for m in group:
                if not fits(m):
                    break
                chunk.append(m)
                total += m.item.bytes
            ready = [m for m in ready if m not in group]
        return chunk

    def pick(self, messages=2**32 - 1, size=2**64 - 1):
        expected = self.expected(messages, size)
        n = c.c_uint32(77)
        address = core.sched_pick(self.s, core.Limits(messages, size), c.byref(n))
        chunk = []
        while address:
            chunk.append(self.by_address[address])
            address = chunk[-1].item.next
        assert len(chunk) == n.value
        assert chunk == expected

        if chunk:
            p = self.ring.pop(0)
            # what is promised, said without the model's way of choosing
            assert all(m.partition is p for m in chunk)
            assert len(chunk) == 1 or not any(m.item.alone for m in chunk)
            assert not p.held() & {m.order for m in chunk}
            assert len({m.item.kind for m in chunk}) == 1
            for order in {m.order for m in chunk} - {None}:
                mine = [m for m in p.waiting if m.order == order]
                taken = [m for m in chunk if m.order == order]
                assert taken == mine[: len(taken)]
            for m in chunk:
                p.waiting.remove(m)
                p.in_hand.append(m)
            self.turn(p)
        return chunk

    def finish(self, m):
        core.sched_finish(self.s, c.byref(m.item))
        m.partition.in_hand.remove(m)
        self.gone += 1
        del self.by_address[m.address]
        if not m.partition.removed:
            self.turn(m.partition)
        elif not m.partition.in_hand:
            self.partitions.remove(m.partition)

    def put_back(self, m):
        core.sched_put_back(self.s, c.byref(m.item))
        m.partition.in_hand.remove(m)
        # before those of its age, one of which may have come first since this one was picked
        same_age = [other.rank[1] for other in m.partition.waiting if other.rank[0] == m.rank[0]]
        m.rank = (m.rank[0], min([m.rank[1], *(place - 1 for place in same_age)]))
        m.partition.waiting.append(m)
        m.partition.waiting.sort(key=lambda m: m.rank)
        self.turn(m.partition)

    def remove(self, p):
        dropped = []
        callback = core.DROP_CALLBACK(lambda arg, item: dropped.append(self.by_address.pop(item)))
        p.removed = True
        core.sched_remove_partition(self.s, p.handle, callback, None)
        assert sorted(dropped, key=lambda m: m.rank) == p.waiting
        self.gone += len(dropped)
        p.waiting = []
        if p in self.ring:
            self.ring.remove(p)
        if not p.in_hand:
            self.partitions.remove(p)

    def check(self):
        live = [p for p in self.partitions if not p.removed]
        ready = sum(len(p.ready()) for p in live)
        waiting = sum(len(p.waiting) for p in live)
        in_hand = sum(len(p.in_hand) for p in self.partitions)
        assert core.sched_ready(self.s) == ready
        assert core.sched_blocked(self.s) == waiting - ready
        assert core.sched_in_hand(self.s) == in_hand
        for p in self.partitions:
            assert core.sched_partition_in_hand(p.handle) == len(p.in_hand)
        assert self.added == self.gone + waiting + in_hand  # nothing lost, nothing twice

    def destroy(self):
        core.sched_destroy(self.s)
        assert core.outstanding() == self.pieces


# ---- single rules


def test_layout():
    assert core.shim_sizeof(4) == c.sizeof(core.Item)


def test_empty():
    s = Scheduler()
    assert s.pick() == []
    s.add_partition()
    assert s.pick() == []
    s.destroy()


def test_key_is_held_until_its_last_message_is_finished():
    s = Scheduler()
    p = s.add_partition()
    a1, a2, a3, b = s.add(p, 1), s.add(p, 1), s.add(p, 1), s.add(p, 2)
    assert s.pick(2) == [a1, a2]
    assert s.pick(1) == [b]
    assert s.pick() == []  # a3 is blocked
    assert core.sched_blocked(s.s) == 1
    s.finish(a2)
    assert s.pick() == []  # a1 is in hand still
    s.finish(a1)
    assert s.pick() == [a3]
    s.finish(a3)
    s.finish(b)
    s.check()
    s.destroy()


def test_put_back_comes_first():
    s = Scheduler()
    p = s.add_partition()
    messages = [s.add(p, 1) for _ in range(4)]
    assert s.pick(3) == messages[:3]
    s.put_back(messages[2])
    s.put_back(messages[1])
    assert s.pick() == []  # the first waits for its retry, in hand
    s.put_back(messages[0])
    assert s.pick() == messages
    for m in messages:  # oldest first works too
        s.put_back(m)
    assert s.pick() == messages
    s.destroy()


def test_put_back_and_then_another():
    s = Scheduler()
    p = s.add_partition()
    first = s.add(p, 1)
    assert s.pick() == [first]
    s.put_back(first)
    second = s.add(p, 1)
    assert s.pick(1) == [first]
    s.put_back(first)
    third = s.add(p, 1)
    assert s.pick() == [first, second, third]
    s.destroy()


def test_one_that_is_to_be_alone():
    """It keeps its place in its order and by age, but shares its chunk with no other."""
    s = Scheduler()
    p = s.add_partition()
    a, b1, b2, b3, d = s.add(p, 1), s.add(p, 2), s.add(p, 2), s.add(p, 2), s.add(p, None)
    assert s.pick() == [a, b1, b2, b3, d]
    b2.item.alone = True
    for m in (d, b3, b2, b1, a):
        s.put_back(m)
    assert s.pick() == [a, b1, d]  # b2 and b3 wait for b1
    assert s.pick() == []
    s.finish(b1)
    assert s.pick() == [b2]
    assert s.pick() == []
    s.finish(b2)
    assert s.pick() == [b3]
    for m in (a, b3, d):
        s.finish(m)
    free = s.add(p, None)
    free.item.alone = True
    later = s.add(p, None)
    assert s.pick() == [free]
    assert s.pick() == [later]
    s.destroy()


def test_free_messages_block_nobody():
    s = Scheduler()
    p = s.add_partition()
    a, b, d = s.add(p, None), s.add(p, 0), s.add(p, None)
    assert s.pick(1) == [a]
    assert s.pick(1) == [b]
    assert s.pick(1) == [d]
    s.put_back(d)
    s.put_back(a)
    later = s.add(p, None)
    assert s.pick() == [a, d, later]  # by age
    s.destroy()


def test_a_released_key_takes_its_place_by_age():
    """Neither behind all that came later, nor before what came earlier."""
    s = Scheduler()
    p = s.add_partition()
    busy1 = s.add(p, 9)
    first = s.add(p, 1)
    busy2 = s.add(p, 9)
    second = s.add(p, 2)
    assert s.pick(1) == [busy1]
    s.finish(busy1)
    assert [s.pick(1) for _ in range(3)] == [[first], [busy2], [second]]
    s.destroy()


def test_byte_limit():
    s = Scheduler()
    p = s.add_partition()
    big, small, a, b = s.add(p, None, 1000), s.add(p, None, 10), s.add(p, 5, 20), s.add(p, 5, 30)
    assert s.pick(100, 100) == [big]  # one is always allowed
    assert s.pick(100, 59) == [small, a]
    assert s.pick(100, 0) == []  # b's key is held
    s.finish(a)
    assert s.pick(0, 0) == [b]
    s.destroy()


def test_partitions_take_turns():
    s = Scheduler()
    partitions = [s.add_partition() for _ in range(3)]
    for p, n in zip(partitions, (6, 3, 9)):
        for _ in range(n):
            s.add(p, None)
    turns = [partitions.index(s.pick(1)[0].partition) for _ in range(18)]
    assert turns[:9] == [0, 1, 2] * 3
    assert turns[9:15] == [0, 2] * 3
    assert turns[15:] == [2] * 3
    s.destroy()


def test_one_that_comes_first():
    s = Scheduler()
    p = s.add_partition()
    other, held, waiting, free = s.add(p, 2), s.add(p, 1), s.add(p, 1), s.add(p, None)
    assert s.pick(1) == [other]
    assert s.pick(1) == [held]
    third = s.add_first(p, 1)
    second = s.add_first(p, 1)
    first = s.add_first(p, 3)  # nothing to come before
    assert s.pick() == [free, first]
    s.finish(held)
    assert s.pick(2) == [second, third]
    s.put_back(third)
    s.put_back(second)
    s.check()
    assert s.pick() == [second, third, waiting]
    s.destroy()


def test_a_chunk_is_of_one_kind():
    s = Scheduler()
    p = s.add_partition()
    a, b = s.add(p, 1), s.add(p, 2)
    letter = s.add_first(p, 2, kind=1)
    free = s.add(p, None)
    assert s.pick() == [a]
    assert s.pick() == [letter]
    assert s.pick() == [free]
    assert s.pick() == []
    s.finish(letter)
    assert s.pick() == [b]
    s.destroy()


def test_one_that_comes_before_what_came_back():
    s = Scheduler()
    p = s.add_partition()
    held = s.add(p, 1)
    assert s.pick() == [held]
    free, last = s.add(p, None, kind=1), s.add(p, 1, kind=1)
    s.finish(held)
    first = s.add_first(p, 1, kind=0)
    assert s.pick() == [free]
    assert s.pick() == [first]
    s.finish(first)
    assert s.pick() == [last]
    s.destroy()


def test_two_that_came_first_and_one_comes_back():
    """The one that was picked is before the one that came meanwhile, though both came before the same."""
    s = Scheduler()
    p = s.add_partition()
    a, b = s.add(p, 1), s.add(p, 1)
    first = s.add_first(p, 1)
    assert s.pick(2) == [first, a]
    s.put_back(a)
    second = s.add_first(p, 1)
    s.put_back(first)
    assert s.pick() == [first, second, a, b]
    s.destroy()


def test_same_order_in_two_partitions():
    s = Scheduler()
    a = s.add(s.add_partition(), 7)
    b = s.add(s.add_partition(), 7)
    assert s.pick() == [a]
    assert s.pick() == [b]
    s.destroy()


def test_remove_partition_with_work_in_hand():
    s = Scheduler()
    p, other = s.add_partition(), s.add_partition()
    for order in (1, 1, 2, None, None, 3):
        s.add(p, order)
    kept = s.add(other, 1)
    chunk = s.pick(3)
    returned = s.add(p, 2)
    s.put_back(chunk[2])
    assert returned in p.waiting
    s.remove(p)
    s.check()
    assert s.pick() == [kept]
    for m in chunk[:2]:
        s.finish(m)
    s.check()
    s.destroy()


def test_a_removed_partition_is_freed_with_its_last_message():
    s = Scheduler()
    pieces = core.outstanding()
    p = s.add_partition()
    s.remove(p)
    assert core.outstanding() == pieces
    p = s.add_partition()
    chunk = [s.add(p, None), s.add(p, None)]
    assert s.pick() == chunk
    s.remove(p)
    s.finish(chunk[0])
    assert core.outstanding() > pieces
    s.finish(chunk[1])
    assert core.outstanding() == pieces
    s.destroy()


def test_nothing_is_allocated_in_the_steady_state():
    s = Scheduler()
    p = s.add_partition()
    for i in range(300):
        s.add(p, i)
    for _ in range(4):
        before = core.allocations()
        for i in range(3000):
            for m in s.pick(3):
                s.finish(m)
                s.add(p, m.arrival + 1000 if i % 2 else i % 7)
    assert core.allocations() == before
    s.destroy()


def test_many_keys_come_and_go():
    """The table and the heap grow, and shrink, and are given back."""
    s = core.sched_new()
    pieces = core.outstanding()
    p = core.sched_add_partition(s)
    items = [core.Item(i * 2**32, True, False, 0, 1) for i in range(20_000)]
    again = [core.Item(i * 2**32, True, False, 0, 1) for i in range(20_000)]
    n = c.c_uint32()
    for _ in range(2):
        for item in items:
            core.sched_add(s, p, c.byref(item))
        core.sched_pick(s, MANY, c.byref(n))
        assert n.value == len(items)
        for item in again:
            core.sched_add(s, p, c.byref(item))
        assert core.sched_blocked(s) == len(again)
        for item in items[:3000]:  # returns to a held table
            core.sched_put_back(s, c.byref(item))
        for item in items[3000:]:
            core.sched_finish(s, c.byref(item))
        assert core.sched_ready(s) == len(again) + 3000
        while core.sched_ready(s):
            address = core.sched_pick(s, core.Limits(700, 2**40), c.byref(n))
            while address:
                item = core.Item.from_address(address)
                address = item.next
                core.sched_finish(s, c.byref(item))
        assert core.sched_in_hand(s) == 0
    assert core.outstanding() - pieces < 5000
    for _ in range(20):  # the table shrinks while few keys pass
        core.sched_add(s, p, c.byref(items[0]))
        core.sched_pick(s, MANY, c.byref(n))
        core.sched_finish(s, c.byref(items[0]))
    core.sched_destroy(s)


# ---- anything goes


class SchedulerMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.s = Scheduler()
        self.s.add_partition()
        self.chunks = []

    def live(self):
        return [p for p in self.s.partitions if not p.removed]

    @rule(
        which=st.integers(0, 3),
        sizes=st.lists(st.integers(0, 50), min_size=1, max_size=6),
        order=st.one_of(st.none(), st.integers(0, 4), st.just(2**64 - 1)),
    )
    def add(self, which, sizes, order):
        live = self.live()
        if live:
            for size in sizes:
                self.s.add(live[which % len(live)], order, size)

    @rule(which=st.integers(0, 3), orders=st.lists(st.one_of(st.none(), st.integers(0, 30)), min_size=1, max_size=12))
    def add_mixed(self, which, orders):
        live = self.live()
        if live:
            for order in orders:
                self.s.add(live[which % len(live)], order)

    @rule(
        which=st.integers(0, 3),
        kind=st.integers(0, 1),
        orders=st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=4),
    )
    def add_first(self, which, kind, orders):
        live = self.live()
        if live:
            for order in orders:
                self.s.add_first(live[which % len(live)], order, kind)

    @rule(messages=st.one_of(st.integers(1, 4), st.just(100)), size=st.sampled_from([0, 10, 60, 2**64 - 1]))
    def pick(self, messages, size):
        chunk = self.s.pick(messages, size)
        if chunk:
            self.chunks.append(chunk)
        self.s.check()

    @precondition(lambda self: self.chunks)
    @rule(which=st.integers(0, 50))
    def finish_chunk(self, which):
        for m in self.chunks.pop(which % len(self.chunks)):
            self.s.finish(m)
        self.s.check()

    @precondition(lambda self: self.chunks)
    @rule(
        which=st.integers(0, 50),
        ok=st.integers(0, 12),
        retry=st.booleans(),
        newest_first=st.booleans(),
        alone=st.sets(st.integers(0, 5)),
    )
    def chunk_fails(self, which, ok, retry, newest_first, alone):
        """Some were done; the failed one waits for its retry in hand, or comes back with
        the others; some are to be alone next."""
        chunk = self.chunks.pop(which % len(self.chunks))
        if chunk[0].partition.removed:
            ok = len(chunk)
        for m in chunk[:ok]:
            self.s.finish(m)
        rest = chunk[ok:]
        # those of one age have no other order than that in which they come back
        newest_first = newest_first or len({m.rank[0] for m in rest}) < len(rest) or any(m.rank[1] < 0 for m in rest)
        if retry and rest:
            self.chunks.append(rest[:1])
            rest = rest[1:]
        for i, m in enumerate(rest):
            m.item.alone |= i in alone
        for m in reversed(rest) if newest_first else rest:
            self.s.put_back(m)
        self.s.check()

    @precondition(lambda self: len(self.s.partitions) < 5)
    @rule()
    def add_partition(self):
        self.s.add_partition()

    @rule(which=st.integers(0, 3))
    def remove_partition(self, which):
        live = self.live()
        if len(live) > 1:
            self.s.remove(live[which % len(live)])
        self.s.check()

    @rule()
    def run_dry(self):
        """Everything that is ready is picked, and everything in hand finished."""
        while self.chunks or self.s.ring:
            chunk = self.s.pick(3)
            if chunk:
                self.chunks.append(chunk)
            if len(self.chunks) > 2 or not chunk:
                for m in self.chunks.pop(0):
                    self.s.finish(m)
        self.s.check()
        assert core.sched_ready(self.s.s) == core.sched_blocked(self.s.s) == 0

    def teardown(self):
        self.s.check()
        self.s.destroy()


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)


@given(st.integers(0, 2**32), st.sampled_from([1, 2, 5, 60]), st.sampled_from([1, 2, 5]))
@settings(max_examples=25)
def test_long_run(seed, keys, chunk):
    """A few keys for long, where the rules above rather try many short stories."""
    dice = random.Random(seed)
    s = Scheduler()
    partitions = [s.add_partition() for _ in range(3)]
    chunks = []
    for _ in range(600):
        for _ in range(dice.randrange(4)):
            if s.added - s.gone < 60:
                key = dice.randrange(keys) if dice.random() < 0.8 else None
                s.add(dice.choice(partitions), key, dice.randrange(5))
        if dice.random() < 0.6 and (picked := s.pick(chunk, dice.choice([3, 2**40]))):
            chunks.append(picked)
        if chunks and dice.random() < 0.6:
            done = chunks.pop(dice.randrange(len(chunks)))
            cut = dice.randrange(len(done) + 1)
            for m in done[:cut]:
                s.finish(m)
            rest = done[cut:]
            if rest and dice.random() < 0.3:
                chunks.append([rest.pop(0)])  # waits for its retry
            for m in sorted(rest, key=lambda m: dice.choice([m.arrival, -m.arrival])):
                s.put_back(m)
        s.check()
    s.destroy()


@given(st.lists(st.integers(1, 20), min_size=2, max_size=6), st.integers(1, 5))
def test_no_partition_is_passed_over(loads, messages):
    """Between two turns of one partition, every other one with work has exactly one."""
    s = Scheduler()
    partitions = [s.add_partition() for _ in loads]
    for p, n in zip(partitions, loads):
        for _ in range(n):
            s.add(p, None)
    turns = []
    while chunk := s.pick(messages):
        turns.append((chunk[0].partition, {p for p in partitions if p.waiting}))
    for i, (p, _) in enumerate(turns):
        between = []
        for q, _ in turns[i + 1 :]:
            if q is p:
                break
            between.append(q)
        else:
            continue
        assert len(between) == len(set(between))
        assert set(between) >= turns[i][1] - {p}
    s.destroy()
