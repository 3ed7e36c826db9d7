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
      Prints {"produced": N, "seconds": ...}.
"""

import argparse
import base64
import json
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


def make_producer(args):
    config = {
        "bootstrap.servers": args.bootstrap,
        "enable.idempotence": True,
        "partitioner": "murmur2",
        "linger.ms": 5,
        "queue.buffering.max.messages": 200000,
        "message.timeout.ms": 60000,
        "message.max.bytes": 100_000_000,  # the broker decides
    }
    if args.transactional_id:
        config["transactional.id"] = args.transactional_id
    config.update(item.split("=", 1) for item in args.property)
    producer = Producer(config)
    if args.transactional_id:
        producer.init_transactions(30)
    return producer


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
            sys.exit(f"producer.py: could not deliver a message: {self.error}")
        if left:
            sys.exit(f"producer.py: {left} messages were not delivered in time")


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
        headers = item.get("headers")
        sender.send(
            item.get("topic") or args.topic,
            key=content(item, "key"),
            value=content(item, "value"),
            headers=headers and [(name, header_value(value)) for name, value in headers],
            partition=item.get("partition", args.partition),
            timestamp=item.get("timestamp"),
        )
    sender.finish()
    for partition, offset in (result or (None, None) for result in sender.results):
        print(json.dumps({"partition": partition, "offset": offset}))


def made_value(number, keys, size):
    key, seq = (number % keys, number // keys) if keys else (0, number)
    value = '{"n": %d, "key": %d, "seq": %d' % (number, key, seq)
    room = size - len(value) - len(', "pad": ""}')
    return value + (', "pad": "' + "x" * room + '"}' if room > 0 else "}")


def produce_made(args, producer):
    sender = Sender(producer)
    started = time.monotonic()
    partitions = len(producer.list_topics(args.topic, 30).topics[args.topic].partitions)
    if args.transactional_id:
        producer.begin_transaction()
    for i in range(args.count):
        number = args.first + i
        partition = args.partition
        if partition is None and not args.keys:
            partition = number % partitions
        sender.send(
            args.topic,
            key=b"key-%d" % (number % args.keys) if args.keys else None,
            value=made_value(number, args.keys, args.size).encode(),
            partition=partition,
        )
        if args.rate:
            ahead = started + (i + 1) / args.rate - time.monotonic()
            if ahead > 0:
                producer.poll(ahead)
    sender.finish()
    if args.transactional_id:
        producer.commit_transaction(60)
    print(json.dumps({"produced": args.count, "seconds": round(time.monotonic() - started, 3)}))


def main():
    args = arguments()
    try:
        producer = make_producer(args)
        if args.count is None:
            produce_lines(args, producer)
        else:
            produce_made(args, producer)
    except KafkaException as error:
        sys.exit(f"producer.py: {error}")


if __name__ == "__main__":
    main()
