"""The time from producing a message to the commit that handled it."""

import subprocess
import sys

from environment import ROOT, wait_until

PARTITIONS = 4


def percentiles(env, params):
    """Of what is in the table: "seq" is when a message was produced, in microseconds
    since 1970, and its transaction's commit has a timestamp."""
    row = env.session.query(
        "SELECT percentile_disc(ARRAY[0.5, 0.95, 0.99, 0.999, 1]) WITHIN GROUP (ORDER BY"
        " extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 - seq / 1000.0)"
        f" FROM sink WHERE n >= {params['per_second']}"
    )[0][0]
    values = map(float, row.strip("{}").split(","))
    return dict(zip(("p50_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"), values))


def rows(env):
    return int(env.session.value("SELECT count(*) FROM sink"))


def send(env, topic, *arguments):
    subprocess.run(
        [sys.executable, ROOT / "bench/steady.py", env.broker.bootstrap, topic, *map(str, arguments)], check=True
    )


def stream(env, topic, params):
    """Send, when what consumes is known to be there, and wait until all is handled."""
    count = params["per_second"] * params["seconds"]
    # one message for each partition; their numbers are below zero
    send(env, topic, 0, PARTITIONS)
    wait_until("the first messages", lambda: rows(env) == PARTITIONS)
    send(env, topic, params["per_second"], count)
    wait_until("all messages", lambda: rows(env) == count + PARTITIONS)
    return percentiles(env, params)


def fresh_topic(env):
    topic = env.fresh_name()
    env.create_topic(topic, PARTITIONS)
    env.clear()
    return topic


def burrow(env, params):
    topic = fresh_topic(env)
    with env.subscribe(topic, params["handler"], delivery=params["delivery"]) as subscription:
        subscription.wait_for_partitions()
        return stream(env, topic, params)


def baseline(env, params):
    topic = fresh_topic(env)
    count = params["per_second"] * params["seconds"] + PARTITIONS
    with env.baseline("row", topic, count, 1, "off") as process:
        figures = stream(env, topic, params)
        process.communicate()
    return figures
