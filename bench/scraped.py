"""What it costs to be asked for metrics each second, and how long an answer takes.

Two runs of one build differ by more than what is looked for, and so do two minutes of one run.  So each second is cut in two:
its first half begins with a question, and in the second half there is none.  What a half with a question does is
compared with its two neighbours.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from itertools import cycle
from statistics import median

import measure
import processes
from environment import ROOT, Failure, Session, wait_until

sys.path.insert(0, str(ROOT / "test/metrics"))
import scrape  # noqa: E402  what asks, and what checks the answers

EVERY_S = 1
HALF_S = EVERY_S / 2
ANSWERS = 1000  # of one figure of times
DISTURB_S = 5  # from the end of a process to that of the next

OF_THE_SUBSCRIPTION = measure.OF_THE_SUBSCRIPTION


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def scraper_of(url, path, every_s=EVERY_S):
    """A scraper in a process of its own; the last answer is of the end."""
    program = [sys.executable, ROOT / "test/metrics/scrape.py", url, str(every_s), path]
    with subprocess.Popen(program) as process:
        try:
            wait_until("an answer", lambda: path.exists() and path.stat().st_size > 0)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
    if process.returncode:
        raise Failure("the scraper failed")


def exporters(env):
    postmaster = int((env.server.data / "postmaster.pid").read_text().split()[0])
    return [pid for pid in processes.children(postmaster) if processes.title(pid) == "postgres: burrow exporter"]


@contextmanager
def disturbed(env, subscription):
    """Workers, the consumer and the exporter are ended, one after the other."""
    stop = threading.Event()
    session = Session(env.server)

    def end_exporter():
        for pid in exporters(env):
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


class Counters:
    """Messages that are done, and what processes have taken of the processors until now."""

    def __init__(self, subscription, burrow, others):
        self.at, self.messages = subscription.processed()
        self.burrow = sum(map(processes.main_seconds, burrow))
        self.others = [processes.main_seconds(pid) for pid in others]


class Halves:
    """Halves of seconds, one of which has a question: what is done in it, and what a message takes of the processors."""

    def __init__(self):
        self.rates, self.costs = [], []  # of halves with a question, in proportion to their neighbours
        self.asked, self.not_asked = [], []
        self.seconds = self.exporter_s = self.exporter_idle_s = self.scraper_s = 0

    def run(self, env, subscription, params, scraper):
        """Halves until the messages are at an end; the first and the last one are without a question."""
        (exporter,) = exporters(env)
        others = (exporter, scraper.pid)
        total = params["messages"]
        _, count = subscription.wait_for(total // 20)
        while count < total // 2 and len(subscription.workers()) < params["workers"]:
            _, count = subscription.processed()
        rates, costs = [], []
        due = time.monotonic()
        burrow = [subscription.consumer(), *subscription.workers()]
        first = Counters(subscription, burrow, others)
        for is_asked in cycle((False, True)):
            if is_asked:
                scraper.send_signal(signal.SIGUSR1)
            due += HALF_S
            time.sleep(max(0, due - time.monotonic()))
            last = Counters(subscription, burrow, others)
            if last.messages > total * 0.98:
                break
            seconds, messages = last.at - first.at, last.messages - first.messages
            rates.append(messages / seconds)
            costs.append((last.burrow - first.burrow) / messages)
            of_exporter, of_scraper = (after - before for before, after in zip(first.others, last.others, strict=True))
            self.scraper_s += of_scraper
            if is_asked:
                self.asked.append(rates[-1])
                self.exporter_s += of_exporter
            else:
                self.not_asked.append(rates[-1])
                self.exporter_idle_s += of_exporter
            self.seconds += seconds
            first = last
        self.rates += beside_neighbours(rates)
        self.costs += beside_neighbours(costs)

    def figures(self):
        if not self.rates:
            raise Failure("there are too few messages for half a second")
        figures = {
            "rate": median(self.asked),
            "without_rate": median(self.not_asked),
            "halves": len(self.rates),
            "exporter_us": (self.exporter_s + self.exporter_idle_s) / self.seconds * 1e6,
            "exporter_idle_us": self.exporter_idle_s / self.seconds * 1e6,
            "scraper_us": self.scraper_s / self.seconds * 1e6,
        }
        for name, ratios in (("ratio", self.rates), ("cost", self.costs)):
            low, middle, high = bounds_of_median(ratios)
            figures |= {f"{name}_low": low, name: middle, f"{name}_high": high}
        return figures


def beside_neighbours(values):
    """Every second one, divided by the mean of the one before and the one after."""
    return [values[i] * 2 / (values[i - 1] + values[i + 1]) for i in range(1, len(values) - 1, 2)]


def bounds_of_median(values):
    """The median, and bounds of 95 % for it, by the binomial distribution of the ranks."""
    values = sorted(values)
    n = len(values)
    off = round(0.98 * n**0.5)
    return values[max(0, (n - 1) // 2 - off)], median(values), values[min(n - 1, n // 2 + off)]


def consume_scraped(env, params, url, number, halves=None):
    """One run with a scraper beside it, in halves or disturbed; returns what the answers were.  A run of which a counter goes
    back, or is not in the end what the table holds, is no figure but a failure."""
    path = env.folder / f"answers.{number}"
    topic = env.topic(**measure.chosen(params, measure.OF_THE_TOPIC))
    env.clear()
    options = measure.chosen(params, OF_THE_SUBSCRIPTION)
    with (
        env.subscribe(topic, params["handler"], min_workers=params["workers"], **options) as subscription,
        # in halves it asks when it is told to
        scraper_of(url, path, 3600 if halves else EVERY_S) as scraper,
    ):
        if halves:
            halves.run(env, subscription, params, scraper)
            subscription.wait_for(params["messages"])
        else:
            with disturbed(env, subscription):
                subscription.wait_for(params["messages"])
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
    return answers


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


def full_load(env, params):
    """Runs until it has been asked each second for so many, and then one in which processes end."""
    port = free_port()
    env.require(**listening(port))
    url = f"http://127.0.0.1:{port}/metrics"
    halves, answers = Halves(), Answers()
    runs = 0
    while halves.seconds < params["seconds"]:
        answers.add(consume_scraped(env, params, url, runs, halves))
        runs += 1
    figures = halves.figures() | {"runs": runs} | answers.figures()
    consume_scraped(env, params, url, runs)
    return figures


def disturbed_load(env, params):
    """Processes end, for so many seconds; there is nothing to compare the rate with."""
    port = free_port()
    env.require(**listening(port))
    answers = Answers()
    runs = 0
    began = time.monotonic()
    while time.monotonic() - began < params["seconds"]:
        answers.add(consume_scraped(env, params, f"http://127.0.0.1:{port}/metrics", runs))
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
        (exporter,) = exporters(env)
        cpu = processes.main_seconds(exporter)
        answers = [scrape.ask(f"http://127.0.0.1:{port}/metrics") for _ in range(ANSWERS)]
        cpu = processes.main_seconds(exporter) - cpu
    shown = answers[-1]["text"].count("pgburrow_partition_log_end_offset{")
    if shown != params["partitions"]:
        raise Failure(f"{shown} of {params['partitions']} partitions are shown")
    times = sorted(answer["seconds"] for answer in answers)
    return {
        "median_ms": times[ANSWERS // 2] * 1000,
        "p99_ms": times[ANSWERS * 99 // 100] * 1000,
        "max_ms": times[-1] * 1000,
        "cpu_us": cpu * 1e6 / ANSWERS,
        "kilobytes": len(answers[-1]["text"]) / 1000,
    }
