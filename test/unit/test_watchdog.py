"""The watchdog: what it says of a partition whose messages come, or do not, against what is true of it."""

import ctypes as c

from hypothesis import given, strategies as st

import core
from core import WATCH_ASK, WATCH_BEHIND, WATCH_STALLED, WATCH_WELL

AFTER = 60
LOOK = 10


class Partition:
    def __init__(self):
        self.watch = core.Watch()
        self.now, self.position, self.end, self.asked_at, self.kept_back = 1000, 0, 0, 0, False

    def look(self, seconds=LOOK, answers=True):
        """Time passes; a question is answered at once."""
        self.now += seconds
        look = core.WatchLook(self.now, AFTER, self.kept_back, self.position, self.told(), self.asked_at)
        said = core.watchdog_look(c.byref(self.watch), c.byref(look))
        if said == WATCH_ASK and answers:
            self.asked_at, self.known = self.now, self.end
        return said

    def told(self):
        return getattr(self, "known", -1)

    def looks(self, n, **options):
        return [self.look(**options) for _ in range(n)]


def test_an_end_that_was_reached_costs_a_question_now_and_then():
    assert Partition().looks(13) == [WATCH_WELL] * 3 + ([WATCH_ASK] + [WATCH_WELL] * 2) * 3 + [WATCH_ASK]


def test_one_that_does_not_come():
    p = Partition()
    p.look()
    p.end = 5
    said = p.looks(20)
    assert said == [WATCH_WELL] * 2 + [WATCH_ASK] + [WATCH_BEHIND] * 5 + [WATCH_STALLED] * 12
    p.position = 5
    assert p.look() == WATCH_WELL


def test_what_comes_slowly_comes():
    p = Partition()
    p.end = 1000
    for p.position in range(100):
        assert p.look() == WATCH_WELL


def test_somebody_is_to_blame():
    p = Partition()
    p.end = 5
    while p.look() != WATCH_STALLED:
        pass
    p.kept_back = True
    assert p.looks(20) == [WATCH_WELL] * 20
    p.kept_back = False
    assert WATCH_STALLED not in p.looks(8)


def test_without_an_answer_nothing_is_said():
    p = Partition()
    p.end = 5
    assert set(p.looks(50, answers=False)) == {WATCH_WELL, WATCH_ASK}


def test_an_end_that_goes_back():
    p = Partition()
    p.end = 5
    while p.look() != WATCH_BEHIND:
        pass
    p.asked_at, p.known = p.now + 1, 0
    assert p.look() == WATCH_WELL


steps = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 2), st.integers(0, 2), st.booleans(), st.booleans()), max_size=60
)


@given(steps)
def test_never_without_reason(steps):
    """Stalled is said only where for the whole time something was there, nothing came, and nobody kept it back;
    and then, if the questions are answered, after the half of that time more at the latest."""
    p = Partition()
    hindered = p.now  # the last moment when it could not stall
    answered = True
    for seconds, produced, taken, p.kept_back, answers in steps:
        p.end += produced
        behind = p.position < p.end
        p.position = min(p.position + taken, p.end)
        said = p.look(seconds, answers)
        answered = answered and answers
        if taken and behind or p.position == p.end or p.kept_back:
            hindered = p.now
        if said == WATCH_STALLED:
            assert p.now - hindered >= AFTER
        if answered and p.now - hindered >= 2 * AFTER + 80:
            assert said == WATCH_STALLED
