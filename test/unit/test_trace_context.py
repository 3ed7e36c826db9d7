"""Trace contexts in headers, against the grammar of the W3C written as regular expressions."""

import ctypes as c
import re

import pytest
from hypothesis import given, strategies as st

import core
from test_frame import encode_headers

TRACE, PARENT = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
GOOD = b"00-" + TRACE + b"-" + PARENT + b"-01"
OTHER = b"00-" + TRACE[::-1] + b"-" + PARENT + b"-00"

PARENT_GRAMMAR = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32}-)(?!0{16})([0-9a-f]{16}-[0-9a-f]{2})(?:(?<!^00-.{52})-.*)?", re.S
)
MEMBER = rb"(?:[a-z0-9][a-z0-9_\-*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~])?"
STATE_GRAMMAR = re.compile(rb"[ \t]*%b[ \t]*(?:,[ \t]*%b[ \t]*){0,31}" % (MEMBER, MEMBER))


def parent(text):
    out = c.create_string_buffer(core.TRACE_PARENT_SIZE)
    return out.value if core.trace_parent_read(text, len(text), out) else None


def state(text):
    out = c.create_string_buffer(core.TRACE_STATE_SIZE)
    return out.value if core.trace_state_read(text, len(text), out) else None


def find(headers):
    encoded = encode_headers(headers)
    frame = core.MessageHeader(nheaders=len(headers), headers_len=len(encoded))
    buffer = c.create_string_buffer(encoded, len(encoded) + 1)
    view = core.MessageView(header=c.pointer(frame), headers=c.addressof(buffer))
    trace = core.TraceContext()
    return (trace.parent, trace.state) if core.trace_context_find(c.byref(view), c.byref(trace)) else None


def model_parent(text):
    """What later versions add is not known, and left out."""
    match = PARENT_GRAMMAR.fullmatch(text)
    if match is None or (match[1] == b"00" and len(text) > 55):
        return None
    return b"00-" + match[2] + match[3]


@pytest.mark.parametrize(
    "text, wanted",
    [
        (GOOD, GOOD),
        (b"cc" + GOOD[2:], GOOD),
        (b"cc" + GOOD[2:] + b"-what the future brings", GOOD),
        (GOOD[:-2] + b"ff", GOOD[:-2] + b"ff"),
        (b"", None),
        (GOOD[:-1], None),
        (GOOD + b"-", None),
        (GOOD + b" ", None),
        (b" " + GOOD, None),
        (b"cc" + GOOD[2:] + b".", None),
        (b"ff" + GOOD[2:], None),
        (b"0x" + GOOD[2:], None),
        (GOOD.upper(), None),
        (GOOD.replace(TRACE, b"0" * 32), None),
        (GOOD.replace(PARENT, b"0" * 16), None),
        (GOOD.replace(b"-", b"_"), None),
        (GOOD[:-1] + b"g", None),
        (GOOD[:-1] + b"\0", None),
    ],
)
def test_parents(text, wanted):
    assert parent(text) == wanted == model_parent(text)


@given(st.data())
def test_parents_nearly_right(data):
    text = bytearray(GOOD)
    for _ in range(data.draw(st.integers(0, 2))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(b"0fgA-_ \0\xff"))
    text = bytes(text) + data.draw(st.sampled_from([b"", b"-", b"-x", b"x"]))
    assert parent(text) == model_parent(text)


@pytest.mark.parametrize(
    "text, good",
    [
        (b"", True),
        (b"congo=t61rcWkgMzE", True),
        (b"rojo=00f067aa0ba902b7 , 1a-_*/@b=a b", True),
        (b", \t,", True),
        (b"a= b", True),
        (b"a=" + b"x" * 256, True),
        (b"k" * 256 + b"=x", True),
        (b",".join([b"a=1"] * 32), True),
        (b"a" * 255 + b"=" + b"b" * 256, True),
        (b"a" * 256 + b"=" + b"b" * 256, False),
        (b"a", False),
        (b"a=", False),
        (b"=1", False),
        (b"a=1=2", False),
        (b"A=1", False),
        (b"_a=1", False),
        (b"a b=1", False),
        (b"a=\x7f", False),
        (b"a=\0", False),
        (b"a\0=1", False),
        (b"a=1\n", False),
        (b"a=\xc3\xa4", False),
        (b"a=" + b"x" * 257, False),
        (b"k" * 257 + b"=x", False),
        (b",".join([b"a=1"] * 33), False),
    ],
)
def test_states(text, good):
    assert state(text) == (text if good else None)
    assert (STATE_GRAMMAR.fullmatch(text) is not None and len(text) <= 512) == good


@given(st.text(st.sampled_from("ab1_@*/-=, \t\0~A"), max_size=20).map(str.encode))
def test_any_state(text):
    assert state(text) == (text if STATE_GRAMMAR.fullmatch(text) else None)


@pytest.mark.parametrize(
    "headers, wanted",
    [
        ([], None),
        ([(b"other", b"x")], None),
        ([(b"traceparent", GOOD)], (GOOD, b"")),
        ([(b"tracestate", b"a=1"), (b"x", None), (b"traceparent", GOOD)], (GOOD, b"a=1")),
        ([(b"traceparent", GOOD), (b"tracestate", b"?")], (GOOD, b"")),
        ([(b"traceparent", GOOD), (b"tracestate", None)], (GOOD, b"")),
        ([(b"traceparent", GOOD), (b"tracestate", b"a=" + b"x" * 600)], (GOOD, b"")),
        ([(b"tracestate", b"a=1")], None),
        ([(b"traceparent", b"?"), (b"tracestate", b"a=1")], None),
        ([(b"traceparent", None)], None),
        ([(b"Traceparent", GOOD)], None),
        ([(b"traceparent", OTHER), (b"traceparent", GOOD)], (GOOD, b"")),
        ([(b"traceparent", GOOD), (b"traceparent", b"?")], None),
    ],
)
def test_headers(headers, wanted):
    assert find(headers) == wanted
