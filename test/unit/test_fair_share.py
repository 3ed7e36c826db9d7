"""Who may have how many workers, when there are fewer than all want."""

from collections import defaultdict

from hypothesis import given, strategies as st

import core
from core import Claim


def shares(claims, workers, most=-1):
    """claims: (role, wanted), or (role, wanted, held), or with when it was served last."""
    n = len(claims)
    array = (Claim * n)(*[Claim(0, *claim) for claim in claims])
    core.fair_share(array, n, (Claim * n)(), workers, most)
    return [claim.share for claim in array]


def test_enough_for_all():
    assert shares([(1, 4), (2, 10), (2, 0)], 14) == [4, 10, 0]
    assert shares([], 5) == []


def test_one_who_wants_much_leaves_the_others_what_they_want():
    assert shares([(1, 1000), (2, 2)], 8) == [6, 2]
    assert shares([(1, 1000), (2, 4)], 8) == [4, 4]
    assert shares([(1, 1000), (2, 1000), (3, 1)], 9) == [4, 4, 1]


def test_roles_share_first():
    # many subscriptions are no way to get more
    assert shares([(1, 10), (1, 10), (1, 10), (2, 10)], 12) == [2, 2, 2, 6]


def test_a_role_has_its_ceiling():
    assert shares([(1, 10), (1, 10), (2, 10)], 100, most=6) == [3, 3, 6]
    assert shares([(1, 10)], 100, most=0) == [0]


def test_who_has_the_rest_keeps_it():
    assert shares([(1, 9, 2), (2, 9, 3)], 5) == [2, 3]
    assert shares([(1, 9, 3), (2, 9, 2)], 5) == [3, 2]
    assert shares([(1, 9, 5), (2, 9, 0)], 5) == [3, 2]


def test_turns_where_there_is_not_one_for_each():
    held, served, had = [0, 0, 0], [0, 0, 0], []
    for turn in range(1, 10):
        share = shares([(role, 5, held[i], served[i]) for i, role in enumerate((1, 1, 2))], 1)
        assert sum(share) == 1
        who = share.index(1)
        # who has it gives it away, and the other gets it
        assert held[who] == 0
        held = [int(i == who) for i in range(3)]
        served[who] = turn
        had.append(who)
    assert set(had) == {0, 1, 2}


claims = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 12), st.integers(0, 12), st.integers(0, 9)), max_size=12
).map(lambda found: sorted(found, key=lambda claim: claim[0]))


def is_fair(wanted, share, workers):
    """Max-min: all is given out that is wanted, and nobody is more than one behind one who has more."""
    assert all(0 <= s <= w for s, w in zip(share, wanted))
    assert sum(share) == min(workers, sum(wanted))
    for s, w in zip(share, wanted):
        assert s == w or all(other <= s + 1 for other in share)


@given(claims, st.integers(0, 60), st.integers(-1, 15))
def test_fair(found, workers, most):
    share = shares(found, workers, most)
    wanted, got, inside = defaultdict(int), defaultdict(int), defaultdict(list)
    for claim, s in zip(found, share):
        wanted[claim[0]] += claim[1]
        got[claim[0]] += s
        inside[claim[0]].append((claim[1], s))
    roles = list(wanted)
    is_fair([wanted[r] if most < 0 else min(most, wanted[r]) for r in roles], [got[r] for r in roles], workers)
    for role in roles:
        is_fair([w for w, _ in inside[role]], [s for _, s in inside[role]], got[role])


@given(claims, st.integers(0, 60))
def test_stays(found, workers):
    """Who has what is his share is asked to give nothing away."""
    share = shares(found, workers)
    again = [(role, wanted, s, served) for (role, wanted, _, served), s in zip(found, share)]
    total = defaultdict(int)
    for claim in found:
        total[claim[0]] += claim[1]
    # without turns: there is one for each
    if all(s > 0 or claim[1] == 0 for s, claim in zip(share, found)):
        assert shares(again, workers) == share
