"""Instructions that a message costs a consumer's main thread and its workers, counted by valgrind's callgrind.

A function's count is nearly the same on a busy machine and on a quiet one.  What a process does once is not in it: it is the
difference of two runs, of fewer and of more messages, by what they differ in.  What it does from time to time is:
under valgrind everything is some fifty times as slow but the clock, so a message's share of that is larger than it
is otherwise.

The time between is not the broker's: a topic is full before.
"""

import re
from collections import Counter
from pathlib import Path

from environment import wait_until

# A run of fewer messages is a part of this size.
FEWER = 6

# Every process of the server runs under callgrind, and writes what its threads did to files of its own.
VALGRIND = "valgrind -q --tool=callgrind --separate-threads=yes --callgrind-out-file={out}/%p.out"

OURS = ("burrow.so", "burrow_kafka.so")


def self_costs(file):
    """Instructions by library and function, without those of what it calls.  The format is callgrind's: a name
    is given a number where it first appears, and a line of costs after "calls=" is the callee's."""
    names, costs = {}, Counter()
    library = function = None
    of_a_call = False
    for line in file.read_text().splitlines():
        key, is_name, value = line.partition("=")
        if key == "calls":
            of_a_call = True
        elif is_name and key in ("ob", "fn", "fl", "fi", "fe", "cob", "cfn", "cfi", "cfl"):
            kind = key[-2:] if key[-2:] in ("ob", "fn") else "file"
            number, name = re.fullmatch(r"(?:\((\d+)\))? ?(.*)", value).groups()
            if number:
                name = names.setdefault((kind, number), name) if name else names[kind, number]
            if key == "ob":
                library = Path(name).name
            elif key == "fn":
                function = name
        elif line and (line[0].isdigit() or line[0] in "+-*"):
            if not of_a_call and " " in line:
                costs[library, function] += int(line.split()[1])
            of_a_call = False
    return costs


def run(env, folder, params, messages):
    """What so many messages cost a consumer, and its workers together, by function."""
    topic = env.topic(messages)
    env.session.query("TRUNCATE sink")
    options = {name: params[name] for name in ("workers", "delivery", "batch_size") if params[name] != "default"}
    with env.subscribe(topic, params["handler"], min_workers=params["workers"], **options) as subscription:
        consumer = subscription.consumer()
        subscription.wait_for(messages)
        workers = subscription.workers()

    def counted(pid):
        # the first thread is the main thread, and a process that has no other has one file
        names = (f"{pid}.out-01", f"{pid}.out")
        file = wait_until(
            "what callgrind has counted",
            lambda: next(
                (f for f in map(folder.joinpath, names) if f.exists() and "totals:" in f.read_text()[-200:]), None
            ),
        )
        return self_costs(file)

    return counted(consumer), sum(map(counted, workers), Counter())


def write(file, by_function):
    with file.open("w") as out:
        for (library, function), cost in sorted(by_function.items(), key=lambda item: -item[1]):
            if cost >= 0.05:
                out.write(f"{cost:.2f}\t{library}\t{function}\n")


def consume(env, params):
    """Instructions a message; those of each function are left in instructions.tsv, and the workers' in workers.tsv."""
    more = params["messages"]
    fewer = more // FEWER
    for messages in (fewer, more):
        env.topic(messages)
    folder = env.folder / "callgrind"
    folder.mkdir(exist_ok=True)
    env.server.stop()
    try:
        env.server.start(under=VALGRIND.format(out=folder))
        costs = run(env, folder, params, more)
        for of, less in zip(costs, run(env, folder, params, fewer)):
            of.subtract(less)
    finally:
        env.server.stop()
    consumer, workers = ({name: cost / (more - fewer) for name, cost in of.items()} for of in costs)
    # the last case's, and each case's own
    case = "-".join(str(params[name]) for name in ("handler", "delivery", "batch_size", "workers"))
    for name, by_function in (("instructions", consumer), ("workers", workers)):
        write(env.folder / f"{name}.tsv", by_function)
        write(env.folder / f"{name}-{case}.tsv", by_function)
    figures = {"consumer_ir": sum(consumer.values()), "workers_ir": sum(workers.values())}
    for name, by_function in (("burrow_ir", consumer), ("burrow_workers_ir", workers)):
        figures[name] = sum(cost for (library, _), cost in by_function.items() if library in OURS)
    return figures
