"""What is measured: one table.

A workload is a list of cases.  A case is a set of parameters; the workload's
measure() runs it once.  References are what it is compared with, measured in the
same run; one whose parameters do not change between two cases is measured once a
round for both.
"""

from dataclasses import dataclass, field
from itertools import product

import measure

# Multiplied by BENCH_SCALE.
SCALED = ("messages", "seconds")


@dataclass(frozen=True)
class Reference:
    name: str
    measure: callable
    parameters: tuple  # those of the case that it depends on


@dataclass(frozen=True)
class Column:
    figure: str
    heading: str
    digits: int = 0
    spread: bool = False  # minimum and maximum, too


@dataclass(frozen=True)
class Workload:
    name: str
    about: str
    measure: callable
    cases: list
    columns: tuple
    references: tuple = ()
    compared: str = "rate"  # the figure that references are compared by
    server: dict = field(default_factory=dict)  # settings beside the usual ones


def grid(**parameters):
    """Every combination; a parameter is a value or a list of values."""
    lists = [value if isinstance(value, list) else [value] for value in parameters.values()]
    return [dict(zip(parameters, values)) for values in product(*lists)]


RATE = Column("rate", "messages/s", spread=True)
COSTS = (
    Column("consumer_us", "consumer, µs", 2),
    Column("librdkafka_us", "librdkafka, µs", 2),
    Column("workers_us", "workers, µs", 2),
    Column("broker_us", "broker, µs", 2),
    Column("consumer_peak_mb", "consumer peak, MB"),
    Column("worker_peak_mb", "worker peak, MB"),
    Column("worker_private_mb", "worker private, MB", 1),
)

ROW = {"handler": "on_row", "delivery": "at_least_once"}

WORKLOADS = [
    Workload(
        name="io",
        about="The handler waits for 50 ms (`pg_sleep`) and inserts a row. The limit is 20 messages a second for each worker.",
        measure=measure.consume,
        references=(Reference("limit", measure.io_limit, ("workers",)),),
        columns=(RATE, *COSTS),
        cases=[
            {"handler": "on_io", "workers": workers, "messages": messages}
            for workers, messages in ((1, 200), (10, 2000), (100, 20000), (500, 100000), (1000, 200000))
        ],
    ),
    Workload(
        name="row",
        about="A PL/pgSQL function (`key text, value jsonb`) inserts one row of four columns."
        " The loop is a PL/pgSQL procedure that calls the same function for the same messages out of a table,"
        " in as many sessions as there are workers, with transactions of the same size.",
        measure=measure.consume,
        references=(Reference("loop", measure.loop, ("messages", "workers", "batch_size", "synchronous_commit")),),
        columns=(RATE, *COSTS),
        cases=[
            *grid(workers=[1, 2, 4, 8, 32], batch_size="default", ordering="key", synchronous_commit="off", messages=1000000, **ROW),
            *grid(workers=[1, 2, 4], batch_size="default", ordering=["partition", "unordered"], synchronous_commit="off", messages=1000000, **ROW),
            *grid(workers=[1, 2, 4, 8, 32], batch_size=1, ordering="key", synchronous_commit="off", messages=300000, **ROW),
            *grid(workers=[1, 2, 4], batch_size=1, ordering=["partition", "unordered"], synchronous_commit="off", messages=300000, **ROW),
            *grid(workers=[2, 32], batch_size="default", ordering="key", synchronous_commit="on", messages=300000, **ROW),
            *grid(workers=32, batch_size=1, ordering="key", synchronous_commit="on", messages=100000, **ROW),
        ],
    ),
    Workload(
        name="tracker",
        about="The tracker alone, in one thread, with a window that is kept full: what begin, complete"
        " and advance cost together, in nanoseconds a message, by the order in which messages are marked.",
        measure=measure.tracker,
        columns=(Column("message_ns", "ns a message", 1, spread=True),),
        cases=grid(window=[10, 10000, 1000000], order=["in-order", "reversed", "random"], messages=20000000),
    ),
]


def by_name(name):
    return next((workload for workload in WORKLOADS if workload.name == name), None)
