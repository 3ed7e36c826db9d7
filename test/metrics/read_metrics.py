#!/usr/bin/env python3
"""Read metrics with Prometheus's own Python parser, and check what every scrape has to hold.

    read_metrics.py openmetrics|prometheus < text

Prints a line for each sample: its name with sorted labels, a tab, the value.  What the parser does not
complain of, and Prometheus or a reader would, ends it with an error: a series twice, a family twice or
without HELP, a counter below zero, a histogram that does not add up.
"""

import math
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser


def series(sample):
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}" if labels else sample.name


def check_histogram(family):
    """Buckets rise to +Inf, which is the count, and whose sum is there."""
    groups = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        group = groups.setdefault(tuple(sorted(labels.items())), {"buckets": []})
        if sample.name.endswith("_bucket"):
            group["buckets"].append((float(sample.labels["le"]), sample.value))
        else:
            group[sample.name.rsplit("_", 1)[1]] = sample.value
    for labels, group in groups.items():
        bounds = [bound for bound, _ in group["buckets"]]
        counts = [count for _, count in group["buckets"]]
        assert bounds == sorted(bounds) and bounds[-1] == math.inf, (family.name, labels, bounds)
        assert counts == sorted(counts) and counts[-1] == group["count"], (family.name, labels, counts)
        assert group["sum"] >= 0 and (group["sum"] > 0) <= (group["count"] > 0), (family.name, labels)


def main():
    read = {"openmetrics": openmetrics_parser, "prometheus": parser}[sys.argv[1]]
    text = sys.stdin.buffer.read().decode("utf-8")
    assert text.endswith("# EOF\n") == (sys.argv[1] == "openmetrics"), text[-100:]
    seen, families = set(), set()
    for family in read.text_string_to_metric_families(text):
        assert family.name not in families, f"{family.name} comes twice"
        families.add(family.name)
        assert family.documentation, f"{family.name} has no HELP"
        assert family.name.startswith("pgburrow_"), family.name
        assert family.type in ("counter", "gauge", "histogram", "info"), (family.name, family.type)
        if family.type == "histogram":
            check_histogram(family)
        for sample in family.samples:
            assert series(sample) not in seen, f"{series(sample)} comes twice"
            seen.add(series(sample))
            assert family.type != "counter" or sample.value >= 0, sample
            print(f"{series(sample)}\t{sample.value:.17g}".replace("\n", "\\n"))


if __name__ == "__main__":
    main()
