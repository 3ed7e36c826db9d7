"""Sets of offsets against Python's own sets."""

import ctypes as c

from hypothesis import example, given, settings, strategies as st

import core
from core import INT64_MAX

ranges = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 15)).map(lambda r: (r[0], r[0] + r[1])), max_size=25)
big_runs = st.lists(st.integers(0, INT64_MAX), max_size=12, unique=True).map(sorted)


def as_runs(members):
    runs = []
    for n in sorted(members):
        if runs and runs[-1][1] == n - 1:
            runs[-1] = (runs[-1][0], n)
        else:
            runs.append((n, n))
    return runs


def members_of(ranges):
    return {n for first, last in ranges for n in range(first, last + 1)}


@given(ranges)
def test_add(ranges):
    s = core.OffsetSet()
    members = set()
    for first, last in ranges:
        core.set_add(s.p, first, last)
        members |= set(range(first, last + 1))
        assert s.runs() == as_runs(members)
    for n in range(-2, 140):
        assert core.set_contains(s.p, n) == (n in members)


@given(
    ranges, st.lists(st.one_of(st.integers(0, 60), st.sampled_from([-(2**63), INT64_MAX - 1, INT64_MAX])), max_size=60)
)
@example([], [])
@example([(3, 5)], [6, 7, 8, 2, 1, 10, 11])
def test_add_each(ranges, offsets):
    s = core.OffsetSet(ranges)
    core.set_add_each(s.p, (c.c_int64 * len(offsets))(*offsets), len(offsets))
    assert s.runs() == as_runs(members_of(ranges) | set(offsets))


@given(ranges)
def test_next_missing(ranges):
    s = core.OffsetSet(ranges)
    members = members_of(ranges)
    for n in range(-2, 140):
        expected = n
        while expected in members:
            expected += 1
        assert core.set_next_missing(s.p, n) == expected


def test_next_missing_at_the_end_of_the_range():
    s = core.OffsetSet([(INT64_MAX - 1, INT64_MAX)])
    assert core.set_next_missing(s.p, INT64_MAX - 2) == INT64_MAX - 2
    assert core.set_next_missing(s.p, INT64_MAX - 1) == INT64_MAX - 1


def test_add_nothing():
    s = core.OffsetSet([(5, 4)])
    assert s.runs() == []
    assert not core.set_contains(s.p, 5)


def test_ends_of_the_range():
    s = core.OffsetSet([(INT64_MAX, INT64_MAX), (-(2**63), -(2**63)), (0, 0)])
    assert s.runs() == [(-(2**63), -(2**63)), (0, 0), (INT64_MAX, INT64_MAX)]
    core.set_add(s.p, INT64_MAX - 1, INT64_MAX)
    core.set_add(s.p, -(2**63), 5)
    assert s.runs() == [(-(2**63), 5), (INT64_MAX - 1, INT64_MAX)]
    core.set_add(s.p, -(2**63), INT64_MAX)
    assert s.runs() == [(-(2**63), INT64_MAX)]
    core.set_remove_below(s.p, INT64_MAX)
    assert s.runs() == [(INT64_MAX, INT64_MAX)]


@given(ranges, ranges)
def test_union(a, b):
    s, other = core.OffsetSet(a), core.OffsetSet(b)
    core.set_union(s.p, other.p)
    assert s.runs() == as_runs(members_of(a) | members_of(b))
    assert other.runs() == as_runs(members_of(b))
    core.set_union(s.p, s.p)
    assert s.runs() == as_runs(members_of(a) | members_of(b))


@given(ranges, st.integers(-1, 140))
def test_remove_below(ranges, offset):
    s = core.OffsetSet(ranges)
    core.set_remove_below(s.p, offset)
    assert s.runs() == as_runs({n for n in members_of(ranges) if n >= offset})


def test_reset_frees():
    before = core.outstanding()
    s = core.OffsetSet([(i * 2, i * 2) for i in range(100)])
    core.set_reset(s.p)
    assert s.runs() == []
    core.set_add(s.p, 3, 4)
    assert s.runs() == [(3, 4)]
    del s
    assert core.outstanding() == before


