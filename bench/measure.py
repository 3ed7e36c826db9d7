"""How a case is measured.  Each function takes the environment and the case's
parameters, runs it once and returns its figures: a name and a number each.
"""

import os
import re
import subprocess
import time
from contextlib import ExitStack

import processes
from environment import ROOT, Failure, Session, made_value, wait_until

# The parameters of a case that choose its messages, and those that are options of
# burrow.subscribe().  "default" leaves an option to Burrow.
OF_THE_TOPIC = ("messages", "keys", "size", "partitions")
OF_THE_SUBSCRIPTION = ("workers", "batch_size", "ordering", "delivery", "synchronous_commit", "window")
DEFAULT_BATCH_SIZE = 100

# Idle subscriptions are idle when they have been so for a while.
SETTLE_S = 30

MB = 1e6


def chosen(params, names):
    return {name: params[name] for name in names if params.get(name, "default") != "default"}


def rate_of(env, subscription, params, broker_before):
    """Figures of a subscription between a tenth and all of its messages, without the time
    in which its pool is being started, be it half of the messages.  Who fetches ahead has
    done much of the work by then, so librdkafka and the broker are counted over the whole
    run."""
    total = params["messages"]
    began, first = subscription.wait_for(total // 10)
    while first < total // 2 and len(subscription.workers()) < params["workers"]:
        began, first = subscription.processed()
    consumer, workers = subscription.consumer(), subscription.workers()
    main = processes.main_seconds(consumer)
    handlers = sum(map(processes.main_seconds, workers))
    ended, last = subscription.wait_for(total)
    micros = 1e6 / (last - first)
    return {
        "rate": (last - first) / (ended - began),
        "consumer_us": (processes.main_seconds(consumer) - main) * micros,
        "workers_us": (sum(map(processes.main_seconds, workers)) - handlers) * micros,
        "librdkafka_us": processes.other_seconds(consumer) * 1e6 / last,
        "broker_us": (processes.process_seconds(env.broker.pid) - broker_before) * 1e6 / last,
        "consumer_peak_mb": processes.peak_memory(consumer) / MB,
        "worker_peak_mb": max(map(processes.peak_memory, workers)) / MB,
        "worker_private_mb": max(map(processes.private_memory, workers)) / MB,
    }


def consume(env, params):
    """Burrow over a topic that is full when the subscription begins."""
    topic = env.topic(**chosen(params, OF_THE_TOPIC))
    env.clear()
    options = chosen(params, OF_THE_SUBSCRIPTION)
    with ExitStack() as others:
        for _ in range(params.get("other_subscriptions", 0)):
            other = others.enter_context(env.subscribe(env.topic(0), "on_row", workers=1))
            other.wait_for_partitions()
        if params.get("other_subscriptions"):
            time.sleep(SETTLE_S)
        broker = processes.process_seconds(env.broker.pid)
        with env.subscribe(topic, params["handler"], min_workers=params["workers"], **options) as subscription:
            figures = rate_of(env, subscription, params, broker)
    check_rows(env, params["messages"])
    return figures


def consume_beside_snapshot(env, params):
    """consume(), while another session can still see all that was there before."""
    session = Session(env.server)
    try:
        session.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM burrow.progress")
        return consume(env, params)
    finally:
        session.close()


def consume_and_pages(env, params):
    return consume(env, params) | {"huge_mb": processes.huge_memory() / MB}


def check_rows(env, wanted):
    """What loses messages, or handles them twice, is not fast but wrong."""
    rows = int(env.session.value("SELECT count(*) FROM sink"))
    if rows != wanted:
        raise Failure(f"{wanted} messages made {rows} rows")


def io_limit(env, params):
    """What workers that do nothing but wait could do: not measured, but known."""
    return {"rate": params["workers"] / 0.05}


def together(env, count, setup, command):
    """Run a command, in which {session} is the session's number, in so many sessions
    that begin at the same moment.  Returns the seconds from the first's begin to the
    last's end, and the CPU seconds of all."""
    sessions = [Session(env.server) for _ in range(count)]
    try:
        env.session.query("SELECT pg_advisory_lock(1)")
        for number, session in enumerate(sessions):
            session.query(setup)
            session.send(
                "SELECT FROM pg_advisory_lock_shared(1); SELECT extract(epoch FROM clock_timestamp());"
                + command.format(session=number)
                + "; SELECT extract(epoch FROM clock_timestamp())"
            )
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until("all sessions to wait for the start", lambda: int(env.session.value(waiting)) == count)
        before = sum(processes.main_seconds(session.pid) for session in sessions)
        env.session.query("SELECT pg_advisory_unlock(1)")
        times = [[float(row[-1]) for row in session.receive() if row != [""]] for session in sessions]
        cpu = sum(processes.main_seconds(session.pid) for session in sessions) - before
    finally:
        for session in sessions:
            session.close()
    return max(end for _, end in times) - min(begin for begin, _ in times), cpu


def chunk_size(params):
    return DEFAULT_BATCH_SIZE if params["batch_size"] == "default" else params["batch_size"]


def sessions_rate(env, params, command):
    """A command in as many sessions as there are workers, that together handle all messages."""
    env.clear()
    total = params["messages"]
    setup = f"SET synchronous_commit = {params['synchronous_commit']}"
    seconds, cpu = together(env, params["workers"], setup, command)
    return {"rate": total / seconds, "session_us": cpu * 1e6 / total}


def loop(env, params):
    """The same handler over the same messages from a table, called by as many sessions
    of their own as there are workers, with the same size of transaction and commit mode."""
    env.load_messages(params["messages"])
    figures = sessions_rate(env, params, f"CALL loop_row({{session}}, {params['workers']}, {chunk_size(params)})")
    check_rows(env, params["messages"])
    return figures


def run_pgbench(env, script, clients, transactions, synchronous_commit):
    """Runs a script so many times in each of so many sessions; returns how often a second,
    from when all are connected to the end of the last."""
    file = env.folder / "script.pgbench"
    file.write_text(script)
    said = subprocess.run(
        [env.server.bindir / "pgbench", "-n", "-M", "prepared", "-f", file, "-c", str(clients),
         "-j", str(min(2, clients)), "-t", str(transactions), "-h", env.server.socket_dir, "-U", "postgres", "postgres"],
        check=True, capture_output=True, text=True,
        env=os.environ | {"PGOPTIONS": f"-c synchronous_commit={synchronous_commit}"},
    ).stdout  # fmt: skip
    return float(re.search(r"tps = ([\d.]+)", said).group(1))


def pgbench(env, params, handler="on_row"):
    """The same handler called by pgbench, a transaction for each message."""
    env.clear()
    clients = params["workers"]
    pad = made_value(0, 1, 150).partition('"pad": "')[2].rstrip('"}')
    script = (
        f"\\set n random(0, {params['messages'] - 1})\n"
        f"SELECT {handler}('key-' || :n, ('{{\"n\": ' || :n || ', \"key\": ' || :n || ', \"seq\": ' || :n"
        f' || \', "pad": "{pad}"}}\')::jsonb);\n'
    )
    rate = run_pgbench(env, script, clients, params["messages"] // clients, params.get("synchronous_commit", "off"))
    check_rows(env, params["messages"] // clients * clients)
    return {"rate": rate}


def io_pgbench(env, params):
    return pgbench(env, params, "on_io")


def io_loop(env, params):
    """The same handler, called in a loop inside the server by as many sessions as there are
    workers, a transaction for each message."""
    env.clear()
    workers = params["workers"]
    each = params["messages"] // workers
    rate = run_pgbench(env, f"CALL loop_io({each});\n", workers, 1, "off") * each
    check_rows(env, each * workers)
    return {"rate": rate}


def bulk_loop(env, params):
    """The same statement over chunks that are in memory."""
    env.load_messages(params["messages"])
    arguments = f"{params['workers']}, {params['batch_size']}"
    if params["handler"] == "on_fields":
        return sessions_rate(env, params, f"CALL loop_fields({arguments}, false)")
    return sessions_rate(env, params, f"CALL loop_bulk({arguments})")


def text_loop(env, params):
    """INSERT ... SELECT FROM unnest of texts that are in memory, each of which it parses."""
    env.load_messages(params["messages"])
    return sessions_rate(env, params, f"CALL loop_fields({params['workers']}, {params['batch_size']}, true)")


def copy(env, params):
    """The same rows by COPY, each session from a file of its own."""
    env.load_messages(params["messages"])
    env.clear()
    workers = params["workers"]
    files = env.folder / "rows"
    for session in range(workers):
        env.session.query(
            "COPY (SELECT key, (value::jsonb->>'n')::bigint, (value::jsonb->>'seq')::bigint, value::jsonb->>'pad'"
            f" FROM messages WHERE n % {workers} = {session} ORDER BY n) TO '{files}.{session}'"
        )
    figures = sessions_rate(env, params, f"COPY sink FROM '{files}.{{session}}'")
    check_rows(env, params["messages"])
    return figures


def baseline(env, params, mode, messages):
    """The plain consumer, over the beginning of the same topic."""
    topic = env.topic(params["messages"])
    env.clear()
    with env.baseline(mode, topic, messages, chunk_size(params), params["synchronous_commit"]) as process:
        said = process.communicate()[0]
    if process.returncode:
        raise Failure("the baseline failed")
    check_rows(env, messages)
    return {"rate": float(said)}


def baseline_row(env, params):
    # It takes a round trip for each message: a fifth of them takes as long as all take Burrow.
    return baseline(env, params, "row", params["messages"] // 5)


def baseline_copy(env, params):
    return baseline(env, params, "copy", params["messages"])


def python_copy(env, params):
    """The consumer in Python, over the same topic."""
    topic = env.topic(params["messages"])
    env.clear()
    rate, cpu = env.python_consumer(topic, params["messages"], params["batch_size"], params["synchronous_commit"])
    check_rows(env, params["messages"])
    return {"rate": rate, "session_us": cpu}


def tracker(env, params):
    """The pure operations, by the program that measures the core modules.  They take no
    longer than a clock's reading does, so three of them are measured as one."""
    order, window = params["order"], params["window"]
    said = subprocess.run(
        [ROOT / "build/bench/core_bench", "tracker", order, str(window), str(params["messages"])],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return {"message_ns": float(re.search(r"([\d.]+) ns a message", said).group(1))}
