#!/bin/bash
# librdkafka fetches from a partition that was resumed only when the thread of its broker looks the next time, up to a second
# later: rd_kafka_resume_partitions() does not wake that thread, which sleeps for a second when it has nothing to fetch.
# Any request to that broker wakes it, so a question whose answer nobody wants makes resuming fast.
#
# It is more than the application's own pauses: during a cooperative rebalance librdkafka pauses all partitions itself, so
# those that stay may stand still for a second beyond the rebalance.
#
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0) and 2.10.1 (librdkafka 2.10.1) from PyPI, a mock cluster of one broker to
# which a message is sent every 10 ms, 2026-11-30.  Seconds from resume() to the next message:
#
#	paused and resumed at once:      0.00
#	paused for 1.7 to 2.3 s:         0.2 to 0.8, by when it was resumed
#	the same, and then the partition's last offset is asked for:      0.01
#
# fetch.wait.max.ms, fetch.error.backoff.ms and fetch.queue.backoff.ms of 100 change nothing of it.
#
# Takes the clients from PyPI (as the machine's pip is set up) into a temporary folder. Needs Python with venv.
# Fails when it is otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/resume.py" <<'PYTHON'
import threading
import time

import confluent_kafka as kafka

producer = kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
brokers = producer.list_topics("t", timeout=10).brokers.values()
consumer = kafka.Consumer(
    {"bootstrap.servers": ",".join(f"{b.host}:{b.port}" for b in brokers), "group.id": "g",
     "auto.offset.reset": "earliest", "log_level": 0}
)
partition = kafka.TopicPartition("t", 0, 0)
consumer.assign([partition])
ended = threading.Event()


def send():
    while not ended.wait(0.01):
        producer.produce("t", value="x", partition=0)
        producer.poll(0)


def poll(seconds, until_one=False):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        message = consumer.poll(min(left, 0.01))
        if until_one and message is not None and not message.error():
            return
    assert not until_one, "no message came"


def resumed(paused_for, ask):
    poll(0.5)
    consumer.pause([partition])
    poll(paused_for)
    began = time.monotonic()
    consumer.resume([partition])
    if ask:
        consumer.get_watermark_offsets(partition, timeout=5)
    poll(5, until_one=True)
    return time.monotonic() - began


sender = threading.Thread(target=send)
sender.start()
poll(10, until_one=True)
print("librdkafka", kafka.libversion()[0])
longest = {}
for what, pauses, ask in (("at once", [0] * 4, False), ("paused", [1.7, 1.9, 2.1, 2.3], False), ("asked", [1.7, 1.9, 2.1, 2.3], True)):
    times = [resumed(pause, ask) for pause in pauses]
    longest[what] = max(times)
    print(what, *(f"{seconds:.2f}" for seconds in times))
ended.set()
sender.join()
consumer.close()
raise SystemExit(not (longest["at once"] < 0.15 and 0.4 < longest["paused"] < 1.2 and longest["asked"] < 0.15))
PYTHON

differs=0
for version in 2.10.1 2.16.1; do
	{ python3 -m venv "$folder/$version" &&
		"$folder/$version/bin/pip" install -q --only-binary :all: "confluent-kafka==$version"; } >"$folder/pip.log" 2>&1 || {
		tail -n 5 "$folder/pip.log"
		echo "confluent-kafka $version could not be fetched: nothing can be said"
		exit 2
	}
	"$folder/$version/bin/python" "$folder/resume.py" || differs=1
done
if [ $differs = 0 ]; then
	echo "as described: a resumed partition is fetched from when its broker's thread looks"
else
	echo "NOT as described any more"
fi
exit $differs
