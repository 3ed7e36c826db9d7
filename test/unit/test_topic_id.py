"""Ids of topics: Kafka's text of them, and what is said where one is not known."""

import base64
import ctypes as c
import uuid

import pytest
from hypothesis import given, strategies as st

import core

halves = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**63, 2**64 - 1]))


def make(high, low):
    return core.topic_id_make(high, low).text.decode()


def the(text):
    return core.TopicId(text.encode())


@given(halves, halves)
def test_as_kafka_shows_it(high, low):
    """Uuid.toString(): base64 for URLs of the 16 bytes, without padding."""
    expected = base64.urlsafe_b64encode(uuid.UUID(int=high << 64 | low).bytes).decode().rstrip("=")
    assert make(high, low) == ("" if high == low == 0 else expected)
    assert core.topic_id_read(make(high, low).encode()).text.decode() == make(high, low)


@pytest.mark.parametrize("text", [None, b"", b"A" * 21, b"A" * 23, b"A" * 21 + b"=", b"A" * 21 + b"\xff", b"A" * 300])
def test_what_is_no_id(text):
    assert core.topic_id_read(text).text == b""


@given(st.binary(max_size=30).filter(lambda b: 0 not in b))
def test_any_text(text):
    read = core.topic_id_read(text).text
    assert read in (b"", text)


A, B, NONE = the("A" * 22), the("B" * 22), the("")


@pytest.mark.parametrize(
    "a, b, differ", [(A, A, False), (A, B, True), (A, NONE, False), (NONE, B, False), (NONE, NONE, False)]
)
def test_only_two_that_are_known_differ(a, b, differ):
    assert core.topic_id_differs(c.byref(a), c.byref(b)) == differ


@pytest.mark.parametrize("now, kept, expected", [(A, B, A), (A, NONE, A), (NONE, B, B), (NONE, NONE, NONE)])
def test_what_is_kept(now, kept, expected):
    """Who is not told the id now does not forget it."""
    assert core.topic_id_to_keep(c.byref(now), c.byref(kept)).text == expected.text