# ---- bytes


@given(ranges, st.integers(-5, 140))
def test_round_trip(ranges, base):
    """What lies below base is left out."""
    s = core.OffsetSet(ranges)
    data = s.encode(base)
    out = core.OffsetSet()
    assert out.decode(base, data)
    assert out.runs() == as_runs({n for n in members_of(ranges) if n >= base})


@given(big_runs, st.integers(0, INT64_MAX))
def test_round_trip_of_large_numbers(numbers, base):
    s = core.OffsetSet(list(zip(numbers[::2], numbers[1::2])))
    out = core.OffsetSet()
    assert out.decode(base, s.encode(base))
    core.set_remove_below(s.p, base)
    assert out.runs() == s.runs()


@given(ranges, ranges)
def test_decode_adds(a, b):
    s = core.OffsetSet(a)
    assert s.decode(0, core.OffsetSet(b).encode(0))
    assert s.runs() == as_runs(members_of(a) | members_of(b))


def test_form():
    s = core.OffsetSet([(12, 12), (14, 20), (1014, 1014)])
    assert s.encode(10) == bytes([2, 0, 0, 6, 0xE0, 0x07, 0])
    assert core.OffsetSet().encode(10) == b""


def test_lengths_of_numbers():
    for n, size in ((0, 1), (127, 1), (128, 2), (2**14 - 1, 2), (2**14, 3), (INT64_MAX, 9)):
        s = core.OffsetSet([(n, n)])
        assert s.encode(0) == leb(n) + b"\0"
        assert len(leb(n)) == size
    s = core.OffsetSet([(INT64_MAX - 4, INT64_MAX - 2), (INT64_MAX, INT64_MAX)])
    assert core.OffsetSet().decode(0, s.encode(0))


def test_decode_frees_what_it_used():
    s = core.OffsetSet([(1, 1)])
    before = core.outstanding()
    assert s.decode(0, b"\5\5")
    assert core.outstanding() == before


def test_a_chunk_of_scattered_offsets_is_small():
    """Two bytes a run, where the runs are close together."""
    s = core.OffsetSet([(i * 3, i * 3) for i in range(500)])
    assert len(s.encode(0)) == 1000


def leb(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def test_malformed():
    s = core.OffsetSet([(1, 2)])
    for data in (
        b"\x80",  # cut off in a number
        b"\x01",  # cut off in a run
        b"\x80\x00\x00",  # longer than need be
        b"\x01\x80\x80\x00",
        b"\xff" * 9 + b"\x02\x00",  # above 64 bits
        b"\xff" * 10 + b"\x00\x00",
        leb(INT64_MAX - 9) + leb(0),  # beyond INT64_MAX
        leb(0) + leb(INT64_MAX - 9),
        leb(INT64_MAX - 10) + leb(0) + leb(0) + leb(0),
        leb(INT64_MAX - 11) + leb(0) + leb(0) + leb(0),
        leb(2**64 - 1) + leb(0),
        leb(0) + leb(2**64 - 1),
    ):
        assert not s.decode(10, data), data
        assert s.runs() == [(1, 2)]
    assert s.decode(10, leb(INT64_MAX - 10) + leb(0))
    assert s.runs() == [(1, 2), (INT64_MAX, INT64_MAX)]
    # any base goes, though none below 0 is of use
    t = core.OffsetSet()
    assert t.decode(-(2**63), leb(2**64 - 1) + leb(0))
    assert t.runs() == [(INT64_MAX, INT64_MAX)]


@given(st.binary(max_size=40), st.integers(0, INT64_MAX))
@settings(max_examples=1000)
@example(b"\x00\x00", 0)
def test_any_bytes(data, base):
    """Refused, or the one form of what they say."""
    s = core.OffsetSet()
    if s.decode(base, data):
        assert s.encode(base) == data
    else:
        assert s.runs() == []


def test_set_struct():
    assert c.sizeof(core.SetStruct) == 32
