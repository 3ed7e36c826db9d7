"""What a user of Python would write to load many messages: confluent-kafka, json, and COPY by psycopg2.

    copy_consumer.py BOOTSTRAP TOPIC GROUP CONNINFO MESSAGES BATCH

Each BATCH of messages is a COPY and a transaction, and Kafka is told of it afterwards.  It prints the rate from a tenth of
the messages on, and the microseconds of CPU that each of them took of this process.
"""

import io
import json
import sys
import time

from confluent_kafka import Consumer

# Debian's package, which the tests' Python does not see
sys.path.append("/usr/lib/python3/dist-packages")
import psycopg2  # noqa: E402

ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def row(message):
    value = json.loads(message.value())
    key, pad = message.key().decode().translate(ESCAPED), value["pad"].translate(ESCAPED)
    return f"{key}\t{value['n']}\t{value['seq']}\t{pad}\n"


def main():
    bootstrap, topic, group, conninfo = sys.argv[1:5]
    wanted, batch = map(int, sys.argv[5:])
    connection = psycopg2.connect(conninfo)
    cursor = connection.cursor()
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    done, began = 0, None
    while done < wanted:
        messages = consumer.consume(min(batch, wanted - done), timeout=1.0)
        if not messages:
            continue
        for message in messages:
            if message.error():
                sys.exit(str(message.error()))
        cursor.copy_expert("COPY sink FROM STDIN", io.StringIO("".join(map(row, messages))))
        connection.commit()
        consumer.commit(asynchronous=True)
        done += len(messages)
        if began is None and done >= wanted // 10:
            began, first, cpu = time.monotonic(), done, time.process_time()
    counted = wanted - first
    print(counted / (time.monotonic() - began), (time.process_time() - cpu) * 1e6 / counted)
    consumer.close()
    connection.close()


if __name__ == "__main__":
    main()
