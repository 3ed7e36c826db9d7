"""The headers of a dead letter's record, against the same written with Python's struct."""

import ctypes as c
import struct

from hypothesis import given, strategies as st

import core

texts = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=30).map(str.encode)
int32 = st.integers(-(2**31), 2**31 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)


def test_layout():
    assert core.shim_sizeof(7) == c.sizeof(core.LetterHeaders)


@given(st.integers(0, 7), texts, int32, int64, int64, int32, texts, texts, texts, texts, texts, texts)
def test_names_and_encodings(
    conventions, topic, partition, offset, time, attempts, subscription, group, handler, sqlstate, message, report
):
    headers = core.LetterHeaders()
    c.memset(c.byref(headers), 0xFF, c.sizeof(headers))
    origin = core.LetterOrigin(
        topic, partition, offset, time, attempts, subscription, group, handler, sqlstate, message, report
    )
    core.letter_headers_make(c.byref(headers), c.byref(origin), conventions)

    got = [(item.name.decode(), c.string_at(item.value, item.value_len)) for item in headers.items[: headers.n]]
    connect = {
        "topic": topic,
        "partition": b"%d" % partition,
        "offset": b"%d" % offset,
        "connector.name": subscription,
        "task.id": b"0",
        "stage": b"TASK_PUT",
        "class.name": handler,
        "exception.class.name": sqlstate,
        "exception.message": message,
        "exception.stacktrace": report,
    }
    spring = {
        "original-topic": topic,
        "original-partition": struct.pack(">i", partition),
        "original-offset": struct.pack(">q", offset),
        "original-timestamp": struct.pack(">q", time),
        "original-consumer-group": group,
        "exception-fqcn": sqlstate,
        "exception-message": message,
        "exception-stacktrace": report,
    }
    kafka = {
        "topic": topic,
        "partition": b"%d" % partition,
        "offset": b"%d" % offset,
        "group": group,
        "delivery.count": b"%d" % attempts,
        "message": message,
    }
    wanted = []
    for bit, prefix, values in (
        (1, "__connect.errors.", connect),
        (2, "kafka_dlt-", spring),
        (4, "__dlq.errors.", kafka),
    ):
        if conventions & bit:
            wanted += [(prefix + name, value) for name, value in values.items()]
    assert got == wanted
