#!/bin/bash
# A consumer of librdkafka that takes messages in batches, is told of the ends of partitions (enable.partition.eof) and pauses a partition
# loses a message: in some versions the end that comes in a batch moves the application's position one too far, and
# after the pause the partition is fetched from there.  Nothing tells.
#
# What it takes: rd_kafka_consume_batch_queue() (Consumer.consume() in Python), the end of a partition in the same batch as messages, then
# pause() and resume() before more messages come.  Taken one by one, or without enable.partition.eof, none is lost.
#
# Seen with confluent-kafka from PyPI and a mock cluster of one broker, 2026-11-30.  Ten messages are taken, the partition is
# paused, three more are sent (offsets 10 to 12), it is resumed:
#
#	librdkafka 2.0.2                        position 10 at the end, then 10, 11, 12
#	librdkafka 2.6.1 and 2.10.1             position 11 at the end, then 11, 12: the message at offset 10 never comes
#	librdkafka 2.13.2 and 2.16.0            position 10 at the end, then 10, 11, 12
#
# Takes the clients from PyPI (as the machine's pip is set up) into a temporary folder. Needs Python with venv.
# Fails when it is otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/batch.py" <<'PYTHON'
import sys
import time

import confluent_kafka as kafka

producer = kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
brokers = producer.list_topics("t", timeout=10).brokers.values()
servers = ",".join(f"{b.host}:{b.port}" for b in brokers)


def send(n):
    for _ in range(n):
        producer.produce("t", value="x", partition=0)
    producer.flush(10)


# Everything up to the partition's end, and until nothing more has come for two seconds.
def take(consumer):
    offsets, ended = [], False
    last = time.monotonic()
    while time.monotonic() < last + (2 if ended else 20):
        for message in consumer.consume(100, timeout=0.2):
            last = time.monotonic()
            if message.error() is None:
                offsets.append(message.offset())
            else:
                assert message.error().code() == kafka.KafkaError._PARTITION_EOF, message.error()
                ended = True
    assert ended, "the end did not come"
    return offsets


send(10)
consumer = kafka.Consumer(
    {"bootstrap.servers": servers, "group.id": "g", "auto.offset.reset": "earliest", "log_level": 0, "enable.partition.eof": True}
)
partition = kafka.TopicPartition("t", 0, 0)
consumer.assign([partition])
before = take(consumer)
position = consumer.position([partition])[0].offset
consumer.pause([partition])
send(3)
consumer.resume([partition])
after = take(consumer)
consumer.close()
print("librdkafka", kafka.libversion()[0], "position", position, "then", after)
assert before == list(range(10)), before
lost = sys.argv[1] == "lost"
raise SystemExit(not ((position, after) == ((11, [11, 12]) if lost else (10, [10, 11, 12]))))
PYTHON

differs=0
for what in 2.0.2:kept 2.6.1:lost 2.10.1:lost 2.13.2:kept 2.16.1:kept; do
	version=${what%:*}
	{ python3 -m venv "$folder/$version" &&
		"$folder/$version/bin/pip" install -q --only-binary :all: "confluent-kafka==$version"; } >"$folder/pip.log" 2>&1 || {
		tail -n 5 "$folder/pip.log"
		echo "confluent-kafka $version could not be fetched: nothing can be said"
		exit 2
	}
	"$folder/$version/bin/python" "$folder/batch.py" "${what#*:}" || differs=1
done
if [ $differs = 0 ]; then
	echo "as described: an end of partition in a batch costs a message, in some versions"
else
	echo "NOT as described any more"
fi
exit $differs
