"""Parked keys: the table against a dict, and what is promised by means of it."""

import ctypes as c

from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

import core

NONE, PARKED, CATCHING_UP, RELEASING = range(4)
HANDLE, WRITE, LEAVE = range(3)

# some that share their low bits, some that share their high bits
keys = st.one_of(st.integers(0, 40), st.integers(0, 40).map(lambda i: i << 40), st.integers(0, 2**64 - 1))


@given(st.lists(st.one_of(st.tuples(keys, st.integers(0, 3)), st.sampled_from("rdg")), max_size=300))
@settings(deadline=None)
def test_like_a_dict(steps):
    pieces = core.outstanding()
    p = core.parking_new()
    model = {}
    for step in steps:
        if step == "r":
            core.parking_all_read(p)
            model = {k: RELEASING if s == CATCHING_UP else s for k, s in model.items()}
        elif step == "g":
            core.parking_given_up(p)
            model = {k: CATCHING_UP if s == RELEASING else s for k, s in model.items()}
        elif step == "d":
            core.parking_all_done(p)
            model = {k: s for k, s in model.items() if s != RELEASING}
        else:
            core.parking_set(p, *step)
            model[step[0]] = step[1]
            model = {k: s for k, s in model.items() if s != NONE}
        assert core.parking_count(p) == len(model)
        assert all(core.parking_find(p, k) == s for k, s in model.items())
        assert core.parking_find(p, 12345) == model.get(12345, NONE)
    core.parking_free(p)
    assert core.outstanding() == pieces


def test_memory_goes_with_the_keys():
    p = core.parking_new()
    pieces = core.outstanding()
    for key in range(10_000):
        core.parking_set(p, key * 2**32, PARKED)
    assert core.outstanding() == pieces + 1
    for key in range(10_000):
        core.parking_set(p, key * 2**32, NONE)
    assert core.outstanding() == pieces
    core.parking_free(p)


# ---- the whole story


