"""Regular expressions that choose topics: what is taken, and that it means what the C library says."""

import ctypes as c
import time

import pytest
from hypothesis import given, strategies as st

import core

libc = c.CDLL(None)
REG_EXTENDED, REG_NOSUB = 1, 8
# topics are names of these; a few, so that expressions and names meet
ALPHABET = "ab1._-"


def check(pattern):
    """What is wrong, and where; or None."""
    position = c.c_size_t()
    text = pattern.encode()
    said = core.topic_pattern_check(text, len(text), c.byref(position))
    return None if said is None else (said.decode(), position.value)


def matches(pattern, name):
    text = pattern.encode()
    return core.topic_pattern_matches(text, len(text), name.encode())


def libc_matches(pattern, name):
    """None: regcomp() does not take it.  Only ever called with what is in the safe subset."""
    compiled = c.create_string_buffer(1024)
    if libc.regcomp(compiled, pattern.encode(), REG_EXTENDED | REG_NOSUB) != 0:
        return None
    try:
        return libc.regexec(compiled, name.encode(), 0, None, 0) == 0
    finally:
        libc.regfree(compiled)


TAKEN = [
    "^orders$",
    "^orders",
    "^(orders|payments)$",
    "^orders(-.*)?$",
    "^[a-z]+[.][0-9]+$",
    "^[[:alnum:]_]+$",
    "^[^]_]*$",
    "^[]a]$",
    "^a[-b]c$",
    "^shop\\.eu\\.orders$",
    "^(a(b(c(d(e)))))$",
    "^a|b$",
    "(a?b?)?",
]

REFUSED = [
    ("^(orders", 1, "the parenthesis is not closed"),
    ("^orders)", 7, "a parenthesis is closed that was not opened"),
    ("^[a", 1, "the bracket is not closed"),
    ("^[b-a]", 2, "the range is empty"),
    ("^[\\d]", 2, "a backslash has no meaning between brackets"),
    ("^[[.a.]]", 2, "the only classes of characters are"),
    ("^[[:space:]]", 2, "the only classes of characters are"),
    ("^a{2}", 2, "there is no counted repetition"),
    ("^(a*)*", 5, "what is repeated must have no *, + or ? in it"),
    ("^(a?)+", 5, "what is repeated must have no *, + or ? in it"),
    ("^((a|b+)c)*", 10, "what is repeated must have no *, + or ? in it"),
    ("^a**", 3, "a repetition cannot be repeated"),
    ("^a+?", 3, "a repetition cannot be repeated"),
    ("^*", 1, "^ and $ cannot be repeated"),
    ("^a|*b", 3, "there is nothing to repeat"),
    ("^a||b", 3, "there is an empty alternative or group"),
    ("^a()", 3, "there is an empty alternative or group"),
    ("^(a)\\1", 4, "a backslash stands only before one of"),
    ("^\\w", 1, "a backslash stands only before one of"),
    ("^a\\", 2, "a backslash stands only before one of"),
    ("^a b", 2, "characters are printable ones of ASCII"),
    ("^\u00e4", 1, "characters are printable ones of ASCII"),
    ("^((((((a))))))", 6, "groups are too deep within each other"),
    ("^" + "a" * 249, 249, "it is longer than 249 characters"),
    ("", 0, "there is an empty alternative or group"),
]


@pytest.mark.parametrize("pattern", TAKEN)
def test_taken(pattern):
    assert check(pattern) is None
    assert libc_matches(pattern, "a") is not None


@pytest.mark.parametrize("pattern, position, said", REFUSED)
def test_refused(pattern, position, said):
    got = check(pattern)
    assert got is not None
    assert got[1] == position
    assert got[0].startswith(said)


@pytest.mark.parametrize(
    "pattern, name, wanted",
    [
        ("^orders$", "orders", True),
        ("^orders$", "orders2", False),
        ("^orders", "orders2", True),
        ("^orders", "my.orders", False),
        ("^(eu|us)[.]orders(-.*)?$", "eu.orders-v2", True),
        ("^(eu|us)[.]orders(-.*)?$", "eu.ordersv2", False),
        ("^a|b", "cb", True),
        ("^[^a-z]+$", "A_1", True),
        ("^[^a-z]+$", "Aa", False),
        ("^(ab)*$", "ababab", True),
        ("^(ab)*$", "aba", False),
        ("^(ab)+c", "ababc", True),
        ("^$", "a", False),
    ],
)
def test_matching(pattern, name, wanted):
    assert matches(pattern, name) == wanted
    assert libc_matches(pattern, name) == wanted


# Text out of the pieces of expressions: most are wrong in some way, many are not.
pieces = st.lists(
    st.sampled_from(
        [
            *ALPHABET,
            ".",
            "*",
            "+",
            "?",
            "(",
            ")",
            "|",
            "^",
            "$",
            "[",
            "]",
            "[^a]",
            "[a-b]",
            "[[:digit:]]",
            "(a|b)",
            "(ab)*",
            "a?",
            "\\.",
            "\\",
            "{",
            "}",
        ]
    ),
    max_size=20,
).map("".join)
names = st.text(ALPHABET, min_size=1, max_size=12)


@given(pieces, names)
def test_means_what_the_c_library_says(pattern, name):
    if check(pattern) is None:
        assert libc_matches(pattern, name) == matches(pattern, name)
    else:
        assert not matches(pattern, name)


@given(st.binary(max_size=300), st.binary(max_size=300).filter(lambda b: 0 not in b))
def test_any_bytes(pattern, name):
    """No crash, whatever is given; the asserting build looks after bounds."""
    position = c.c_size_t()
    said = core.topic_pattern_check(pattern, len(pattern), c.byref(position))
    assert said is None or position.value <= len(pattern)
    core.topic_pattern_matches(pattern, len(pattern), name)


@pytest.mark.parametrize("unit", ["a*", "a+", "(a|b)?", "(a|b)*", "[ab]+", ".?", ".*", "(a?)?"])
def test_long_ones_end(unit):
    """As much of it as fits, on a long name that does not match: some 100,000 steps, no explosion."""
    pattern = "^" + unit * (240 // len(unit)) + "z$"
    assert check(pattern) is None
    # a backend matches one expression with one name and does not look for interrupts meanwhile
    began = time.process_time()
    assert not matches(pattern, "a" * 249)
    assert time.process_time() - began < 0.1
    assert not libc_matches(pattern, "a" * 249)


def test_names_of_topics():
    for name in ("a", "a.b", "...", "_-.", "A9", "x" * 249):
        assert core.topic_pattern_is_topic(name.encode()), name
    for name in ("", ".", "..", "x" * 250, "x" * 100_000, "a b", 'a"', "a\n", "a\\", "\u00e4", "a/b", "a,b"):
        assert not core.topic_pattern_is_topic(name.encode()), name
    assert not core.topic_pattern_is_topic(b"a\xff")
