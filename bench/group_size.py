"""What a consumer group's size costs: plain consumers, over a topic without messages."""

import struct
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from environment import wait_until

# The one that keeps what the coordinator knows of groups.
GROUPS_TOPIC = "__consumer_offsets"

# Of a record's key: what the record is about.
KEY_OF_A_GROUP = 2


class Group:
    """Consumers that one thread polls; "with" closes them."""

    def __init__(self, env, topic, assignor):
        self.topic = topic
        self.name = env.fresh_name()
        self.conf = {
            "bootstrap.servers": env.broker.bootstrap,
            "group.id": self.name,
            "partition.assignment.strategy": assignor,
            "log_level": 3,
        }
        self.members = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._poll)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        for member in self.members:
            member.close()

    def _poll(self):
        while not self.ended.is_set():
            for member in list(self.members):
                member.poll(0)
            time.sleep(0.005)

    def join(self):
        member = Consumer(self.conf)
        member.subscribe([self.topic])
        self.members.append(member)

    def shares(self):
        return [len(member.assignment()) for member in self.members]


def record_size(env, group):
    """Bytes of the last record that the coordinator wrote about a group and all of its members."""
    reader = Consumer(
        {
            "bootstrap.servers": env.broker.bootstrap,
            "group.id": env.fresh_name(),
            "enable.partition.eof": True,
            "log_level": 3,
        }
    )
    try:
        partitions = reader.list_topics(GROUPS_TOPIC, 10).topics[GROUPS_TOPIC].partitions
        reader.assign([TopicPartition(GROUPS_TOPIC, partition, OFFSET_BEGINNING) for partition in partitions])
        size, ended = None, set()
        while len(ended) < len(partitions):
            message = reader.poll(10)
            if message is None:
                continue
            if message.error():
                ended.add(message.partition())
            elif message.key() and message.value():
                (version,) = struct.unpack(">h", message.key()[:2])
                if version == KEY_OF_A_GROUP and message.key()[4:] == group.encode():
                    size = len(message.value())
        return size
    finally:
        reader.close()


def joined(env, params):
    """One more member for a group of so many that have their partitions."""
    topic = env.fresh_name()
    env.create_topic(topic, params["partitions"])
    with Group(env, topic, params["assignor"]) as group:

        def all_given():
            shares = group.shares()
            least = params["partitions"] // len(shares)
            return sum(shares) == params["partitions"] and min(shares) >= least

        for _ in range(params["members"]):
            group.join()
        wait_until("all members to have their partitions", all_given, timeout=300)
        began = time.monotonic()
        group.join()
        wait_until("one more to have its own", all_given, timeout=300)
        seconds = time.monotonic() - began
        return {"join_s": seconds, "record_kb": record_size(env, group.name) / 1000}