class Subscription(RuleBasedStateMachine):
    """One partition, as the consumer has it: a log, the scheduler, the table of dead letters,
    and this module between them.  Whatever happens, the messages of a key take effect in
    their order, each once, and when nothing fails any more all of them do."""

    def __init__(self):
        super().__init__()
        self.keys = []  # of the log, by offset
        self.handled = []  # offsets, in the order of their effect
        self.discarded = set()
        self.letters = {}  # offset -> asked
        self.start()

    # the consumer starts, and dies

    def start(self):
        self.s = core.sched_new()
        self.p = core.sched_add_partition(self.s)
        self.parking = core.parking_new()
        self.items = {}  # address -> (offset, is a letter, item)
        self.chunks = []
        self.next = 0
        self.known = False
        self.stale = self.redeliver = True

    def stop(self):
        core.sched_destroy(self.s)
        core.parking_free(self.parking)

    teardown = stop

    def is_done(self, offset):
        return offset in self.handled or offset in self.letters or offset in self.discarded

    def add(self, offset, letter):
        item = core.Item(self.keys[offset], True, False, int(letter), 1)
        address = c.addressof(item)
        self.items[address] = (offset, letter, item)
        (core.sched_add_first if letter else core.sched_add)(self.s, self.p, c.byref(item))

    def finish(self, address):
        core.sched_finish(self.s, c.byref(self.items[address][2]))
        del self.items[address]

    # messages come

    @rule(keys=st.lists(st.integers(0, 2), min_size=1, max_size=6))
    def produce(self, keys):
        self.keys += keys

    @rule(n=st.integers(1, 5))
    def take(self, n):
        while self.known and n > 0 and self.next < len(self.keys):
            if not self.is_done(self.next):
                self.add(self.next, False)
            self.next += 1
            n -= 1

    # and are given out

    @rule(limit=st.integers(1, 6))
    def dispatch(self, limit):
        n = c.c_uint32()
        address = core.sched_pick(self.s, core.Limits(limit, 2**40), c.byref(n))
        chunk, parked = [], []
        while address:
            offset, letter, item = self.items[address]
            following = item.next
            verdict = core.parking_verdict(self.parking, self.keys[offset], letter)
            if verdict == HANDLE:
                chunk.append(address)
            elif verdict == WRITE:
                assert not letter
                parked.append(address)
            else:
                assert letter
                self.finish(address)
            address = following
        if chunk:
            self.chunks.append(chunk)
        for address in parked:
            offset = self.items[address][0]
            self.letters[offset] = self.state(offset) == CATCHING_UP
            self.finish(address)

    def state(self, offset):
        return core.parking_find(self.parking, self.keys[offset])

    @precondition(lambda self: self.chunks)
    @rule(which=st.integers(0, 9), failing=st.sets(st.integers(0, 5), max_size=3))
    def end_chunk(self, which, failing):
        chunk = self.chunks.pop(which % len(self.chunks))
        outcomes, failed = [], set()
        for i, address in enumerate(chunk):
            offset, letter, _ = self.items[address]
            key = self.keys[offset]
            if key in failed:
                outcomes.append("returned")
            elif i in failing:
                failed.add(key)
                outcomes.append("failed")
            else:
                outcomes.append("done")
                if not letter or self.letters.pop(offset, None) is not None:
                    self.handled.append(offset)
        for address, outcome in reversed(list(zip(chunk, outcomes))):
            offset, letter, _ = self.items[address]
            if outcome == "returned":
                core.sched_put_back(self.s, c.byref(self.items[address][2]))
                continue
            if outcome == "failed":
                self.fail(offset, letter)
            self.finish(address)

    def fail(self, offset, letter):
        key = self.keys[offset]
        if not letter or offset in self.letters:
            self.letters[offset] = False
        if letter:
            for other in self.letters:
                if self.keys[other] == key:
                    self.letters[other] = False
        core.parking_set(self.parking, key, PARKED)

    # letters are asked for, and read

    @precondition(lambda self: self.letters)
    @rule(which=st.sets(st.integers(0, 20), min_size=1, max_size=3))
    def ask(self, which):
        rows = sorted(self.letters)
        for i in which:
            self.letters[rows[i % len(rows)]] = True
        self.stale = self.redeliver = True

    @precondition(lambda self: self.letters)
    @rule(which=st.integers(0, 20))
    def discard(self, which):
        offset = sorted(self.letters)[which % len(self.letters)]
        del self.letters[offset]
        self.discarded.add(offset)
        self.stale = self.redeliver = True

    @rule(limit=st.integers(1, 4))
    def read(self, limit):
        if not self.redeliver or any(letter for _, letter, _ in self.items.values()):
            return
        if self.stale:
            for key in range(3):
                rows = [o for o in self.letters if self.keys[o] == key]
                asked = any(self.letters[o] for o in rows)
                core.parking_set(self.parking, key, CATCHING_UP if asked else PARKED if rows else NONE)
                for o in rows:
                    self.letters[o] = asked
            self.stale, self.known = False, True
        else:
            core.parking_all_done(self.parking)
        asked = sorted(o for o, a in self.letters.items() if a)
        batch = asked[:limit]
        assert all(self.state(o) == CATCHING_UP for o in batch)
        if len(batch) == len(asked):
            core.parking_all_read(self.parking)
        if not asked:
            core.parking_all_done(self.parking)
        self.redeliver = bool(asked)
        for offset in reversed(batch):
            self.add(offset, True)

    # the partition goes and comes back; or all goes

    @rule()
    def rebalance(self):
        while self.chunks:
            self.end_chunk(0, set())
        dropped = core.DROP_CALLBACK(lambda arg, item: self.items.pop(item))
        core.sched_remove_partition(self.s, self.p, dropped, None)
        self.p = core.sched_add_partition(self.s)
        core.parking_given_up(self.parking)
        self.redeliver = True
        self.next = 0

    @rule()
    def crash(self):
        self.stop()
        self.start()

    @rule()
    def all_goes_well(self):
        if self.letters:
            self.ask(set(range(len(self.letters))))
        for _ in range(4 * len(self.keys) + 20):
            self.read(3)
            self.take(2)
            self.dispatch(2)
            if self.chunks:
                self.end_chunk(0, set())
        assert set(self.handled) | self.discarded == set(range(len(self.keys)))
        assert core.parking_count(self.parking) == 0

    @rule()
    def check(self):
        assert len(self.handled) == len(set(self.handled))
        for key in range(3):
            mine = [o for o in self.handled if self.keys[o] == key]
            assert mine == sorted(mine)
            # a letter is passed by none of its key
            assert not mine or all(o > mine[-1] for o in self.letters if self.keys[o] == key)


TestSubscription = Subscription.TestCase
TestSubscription.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
