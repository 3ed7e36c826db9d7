"""What those partitions notice of a cooperative rebalance that stay where they are."""

import subprocess
import sys
import threading
import time

from environment import ROOT, wait_until

PARTITIONS = 4
PROPERTIES = {"partition_assignment_strategy": "cooperative-sticky"}

# Messages come this much longer than the rebalance takes, and so long before it.
AFTER_S = 1.0
BEFORE_S = 3.0


class Arrivals:
    """When a plain consumer got its messages: (partition, seconds since 1970) each."""

    def __init__(self, env, topic, group, libraries):
        self.seen = []
        self.process = env.arrivals(topic, group, libraries, **PROPERTIES)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            partition, micros = line.split()
            self.seen.append((int(partition), int(micros) / 1e6))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()


def gaps(seen, began, joined, until):
    """Of the partitions that are still there at the end: the longest time without a message while the other member joined,
    and in the time before."""
    seen = sorted(seen, key=lambda row: row[1])
    stay = {partition for partition, at in seen if joined + AFTER_S / 2 < at}
    figures = {"stay": len(stay)}
    for name, first, last in (("gap_ms", began, until), ("before_ms", began - BEFORE_S, began)):
        longest = 0
        for partition in stay:
            times = [first, *(at for of, at in seen if of == partition and first < at < last), last]
            longest = max(longest, *(after - before for before, after in zip(times, times[1:])))
        figures[name] = longest * 1000
    return figures


def join(env, topic, group, libraries, rows):
    """Another member joins; rows(): what the first one has got."""
    stream = subprocess.Popen(
        [sys.executable, ROOT / "bench/steady.py", env.broker.bootstrap, topic, "1000", "1000000"]
    )
    member = None
    try:
        wait_until("messages of all partitions", lambda: len({partition for partition, _ in rows()}) == PARTITIONS)
        # to compare with
        time.sleep(BEFORE_S)
        began = time.time()
        member = Arrivals(env, topic, group, libraries)
        wait_until("the other member's first message", lambda: member.seen)
        joined = member.seen[0][1]
        until = joined + AFTER_S
        wait_until("messages after that", lambda: max(at for _, at in rows()) > until)
        return gaps(rows(), began, joined, until)
    finally:
        stream.terminate()
        stream.wait()
        if member:
            member.close()


def burrow(env, params):
    libraries = env.recent_librdkafka()
    env.server.stop()
    env.server.start(libraries=libraries)
    try:
        topic = env.fresh_name()
        env.create_topic(topic, PARTITIONS)
        env.clear()
        kafka = '{"partition.assignment.strategy": "cooperative-sticky"}'
        with env.subscribe(
            topic,
            "on_arrival",
            delivery=params["delivery"],
            workers=4,
            min_workers=4,
            consumer_group=topic,
            kafka=kafka,
        ):
            return join(env, topic, topic, libraries, lambda: rows_of(env))
    finally:
        # the next workload's has the system's library
        env.server.stop()


def rows_of(env):
    return [(int(n), int(seq) / 1e6) for n, seq in env.session.query("SELECT n, seq FROM sink")]


def plain(env, params):
    libraries = env.recent_librdkafka()
    topic = env.fresh_name()
    env.create_topic(topic, PARTITIONS)
    first = Arrivals(env, topic, topic, libraries)
    try:
        return join(env, topic, topic, libraries, lambda: list(first.seen))
    finally:
        first.close()
