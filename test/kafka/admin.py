"""Ask and change a Kafka cluster: one JSON request a line in, one answer a line out.

    admin.py --bootstrap HOST:PORT

A request is {"do": NAME, ...}; the names are the functions marked with
@request below, the rest are their arguments.  The answer is {"result": ...} or
{"error": "..."}.  It stays for as long as its standard input is open: a test
asks often, and starting Python costs more than asking.
"""

import argparse
import base64
import json
import sys
import time

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka import KafkaAdminClient
from kafka import TopicPartition as PythonTopicPartition
from kafka.errors import KafkaError as PythonClientError
from kafka.structs import OffsetAndMetadata

from producer import Sender, make_producer, produce_made, send_item

TIMEOUT = 30  # seconds
PASSING_ERRORS = {
    "NOT_LEADER_FOR_PARTITION",
    "LEADER_NOT_AVAILABLE",
    "NOT_COORDINATOR",
    "COORDINATOR_NOT_AVAILABLE",
    "COORDINATOR_LOAD_IN_PROGRESS",
}
# What a broker may say of a topic that it does not know of yet.
NEW_TOPIC_ERRORS = PASSING_ERRORS | {"UNKNOWN_TOPIC_OR_PART", "UNKNOWN_LEADER_EPOCH"}
requests = {}


def request(function):
    requests[function.__name__] = function
    return function


def only(futures):
    """The result of an operation on one thing."""
    (future,) = futures.values()
    return future.result(TIMEOUT)


def patiently(function, *args, passing=PASSING_ERRORS, **kwargs):
    """Call a function again while the cluster says that it is about to be ready."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return function(*args, **kwargs)
        except KafkaException as error:
            if error.args[0].name() not in passing or time.monotonic() > deadline:
                raise
        except PythonClientError as error:
            if not error.retriable or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


class Cluster:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self.reader = None

    def group_offsets(self, group):
        """The commits of a group, read by a client in Python alone: librdkafka's copies of a
        commit's metadata have no terminator, and its binding reads beyond their end."""
        try:
            return self.python_client().list_group_offsets(group)[group]
        except PythonClientError:
            # it goes on asking the group's coordinator of before
            self.reader = None
            raise

    def python_client(self):
        if self.reader is None:
            self.reader = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        return self.reader

    def partitions(self, topic):
        description = only(self.admin.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT))
        return [TopicPartition(topic, partition.id) for partition in description.partitions]

    def offsets(self, topic, spec):
        wanted = {partition: spec for partition in self.partitions(topic)}
        futures = self.admin.list_offsets(wanted, request_timeout=TIMEOUT)
        return {tp.partition: future.result(TIMEOUT).offset for tp, future in futures.items()}


@request
def create_topic(cluster, topic, partitions=1, replicas=-1, brokers=None, config=None):
    """brokers: who has each partition, one broker each, instead of what the cluster chooses."""
    if brokers:
        placement = {"num_partitions": len(brokers), "replica_assignment": [[broker] for broker in brokers]}
    else:
        placement = {"num_partitions": partitions, "replication_factor": replicas}
    new = NewTopic(topic, config=config or {}, **placement)
    only(cluster.admin.create_topics([new], operation_timeout=TIMEOUT))
    # until every partition has its leader
    patiently(cluster.offsets, topic, OffsetSpec.latest(), passing=NEW_TOPIC_ERRORS)


@request
def leaderless(cluster, topic):
    metadata = cluster.admin.list_topics(topic, timeout=TIMEOUT).topics[topic]
    return sorted(p.id for p in metadata.partitions.values() if p.leader < 0)


@request
def delete_topic(cluster, topic):
    only(cluster.admin.delete_topics([topic], operation_timeout=TIMEOUT))


@request
def add_partitions(cluster, topic, partitions):
    only(cluster.admin.create_partitions([NewPartitions(topic, partitions)], operation_timeout=TIMEOUT))


@request
def alter_topic(cluster, topic, config):
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    only(cluster.admin.incremental_alter_configs([resource]))


@request
def scram(cluster, user, password, mechanisms):
    """A user's password for these mechanisms, "SCRAM-SHA-256" or "SCRAM-SHA-512"."""
    for name in mechanisms:  # in one request a user may not be named twice
        info = ScramCredentialInfo(ScramMechanism[name.replace("-", "_")], 4096)
        only(cluster.admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, info, password.encode())]))


def acl(kind, resource, name, operation, user="*", permission="DENY"):
    """A rule; the broker needs an authorizer.  Without a user it says that nobody may do this."""
    return kind(
        ResourceType[resource.upper()],
        name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[operation.upper()],
        AclPermissionType[permission],
    )


def add_rule(cluster, *rule):
    only(cluster.admin.create_acls([acl(AclBinding, *rule)], request_timeout=TIMEOUT))


def drop_rule(cluster, *rule):
    only(cluster.admin.delete_acls([acl(AclBindingFilter, *rule)], request_timeout=TIMEOUT))


@request
def deny(cluster, resource, name, operation):
    add_rule(cluster, resource, name, operation)


@request
def allow(cluster, resource, name, operation):
    drop_rule(cluster, resource, name, operation)


@request
def grant(cluster, user, resource, name, operation):
    add_rule(cluster, resource, name, operation, user, "ALLOW")


