"""Frames: what is written is read, and nothing else is believed or read beyond."""

import ctypes as c
import mmap
import struct

from hypothesis import assume, given, settings, strategies as st

import core

PAGE = mmap.PAGESIZE
libc = c.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [c.c_void_p, c.c_size_t, c.c_int]


class Guarded:
    """Bytes that end where memory ends: a read beyond is a crash."""

    def __init__(self, size=64 * PAGE):
        self.map = mmap.mmap(-1, size + PAGE)
        start = c.addressof(c.c_char.from_buffer(self.map))
        self.end = start + size
        self.size = size
        assert libc.mprotect(self.end, PAGE, 0) == 0

    def put(self, data):
        """At an 8-byte boundary, as near to the end as can be."""
        assert len(data) <= self.size
        address = (self.end - len(data)) & ~7
        c.memmove(address, data, len(data))
        return address


guarded = Guarded()

names = st.binary(max_size=10)
values = st.one_of(st.none(), st.binary(max_size=20))
message = st.fixed_dictionaries(
    {
        "offset": st.integers(0, 2**63 - 1),
        "timestamp_ms": st.integers(-(2**63), 2**63 - 1),
        "order": st.integers(0, 2**64 - 1),
        "slots": st.integers(0, 2**64 - 1),
        "slot": st.integers(0, 255),
        "attempt": st.integers(1, 10),
        "key": values,
        "value": values,
        "headers": st.lists(st.tuples(names, values), max_size=3),
    }
)
chunks = st.tuples(st.binary(min_size=1, max_size=30), st.lists(message, min_size=1, max_size=4))


def align(n):
    return (n + 7) & ~7


def encode_headers(headers):
    size = sum(core.frame_header_size(len(name), -1 if value is None else len(value)) for name, value in headers)
    buffer = c.create_string_buffer(size + 1)
    p = c.addressof(buffer)
    for name, value in headers:
        p = core.frame_put_header(p, name, len(name), value, -1 if value is None else len(value))
    assert p == c.addressof(buffer) + size
    return buffer.raw[:size]


def encode_message(m):
    headers = encode_headers(m["headers"])
    key, value = m["key"] or b"", m["value"] or b""
    size = core.frame_message_size(len(key), len(value), len(headers))
    assert size == align(64 + len(key) + len(value) + 1 + len(headers))
    buffer = c.create_string_buffer(size)
    h = core.MessageHeader.from_buffer(buffer)
    h.total = size
    h.flags = (core.HAS_KEY if m["key"] is not None else 0) | (core.HAS_VALUE if m["value"] is not None else 0)
    for field in ("offset", "timestamp_ms", "order", "slots", "slot", "attempt"):
        setattr(h, field, m[field])
    h.key_len, h.value_len = len(key), len(value)
    h.nheaders, h.headers_len = len(m["headers"]), len(headers)
    c.memmove(core.frame_key(c.addressof(h)), key, len(key))
    c.memmove(core.frame_value(c.addressof(h)), value, len(value))
    core.frame_end_value(c.addressof(h))
    c.memmove(core.frame_headers(c.addressof(h)), headers, len(headers))
    return buffer.raw


def encode_chunk(topic, messages):
    header = core.ChunkHeader(core.CHUNK_MAGIC, len(messages), 2**50, 3, 5, len(topic), 1)
    return bytes(header) + topic.ljust(align(len(topic)), b"\0") + b"".join(encode_message(m) for m in messages)


def piece(address, size, low, high):
    """Bytes of a view, which must lie in the frame."""
    assert low <= address and address + size <= high
    return c.string_at(address, size)


