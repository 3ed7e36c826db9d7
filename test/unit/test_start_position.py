"""Where a partition starts: each row of the table."""

import base64
import ctypes as c

import pytest
from hypothesis import given, settings, strategies as st

import core
from core import (
    AT_BEGINNING,
    AT_DATABASE,
    AT_KAFKA,
    AT_LARGER,
    AT_LEAST_ONCE,
    BY_OPTION,
    COMMIT_NONE,
    COMMIT_OTHER,
    COMMIT_OWN_ALO,
    COMMIT_OWN_EO,
    COMMIT_UNTAGGED,
    EXACTLY_ONCE,
    HALT,
)

both = pytest.mark.parametrize("delivery", [AT_LEAST_ONCE, EXACTLY_ONCE])


def decide(commit, row, delivery=EXACTLY_ONCE, others=False):
    """commit: (class, offset); row: its low or None."""
    start = core.start_decide(
        c.byref(core.StartInput(commit[0], commit[1], row is not None, row or 0, delivery, others))
    )
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


@given(
    st.sampled_from([COMMIT_NONE, COMMIT_UNTAGGED, COMMIT_OWN_ALO, COMMIT_OWN_EO, COMMIT_OTHER]),
    st.integers(0, 2**63 - 1),
    st.one_of(st.none(), st.integers(0, 2**63 - 1)),
    st.sampled_from([AT_LEAST_ONCE, EXACTLY_ONCE]),
    st.booleans(),
)
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


# ---- from the broker's bytes to what is skipped

OWN, OTHER = b"0b5e9c1a-7f2d-4e3b-9a68-1c2d3e4f5a6b", b"0b5e9c1a-7f2d-4e3b-9a68-1c2d3e4f5a6c"
INT64_MAX = 2**63 - 1


def number(n):
    """LEB128, as the runs are coded."""
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def text(mode, uuid, numbers):
    runs = b"".join(number(n) for n in numbers)
    return b"burrow/1 " + mode + b" " + uuid + (b" " + base64.b64encode(runs) if runs else b"")


def claims(metadata, committed):
    out = core.OffsetSet()
    core.metadata_decode(metadata, len(metadata), committed, c.byref(core.Metadata()), out.p)
    return out.runs()


def find(metadata, committed, low, end, row=None, row_done=(), delivery=EXACTLY_ONCE, ask=True, untagged_is_own=False):
    """As the consumer does: without the log's bounds first, and again with them if they count."""
    start = core.StartInput(0, committed, row is not None, row or 0, delivery, False, untagged_is_own)
    done, skip = core.OffsetSet(row_done), core.OffsetSet()
    arguments = (c.byref(start), OWN, metadata, 0 if metadata is None else len(metadata), done.p)
    found = core.start_find(*arguments, None, skip.p)
    if found.needs_bounds:
        assert skip.runs() == [] and found.start == -1
        assert found.decided.kafka_runs and claims(metadata, committed)
        if ask:
            found = core.start_find(*arguments, c.byref(core.LogBounds(low, end)), skip.p)
            assert not found.needs_bounds
    return found, skip.runs()


def minus(runs, others):
    """What of runs is in none of the others."""
    for first, last in others:
        runs = [
            piece for a, b in runs for piece in ((a, min(b, first - 1)), (max(a, last + 1), b)) if piece[0] <= piece[1]
        ]
    return runs


def test_claims_beyond_the_end():
    everything = text(b"alo", OTHER, [0, INT64_MAX - 10])
    assert claims(everything, 10) == [(10, INT64_MAX)]
    found, skip = find(everything, 10, 0, 20)
    assert (found.commit, found.start, found.refused, skip) == (COMMIT_OTHER, 10, 1, [])
    # one true, one that ends with the log, one that goes beyond, one that lies beyond
    found, skip = find(text(b"eo", OTHER, [1, 1, 0, 7, 0, 0, 4, 4]), 8, 0, 23)
    assert claims(text(b"eo", OTHER, [1, 1, 0, 7, 0, 0, 4, 4]), 8) == [(9, 10), (12, 19), (21, 21), (27, 31)]
    assert (found.start, found.refused, skip) == (8, 1, [(9, 10), (12, 19), (21, 21)])
    found, skip = find(text(b"eo", OTHER, [1, 1, 0, 7, 0, 0, 4, 4]), 8, 0, 21)
    assert (found.start, found.refused, skip) == (8, 2, [(9, 10), (12, 19)])


