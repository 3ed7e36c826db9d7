"""What is measured: one table.

A workload is a list of cases.  A case is a set of parameters; the workload's
measure() runs it once.  References are what it is compared with, measured in the
same run; one whose parameters do not change between two cases is measured once a
round for both.
"""

from dataclasses import dataclass, field
from itertools import product

import group_size
import instructions
import latency
import lifecycle
import measure
import rebalance
import scraped

# Multiplied by BENCH_SCALE.
SCALED = ("messages", "seconds")

# The parameters of a case that are settings of the server.
OF_THE_SERVER = ("huge_pages",)


@dataclass(frozen=True)
class Reference:
    name: str
    measure: callable
    parameters: tuple  # those of the case that it depends on
    cost: str = None  # its figure of CPU a message, if it has one


@dataclass(frozen=True)
class Column:
    figure: str
    heading: str
    digits: int = 0
    spread: bool = False  # minimum and maximum, too


@dataclass(frozen=True)
class Plot:
    x: str  # a parameter
    figure: str
    heading: str


@dataclass(frozen=True)
class Workload:
    name: str
    about: str
    measure: callable
    cases: list
    shown: tuple  # the parameters that tell the cases apart
    columns: tuple
    references: tuple = ()
    compared: tuple = ("rate",)  # the figures that references are compared by
    plot: Plot = None
    server: dict = field(default_factory=dict)  # settings beside the usual ones


def grid(**parameters):
    """Every combination; a parameter is a value or a list of values."""
    lists = [value if isinstance(value, list) else [value] for value in parameters.values()]
    return [dict(zip(parameters, values)) for values in product(*lists)]


def variations(base, **changes):
    """The base, and then with one parameter changed at a time; a change may bring others."""
    cases = [base]
    for parameter, values in changes.items():
        for value in values:
            changed = value if isinstance(value, dict) else {parameter: value}
            cases.append(base | changed)
    return cases


DELIVERIES = ["at_least_once", "exactly_once"]

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

ANSWERS = (
    Column("answers", "answers"),
    Column("unanswered", "unanswered"),
    Column("median_ms", "answer, ms", 2),
    Column("p99_ms", "p99, ms", 2),
)

OF_ROW = {"handler": "on_row", "delivery": DELIVERIES}
LARGE = {"batch_size": "default", "synchronous_commit": "off", "messages": 1000000, **OF_ROW}
SINGLE = {"batch_size": 1, "synchronous_commit": "off", "messages": 300000, **OF_ROW}

SCALE_BASE = {
    "partitions": 4,
    "keys": 1000000,
    "size": 150,
    "other_subscriptions": 0,
    "messages": 1000000,
    "workers": 2,
    "handler": "on_row",
    "delivery": "exactly_once",
}