def walk(address, size):
    """Everything that can be read of a chunk; None if it is malformed somewhere."""
    reader, view, header = core.Reader(), core.MessageView(), core.HeaderView()
    low, high = address, address + size
    if not core.frame_read_chunk(c.byref(reader), address, size):
        return None
    topic = piece(reader.topic, reader.header.contents.topic_len, low, high)
    messages = []
    for _ in range(reader.header.contents.nmessages):
        if not core.frame_next_message(c.byref(reader), c.byref(view)):
            return None
        h = view.header.contents
        m = {field: getattr(h, field) for field in ("offset", "timestamp_ms", "order", "slots", "slot", "attempt")}
        m["key"] = piece(view.key, h.key_len, low, high) if view.key else None
        m["value"] = piece(view.value, h.value_len, low, high) if view.value else None
        if view.value:
            assert piece(view.value + h.value_len, 1, low, high) == b"\0"
        p = c.c_void_p(view.headers)
        end = view.headers + h.headers_len
        m["headers"] = []
        for _ in range(h.nheaders):
            if not core.frame_get_header(c.byref(p), end, c.byref(header)):
                return None
            m["headers"].append(
                (
                    piece(header.name, header.name_len, low, high),
                    piece(header.value, header.value_len, low, high) if header.value else None,
                )
            )
        if p.value != end:
            return None
        messages.append(m)
    assert not core.frame_next_message(c.byref(reader), c.byref(view))  # no more than that
    return (topic, messages) if core.frame_at_end(c.byref(reader)) else None


def test_layout():
    assert c.sizeof(core.ChunkHeader) == core.shim_sizeof(0) == 56
    assert c.sizeof(core.MessageHeader) == core.shim_sizeof(1) == 64
    assert c.sizeof(core.ResultChunk) == core.shim_sizeof(2) == 64
    assert c.sizeof(core.ResultFailure) == core.shim_sizeof(3) == 40


@given(chunks)
def test_round_trip(chunk):
    data = encode_chunk(*chunk)
    assert walk(guarded.put(data), len(data)) == chunk


@given(chunks, st.data())
def test_cut_off_or_too_long(chunk, data):
    frame = encode_chunk(*chunk)
    cut = data.draw(st.integers(0, len(frame) - 1))
    assert walk(guarded.put(frame[:cut]), cut) is None
    longer = frame + b"\0" * data.draw(st.integers(1, 80))
    assert walk(guarded.put(longer), len(longer)) is None


numbers = st.sampled_from([0, 1, 7, 8, 63, 64, 65, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1])


