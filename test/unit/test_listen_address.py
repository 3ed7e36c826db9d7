"""Where the exporter is to listen."""

import ctypes as c

import pytest
from hypothesis import given, strategies as st

import core


def read(text):
    """(addresses, None), or (None, where it is wrong)"""
    addresses = (core.ListenAddress * core.LISTEN_MAX)()
    raw = text.encode()
    wrong = c.c_char_p()
    n = core.listen_address_read(raw, addresses, c.byref(wrong))
    if n < 0:
        return None, wrong.value.decode()
    return [a.host.decode() if a.is_path else (a.host.decode(), a.port.decode()) for a in addresses[:n]], None


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("", []),
        (" \t", []),
        ("localhost:9187", [("localhost", "9187")]),
        (":9187", [("localhost", "9187")]),
        ("9187", [("localhost", "9187")]),
        ("*:1", [("*", "1")]),
        ("[::1]:65535", [("::1", "65535")]),
        (
            "127.0.0.1:9187 , [fe80::1%eth0]:9188,/run/burrow/metrics",
            [("127.0.0.1", "9187"), ("fe80::1%eth0", "9188"), "/run/burrow/metrics"],
        ),
        ("/with blank and [brackets]:1", ["/with blank and [brackets]:1"]),
        ("/" + "x" * 106, ["/" + "x" * 106]),
        ("x" * 255 + ":1", [("x" * 255, "1")]),
    ],
)
def test_good(text, wanted):
    assert read(text) == (wanted, None)


@pytest.mark.parametrize(
    "text, wrong",
    [
        ("localhost", "localhost"),
        ("a:0", "a:0"),
        ("a:65536", "a:65536"),
        ("a:+1", "a:+1"),
        ("a:01", "a:01"),
        ("a:1x", "a:1x"),
        ("::1:9187", "::1:9187"),
        ("[]:1", "[]:1"),
        ("[::1:1", "[::1:1"),
        ("a b:1", "a b:1"),
        ("a/b:1", "a/b:1"),
        (",", ","),
        ("a:1,", ""),
        ("a:1,b", "b"),
        ("/" + "x" * 107, "/" + "x" * 107),
        ("x" * 256 + ":1", "x" * 256 + ":1"),
        ("a:", "a:"),
    ],
)
def test_bad(text, wrong):
    assert read(text) == (None, wrong)


def test_number():
    assert len(read(",".join(["1"] * core.LISTEN_MAX))[0]) == core.LISTEN_MAX
    assert read(",".join(["1"] * (core.LISTEN_MAX + 1))) == (None, "1")


@given(st.text(st.sampled_from("a1:[]/*,. \t0é"), max_size=40))
def test_whatever_it_is(text):
    addresses, wrong = read(text)
    if addresses is None:
        assert text.endswith(wrong)
    else:
        assert all(isinstance(a, str) or 1 <= int(a[1]) <= 65535 for a in addresses)
