"""Produce messages to Kafka: the tests' independent client.

Two ways to say what:

  producer.py --bootstrap HOST:PORT --topic T
      reads one JSON object a line from standard input:
        {"key": ..., "value": ..., "headers": ..., "partition": ..., "timestamp": ...}
      key, value     text, null (a tombstone, no key) or left out (null);
                     key_base64, value_base64 for any bytes
      headers        a list of [name, text or null], or of [name, {"base64": ...}]
      partition      a number; left out: by the key's hash, as Java's client does
      timestamp      milliseconds since 1970
      topic          another one than --topic
      With --transactional-id, {"transaction": "begin" | "commit" | "abort"}
      stand between the messages.
      {"tell": true} has it wait until all before are in the log, and print {"told": true}.
      Prints for each message, in the order of the input, {"partition": ..., "offset": ...}.

  producer.py --bootstrap HOST:PORT --topic T --count N [--keys K] [--size S] ...
      makes N messages, always the same ones: message i has the key "key-<i mod K>"
      (none if K is 0) and the value {"n": i, "key": <i mod K>, "seq": <i div K>},
      filled up to S bytes.  Messages without a key take turns over the partitions.
      Prints {"produced": N, "seconds": ...}.  SIGTERM ends it early: N are then those that are in the log.
"""

import argparse
import base64
import json
import signal
import sys
import time

from confluent_kafka import KafkaException, Producer


def arguments():
    parser = argparse.ArgumentParser(description="produce messages to Kafka")
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic")
    parser.add_argument("--transactional-id")
    parser.add_argument("--count", type=int, help="make so many messages")
    parser.add_argument("--first", type=int, default=0, help="number of the first message made")
    parser.add_argument("--keys", type=int, default=100, help="different keys; 0: no keys")
    parser.add_argument("--size", type=int, default=0, help="bytes of a value, at least")
    parser.add_argument("--partition", type=int, help="all messages into this partition")
    parser.add_argument("--rate", type=float, help="messages a second, at most")
    parser.add_argument("--property", action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def make_producer(bootstrap, transactional_id=None, properties=()):
    config = {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "partitioner": "murmur2",
        "linger.ms": 5,
        "queue.buffering.max.messages": 200000,
        "message.timeout.ms": 60000,
        "message.max.bytes": 100_000_000,  # the broker decides
    }
    if transactional_id:
        config["transactional.id"] = transactional_id
    config.update(item.split("=", 1) for item in properties)
    producer = Producer(config)
    if transactional_id:
        producer.init_transactions(30)
    return producer


class NotDelivered(Exception):
    """Some of the messages may not be in the log."""


class Sender:
    """Sends messages and keeps, in the order of sending, where each one went."""

    def __init__(self, producer):
        self.producer = producer
        self.results = []
        self.error = None

    def send(self, topic, **message):
        slot = len(self.results)
        self.results.append(None)

        def delivered(error, msg):
            if error is None:
                self.results[slot] = (msg.partition(), msg.offset())
            elif error.name() not in ("_PURGE_QUEUE", "_PURGE_INFLIGHT"):
                self.error = self.error or str(error)

        message = {name: value for name, value in message.items() if value is not None}
        while True:
            try:
                self.producer.produce(topic, on_delivery=delivered, **message)
                break
            except BufferError:
                self.producer.poll(0.1)
        self.producer.poll(0)

    def finish(self):
        left = self.producer.flush(120)
        if self.error:
            raise NotDelivered(f"could not deliver a message: {self.error}")
        if left:
            raise NotDelivered(f"{left} messages were not delivered in time")


def content(item, name):
    encoded = item.get(name + "_base64")
    if encoded is not None:
        return base64.b64decode(encoded)
    text = item.get(name)
    return None if text is None else text.encode()


def header_value(value):
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    return None if value is None else value.encode()


def send_item(sender, item, topic, partition=None):
    headers = item.get("headers")
    sender.send(
        item.get("topic") or topic,
        key=content(item, "key"),
        value=content(item, "value"),
        headers=headers and [(name, header_value(value)) for name, value in headers],
        partition=item.get("partition", partition),
        timestamp=item.get("timestamp"),
    )


def produce_lines(args, producer):
    sender = Sender(producer)
    steps = {
        "begin": producer.begin_transaction,
        "commit": lambda: producer.commit_transaction(60),
        "abort": lambda: producer.abort_transaction(60),
    }
    for line in sys.stdin:
        item = json.loads(line)
        if "tell" in item:
            sender.finish()
            print(json.dumps({"told": True}), flush=True)
            continue
        if "transaction" in item:
            if item["transaction"] != "begin":
                producer.flush(60)  # so that an aborted message is in the log, too
            steps[item["transaction"]]()
            continue
        send_item(sender, item, args.topic, args.partition)
    sender.finish()
    for partition, offset in (result or (None, None) for result in sender.results):
        print(json.dumps({"partition": partition, "offset": offset}))


def made_value(number, keys, size):
    key, seq = (number % keys, number // keys) if keys else (0, number)
    value = '{"n": %d, "key": %d, "seq": %d' % (number, key, seq)
    room = size - len(value) - len(', "pad": ""}')
    return value + (', "pad": "' + "x" * room + '"}' if room > 0 else "}")


def produce_made(producer, topic, count, first=0, keys=100, size=0, partition=None, rate=None, is_ended=lambda: False):
    """Returns how many there were: fewer than "count" if it was ended meanwhile."""
    sender = Sender(producer)
    started = time.monotonic()
    partitions = len(producer.list_topics(topic, 30).topics[topic].partitions)
    for i in range(count):
        if is_ended():
            break
        number = first + i
        sender.send(
            topic,
            key=b"key-%d" % (number % keys) if keys else None,
            value=made_value(number, keys, size).encode(),
            partition=number % partitions if partition is None and not keys else partition,
        )
        if rate:
            ahead = started + (i + 1) / rate - time.monotonic()
            if ahead > 0:
                producer.poll(ahead)
    sender.finish()
    return len(sender.results)


def produce_many(args, producer):
    started = time.monotonic()
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    if args.transactional_id:
        producer.begin_transaction()
    produced = produce_made(
        producer, args.topic, args.count, args.first, args.keys, args.size, args.partition, args.rate, lambda: ended
    )
    if args.transactional_id:
        producer.commit_transaction(60)
    print(json.dumps({"produced": produced, "seconds": round(time.monotonic() - started, 3)}))


def main():
    args = arguments()
    try:
        producer = make_producer(args.bootstrap, args.transactional_id, args.property)
        if args.count is None:
            produce_lines(args, producer)
        else:
            produce_many(args, producer)
    except (KafkaException, NotDelivered) as error:
        sys.exit(f"producer.py: {error}")


if __name__ == "__main__":
    main()