@given(chunks, st.data())
@settings(max_examples=1000)
def test_any_change(chunk, data):
    """Bytes and whole numbers changed: read or refused, never beyond the end."""
    frame = bytearray(encode_chunk(*chunk))
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        else:
            at = data.draw(st.integers(0, len(frame) // 4 - 1)) * 4
            struct.pack_into("=I", frame, at, data.draw(numbers))
    cut = data.draw(st.integers(0, len(frame))) if data.draw(st.booleans()) else len(frame)
    walk(guarded.put(bytes(frame[:cut])), cut)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes(data, with_magic):
    if with_magic:
        data = struct.pack("=II", core.CHUNK_MAGIC, 1) + data
    walk(guarded.put(data), len(data))


def test_refused():
    whole = encode_chunk(
        b"t",
        [
            {
                "offset": 1,
                "timestamp_ms": 1,
                "order": 1,
                "slots": 1,
                "slot": 1,
                "attempt": 1,
                "key": b"kk",
                "value": b"vvvv",
                "headers": [(b"n", b"x")],
            }
        ],
    )

    def changed(field, number, base=c.sizeof(core.ChunkHeader) + 8):
        frame = bytearray(whole)
        at = base + getattr(core.MessageHeader, field).offset
        struct.pack_into("=I", frame, at, number)
        return walk(guarded.put(bytes(frame)), len(frame))

    assert walk(guarded.put(whole), len(whole)) is not None
    flags = core.HAS_KEY | core.HAS_VALUE
    assert changed("flags", flags & ~core.HAS_KEY) is None  # a key without its flag
    assert changed("flags", flags & ~core.HAS_VALUE) is None
    assert changed("nheaders", 0) is None  # headers, but none
    assert changed("nheaders", 2) is None  # too short for two
    assert changed("headers_len", 9) is None  # one byte less than it is
    for size in range(1, 8):  # bytes, but no header
        stray = bytearray(
            encode_message(
                {
                    "offset": 1,
                    "timestamp_ms": 1,
                    "order": 1,
                    "slots": 1,
                    "slot": 1,
                    "attempt": 1,
                    "key": b"x" * size,
                    "value": None,
                    "headers": [],
                }
            )
        )
        h = core.MessageHeader.from_buffer(stray)
        h.key_len, h.headers_len = 0, size
        frame = bytes(core.ChunkHeader(core.CHUNK_MAGIC, 1)) + stray
        assert walk(guarded.put(frame), len(frame)) is None
    assert changed("key_len", 10) is None  # parts beyond the total
    unended = bytearray(whole)
    unended[c.sizeof(core.ChunkHeader) + 8 + 64 + 2 + 4] = 1
    assert walk(guarded.put(bytes(unended)), len(unended)) is None  # no zero byte behind the value
    assert changed("total", 64) is None
    assert changed("total", 2**32 - 8) is None
    assert not core.frame_read_chunk(c.byref(core.Reader()), guarded.put(whole) + 4, 40)


def test_message_size():
    limit = 2**31 - 1
    assert core.frame_message_size(0, 0, 0) == 72
    assert core.frame_message_size(7, 0, 0) == 72
    assert core.frame_message_size(8, 0, 0) == 80
    assert core.frame_message_size(0, limit - 64 - 8, 0) == limit - 7
    assert core.frame_message_size(0, limit - 64 - 7, 0) == 0
    for huge in (limit + 1, 2**63, 2**64 - 1):
        assert core.frame_message_size(huge, 0, 0) == 0
        assert core.frame_message_size(0, huge, 0) == 0
        assert core.frame_message_size(0, 0, huge) == 0
    assert core.frame_message_size(limit, limit, limit) == 0


@given(st.binary(max_size=60), st.integers(-4, 2**31 - 1), st.integers(0, 2**32 - 1))
def test_any_header(tail, value_len, name_len):
    header = core.HeaderView()
    for data in (
        tail,
        struct.pack("=Ii", name_len, value_len) + tail,
        struct.pack("=Ii", name_len % 64, value_len % 64 - 4) + tail,
    ):
        start = guarded.put(data)
        p, end = c.c_void_p(start), start + len(data)
        if core.frame_get_header(c.byref(p), end, c.byref(header)):
            assert start < p.value <= end
            assert header.value_len >= -1 and (header.value is None) == (header.value_len == -1)
        else:
            assert p.value == start


# ---- results


texts = st.one_of(
    st.none(),
    st.binary(max_size=60).map(lambda b: b.replace(b"\0", b"x")),
    st.integers(2040, 2100).map(lambda n: b"y" * n),
)


def put_failure(*arguments):
    buffer = c.create_string_buffer(core.FAILURE_SIZE_MAX + 1)
    buffer[core.FAILURE_SIZE_MAX] = b"\x5a"
    n = core.frame_put_failure(buffer, *arguments)
    assert n <= core.FAILURE_SIZE_MAX and buffer[core.FAILURE_SIZE_MAX] == b"\x5a"
    return buffer.raw[:n]


def read_failure(data):
    address = core.frame_read_failure(guarded_address := guarded.put(data), len(data))
    if not address:
        return None
    assert address == guarded_address
    f = core.ResultFailure.from_address(address)
    parts, p = [], address + c.sizeof(f)
    for size in (f.message_len, f.detail_len, f.hint_len, f.context_len):
        parts.append(piece(p, size, address, address + len(data)))
        p += size
    assert p == address + len(data)
    return f, parts


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), texts, texts, texts, texts)
def test_failure(chunk, index, message, detail, hint, context):
    data = put_failure(chunk, index, b"22P02", index % 5, index % 2 == 1, message, detail, hint, context)
    assert core.frame_result_kind(guarded.put(data), len(data)) == core.RESULT_FAILURE
    f, parts = read_failure(data)
    assert (f.chunk, f.index, f.sqlstate, f.origin, f.fresh) == (chunk, index, b"22P02", index % 5, index % 2)
    assert parts == [(text or b"")[: core.FAILURE_TEXT_MAX] for text in (message, detail, hint, context)]


