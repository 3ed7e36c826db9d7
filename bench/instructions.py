"""Instructions that a message costs a consumer's main thread, counted by valgrind's callgrind.

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
    """What a consumer of so many messages cost, by function."""
    topic = env.topic(messages)
    with env.subscribe(
        topic, params["handler"], workers=params["workers"], min_workers=params["workers"], delivery=params["delivery"]
    ) as subscription:
        pid = subscription.consumer()
        subscription.wait_for(messages)
    # the first thread is the main thread
    file = folder / f"{pid}.out-01"
    wait_until("what callgrind has counted", lambda: file.exists() and "totals:" in file.read_text()[-200:])
    return self_costs(file)


def consume(env, params):
    """Instructions a message; those of each function are left in instructions.tsv."""
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
        costs.subtract(run(env, folder, params, fewer))
    finally:
        env.server.stop()
    by_function = {name: cost / (more - fewer) for name, cost in costs.items()}
    with (env.folder / "instructions.tsv").open("w") as out:
        for (library, function), cost in sorted(by_function.items(), key=lambda item: -item[1]):
            if cost >= 0.05:
                out.write(f"{cost:.2f}\t{library}\t{function}\n")
    return {
        "burrow_ir": sum(cost for (library, _), cost in by_function.items() if library in OURS),
        "consumer_ir": sum(by_function.values()),
    }