def test_claims_below_the_start_hide_no_gap():
    found, skip = find(text(b"alo", OWN, [0, 94]), 5, 100, 200)
    assert (found.start, found.refused, skip) == (5, 1, [])
    found, skip = find(text(b"alo", OWN, [0, 99]), 5, 100, 200)
    assert (found.start, found.refused, skip) == (5, 1, [(100, 104)])
    # nor where our own rows know of what comes first
    found, skip = find(text(b"alo", OTHER, [2, 99]), 5, 100, 200, row=3, row_done=[(5, 6)])
    assert (found.start, found.refused, skip) == (7, 1, [(100, 106)])
    # what was done beyond the gap is not given up with it
    found, skip = find(text(b"alo", OWN, [1, 99]), 5, 100, 200)
    assert (found.start, found.refused, skip) == (5, 0, [(6, 105)])


def test_an_honest_commit():
    found, skip = find(text(b"alo", OTHER, [1, 0, 1, 2]), 5, 0, 20)
    assert (found.start, found.refused, skip) == (5, 0, [(6, 6), (9, 11)])


def test_own_runs_do_not_count_exactly_once():
    found, skip = find(text(b"eo", OWN, [1, INT64_MAX - 100]), 5, 0, 20, row=4, row_done=[(6, 7)])
    assert (found.start, found.refused, skip) == (4, 0, [(6, 7)])


@both
def test_a_broker_that_takes_no_metadata(delivery):
    """An untagged commit is ours: behind the row it is no reset, and beyond it the database was restored."""
    for committed in (5, 20, 50):
        found, skip = find(
            None, committed, 0, 100, row=20, row_done=[(20, 21), (30, 30)], delivery=delivery, untagged_is_own=True
        )
        assert (found.decided.decision, found.start, skip) == (AT_DATABASE, 22, [(30, 30)])
    # tagged ones are what they are
    found, _ = find(text(b"eo", OTHER, []), 50, 0, 100, row=20, delivery=delivery, untagged_is_own=True)
    assert found.commit == COMMIT_OTHER
    assert find(b"", 5, 0, 100, row=20, delivery=delivery)[0].decided.decision == HALT


numbers = st.lists(
    st.one_of(st.integers(0, 30), st.integers(0, 2**64 - 1), st.integers(INT64_MAX - 200, INT64_MAX)), max_size=12
)
written = st.builds(text, st.sampled_from([b"alo", b"eo"]), st.sampled_from([OWN, OTHER]), numbers)


@st.composite
def damaged(draw):
    out = bytearray(draw(written))
    for _ in range(draw(st.integers(1, 3))):
        out[draw(st.integers(0, len(out) - 1))] = draw(st.integers(0, 255))
    return bytes(out)


small_runs = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 9)).map(lambda r: (r[0], r[0] + r[1])), max_size=4)


@given(
    st.one_of(written, damaged(), st.binary(max_size=120)),
    st.one_of(st.integers(0, 100), st.integers(0, INT64_MAX), st.just(-1001)),
    st.integers(0, 100),
    st.integers(0, 60),
    st.one_of(st.none(), st.integers(0, 100)),
    small_runs,
    st.sampled_from([AT_LEAST_ONCE, EXACTLY_ONCE]),
)
@settings(max_examples=3000)
def test_no_bytes_skip_what_the_log_does_not_hold(metadata, committed, low, length, row, row_done, delivery):
    end = low + length
    if row is None:
        row_done = []
    found, skip = find(metadata, committed, low, end, row, row_done, delivery)
    passed = [(found.decided.offset, found.start - 1)] if found.start > found.decided.offset >= 0 else []
    claimed = claims(metadata, committed) if committed >= 0 else []
    # whatever is passed or skipped and is not in our own rows ...
    strange = minus(passed + skip, row_done)
    # ... was claimed, and is nothing that is still to come
    assert minus(strange, claimed) == []
    assert all(last < end for first, last in strange)
    # and no gap is hidden
    assert all(first >= low for first, _ in minus(passed, row_done))
    if found.decided.offset < 0:
        assert found.start == -1
    if not found.decided.kafka_runs:
        assert strange == [] and found.refused == 0
    # an honest claim counts
    elif all(low <= first and last < end for first, last in claimed):
        assert found.refused == 0
        assert minus(claimed, [(-1, found.start - 1)] + skip) == []
    elif any(last >= end for _, last in claimed):
        assert found.refused > 0
