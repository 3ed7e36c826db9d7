"""What it costs to be asked for metrics each second, and how long an answer takes.

Two runs of one build differ by more than what is looked for.  So one run is cut into phases, in which the exporter is
asked and not asked, in turns; and the rate of a phase with questions is compared with those of its two neighbours.
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
PHASE_S = 2
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


class Phases:
    """Rates of a run, phase by phase, and what exporter and scraper took of the processors."""

    def __init__(self):
        self.ratios = []  # of phases with questions and their neighbours
        self.asked, self.not_asked = [], []
        self.asked_s = self.not_asked_s = 0
        self.exporter_s = self.exporter_idle_s = self.scraper_s = 0

    def run(self, env, subscription, params, scraper):
        """Phases until the messages are at an end; the first and the last one are without questions."""
        (exporter,) = exporters(env)
        total = params["messages"]
        scraper.send_signal(signal.SIGUSR2)
        _, count = subscription.wait_for(total // 20)
        while count < total // 2 and len(subscription.workers()) < params["workers"]:
            _, count = subscription.processed()
        rates = []
        for is_asked in cycle((False, True)):
            scraper.send_signal(signal.SIGUSR1 if is_asked else signal.SIGUSR2)
            began, first = subscription.processed()
            cpu, of_scraper = processes.main_seconds(exporter), processes.main_seconds(scraper.pid)
            time.sleep(PHASE_S)
            ended, last = subscription.processed()
            if last > total * 0.98:
                break
            cpu, of_scraper = processes.main_seconds(exporter) - cpu, processes.main_seconds(scraper.pid) - of_scraper
            rates.append((last - first) / (ended - began))
            if is_asked:
                self.asked.append(rates[-1])
                self.asked_s += ended - began
                self.exporter_s += cpu
                self.scraper_s += of_scraper
            else:
                self.not_asked.append(rates[-1])
                self.not_asked_s += ended - began
                self.exporter_idle_s += cpu
        self.ratios += [rates[i] * 2 / (rates[i - 1] + rates[i + 1]) for i in range(1, len(rates) - 1, 2)]

    def figures(self):
        ratios = sorted(self.ratios)
        n = len(ratios)
        if n == 0:
            raise Failure("there are too few messages for a phase")
        # of the median, by the binomial distribution of the ranks: 95 %
        off = round(0.98 * n**0.5)
        return {
            "rate": median(self.asked),
            "without_rate": median(self.not_asked),
            "ratio": median(ratios),
            "ratio_low": ratios[max(0, (n - 1) // 2 - off)],
            "ratio_high": ratios[min(n - 1, n // 2 + off)],
            "phases": n,
            "exporter_us": self.exporter_s / self.asked_s * 1e6,
            "exporter_idle_us": self.exporter_idle_s / self.not_asked_s * 1e6,
            "scraper_us": self.scraper_s / self.asked_s * 1e6,
        }


def consume_scraped(env, params, url, number, phases=None):
    """One run with a scraper beside it, in phases or disturbed; returns what the answers were.  A run of which a counter goes
    back, or is not in the end what the table holds, is no figure but a failure."""
    path = env.folder / f"answers.{number}"
    topic = env.topic(**measure.chosen(params, measure.OF_THE_TOPIC))
    env.clear()
    options = measure.chosen(params, OF_THE_SUBSCRIPTION)
    with (
        env.subscribe(topic, params["handler"], min_workers=params["workers"], **options) as subscription,
        asked_each_second(url, path) as scraper,
    ):
        if phases:
            phases.run(env, subscription, params, scraper)
            scraper.send_signal(signal.SIGUSR1)
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
    """Runs in phases until those with questions have taken so many seconds, and then one in which processes end."""
    port = free_port()
    env.require(**listening(port))
    url = f"http://127.0.0.1:{port}/metrics"
    phases, answers = Phases(), Answers()
    runs = 0
    while phases.asked_s < params["seconds"]:
        answers.add(consume_scraped(env, params, url, runs, phases))
        runs += 1
    figures = phases.figures() | {"runs": runs} | answers.figures()
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
