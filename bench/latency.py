"""The time from producing a message to the commit that handled it."""

import subprocess
import sys
from math import ceil

from environment import ROOT, Failure, wait_until

PARTITIONS = 4
QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999, "max_ms": 1}

# A broker that has just begun compiles its own code meanwhile.
WARM_UP = {"per_second": 1000, "seconds": 30}
warm = set()


def percentiles(env, params):
    """Of what is in the table: "seq" is when a message was produced, in microseconds
    since 1970, and its transaction's commit has a timestamp."""
    row = env.session.query(
        f"SELECT percentile_disc(ARRAY{list(QUANTILES.values())}) WITHIN GROUP (ORDER BY"
        " extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 - seq / 1000.0)"
        f" FROM sink WHERE n >= {params['per_second']}"
    )[0][0]
    return dict(zip(QUANTILES, map(float, row.strip("{}").split(","))))


def rows(env):
    return int(env.session.value("SELECT count(*) FROM sink"))


def send(env, topic, *arguments):
    subprocess.run(
        [sys.executable, ROOT / "bench/steady.py", env.broker.bootstrap, topic, *map(str, arguments)], check=True
    )


def total(params):
    return params["per_second"] * params["seconds"] + PARTITIONS


def stream(env, topic, params, arrived):
    """Send, when what consumes is known to be there; arrived() says how many messages are."""
    # one message for each partition; their numbers are below zero
    send(env, topic, 0, PARTITIONS)
    wait_until("the first messages", lambda: arrived() == PARTITIONS)
    send(env, topic, params["per_second"], total(params) - PARTITIONS)


def stream_into_table(env, topic, params):
    stream(env, topic, params, lambda: rows(env))
    wait_until("all messages", lambda: rows(env) == total(params))
    return percentiles(env, params)


def fresh_topic(env):
    """For a run by a broker that is warm."""
    if env not in warm:
        warm.add(env)
        kafka(env, WARM_UP)
    topic = env.fresh_name()
    env.create_topic(topic, PARTITIONS)
    env.clear()
    return topic


def burrow(env, params):
    topic = fresh_topic(env)
    with env.subscribe(topic, params["handler"], delivery=params["delivery"]) as subscription:
        subscription.wait_for_partitions()
        return stream_into_table(env, topic, params)


def baseline(env, params):
    topic = fresh_topic(env)
    with env.baseline("row", topic, total(params), 1, "off") as process:
        figures = stream_into_table(env, topic, params)
        process.communicate()
    return figures


def kafka(env, params):
    """Until a consumer that does nothing with them has the messages."""
    topic = fresh_topic(env)
    file = env.folder / "arrivals"
    with file.open("w") as out, env.watch(topic, total(params), out) as process:
        stream(env, topic, params, lambda: file.read_text().count("\n"))
    if process.returncode:
        raise Failure("the plain consumer failed")
    arrivals = (map(int, line.split()) for line in file.read_text().splitlines())
    times = sorted(time for number, time in arrivals if number >= params["per_second"])
    return {name: times[ceil(len(times) * quantile) - 1] / 1000 for name, quantile in QUANTILES.items()}