WORKLOADS = [
    Workload(
        name="io",
        about="The handler waits for 50 ms (`pg_sleep`) and inserts a row."
        " The limit is 20 messages a second for each worker. *Loop* is a PL/pgSQL procedure that calls the same"
        " function, in as many sessions as there are workers, with a transaction for each message."
        " *Pgbench* is `pgbench` with as many clients, a program of C that calls it by a prepared statement.",
        measure=measure.consume,
        references=(
            Reference("limit", measure.io_limit, ("workers",)),
            Reference("loop", measure.io_loop, ("messages", "workers")),
            Reference("pgbench", measure.io_pgbench, ("messages", "workers")),
        ),
        server={"max_connections": 1100},
        shown=("delivery", "workers"),
        plot=Plot("workers", "rate", "messages/s"),
        columns=(RATE, *COSTS),
        cases=[
            {"handler": "on_io", "delivery": delivery, "workers": workers, "messages": messages}
            for delivery in DELIVERIES
            for workers, messages in ((1, 200), (10, 2000), (100, 20000), (500, 100000), (1000, 200000))
        ],
    ),
    Workload(
        name="huge_pages",
        about="The thousand workers of `io`, with `huge_pages` off and with PostgreSQL's default, *try*."
        " *Taken* is what the server has of the huge pages that the system has reserved (`vm.nr_hugepages`).",
        measure=measure.consume_and_pages,
        references=(
            Reference("limit", measure.io_limit, ("workers",)),
            Reference("loop", measure.io_loop, ("messages", "workers", "huge_pages")),
        ),
        server={"max_connections": 1100},
        shown=("delivery", "huge_pages"),
        columns=(RATE, *COSTS, Column("huge_mb", "taken, MB")),
        cases=grid(handler="on_io", delivery=DELIVERIES, workers=1000, messages=200000, huge_pages=["off", "try"]),
    ),
    Workload(
        name="row",
        about="A PL/pgSQL function (`key text, value jsonb`) inserts one row of four columns."
        " *Loop* is a PL/pgSQL procedure that calls the same function for the same messages out of a table,"
        " in as many sessions as there are workers, with transactions of the same size. *Baseline* is a C program"
        " of one thread with librdkafka and libpq: a prepared statement for each message,"
        " transactions of the same size.",
        measure=measure.consume,
        references=(
            Reference("loop", measure.loop, ("messages", "workers", "batch_size", "synchronous_commit"), "session_us"),
            Reference("baseline", measure.baseline_row, ("messages", "batch_size", "synchronous_commit")),
        ),
        shown=("delivery", "batch_size", "synchronous_commit", "ordering", "workers"),
        plot=Plot("workers", "rate", "messages/s"),
        columns=(RATE, *COSTS),
        cases=[
            *grid(ordering="key", workers=[1, 2, 4, 8, 32], **LARGE),
            *grid(ordering=["partition", "unordered"], workers=[1, 2, 4], **LARGE),
            *grid(ordering="key", workers=[1, 2, 4, 8, 32], **SINGLE),
            *grid(ordering=["partition", "unordered"], workers=[1, 2, 4], **SINGLE),
            *grid(ordering="key", workers=[2, 32], **LARGE | {"synchronous_commit": "on"}),
        ],
    ),
    Workload(
        name="durable",
        about="The handler of `row` with a transaction for each message and `synchronous_commit` on: each waits for"
        " the disk. *Pgbench* is `pgbench` with as many clients, which call the same handler by a prepared statement.",
        measure=measure.consume,
        references=(Reference("pgbench", measure.pgbench, ("messages", "workers", "synchronous_commit")),),
        shown=("delivery", "workers"),
        plot=Plot("workers", "rate", "messages/s"),
        columns=(RATE, *COSTS),
        cases=grid(ordering="key", workers=[4, 32], **SINGLE | {"synchronous_commit": "on", "messages": 100000}),
    ),
    Workload(
        name="snapshot",
        about="The handler of `row` while another session holds a snapshot from before the first message, so that"
        " no old version of a row can be removed. *Without* is the same without that session.",
        measure=measure.consume_beside_snapshot,
        references=(Reference("without", measure.consume, ("messages", "batch_size", "workers", "delivery")),),
        shown=("delivery", "batch_size", "workers"),
        columns=(RATE, *COSTS),
        cases=grid(batch_size=["default", 1], workers=4, messages=200000, **OF_ROW | {"delivery": "exactly_once"}),
    ),
    Workload(
        name="bulk",
        about="A handler of `burrow.message[]` inserts a whole chunk by one `INSERT ... SELECT FROM unnest`."
        " *Memory* is the same function with an array that was made once, in as many sessions as there are workers;"
        " *copy* is `COPY` of the same rows from files by as many sessions;"
        " *baseline* is a C program of one thread that reads the JSON and writes by `COPY`, a chunk at a time.",
        measure=measure.consume,
        references=(
            Reference("memory", measure.bulk_loop, ("messages", "workers", "batch_size"), "session_us"),
            Reference("copy", measure.copy, ("messages", "workers"), "session_us"),
            Reference("baseline", measure.baseline_copy, ("messages", "batch_size")),
        ),
        shown=("delivery", "batch_size", "workers"),
        plot=Plot("batch_size", "rate", "messages/s"),
        columns=(RATE, *COSTS),
        cases=grid(
            handler="on_bulk",
            delivery=DELIVERIES,
            batch_size=[100, 500, 5000],
            workers=[1, 2],
            synchronous_commit="off",
            messages=1000000,
        ),
    ),
    Workload(
        name="bulk_fields",
        about="A handler of arrays, `on_fields(key text[], value jsonb[])`, inserts a whole chunk by one"
        " `INSERT ... SELECT FROM unnest`; `on_bulk(burrow.message[])` is that of `bulk`."
        " *Memory* is the same function with arrays that were made once, in as many sessions as there are workers;"
        " *text* is the same `INSERT` from arrays of text that were made once, which it parses, as a handler's values"
        " are parsed before the call; *python* is a consumer of one thread with confluent-kafka, `json`, and psycopg2's"
        " `COPY` of a chunk.",
        measure=measure.consume,
        references=(
            Reference("memory", measure.bulk_loop, ("handler", "messages", "workers", "batch_size"), "session_us"),
            Reference("text", measure.text_loop, ("messages", "workers", "batch_size"), "session_us"),
            Reference("python", measure.python_copy, ("messages", "batch_size"), "session_us"),
        ),
        shown=("handler", "delivery", "workers"),
        columns=(RATE, *COSTS),
        cases=grid(
            handler=["on_fields", "on_bulk"],
            delivery=DELIVERIES,
            batch_size=5000,
            workers=[1, 2],
            synchronous_commit="off",
            messages=1000000,
        ),
    ),
    Workload(
        name="latency",
        about="A steady stream, from the call that produces a message to the timestamp of the commit that handled it,"
        " in milliseconds; the first second does not count. *Baseline* is the C program of `row`,"
        " with a transaction for each message; *kafka* is the same program without a database,"
        " from the call that produces a message to its arrival. A ratio below 1 is the better one here.",
        measure=latency.burrow,
        references=(
            Reference("baseline", latency.baseline, ("per_second", "seconds")),
            Reference("kafka", latency.kafka, ("per_second", "seconds")),
        ),
        compared=("p50_ms", "p99_ms"),
        shown=("delivery", "per_second"),
        plot=Plot("per_second", "p50_ms", "p50, ms"),
        columns=(
            Column("p50_ms", "p50", 2, spread=True),
            Column("p95_ms", "p95", 2),
            Column("p99_ms", "p99", 2, spread=True),
            Column("p999_ms", "p99.9", 2),
            Column("max_ms", "max", 2),
        ),
        cases=grid(handler="on_row", delivery=DELIVERIES, per_second=[100, 1000, 10000], seconds=30),
        server={"track_commit_timestamp": "on"},
    ),
    Workload(
        name="scale",
        about="The handler of `row` with 2 workers, by what there is of partitions, keys, bytes of a value,"
        " idle subscriptions beside it, and messages that wait.",
        measure=measure.consume,
        shown=("partitions", "keys", "size", "other_subscriptions", "messages"),
        columns=(RATE, *COSTS),
        cases=variations(
            SCALE_BASE,
            partitions=[1, 16, 256, 1000],
            keys=[1, 100],
            size=[
                {"size": 100},
                {"size": 1000, "messages": 500000},
                {"size": 100000, "messages": 10000},
                {"size": 1000000, "messages": 1000},
            ],
            other_subscriptions=[9, 49],
            messages=[10000, 100000, 5000000],
        ),
    ),
    Workload(
        name="instructions",
        about="Instructions a message of a consumer's main thread and of its workers, as valgrind counts them, with a"
        " handler that does nothing and with that of `row`: in Burrow's own code, and with what it calls."
        " What a process does once is not in it.",
        measure=instructions.consume,
        shown=("handler", "delivery", "batch_size"),
        columns=(
            Column("burrow_ir", "consumer: Burrow's code", spread=True),
            Column("consumer_ir", "in all", spread=True),
            Column("burrow_workers_ir", "workers: Burrow's code", spread=True),
            Column("workers_ir", "in all", spread=True),
        ),
        cases=[
            *grid(handler="on_nothing", delivery=DELIVERIES, batch_size="default", workers=2, messages=120000),
            *grid(handler="on_row", delivery=DELIVERIES, batch_size="default", workers=2, messages=60000),
            *grid(handler="on_row", delivery=DELIVERIES, batch_size=1, workers=2, messages=30000),
        ],
    ),
    Workload(
        name="stuck",
        about="One message whose handler does not end, and a million others in its partition that pass it,"
        " each of which inserts a row. The rate of the first tenth of them after the start and of the last tenth;"
        " resident memory of the consumer when the first hundredth has passed, when all have,"
        " and after the one was released. *Without* is the same when that one ends like the others.",
        measure=lifecycle.stuck,
        references=(Reference("without", lifecycle.not_stuck, ("delivery", "window", "workers", "messages")),),
        compared=("first_rate", "last_rate"),
        shown=("delivery", "window"),
        columns=(
            Column("first_rate", "first, messages/s"),
            Column("last_rate", "last, messages/s"),
            Column("kept", "last / first", 3, spread=True),
            Column("before_mb", "before, MB", 1),
            Column("after_mb", "after, MB", 1, spread=True),
            Column("released_mb", "released, MB", 1),
            Column("release_s", "release, s", 3, spread=True),
        ),
        cases=grid(delivery="exactly_once", window=2000000, workers=4, messages=1000000),
    ),
    Workload(
        name="idle",
        about="A subscription that has nothing to do, for a minute: how often a process's main thread wakes up,"
        " and what CPU it takes.",
        measure=lifecycle.idle,
        shown=("subscriptions",),
        columns=(
            Column("launcher_wakeups", "launcher, wake-ups/min", 1, spread=True),
            Column("consumer_wakeups", "consumer, wake-ups/min", 1, spread=True),
            Column("worker_wakeups", "worker, wake-ups/min", 1, spread=True),
            Column("librdkafka_wakeups", "librdkafka, wake-ups/min", 1),
            Column("ours_us", "Burrow, µs/s", 1),
            Column("librdkafka_us", "librdkafka, µs/s", 1),
        ),
        cases=grid(subscriptions=1, seconds=60),
    ),
    Workload(
        name="scrape",
        about="The handler of `row` while the exporter is asked each second, until that has been so for ten minutes. Each second is cut in"
        " two: its first half begins with the question. *Asked / not* is the median of the rates of first halves, each divided by the mean of its"
        " two neighbours', with the bounds of a confidence of 95 %, and *CPU, asked / not* the same of what a message takes of"
        " the processors, in the main threads of the consumer and the workers. *Exporter* and *scraper*, a Python program: CPU time a second; *later*: of the"
        " exporter in second halves. In one more run a worker, the consumer or the exporter is ended every five seconds. A"
        " counter that goes back, a histogram that does not add up, or a number in the end that is not the table's, fails the run.",
        measure=scraped.full_load,
        shown=("delivery", "workers"),
        columns=(
            Column("rate", "asked, messages/s"),
            Column("without_rate", "not asked, messages/s"),
            Column("ratio", "asked / not", 4),
            Column("ratio_low", "from", 4),
            Column("ratio_high", "to", 4),
            Column("cost", "CPU, asked / not", 4),
            Column("cost_low", "from", 4),
            Column("cost_high", "to", 4),
            Column("halves", "halves"),
            Column("exporter_us", "exporter, µs/s"),
            Column("exporter_idle_us", "later, µs/s", 1),
            Column("scraper_us", "scraper, µs/s"),
            Column("runs", "runs"),
            *ANSWERS,
        ),
        cases=grid(
            ordering="key",
            workers=2,
            seconds=600,
            **LARGE | {"delivery": "exactly_once", "messages": 5000000, "partitions": 16},
        ),
    ),
    Workload(
        name="scrape_disturbed",
        about="The handler of `row` for ten minutes in which the exporter is asked each second, and a worker, the consumer or the exporter"
        " is ended every five seconds.",
        measure=scraped.disturbed_load,
        shown=("delivery", "workers"),
        columns=(Column("runs", "runs"), *ANSWERS),
        cases=grid(ordering="key", workers=2, seconds=600, **LARGE | {"delivery": "exactly_once"}),
    ),
    Workload(
        name="scrape_partitions",
        about="A thousand answers of the exporter, one after the other, with `burrow.metrics_per_partition` and"
        " nothing to handle.",
        measure=scraped.many_partitions,
        shown=("partitions",),
        columns=(
            Column("median_ms", "median, ms", 2, spread=True),
            Column("p99_ms", "p99, ms", 2, spread=True),
            Column("max_ms", "max, ms", 2),
            Column("cpu_us", "exporter's CPU, µs"),
            Column("kilobytes", "kB"),
        ),
        cases=grid(partitions=[16, 1000]),
    ),
    Workload(
        name="restart",
        about="The time to the first handled message, in seconds: from `burrow.subscribe`; from the server's start,"
        " where messages wait already; and after a `kill -9` of the consumer, from when the server accepts connections again"
        " (*server* is how long that takes). *Plain* is a consumer of librdkafka's without a database, from the program's"
        " start, and as the static member that was killed before. The broker does not wait for more members"
        " (`group.initial.rebalance.delay.ms` 0; Kafka's default adds 3 s to the first start of a group).",
        measure=lifecycle.restart,
        references=(Reference("plain", lifecycle.plain_restart, ()),),
        compared=("subscribe_s", "crash_s"),
        shown=("delivery",),
        columns=(
            Column("subscribe_s", "from subscribe", 3, spread=True),
            Column("start_s", "from the postmaster's start", 3, spread=True),
            Column("ready_s", "from accepting connections", 3, spread=True),
            Column("crash_s", "after kill -9", 3, spread=True),
            Column("server_s", "server", 3),
        ),
        cases=grid(delivery=DELIVERIES),
    ),
    Workload(
        name="rebalance",
        about="Another member joins the group under the cooperative protocol, and gets two of four partitions, at 1,000"
        " messages a second: the longest time in which a partition that stays had no message, in milliseconds,"
        " and the same in the three seconds before. *Plain* is a consumer of librdkafka's without a database in Burrow's place."
        " Both have the librdkafka of the tests' Python: older ones have no cooperative protocol that Burrow takes.",
        measure=rebalance.burrow,
        references=(Reference("plain", rebalance.plain, ()),),
        compared=("gap_ms",),
        shown=("delivery",),
        columns=(
            Column("gap_ms", "longest", 1, spread=True),
            Column("before_ms", "before", 1, spread=True),
            Column("stay", "partitions that stay"),
        ),
        cases=grid(delivery=DELIVERIES),
    ),
    Workload(
        name="group",
        about="A group of plain consumers, without messages, takes one more in: seconds until each has its share,"
        " and the size of the record in which the group's coordinator keeps all members, which has to fit into"
        " a message (`message.max.bytes`, 1 MB).",
        measure=group_size.joined,
        shown=("assignor", "members", "partitions"),
        columns=(
            Column("join_s", "until all have their shares, s", 1, spread=True),
            Column("record_kb", "the group's record, kB", 1),
        ),
        cases=grid(assignor=["range", "cooperative-sticky"], members=[10, 50, 100], partitions=1000),
    ),
    Workload(
        name="tracker",
        about="The tracker alone, in one thread, with a window that is kept full: what begin, complete"
        " and advance cost together, in nanoseconds a message, by the order in which messages are marked.",
        measure=measure.tracker,
        shown=("window", "order"),
        plot=Plot("window", "message_ns", "ns a message"),
        columns=(Column("message_ns", "ns a message", 1, spread=True),),
        cases=grid(window=[10, 10000, 1000000], order=["in-order", "reversed", "random"], messages=20000000),
    ),
]


def by_name(name):
    return next((workload for workload in WORKLOADS if workload.name == name), None)
