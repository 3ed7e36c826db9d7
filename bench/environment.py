"""The stage of a benchmark: a PostgreSQL server, SQL sessions, a Kafka broker, topics.

All of it lives in one folder and is ended by Environment.close().
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test/kafka"))
from producer import made_value  # noqa: E402  the same messages for Kafka and for tables

# What every server here runs with.  Durability is as in production.  What would
# disturb a run at a time of its own (checkpoints, vacuum) is put off, and memory is
# small enough for a small machine.
SETTINGS = {
    "shared_preload_libraries": "burrow",
    "listen_addresses": "",
    "max_connections": 200,
    "max_worker_processes": 1200,
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "fsync": "on",
    "log_line_prefix": "%n [%p] %b ",  # seconds since 1970
}


class Failure(Exception):
    """The benchmark cannot go on; the text says why."""


def wait_until(what, condition, timeout=60.0, interval=0.01):
    """Poll until the condition is true, and return what it returned."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(interval)
    return result


class Session:
    """One connection: a psql that gets its commands through a pipe."""

    MARK = "-- done --"

    def __init__(self, server):
        self.process = subprocess.Popen(
            [server.bindir / "psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1",
             "-h", server.socket_dir, "-U", "postgres", "-d", "postgres"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.pid = int(self.query("SELECT pg_backend_pid()")[0][0])

    def send(self, sql):
        """Begin commands; receive() waits for their end."""
        self.process.stdin.write(f"{sql};\n\\echo {self.MARK}\n")
        self.process.stdin.flush()

    def receive(self):
        """The rows of what was sent, as lists of texts."""
        lines = []
        while (line := self.process.stdout.readline()) != self.MARK + "\n":
            if line == "":
                raise Failure("a command failed: " + "".join(lines[-5:]).strip())
            lines.append(line)
        return [line.rstrip("\n").split("\t") for line in lines]

    def query(self, sql):
        self.send(sql)
        return self.receive()

    def value(self, sql):
        return self.query(sql)[0][0]

    def close(self):
        # By a signal: when something failed, it may be waiting for a command's end.
        self.process.terminate()
        self.process.wait()


class Server:
    """A PostgreSQL server in a folder of ours, reached through a socket there."""

    def __init__(self, bindir, folder, bootstrap):
        self.bindir = Path(bindir)
        self.data = folder / "data"
        self.socket_dir = folder
        self.log = folder / "server.log"
        self.settings = SETTINGS | {
            "burrow.bootstrap_servers": bootstrap,
            "unix_socket_directories": folder,
        }
        self.running_with = None
        self.session = None
        subprocess.run(
            [self.bindir / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N",
             "--encoding=UTF8", "--locale=C"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, under=None, libraries=None, **more):
        """Start, with settings beside the usual ones; under: the command that is to run the server; libraries: a folder
        with some that it is to have instead of the system's."""
        settings = self.settings | more
        text = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        (self.data / "postgresql.auto.conf").write_text(text)
        if libraries:
            under = f"env LD_LIBRARY_PATH={libraries}"
        self._ctl("start", "-l", self.log, *(["-p", self._wrapper(under)] if under else []))
        self.running_with = more
        self.session = Session(self)

    def _wrapper(self, command):
        """A program that runs the server under another; pg_ctl starts a program and not a command."""
        program = self.socket_dir / "postgres"
        program.write_text(f'#!/bin/sh\nexec {command} {self.bindir / "postgres"} "$@"\n')
        program.chmod(0o755)
        return program

    def stop(self):
        if self.session:
            self.session.close()
            self.session = None
        if self.running_with is not None:
            self._ctl("stop", "-m", "fast")
            self.running_with = None

    def require(self, **more):
        """Have it run with these settings beside the usual ones."""
        if self.running_with != more:
            self.stop()
            self.start(**more)

    def ready_at(self):
        """When the server last said that it accepts connections, in seconds since 1970."""
        said = re.findall(r"^(\d+\.\d+) .*database system is ready to accept connections", self.log.read_text(), re.M)
        return float(said[-1])

    def kill(self, pid):
        """Have a process of the server die, and wait until the server has started itself again; returns when it died."""
        before = self.ready_at()
        killed = time.time()
        os.kill(pid, signal.SIGKILL)
        wait_until("the server's start after a crash", lambda: self.ready_at() > before)
        self.session.close()
        self.session = Session(self)
        return killed

    def _ctl(self, verb, *arguments):
        subprocess.run(
            [self.bindir / "pg_ctl", "-D", self.data, "-w", "-s", verb, *arguments],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


class Broker:
    """Apache Kafka, one node, with the JVM's options that Kafka's own scripts choose."""

    SCRIPT = ROOT / "test/kafka/run_broker"
    JVM = {
        "KAFKA_HEAP_OPTS": "-Xmx1G -Xms1G",
        "KAFKA_JVM_PERFORMANCE_OPTS": "-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20"
        " -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -XX:MaxInlineLevel=15",
    }

    def __init__(self, folder):
        self.folder = folder
        said = self._run("start", "log.retention.ms=-1")
        self.bootstrap = re.search(r"bootstrap (\S+)", said).group(1)
        self.pid = int(self._run("pid"))

    def stop(self):
        self._run("stop")

    def _run(self, verb, *arguments):
        made = subprocess.run(
            [self.SCRIPT, verb, self.folder, *arguments], stdout=subprocess.PIPE, text=True, env=os.environ | self.JVM
        )
        if made.returncode:
            raise Failure(f"run_broker {verb} failed")
        return made.stdout


class Environment:
    """Server and broker, and what is in them."""

    def __init__(self, bindir, folder):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.broker = Broker(self.folder / "kafka")
        self.server = None
        self.topics = set()
        self.loaded = None
        self.names = 0
        try:
            self.server = Server(bindir, self.folder, self.broker.bootstrap)
            self.server.start()
            self.session.query("CREATE EXTENSION burrow")
            self.session.query((ROOT / "bench/handlers.sql").read_text().rstrip().rstrip(";"))
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.server:
            self.server.stop()
        self.broker.stop()

    def require(self, **settings):
        self.server.require(**settings)

    @property
    def session(self):
        return self.server.session

    # ---------------------------------------------------------------- messages

    def create_topic(self, name, partitions):
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        for made in admin.create_topics([NewTopic(name, partitions, 1)]).values():
            made.result(60)
        # The broker answers before all of it knows the topic.
        wait_until(
            f"topic {name}",
            lambda: (topic := admin.list_topics(timeout=10).topics.get(name)) and len(topic.partitions) == partitions,
        )
        self.topics.add(name)

    def topic(self, messages, keys=1000000, size=150, partitions=4):
        """A topic with so many messages; made when it is first wanted, and kept."""
        name = f"m{messages}-k{keys}-s{size}-p{partitions}"
        if name not in self.topics:
            self.create_topic(name, partitions)
            if messages:
                self.produce(name, "--count", messages, "--keys", keys, "--size", size)
        return name

    def produce(self, topic, *arguments):
        subprocess.run(
            [sys.executable, ROOT / "test/kafka/producer.py", "--bootstrap", self.broker.bootstrap, "--topic", topic,
             "--property", "message.max.bytes=2000000", "--property", "log_level=3", *map(str, arguments)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def send_one(self, topic, key):
        """One message with this key."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        producer.produce(topic, key=key, value="{}")
        if producer.flush(60):
            raise Failure(f'could not send a message to topic "{topic}"')

    def load_messages(self, messages, keys=1000000, size=150):
        """The same messages as in topic(), in table "messages": for what runs without Kafka."""
        wanted = (messages, keys, size)
        if self.loaded == wanted:
            return
        file = self.folder / "messages.copy"
        with file.open("w") as out:
            for number in range(messages):
                out.write(f"{number}\tkey-{number % keys}\t{made_value(number, keys, size)}\n")
        self.session.query(f"TRUNCATE messages; COPY messages FROM '{file}'; VACUUM ANALYZE messages")
        file.unlink()
        self.loaded = wanted

    # ---------------------------------------------------------------- runs

    def clear(self):
        """The same beginning for every run: empty tables, nothing left to write back."""
        self.session.query("TRUNCATE sink; CHECKPOINT")

    def fresh_name(self):
        """For a subscription, a consumer group, a topic: whatever must not know of earlier runs."""
        self.names += 1
        return f"bench{self.names}"

    def baseline(self, mode, topic, messages, batch, synchronous_commit):
        """The plain consumer, started; its output is a pipe."""
        return subprocess.Popen(
            [ROOT / "build/bench/baseline", mode, self.broker.bootstrap, topic, self.fresh_name(),
             self.connection(synchronous_commit), str(messages), str(batch)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def connection(self, synchronous_commit):
        """For libpq."""
        return (
            f"host={self.server.socket_dir} user=postgres dbname=postgres"
            f" options='-c synchronous_commit={synchronous_commit}'"
        )

    def python_consumer(self, topic, messages, batch, synchronous_commit):
        """The consumer in Python, run to its end: its rate, and its CPU in microseconds a message."""
        said = subprocess.run(
            [sys.executable, ROOT / "bench/copy_consumer.py", self.broker.bootstrap, topic, self.fresh_name(),
             self.connection(synchronous_commit), str(messages), str(batch)],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        return map(float, said.split())

    def watch(self, topic, messages, out):
        """The plain consumer without a database, started; it writes when each message came."""
        return subprocess.Popen(
            [ROOT / "build/bench/baseline", "watch", self.broker.bootstrap, topic, self.fresh_name(), str(messages)],
            stdout=out,
        )

    def arrivals(self, topic, group, libraries=None, **properties):
        """The plain consumer without a database, started; it writes when each message came until it is ended."""
        return subprocess.Popen(
            [ROOT / "build/bench/baseline", "arrivals", self.broker.bootstrap, topic, group,
             *(f"{name.replace('_', '.')}={value}" for name, value in properties.items())],
            stdout=subprocess.PIPE, text=True, env=os.environ | ({"LD_LIBRARY_PATH": str(libraries)} if libraries else {}),
        )  # fmt: skip

    def recent_librdkafka(self):
        """A folder with that of the tests' Python, under the name that Burrow's library asks for."""
        folder = self.folder / "librdkafka"
        folder.mkdir(exist_ok=True)
        link = folder / "librdkafka.so.1"
        if not link.exists():
            (found,) = Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka-*.so.1")
            link.symlink_to(found)
        return folder

    def subscribe(self, topic, handler, **options):
        """A subscription with a name, and so a consumer group, of its own."""
        name = self.fresh_name()
        arguments = "".join(f", \"{option}\" => '{value}'" for option, value in options.items())
        self.session.query(f"SELECT burrow.subscribe('{topic}', '{handler}', subscription => '{name}'{arguments})")
        return Subscription(self, name)


class Subscription:
    """A subscription that runs; "with" ends it."""

    def __init__(self, env, name):
        self.env = env
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.env.session.query(f"SELECT burrow.unsubscribe('{self.name}')")
        wait_until("the end of a subscription's processes", lambda: not self._pids("consumer") and not self.workers())

    def _pids(self, kind):
        # application_name is "burrow consumer NAME", "burrow worker NAME #n"
        rows = self.env.session.query(
            f"SELECT pid FROM pg_stat_activity WHERE backend_type = 'burrow {kind}'"
            f" AND split_part(application_name, ' ', 3) = '{self.name}'"
        )
        return [int(row[0]) for row in rows]

    def consumer(self):
        return wait_until("a consumer", lambda: self._pids("consumer"))[0]

    def workers(self):
        return self._pids("worker")

    def state(self):
        return self.env.session.query(
            f"SELECT state, last_error FROM burrow.subscriptions WHERE subscription = '{self.name}'"
        )[0]

    def lag(self):
        """Messages that Kafka does not know to be done; None while that is not known."""
        lag = self.env.session.value(f"SELECT lag FROM burrow.stats WHERE subscription = '{self.name}'")
        return int(lag) if lag else None

    def wait_for_partitions(self):
        """Wait until it has partitions to read."""
        sql = f"SELECT count(*) > 0 FROM burrow.partitions WHERE subscription = '{self.name}'"
        wait_until("partitions", lambda: self.env.session.value(sql) == "t")

    def processed(self):
        """The server's time, and the messages whose transactions are committed by then."""
        row = self.env.session.query(
            "SELECT extract(epoch FROM clock_timestamp()), messages_processed FROM burrow.stats"
            f" WHERE subscription = '{self.name}'"
        )[0]
        return float(row[0]), int(row[1])

    def wait_for(self, messages, timeout=120.0):
        """Wait until so many are processed; time and number then.  The bound is on time without progress."""
        seen, changed = -1, time.monotonic()
        while True:
            at, count = self.processed()
            if count >= messages:
                return at, count
            if count != seen:
                seen, changed = count, time.monotonic()
            elif time.monotonic() - changed > timeout:
                raise Failure(f"no progress at {count} of {messages} messages: {self.state()}")
            time.sleep(0.01)
