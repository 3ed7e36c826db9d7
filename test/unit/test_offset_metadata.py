"""The metadata of commits."""

import base64
import ctypes as c
import uuid

from hypothesis import given, settings, strategies as st

import core

OWN = "0b5e9c1a-7f2d-4e3b-9a68-1c2d3e4f5a6b"
metadata = st.builds(
    lambda d, u: core.Metadata(d, str(u).encode()), st.sampled_from([core.AT_LEAST_ONCE, core.EXACTLY_ONCE]), st.uuids()
)
runs = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 15)).map(lambda r: (r[0], r[0] + r[1])), max_size=60)


def encode(m, done, committed, room=4097):
    out = c.create_string_buffer(room + 8)
    out[room] = b"\x5a"
    with_runs = c.c_bool()
    n = core.metadata_encode(c.byref(m), done.p if done else None, committed, out, room, c.byref(with_runs))
    assert out[room] == b"\x5a"
    assert n < room and out[n] == b"\0"
    return out.raw[:n], with_runs.value


def decode(text, committed=0, done=None):
    m = core.Metadata(9, b"untouched")
    ok = core.metadata_decode(text, len(text), committed, c.byref(m), done.p if done else None)
    if not ok:
        assert (m.delivery, m.uuid) == (9, b"untouched")
        return None
    return m


@given(metadata, runs, st.integers(0, 3000))
def test_round_trip(m, runs, committed):
    done = core.OffsetSet(runs)
    text, with_runs = encode(m, done, committed)
    assert text.isascii() and text.decode().isprintable()
    assert with_runs
    out = core.OffsetSet()
    found = decode(text, committed, out)
    assert (found.delivery, found.uuid) == (m.delivery, m.uuid)
    core.set_remove_below(done.p, committed)
    assert out.runs() == done.runs()
    assert decode(text, committed) is not None


def test_form():
    done = core.OffsetSet([(12, 12), (14, 20)])
    expected = b"burrow/1 alo " + OWN.encode() + b" " + base64.b64encode(bytes([2, 0, 0, 6]))
    m = core.Metadata(core.AT_LEAST_ONCE, OWN.encode())
    assert encode(m, done, 10) == (expected, True)
    m = core.Metadata(core.EXACTLY_ONCE, OWN.encode())
    assert encode(m, None, 10) == (b"burrow/1 eo " + OWN.encode(), True)
    assert encode(m, core.OffsetSet(), 10) == (b"burrow/1 eo " + OWN.encode(), True)


@given(metadata, runs, st.integers(core.METADATA_MIN + 1, 300), st.integers(0, 3000))
def test_highest_runs_are_left_out(m, runs, room, committed):
    done = core.OffsetSet(runs)
    whole, _ = encode(m, done, committed)
    text, with_runs = encode(m, done, committed, room)
    assert with_runs == (len(whole) < room)
    core.set_remove_below(done.p, committed)
    out = core.OffsetSet()
    assert decode(text, committed, out)
    kept = out.runs()
    assert kept == done.runs()[: len(kept)]
    if with_runs:
        assert text == whole
    else:  # the next one has no room
        assert len(encode(m, core.OffsetSet(done.runs()[: len(kept) + 1]), committed)[0]) >= room


def test_longest():
    """Kafka's limit on a string holds whatever the room."""
    m = core.Metadata(core.AT_LEAST_ONCE, OWN.encode())
    limit = (core.METADATA_MAX - core.METADATA_MIN - 1) // 4 * 3 // 2  # two bytes a run
    done = core.OffsetSet([(i * 2, i * 2) for i in range(limit)])
    text, with_runs = encode(m, done, 0, 100_000)
    assert with_runs and core.METADATA_MAX - 4 < len(text) <= core.METADATA_MAX
    out = core.OffsetSet()
    assert decode(text, 0, out) and out.runs() == done.runs()
    for i in range(3):
        core.set_add(done.p, (limit + i) * 2, (limit + i) * 2)
    text, with_runs = encode(m, done, 0, 100_000)
    assert not with_runs and decode(text)
    assert decode(b"burrow/1 alo " + OWN.encode() + b" " + b"A" * 32768) is None


def test_foreign():
    own = b"burrow/1 eo " + OWN.encode()
    assert decode(own)
    assert core.metadata_decode(None, 0, 0, c.byref(core.Metadata()), None) is False
    for text in (
        b"",
        b"burrow/1",
        own[:-1],
        own + b" ",
        own + b"\0",
        own + b"x",
        b" " + own,
        own.replace(b"/1", b"/2"),
        own.replace(b"eo", b"xo"),
        own.replace(b"eo", b"alx"),
        own.replace(b"-", b"_"),
        own.upper(),
        b"burrow/1 alo " + OWN.encode()[:-1],
        b"burrow/1 eo " + OWN.upper().encode(),
        own + b" AAA",
        own + b" AAA=AAAA",
        own + b" A===",
        own + b" ====",
        own + b" AA!=",
        own + b" AAAA ",
        own + b" AB==",
        own + b" AAAAAAB=",
        own + b" AA==",  # half a run
        own + b" gAA=",
    ):  # a number longer than need be
        assert decode(text) is None, text
    assert decode(own + b" AAA=")


@given(metadata, runs, st.data())
@settings(max_examples=500)
def test_any_change(m, runs, data):
    """A changed text is foreign, or the one form of what it says."""
    done = core.OffsetSet(runs)
    text = bytearray(encode(m, done, 0)[0])
    for _ in range(data.draw(st.integers(1, 3))):
        i = data.draw(st.integers(0, len(text) - 1)) if text else 0
        kind = data.draw(st.sampled_from(["set", "cut", "insert"]))
        if kind == "set" and text:
            text[i] = data.draw(st.sampled_from(b" =+/-Aa09Zz\x00\x7f\xff"))
        elif kind == "cut":
            del text[i:]
        else:
            text.insert(i, data.draw(st.integers(0, 255)))
    check(bytes(text))


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= ", max_size=80).map(
            lambda t: b"burrow/1 alo " + OWN.encode() + b" " + t.encode()
        ),
    )
)
@settings(max_examples=1000)
def test_any_bytes(text):
    check(text)


def check(text):
    out = core.OffsetSet([(5, 5)])
    found = decode(text, 1000, out)
    assert (found is None) == (decode(text, 1000) is None)
    if found is None:
        assert out.runs() == [(5, 5)]
        return
    uuid.UUID(found.uuid.decode())
    assert encode(found, out, 1000)[0] == text
