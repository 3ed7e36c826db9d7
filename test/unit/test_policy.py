"""What follows from a failed attempt: errors' kinds, verdicts, backoff."""

import ctypes as c

import pytest
from hypothesis import example, given, strategies as st

import core
from core import (
    ACTION_DEAD_LETTER,
    ACTION_HALT,
    ACTION_RETRY,
    ACTION_SKIP,
    CONFLICT,
    CONSTANT,
    CORRUPT,
    ENVIRONMENT,
    EXPONENTIAL,
    LINEAR,
    ON_DEAD_LETTER,
    ON_HALT,
    ON_SKIP,
    ORIGIN_HANDLER,
    ORIGIN_LOOKUP,
    ORIGIN_PROGRESS,
    ORIGIN_SESSION,
    ORIGIN_VALUE,
    ORIGINS,
    PERMANENT,
    RETRIABLE,
    SESSION,
    HANDLER_INVALID,
)

DAY = 86_400_000_000

alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
sqlstates = st.text(alphabet, min_size=5, max_size=5)
entries = st.lists(st.one_of(sqlstates, st.text(alphabet, min_size=2, max_size=2)), max_size=5)
numbers = st.integers(0, 2**64 - 1)
attempts = st.one_of(st.integers(1, 100), st.integers(1, 2**32 - 1))
times = st.one_of(st.integers(1000, 1_000_000), st.integers(1000, DAY))


def policy(retries=3, backoff=EXPONENTIAL, base=100_000, most=60_000_000, on_failure=ON_HALT, permanent="{22,23,42}"):
    return core.Policy(retries, backoff, base, most, on_failure, permanent.encode())


def classify(sqlstate, origin=ORIGIN_HANDLER, **options):
    return core.policy_classify(c.byref(policy(**options)), sqlstate.encode(), origin)


@pytest.mark.parametrize(
    "sqlstate, kind",
    [
        ("22P02", PERMANENT),
        ("22000", PERMANENT),
        ("23505", PERMANENT),
        ("23503", RETRIABLE),
        ("42883", PERMANENT),
        ("42P01", PERMANENT),
        ("BR001", PERMANENT),
        ("BR002", RETRIABLE),
        ("08001", ENVIRONMENT),
        ("08006", ENVIRONMENT),
        ("53100", ENVIRONMENT),
        ("53200", ENVIRONMENT),
        ("58030", ENVIRONMENT),
        ("57P01", ENVIRONMENT),
        ("57P02", ENVIRONMENT),
        ("57P03", ENVIRONMENT),
        ("57014", RETRIABLE),
        ("57P04", RETRIABLE),
        ("25006", ENVIRONMENT),
        ("25001", RETRIABLE),
        ("40001", CONFLICT),
        ("40P01", CONFLICT),
        ("55P03", CONFLICT),
        ("40002", RETRIABLE),
        ("XX001", CORRUPT),
        ("XX002", CORRUPT),
        ("XX000", RETRIABLE),
        ("P0001", RETRIABLE),
    ],
)
def test_kinds_by_default(sqlstate, kind):
    assert classify(sqlstate) == kind
    assert core.policy_is_conflict(sqlstate.encode()) == (kind == CONFLICT)


def test_texts_that_may_quote_a_value():
    for sqlstate in ("22P02", "23505", "42601", "54000", "0A000", "P0001", "BR001", "25006", "00000"):
        assert not core.policy_text_quotes_nothing(sqlstate.encode())
    for sqlstate in ("53100", "55P03", "57014", "58030", "XX001", "40P01", "08006"):
        assert core.policy_text_quotes_nothing(sqlstate.encode())


def test_the_option_has_the_last_word():
    assert classify("23503", permanent="{22,23503}") == PERMANENT
    assert classify("53200", permanent="{53200}") == PERMANENT
    assert classify("53100", permanent="{53200}") == ENVIRONMENT
    assert classify("40P01", permanent="{40}") == PERMANENT
    assert classify("22P02", permanent="{}") == RETRIABLE
    assert classify("BR001", permanent="{}") == PERMANENT
    assert classify("XX001", permanent="{XX}") == CORRUPT


def test_a_handler_that_is_missing_is_no_message_s_fault():
    for sqlstate in ("42883", "42P13", "42501", "42809"):
        assert classify(sqlstate, origin=ORIGIN_LOOKUP) == HANDLER_INVALID
        assert classify(sqlstate, origin=ORIGIN_LOOKUP, permanent="{}") == HANDLER_INVALID
    # what else may go wrong on the way is as it is elsewhere
    assert classify("53200", origin=ORIGIN_LOOKUP) == ENVIRONMENT
    assert classify("40P01", origin=ORIGIN_LOOKUP) == CONFLICT


