"""Where a partition starts: each row of the table."""

import ctypes as c

import pytest
from hypothesis import given, strategies as st

import core
from core import (AT_BEGINNING, AT_DATABASE, AT_KAFKA, AT_LARGER, AT_LEAST_ONCE, BY_OPTION,
                  COMMIT_NONE, COMMIT_OTHER, COMMIT_OWN_ALO, COMMIT_OWN_EO, COMMIT_UNTAGGED,
                  EXACTLY_ONCE, HALT)

both = pytest.mark.parametrize("delivery", [AT_LEAST_ONCE, EXACTLY_ONCE])


def decide(commit, row, delivery=EXACTLY_ONCE, others=False):
    """commit: (class, offset); row: its low or None."""
    start = core.start_decide(c.byref(core.StartInput(
        commit[0], commit[1], row is not None, row or 0, delivery, others)))
    return start.decision, start.offset, start.kafka_runs, start.log


NONE = (COMMIT_NONE, -1001)


@both
def test_1_nothing_known(delivery):
    assert decide(NONE, None, delivery) == (BY_OPTION, -1, False, False)


@both
def test_1_a_new_partition_of_a_known_topic(delivery):
    assert decide(NONE, None, delivery, others=True) == (AT_BEGINNING, -1, False, False)


@both
@pytest.mark.parametrize("others", [False, True])
def test_2_kafka_forgot(delivery, others):
    assert decide(NONE, 42, delivery, others) == (AT_DATABASE, 42, False, False)
    assert decide(NONE, 0, delivery, others) == (AT_DATABASE, 0, False, False)


@both
@pytest.mark.parametrize("others", [False, True])
def test_3_no_row(delivery, others):
    assert decide((COMMIT_UNTAGGED, 7), None, delivery, others) == (AT_KAFKA, 7, False, False)
    assert decide((COMMIT_OTHER, 7), None, delivery, others) == (AT_KAFKA, 7, True, False)


@both
def test_3_the_database_lost_its_row(delivery):
    assert decide((COMMIT_OWN_EO, 7), None, delivery) == (AT_KAFKA, 7, False, True)
    assert decide((COMMIT_OWN_ALO, 7), None, delivery) == (AT_KAFKA, 7, True, True)


@both
def test_4_own_exactly_once(delivery):
    for low in (5, 7, 9):
        assert decide((COMMIT_OWN_EO, 7), low, delivery) == (AT_DATABASE, low, False, False)


def test_5_own_at_least_once():
    for low in (5, 7, 9):
        assert decide((COMMIT_OWN_ALO, 7), low, AT_LEAST_ONCE) == (AT_KAFKA, 7, True, False)


def test_5_before_the_first_exactly_once_commit():
    assert decide((COMMIT_OWN_ALO, 7), 5, EXACTLY_ONCE) == (AT_DATABASE, 5, False, False)
    assert decide((COMMIT_OWN_ALO, 7), 7, EXACTLY_ONCE) == (AT_DATABASE, 7, True, False)
    assert decide((COMMIT_OWN_ALO, 7), 9, EXACTLY_ONCE) == (AT_DATABASE, 9, True, False)


@both
def test_6_another_burrow(delivery):
    assert decide((COMMIT_OTHER, 7), 5, delivery) == (AT_LARGER, 7, True, False)
    assert decide((COMMIT_OTHER, 7), 9, delivery) == (AT_LARGER, 9, True, False)


@both
def test_7_untagged_ahead(delivery):
    assert decide((COMMIT_UNTAGGED, 7), 5, delivery) == (AT_KAFKA, 7, False, True)
    assert decide((COMMIT_UNTAGGED, 7), 7, delivery) == (AT_KAFKA, 7, False, True)


@both
def test_8_untagged_behind(delivery):
    assert decide((COMMIT_UNTAGGED, 7), 8, delivery) == (HALT, -1, False, False)
    assert decide((COMMIT_UNTAGGED, 0), 8, delivery) == (HALT, -1, False, False)


@given(st.sampled_from([COMMIT_NONE, COMMIT_UNTAGGED, COMMIT_OWN_ALO, COMMIT_OWN_EO, COMMIT_OTHER]),
       st.integers(0, 2 ** 63 - 1), st.one_of(st.none(), st.integers(0, 2 ** 63 - 1)),
       st.sampled_from([AT_LEAST_ONCE, EXACTLY_ONCE]), st.booleans())
def test_never_forward_past_what_somebody_did(commit, committed, row, delivery, others):
    decision, offset, runs, _ = decide((commit, committed), row, delivery, others)
    known = ([committed] if commit != COMMIT_NONE else []) + ([row] if row is not None else [])
    if decision in (AT_DATABASE, AT_KAFKA, AT_LARGER):
        assert offset in known
    else:
        assert offset == -1 and not runs
    if decision in (BY_OPTION, AT_BEGINNING):
        assert not known
    if commit in (COMMIT_NONE, COMMIT_UNTAGGED, COMMIT_OWN_EO):
        assert not runs
    # exactly once within this database: never in front of its own progress, but where
    # somebody else moved the group on
    if delivery == EXACTLY_ONCE and row is not None and offset > row:
        assert commit in (COMMIT_UNTAGGED, COMMIT_OTHER)


def test_classify():
    own, other = b"0b5e9c1a-7f2d-4e3b-9a68-1c2d3e4f5a6b", b"0b5e9c1a-7f2d-4e3b-9a68-1c2d3e4f5a6c"

    def classify(has_commit, metadata):
        return core.start_classify(has_commit, c.byref(metadata) if metadata else None, own)

    assert classify(False, None) == COMMIT_NONE
    assert classify(False, core.Metadata(EXACTLY_ONCE, own)) == COMMIT_NONE
    assert classify(True, None) == COMMIT_UNTAGGED
    assert classify(True, core.Metadata(EXACTLY_ONCE, own)) == COMMIT_OWN_EO
    assert classify(True, core.Metadata(AT_LEAST_ONCE, own)) == COMMIT_OWN_ALO
    assert classify(True, core.Metadata(AT_LEAST_ONCE, other)) == COMMIT_OTHER
