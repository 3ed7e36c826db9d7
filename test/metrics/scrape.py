#!/usr/bin/env python3
"""Ask an exporter again and again, and check what all of its answers together have to hold.

    scrape.py URL SECONDS FILE     ask every so many seconds until SIGTERM, and once more; each answer becomes a line of FILE.
                                   SIGUSR2: do not ask from now on; SIGUSR1: at once, and every so many seconds again
    scrape.py --check FILE         print what is wrong, a line each, and then a summary as JSON

Answers are checked afterwards, because that takes much more of a processor than asking does.
"""

import json
import signal
import sys
import time
import urllib.request

from prometheus_client import parser
from read_metrics import check_histogram, series


def ask(url):
    """{at, seconds} and text, or an error where nobody answers."""
    answer = {"at": time.time()}
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            answer["text"] = reply.read().decode()
    except OSError as error:
        answer["error"] = str(error)
    answer["seconds"] = time.perf_counter() - began
    return answer


SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def watch(url, every, path):
    """Ask until SIGTERM, and once after that.  SIGNALS are blocked.  While it does not ask it does nothing else either."""
    due = time.monotonic()
    with open(path, "w") as out:
        got = None
        while got != signal.SIGTERM:
            if due is None:
                info = signal.sigwaitinfo(SIGNALS)
            else:
                info = signal.sigtimedwait(SIGNALS, max(0, due - time.monotonic()))
            got = info.si_signo if info else None
            if got == signal.SIGUSR2:
                due = None
                continue
            if got is not None:
                due = time.monotonic()
            out.write(json.dumps(ask(url)) + "\n")
            out.flush()
            due = max(due + every, time.monotonic())


class Check:
    """What was seen, answer by answer."""

    def __init__(self):
        self.wrong = []
        self.last = {}  # of a series that only grows: its value
        self.times = []
        self.errors = 0

    def add(self, answer):
        if "error" in answer:
            self.errors += 1
            return
        self.times.append(answer["seconds"])
        seen = {}
        subscriptions = set()
        for family in parser.text_string_to_metric_families(answer["text"]):
            if family.type == "histogram":
                try:
                    check_histogram(family)
                except AssertionError as error:
                    self.wrong.append(f"{answer['at']}: {family.name} does not add up: {error}")
            for sample in family.samples:
                if family.type in ("counter", "histogram"):
                    seen[series(sample)] = (
                        sample.value,
                        sample.labels.get("database"),
                        sample.labels.get("subscription"),
                    )
                if sample.name == "pgburrow_subscription_info":
                    subscriptions.add((sample.labels["database"], sample.labels["subscription"]))
        for name, (value, *whose) in self.last.items():
            if name in seen:
                if seen[name][0] < value:
                    self.wrong.append(f"{answer['at']}: {name} went from {value} to {seen[name][0]}")
            elif tuple(whose) in subscriptions:
                self.wrong.append(f"{answer['at']}: {name} is gone")
        self.last |= seen

    def summary(self):
        times = sorted(self.times)
        return {
            "answers": len(times),
            "errors": self.errors,
            "series": len(self.last),
            "wrong": len(self.wrong),
            "median_ms": times[len(times) // 2] * 1000 if times else None,
            "p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)] * 1000 if times else None,
        }


def check(path):
    result = Check()
    with open(path) as lines:
        for line in lines:
            result.add(json.loads(line))
    return result


def main():
    if sys.argv[1] == "--check":
        result = check(sys.argv[2])
        for line in result.wrong:
            print(line)
        print(json.dumps(result.summary()))
        return
    url, every, path = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    watch(url, float(every), path)


if __name__ == "__main__":
    main()
