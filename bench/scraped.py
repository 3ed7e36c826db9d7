"""What it costs to be asked for metrics each second, and how long an answer takes."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from itertools import cycle

import measure
import processes
from environment import ROOT, Failure, Session, wait_until

sys.path.insert(0, str(ROOT / "test/metrics"))
import scrape  # noqa: E402  what asks, and what checks the answers

EVERY_S = 1
ANSWERS = 1000  # of one figure of times
DISTURB_S = 5  # from the end of a process to that of the next

OF_THE_SUBSCRIPTION = measure.OF_THE_SUBSCRIPTION


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def asked_each_second(url, path):
    """A scraper in a process of its own; the last answer is of the end."""
    program = [sys.executable, ROOT / "test/metrics/scrape.py", url, str(EVERY_S), path]
    with subprocess.Popen(program) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
    if process.returncode:
        raise Failure("the scraper failed")


@contextmanager
def disturbed(env, subscription):
    """Workers, the consumer and the exporter are ended, one after the other."""
    stop = threading.Event()
    session = Session(env.server)
    postmaster = int((env.server.data / "postmaster.pid").read_text().split()[0])

    def end_exporter():
        for pid in processes.children(postmaster):
            if processes.title(pid) == "postgres: burrow exporter":
                os.kill(pid, signal.SIGTERM)

    def end_backend(kind):
        session.query(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
            f" WHERE backend_type = 'burrow {kind}' LIMIT 1) x"
        )

    def run():
        for kind in cycle(("worker", "consumer", "exporter")):
            if stop.wait(DISTURB_S):
                return
            if kind == "exporter":
                end_exporter()
            else:
                end_backend(kind)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        session.close()


def consume_scraped(env, params, url, number, is_disturbed=False):
    """One run with a scraper beside it; returns its figures and what the answers were.  A run of which a counter goes back,
    or is not in the end what the table holds, is no figure but a failure."""
    path = env.folder / f"answers.{number}"
    topic = env.topic(**measure.chosen(params, measure.OF_THE_TOPIC))
    env.clear()
    options = measure.chosen(params, OF_THE_SUBSCRIPTION)
    broker = processes.process_seconds(env.broker.pid)
    with (
        env.subscribe(topic, params["handler"], min_workers=params["workers"], **options) as subscription,
        asked_each_second(url, path),
    ):
        if is_disturbed:
            with disturbed(env, subscription):
                subscription.wait_for(params["messages"])
            figures = {}
        else:
            figures = measure.rate_of(env, subscription, params, broker)
        wait_until("the commit to Kafka", lambda: subscription.lag() == 0)
    measure.check_rows(env, params["messages"])
    answers = scrape.check(path)
    path.unlink()
    if answers.wrong:
        raise Failure("\n".join(answers.wrong))
    counted = answers.last.get(
        f'pgburrow_messages_processed_total{{database="postgres",outcome="handled",subscription="{subscription.name}"}}'
    )
    if counted is None or counted[0] != params["messages"]:
        raise Failure(f"the metrics say {counted} of {params['messages']} messages")
    return figures, answers


class Answers:
    """The times of all answers."""

    def __init__(self):
        self.times = []
        self.errors = 0

    def add(self, answers):
        self.times += answers.times
        self.errors += answers.errors

    def figures(self):
        times = sorted(self.times)
        return {
            "answers": len(times),
            "unanswered": self.errors,
            "median_ms": times[len(times) // 2] * 1000,
            "p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)] * 1000,
        }


def listening(port):
    return {"burrow.metrics_listen": f"127.0.0.1:{port}"}


def mean_rate(rates):
    """Of runs of the same number of messages."""
    return len(rates) / sum(1 / rate for rate in rates)


def full_load(env, params):
    """Runs with a scraper beside them and runs without an exporter, in turns, until the former have taken so many
    seconds."""
    port = free_port()
    rates, without, answers = [], [], Answers()
    scraped_s = 0
    while scraped_s < params["seconds"]:
        # ABBA: a machine that gets slower does not favour either
        for is_scraped in (True, False) if len(rates) % 2 == 0 else (False, True):
            if not is_scraped:
                env.require()
                without.append(measure.consume(env, params)["rate"])
                continue
            env.require(**listening(port))
            began = time.monotonic()
            figures, seen = consume_scraped(env, params, f"http://127.0.0.1:{port}/metrics", len(rates))
            scraped_s += time.monotonic() - began
            rates.append(figures["rate"])
            answers.add(seen)
    figures = {"rate": mean_rate(rates), "without_rate": mean_rate(without), "runs": len(rates)}
    return figures | {"ratio": figures["rate"] / figures["without_rate"]} | answers.figures()


def disturbed_load(env, params):
    """The same with processes that end, for so many seconds; there is nothing to compare the rate with."""
    port = free_port()
    env.require(**listening(port))
    answers = Answers()
    runs = 0
    began = time.monotonic()
    while time.monotonic() - began < params["seconds"]:
        answers.add(consume_scraped(env, params, f"http://127.0.0.1:{port}/metrics", runs, is_disturbed=True)[1])
        runs += 1
    return {"runs": runs} | answers.figures()


def many_partitions(env, params):
    """Answers that have each partition."""
    port = free_port()
    env.require(**listening(port) | {"burrow.metrics_per_partition": "on"})
    topic = env.topic(0, partitions=params["partitions"])
    with env.subscribe(topic, "on_row", workers=1) as subscription:
        count = f"SELECT count(*) FROM burrow.partitions WHERE subscription = '{subscription.name}'"
        wait_until("all partitions", lambda: int(env.session.value(count)) == params["partitions"])
        answers = [scrape.ask(f"http://127.0.0.1:{port}/metrics") for _ in range(ANSWERS)]
    shown = answers[-1]["text"].count("pgburrow_partition_log_end_offset{")
    if shown != params["partitions"]:
        raise Failure(f"{shown} of {params['partitions']} partitions are shown")
    times = sorted(answer["seconds"] for answer in answers)
    return {
        "median_ms": times[ANSWERS // 2] * 1000,
        "p99_ms": times[ANSWERS * 99 // 100] * 1000,
        "max_ms": times[-1] * 1000,
        "kilobytes": len(answers[-1]["text"]) / 1000,
    }