def test_failure_sqlstate():
    for given_state, expected in ((None, b""), (b"", b""), (b"1234567890", b"12345")):
        f, _ = read_failure(put_failure(1, 1, given_state, 0, False, b"m", None, None, None))
        assert f.sqlstate == expected


@given(texts, st.data())
@settings(max_examples=500)
def test_changed_failure(message, data):
    frame = bytearray(put_failure(1, 2, b"XX000", 0, False, message, b"detail", None, b"context"))
    for _ in range(data.draw(st.integers(0, 3))):
        struct.pack_into("=I", frame, data.draw(st.integers(0, 9)) * 4, data.draw(numbers))
    read_failure(bytes(frame))
    cut = data.draw(st.integers(0, len(frame) - 1))
    assume(cut < len(frame))
    read_failure(bytes(frame[:cut]))


def test_refused_failure():
    whole = put_failure(1, 2, b"XX000", 0, False, b"m", b"d", b"h", b"c")
    assert read_failure(whole)
    assert read_failure(whole[:-1]) is None
    assert read_failure(whole + b"x") is None
    assert read_failure(whole[:16] + b"123456\0\0" + whole[24:]) is None  # no end of text
    assert read_failure(whole[:22] + b"\x04\x01" + whole[24:])
    assert read_failure(whole[:22] + b"\x05\x00" + whole[24:]) is None
    assert read_failure(whole[:22] + b"\x00\x02" + whole[24:]) is None
    long = core.FAILURE_TEXT_MAX + 1
    for i in range(4):
        lengths = [0, 0, 0, 0]
        lengths[i] = long
        assert read_failure(whole[:24] + struct.pack("=4I", *lengths) + b"z" * long) is None
    assert core.frame_read_failure(guarded.put(whole + b"1234") + 4, len(whole)) is None


def result_chunk(outcomes, n=None, kind=core.RESULT_CHUNK):
    return struct.pack("=IIQqQQQIIII", kind, len(outcomes) if n is None else n, 9, 10, 0, 0, 0, 0, 0, 0, 0) + b"".join(
        struct.pack("=HHI", o & 0xFFFF, o >> 16, 100) for o in outcomes
    )


def read_result_chunk(data):
    return core.frame_read_result_chunk(guarded.put(data), len(data)) is not None


def test_result_chunk():
    data = result_chunk([1, 2, 3, 4])
    assert core.frame_result_kind(guarded.put(data), len(data)) == core.RESULT_CHUNK
    assert read_result_chunk(data)
    # the last of a transaction
    assert read_result_chunk(result_chunk([1 << 16 | 1]))
    for bad in (
        result_chunk([2 << 16 | 1]),
        result_chunk([1 << 16 | 2]),
        result_chunk([]),
        result_chunk([1], n=2),
        result_chunk([1, 1], n=1),
        result_chunk([0]),
        result_chunk([5]),
        result_chunk([1, 1, 0]),
        result_chunk([1], kind=2),
        result_chunk([1], n=2**32 - 1),
        data[:28],
        data[:-1],
        b"",
        b"\1",
    ):
        assert not read_result_chunk(bad)
        assert read_failure(bad) is None
    assert core.frame_read_result_chunk(guarded.put(data) - 4, len(data)) is None
    for kind in (0, 3, 2**32 - 1):
        data = struct.pack("=I", kind)
        assert core.frame_result_kind(guarded.put(data), 4) == 0
    assert core.frame_result_kind(guarded.put(b"\1\0\0"), 3) == 0


@given(st.binary(max_size=100), st.integers(0, 3))
def test_any_result(data, kind):
    data = struct.pack("=I", kind) + data
    read_result_chunk(data)
    read_failure(data)
