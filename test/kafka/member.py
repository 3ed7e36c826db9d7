"""A second member of a consumer group, as any Kafka client would be one.

    member.py --bootstrap HOST:PORT --group GROUP --topic TOPIC [--consume] [--session-ms N]

It stays in the group until a line comes on its standard input, or its end.  Without --consume it
takes the partitions that it is given, reads none of their messages and commits nothing.
With --consume it reads them from the committed offset on, and commits what it has read
each time that it gives partitions back; so the next owner goes on exactly there.

A line of JSON for each event: {"assigned": [N, ...]}, {"revoked": [N, ...]}, {"read": [PARTITION, OFFSET]}.
"""

import argparse
import json
import select
import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition


def tell(**event):
    print(json.dumps(event), flush=True)


class Member:
    def __init__(self, args):
        self.consume = args.consume
        self.next = {}
        self.consumer = Consumer(
            {
                "bootstrap.servers": args.bootstrap,
                "group.id": args.group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "heartbeat.interval.ms": 300,
                "session.timeout.ms": args.session_ms,
                "log_level": 0,
            }
        )
        self.consumer.subscribe([args.topic], on_assign=self.on_assign, on_revoke=self.on_revoke, on_lost=self.on_lost)

    def on_assign(self, consumer, partitions):
        # the group counts them as ours, whatever is fetched
        if not self.consume:
            consumer.assign([])
        tell(assigned=sorted(tp.partition for tp in partitions))

    def on_revoke(self, consumer, partitions):
        offsets = [TopicPartition(topic, n, offset) for (topic, n), offset in self.next.items()]
        if offsets:
            consumer.commit(offsets=offsets, asynchronous=False)
        self.next = {}
        tell(revoked=sorted(tp.partition for tp in partitions))

    def on_lost(self, consumer, partitions):
        self.next = {}
        tell(lost=sorted(tp.partition for tp in partitions))

    def run(self):
        while not select.select([sys.stdin], [], [], 0)[0]:
            message = self.consumer.poll(0.1)
            if message is None:
                continue
            if message.error():
                if message.error().retriable() or message.error().name() == "_ALL_BROKERS_DOWN":
                    continue
                raise KafkaException(message.error())
            self.next[message.topic(), message.partition()] = message.offset() + 1
            tell(read=[message.partition(), message.offset()])
        self.consumer.close()


def main():
    parser = argparse.ArgumentParser(description="a second member of a consumer group")
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--consume", action="store_true")
    parser.add_argument("--session-ms", type=int, default=6000)
    try:
        Member(parser.parse_args()).run()
    except KafkaException as error:
        sys.exit(f"member.py: {error}")


if __name__ == "__main__":
    main()
