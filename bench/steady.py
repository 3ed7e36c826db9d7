"""Send messages at a steady rate, each with the time of its sending.

    steady.py BOOTSTRAP TOPIC RATE COUNT

A value is {"n": number, "key": number, "seq": microseconds since 1970, "pad": "xx..."}.
With rate 0, one message goes to each of COUNT partitions, numbered below zero.
"""

import sys
import time

from confluent_kafka import Producer

PAD = "x" * 70
KEYS = 1000


def send(producer, topic, number, **where):
    value = '{"n": %d, "key": %d, "seq": %d, "pad": "%s"}'
    key = number % KEYS
    producer.produce(topic, key=b"key-%d" % key, value=value % (number, key, time.time_ns() // 1000, PAD), **where)


def main():
    bootstrap, topic, rate, count = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    # What Kafka's own producer does by default: a message goes out at once, but for those of
    # a partition that wait behind five requests.
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "enable.idempotence": True, "log_level": 3})
    producer.list_topics(topic, 30)
    if rate == 0:
        for partition in range(count):
            send(producer, topic, -1 - partition, partition=partition)
    else:
        started = time.monotonic()
        for number in range(count):
            ahead = started + number / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            send(producer, topic, number)
            producer.poll(0)
    if producer.flush(60):
        sys.exit("steady.py: could not deliver all messages")


if __name__ == "__main__":
    main()