@request
def revoke(cluster, user, resource, name, operation):
    drop_rule(cluster, resource, name, operation, user, "ALLOW")


@request
def rights(cluster, user):
    """What it was granted, "topic orders read", in order."""
    everything = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{user}", None, AclOperation.ANY, AclPermissionType.ALLOW
    )
    rules = cluster.admin.describe_acls(everything, request_timeout=TIMEOUT).result()
    return sorted(f"{rule.restype.name} {rule.name} {rule.operation.name}".lower() for rule in rules)


@request
def begin_offsets(cluster, topic):
    return cluster.offsets(topic, OffsetSpec.earliest())


@request
def end_offsets(cluster, topic):
    return cluster.offsets(topic, OffsetSpec.latest())


@request
def committed(cluster, group, topic):
    """What the group committed: {partition: [offset, metadata]}, without those that have none."""
    return {
        tp.partition: [commit.offset, commit.metadata]
        for tp, commit in cluster.group_offsets(group).items()
        if tp.topic == topic and commit.offset >= 0
    }


@request
def lag(cluster, group, topic):
    """Messages that the group has not committed; where it has committed nothing, all that are there."""
    done = committed(cluster, group, topic)
    ends = end_offsets(cluster, topic)
    begins = begin_offsets(cluster, topic) if ends.keys() - done.keys() else {}
    return sum(
        end - (done[partition][0] if partition in done else begins[partition]) for partition, end in ends.items()
    )


@request
def commit(cluster, group, topic, offsets, metadata=None):
    """Set a group's committed offsets: as an administrator's reset does; or, with metadata,
    as a member's commit would have, by the client whose metadata ends where it ends."""
    if metadata is not None:
        wanted = {
            PythonTopicPartition(topic, int(partition)): OffsetAndMetadata(offset, metadata, -1)
            for partition, offset in offsets.items()
        }
        for error in cluster.python_client().alter_group_offsets(group, wanted).values():
            if error.errno != 0:
                raise error()
        return
    wanted = [TopicPartition(topic, int(partition), offset) for partition, offset in offsets.items()]
    only(cluster.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)]))


@request
def delete_group(cluster, group):
    only(cluster.admin.delete_consumer_groups([group]))


@request
def delete_records(cluster, topic, before):
    """Remove the records below the given offsets, as retention does."""
    wanted = [TopicPartition(topic, int(partition), offset) for partition, offset in before.items()]
    for future in cluster.admin.delete_records(wanted).values():
        future.result(TIMEOUT)


@request
def group(cluster, group):
    """The group's state and members."""
    description = only(cluster.admin.describe_consumer_groups([group], request_timeout=TIMEOUT))
    return {
        "state": description.state.name,
        "assignor": description.partition_assignor,
        "members": [
            {
                "member_id": member.member_id,
                "instance_id": member.group_instance_id,
                "client_id": member.client_id,
                "host": member.host,
                "partitions": [
                    [tp.topic, tp.partition] for tp in (member.assignment.topic_partitions if member.assignment else [])
                ],
            }
            for member in description.members
        ],
    }


def as_text(data):
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def messages(cluster, topic, isolation="read_committed"):
    """All messages of a topic up to its end as it is now."""
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": "burrow-test-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "log_level": 0,
        }
    )
    try:
        open_partitions = {tp.partition for tp in cluster.partitions(topic)}
        consumer.assign([TopicPartition(topic, partition, 0) for partition in sorted(open_partitions)])
        while open_partitions:
            message = consumer.poll(TIMEOUT)
            if message is None:
                raise TimeoutError(f"no message and no end of topic {topic} in {TIMEOUT} s")
            if message.error():
                if message.error().name() != "_PARTITION_EOF":
                    raise KafkaException(message.error())
                open_partitions.discard(message.partition())
                continue
            yield message
    finally:
        consumer.close()


@request
def produce(cluster, topic, messages):
    """What producer.py does with such lines, without the start of another Python; returns [partition, offset] of each."""
    sender = Sender(make_producer(cluster.bootstrap))
    for item in messages:
        send_item(sender, item, topic)
    sender.finish()
    return sender.results


@request
def produce_many(cluster, topic, **options):
    produce_made(make_producer(cluster.bootstrap), topic, **options)


@request
def read(cluster, topic, isolation="read_committed"):
    found = [
        {
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": message.timestamp()[1],
            "key": as_text(message.key()),
            "value": as_text(message.value()),
            "headers": [[name, as_text(value)] for name, value in message.headers() or []],
        }
        for message in messages(cluster, topic, isolation)
    ]
    return sorted(found, key=lambda m: (m["partition"], m["offset"]))


@request
def dump(cluster, topic, file):
    """Messages that producer.py has made, as lines for COPY: partition, offset, key, seq."""
    count = 0
    with open(file, "w") as out:
        for message in messages(cluster, topic):
            seq = json.loads(message.value())["seq"]
            out.write(f"{message.partition()}\t{message.offset()}\t{message.key().decode()}\t{seq}\n")
            count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description="ask and change a Kafka cluster")
    parser.add_argument("--bootstrap", required=True)
    cluster = Cluster(parser.parse_args().bootstrap)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"result": patiently(requests[asked.pop("do")], cluster, **asked)}
        except Exception as error:  # the test that asked decides what an error means
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