def test_what_a_value_causes_is_permanent():
    for sqlstate in ("54000", "54001", "22021", "22P02", "XX000", "P0001", "42804", "0A000"):
        assert classify(sqlstate, origin=ORIGIN_VALUE, permanent="{}") == PERMANENT
        assert classify(sqlstate, permanent="{}") == RETRIABLE
    # the server could not do its work
    for sqlstate in ("53200", "57P01", "58030"):
        assert classify(sqlstate, origin=ORIGIN_VALUE) == ENVIRONMENT
    assert classify("57014", origin=ORIGIN_VALUE) == RETRIABLE
    assert classify("XX001", origin=ORIGIN_VALUE) == CORRUPT


def test_a_session_that_is_read_only_is_no_message_s_fault():
    assert classify("25006", origin=ORIGIN_SESSION) == SESSION
    assert classify("25006", origin=ORIGIN_SESSION, permanent="{25}") == PERMANENT
    assert classify("25006") == ENVIRONMENT


def test_what_befalls_our_own_rows_is_no_messages_fault():
    for sqlstate in ("53100", "42703", "23505", "40001", "55P03", "XX000"):
        assert classify(sqlstate, origin=ORIGIN_PROGRESS) == ENVIRONMENT
    assert classify("XX002", origin=ORIGIN_PROGRESS) == CORRUPT


def test_may_be_stale():
    def may(sqlstate, origin=ORIGIN_HANDLER):
        return core.policy_may_be_stale(sqlstate.encode(), origin)

    for sqlstate in ("42804", "42703", "0A000", "XX000"):
        assert [may(sqlstate, origin) for origin in ORIGINS] == [True, False, False, False, False]
    for sqlstate in ("XX001", "XX002", "22P02", "P0001", "25006", "54001", "04200"):
        assert not may(sqlstate)


@given(entries, sqlstates)
@example(["23"], "23503")
def test_listed(listed, sqlstate):
    text = "{" + ",".join(listed) + "}"
    is_listed = any(sqlstate == e or (len(e) == 2 and sqlstate.startswith(e) and sqlstate != "23503") for e in listed)
    expected = is_listed and sqlstate not in ("XX001", "XX002") or sqlstate == "BR001"
    assert (classify(sqlstate, permanent=text) == PERMANENT) == expected


@given(
    st.integers(0, 1_000_000),
    attempts,
    numbers,
    st.sampled_from([RETRIABLE, PERMANENT, ENVIRONMENT, CONFLICT, HANDLER_INVALID, CORRUPT]),
    st.sampled_from([ON_HALT, ON_DEAD_LETTER, ON_SKIP]),
)
def test_decide(retries, attempt, number, kind, on_failure):
    p = policy(retries=retries, on_failure=on_failure)
    verdict = core.policy_decide(c.byref(p), kind, attempt, number)
    if kind in (HANDLER_INVALID, CORRUPT):
        assert verdict.action == ACTION_HALT
    elif kind != PERMANENT and attempt <= retries:
        assert verdict.action == ACTION_RETRY
        assert verdict.delay_us == core.policy_backoff(c.byref(p), attempt, number)
    else:
        assert (
            verdict.action
            == {ON_HALT: ACTION_HALT, ON_DEAD_LETTER: ACTION_DEAD_LETTER, ON_SKIP: ACTION_SKIP}[on_failure]
        )


@given(st.sampled_from([EXPONENTIAL, LINEAR, CONSTANT]), times, times, attempts, numbers)
@example(EXPONENTIAL, DAY, DAY, 2**32 - 1, 2**64 - 1)
@example(EXPONENTIAL, 1000, DAY, 63, 0)
def test_backoff(backoff, base, most, attempt, number):
    exact = min(most, base * {EXPONENTIAL: 2 ** min(attempt - 1, 200), LINEAR: attempt, CONSTANT: 1}[backoff])
    delay = core.policy_backoff(c.byref(policy(backoff=backoff, base=base, most=most)), attempt, number)
    assert exact <= delay <= min(most, exact + exact // 4)


def test_backoff_series():
    def series(**options):
        return [core.policy_backoff(c.byref(policy(**options)), a, 0) for a in range(1, 6)]

    assert series() == [100_000, 200_000, 400_000, 800_000, 1_600_000]
    assert series(most=500_000) == [100_000, 200_000, 400_000, 500_000, 500_000]
    assert series(backoff=LINEAR) == [100_000, 200_000, 300_000, 400_000, 500_000]
    assert series(backoff=CONSTANT) == [100_000] * 5


def test_jitter_uses_its_room():
    p = policy()
    delays = {core.policy_backoff(c.byref(p), 1, n) for n in range(0, 25_001)}
    assert min(delays) == 100_000 and max(delays) == 125_000
