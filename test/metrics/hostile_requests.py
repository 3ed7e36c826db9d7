#!/usr/bin/env python3
"""Ask the exporter for all that it should not be asked for: fuzzed, huge, pipelined and slow requests, many connections.

    hostile_requests.py PORT REQUESTS SEED

Meanwhile somebody else asks for /-/healthy, as a load balancer does.  Prints what was sent and answered, as JSON.
What does not come back is not a failure here: whoever sends rubbish may be cut off.
"""

import asyncio
import collections
import json
import random
import re
import socket
import struct
import sys
import time

HOST = "127.0.0.1"
AT_ONCE = 32
PER_CONNECTION = 8
CONNECTIONS = 500
SLOW = 20
PATIENCE_S = 0.3  # libmicrohttpd may keep a connection whose client has nothing more to say, until its time is up

GOOD = [f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in ("/", "/metrics", "/-/healthy", "/-/ready")]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "get", "", "G" * 300, "\x00", "PRI"]
PATHS = [
    "/",
    "/metrics",
    "/-/ready",
    "/-/ready?subscription=%00&database=%ff",
    "/-/ready?subscription=" + "x" * 3000,
    "/-/ready?" + "&".join(f"a{i}=b" for i in range(500)),
    "/-/ready?subscription=%",
    "/-/healthy",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "//",
    "*",
    "http://elsewhere.example/metrics",
    "/" + "a" * 20000,
    "/metrics\x00/x",
    "/<script>",
    "",
]
VERSIONS = ["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.1 ", "HTTP/999999999999", "", "ICY"]
FIELDS = [
    "Host: x",
    "Host: x\r\nHost: y",
    "Connection: keep-alive",
    "Connection: close",
    "Connection: upgrade\r\nUpgrade: websocket",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999999999",
    "Content-Length: 1\r\nContent-Length: 2",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked\r\nContent-Length: 3",
    "Expect: 100-continue",
    "Range: bytes=0-18446744073709551615",
    "Accept: " + "application/openmetrics-text," * 300,
    "Authorization: Basic " + "A" * 8000,
    "Authorization: Bearer",
    "Authorization: Basic ====",
    "Cookie: " + "a=b; " * 2000,
    ": no name",
    " folded: line",
    "no colon",
    "X: \x00\xff\x80",
    "X" * 9000 + ": y",
    "\r\n".join(f"X-{i}: y" for i in range(700)),
]
RAW = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\r\n" * 5000,
    b"\x00" * 20000,
    b"GET /metrics HTTP/1.1\nHost: x\n\n",
    b"GET /metrics\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
]


def request(rng):
    """The bytes of one request, most of which are wrong in some way."""
    kind = rng.random()
    if kind < 0.05:
        return rng.choice(RAW)
    if kind < 0.1:
        return rng.randbytes(rng.randrange(1, 4000))
    method = rng.choice(METHODS) if rng.random() < 0.3 else "GET"
    version = rng.choice(VERSIONS) if rng.random() < 0.2 else "HTTP/1.1"
    fields = rng.sample(FIELDS, rng.randrange(0, 3)) if rng.random() < 0.5 else ["Host: x"]
    text = f"{method} {rng.choice(PATHS)} {version}\r\n" + "".join(f + "\r\n" for f in fields) + "\r\n"
    data = bytearray(text.encode("latin-1"))
    if rng.random() < 0.2:
        for _ in range(rng.randrange(1, 10)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.1:
        del data[rng.randrange(len(data)) :]
    return bytes(data)


def reset(writer):
    """End it without a farewell."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def read_statuses(reader, statuses):
    data = b""
    try:
        while more := await asyncio.wait_for(reader.read(1 << 16), PATIENCE_S):
            data += more
    finally:
        statuses.update(status.decode() for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", data))


async def fuzz(port, rng, count, said):
    """Requests one behind the other, several in a connection, of which some are read and some are not."""
    while count > 0:
        n = min(count, rng.randrange(1, PER_CONNECTION + 1))
        count -= n
        said["requests"] += n
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
            # most of what follows a wrong one is not read any more
            writer.write(b"".join([*rng.choices(GOOD, k=n - 1), request(rng)]))
            how = rng.random()
            if how < 0.2:
                reset(writer)
                continue
            if how < 0.9:
                writer.write_eof()
                await read_statuses(reader, said["statuses"])
            writer.close()
        except (OSError, asyncio.TimeoutError):
            said["cut_off"] += 1


async def slow(port, rng, over):
    """A byte now and then, until it is cut off, and again."""
    while not over.is_set():
        try:
            _, writer = await asyncio.open_connection(HOST, port)
            for byte in b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 1000:
                if over.is_set():
                    break
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(rng.random())
            writer.close()
        except OSError:
            await asyncio.sleep(0.1)


async def crowd(port, said):
    """Many connections at once: half say the half of a request, the others ask for much and do not read it."""
    opened = await asyncio.gather(
        *(asyncio.open_connection(HOST, port) for _ in range(CONNECTIONS)), return_exceptions=True
    )
    writers = [pair[1] for pair in opened if not isinstance(pair, BaseException)]
    said["connections"] = len(writers)
    for i, writer in enumerate(writers):
        writer.write(b"GET /metrics HTTP/1.1\r\nHost" if i % 2 else b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    # while they are there, somebody else is answered
    said["answered_in_the_crowd"] = await is_answered(port)
    for writer in writers:
        reset(writer)


async def is_answered(port):
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return answer.startswith(b"HTTP/1.1 200")
    except (OSError, asyncio.TimeoutError):
        return False


async def balancer(port, said, over):
    while not over.is_set():
        began = time.monotonic()
        said["healthy" if await is_answered(port) else "unhealthy"] += 1
        said["longest_s"] = max(said["longest_s"], round(time.monotonic() - began, 2))
        await asyncio.sleep(0.2)


async def main(port, requests, seed):
    rng = random.Random(seed)
    said = collections.Counter()
    said["statuses"] = collections.Counter()
    said["longest_s"] = 0
    over = asyncio.Event()
    beside = [asyncio.create_task(slow(port, random.Random(rng.random()), over)) for _ in range(SLOW)]
    beside.append(asyncio.create_task(balancer(port, said, over)))
    await asyncio.gather(
        *(fuzz(port, random.Random(rng.random()), requests // AT_ONCE, said) for _ in range(AT_ONCE)),
    )
    await crowd(port, said)
    over.set()
    await asyncio.gather(*beside)
    print(json.dumps(said))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
