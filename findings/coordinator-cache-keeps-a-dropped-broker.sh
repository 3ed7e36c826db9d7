#!/bin/bash
# When a broker goes and comes back, a client of librdkafka's that had asked it for a group's offsets gets
# no answer any more: ListConsumerGroupOffsets times out each time, while Kafka is well and a new client of
# the same process has the answer at once.  Since librdkafka 2.10.
#
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0) and 2.10.1 (librdkafka 2.10.1), not with 2.9.0
# (librdkafka 2.8.0), from PyPI, and two brokers of Apache Kafka 3.9.1, the offsets on both, 2026-11-30.
# Broker 2, the coordinator of the group, is shut down and started again; the clients ask with
# AdminClient.list_consumer_group_offsets(..., request_timeout=15):
#
#	                                      librdkafka 2.8.0  2.10.1 and 2.16.0
#	before, two clients:                  answer            answer
#	2 is gone, 1 the coordinator, first:  answer            _TIMED_OUT after 15.0 s
#	the same, a new client:               answer            answer
#	2 is back and coordinator, second:    answer            _TIMED_OUT after 15.0 s
#	the same, again:                      answer            _TIMED_OUT after 15.0 s
#	the same, a new client:               answer            answer
#	the same, Consumer.committed():       answer            answer
#
# The last is a consumer's that was there all the time, so its answer does not come by this way.
#
# Since 2.10.0 a broker that the metadata do not name loses its handle and thread (pull request 4557), and
# gets new ones when it is named again.  The cache of coordinators (rdkafka_coord.c), for
# admin requests and a transaction's offsets, keeps the old handle: nothing will connect it, and a request
# that waits for it looks again, with FindCoordinator, only when a connection to some broker comes up
# or goes down.  In a cluster at rest none does.  An entry goes when it was not used for
# metadata.max.age.ms (15 minutes), and an attempt that fails is a use.  Upstream's issue 5511 has it for
# transactions.
#
# It concerns who keeps a client and asks it for groups' offsets now and then, as exporters of lag and
# dashboards do: one restart of a broker, as in every upgrade, is enough.  A new client after a time-out
# helps; trying again with the same one does not.
#
# Takes Kafka from Maven Central and the clients from PyPI (as the machine's Maven and pip are set up) into
# a temporary folder, and runs two brokers on ports of 127.0.0.1 that are free.  Needs Maven, Java 17 or
# later, and Python with venv.  Fails when the answers differ.
set -euo pipefail

kafka=3.9.1
new=2.16.1
old=2.9.0
folder=$(mktemp -d)
broker=()
clean_up() {
	local pid
	for pid in $(jobs -p); do
		{ kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
	done
	rm -rf "$folder"
}
trap clean_up EXIT
cannot() {
	tail -n 5 "$1"
	echo "$2: nothing can be said"
	exit 2
}
cat >"$folder/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$kafka</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>
  </dependencies>
</project>
POM
mvn -B -q -f "$folder/pom.xml" dependency:copy-dependencies -DoutputDirectory="$folder/libs" </dev/null >"$folder/mvn.log" 2>&1 ||
	cannot "$folder/mvn.log" "Kafka $kafka could not be fetched"
for version in "$old" "$new"; do
	{ python3 -m venv "$folder/$version" &&
		"$folder/$version/bin/pip" install -q --only-binary :all: "confluent-kafka==$version"; } >"$folder/pip.log" 2>&1 ||
		cannot "$folder/pip.log" "confluent-kafka $version could not be fetched"
done

free_port() {
	local port
	for _ in {1..100}; do
		port=$((20000 + RANDOM % 10000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
			echo $port
			return
		}
	done
}
controller=$(free_port)
ports=([1]=$(free_port) [2]=$(free_port))
run() { java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$folder/libs/*" "$@"; }
cluster=$(run kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)
for node in 1 2; do
	cat >"$folder/$node.properties" <<END
process.roles=broker
node.id=$node
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:${ports[$node]}
advertised.listeners=PLAINTEXT://127.0.0.1:${ports[$node]}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$folder/data-$node
offsets.topic.num.partitions=2
offsets.topic.replication.factor=2
leader.imbalance.check.interval.seconds=1
END
done
sed -i -e 's/^process.roles=broker$/&,controller/' -e "s/^listeners=.*/&,CONTROLLER:\/\/127.0.0.1:$controller/" "$folder/1.properties"
for node in 1 2; do
	run kafka.tools.StorageTool format --cluster-id "$cluster" --config "$folder/$node.properties" >"$folder/format.log" 2>&1 ||
		cannot "$folder/format.log" "the folder of broker $node could not be made"
done
start() {
	java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$folder/libs/*" kafka.Kafka "$folder/$1.properties" >>"$folder/server-$1.log" 2>&1 &
	broker[$1]=$!
	until (exec 3<>"/dev/tcp/127.0.0.1/${ports[$1]}") 2>/dev/null; do
		kill -0 "${broker[$1]}" 2>/dev/null || cannot "$folder/server-$1.log" "broker $1 did not start"
		sleep 0.2
	done
}

# what either client does; it says how far it is, and goes on as it sees broker 2 go and come
cat >"$folder/client.py" <<'PYTHON'
import sys
import time

import confluent_kafka as kafka
from confluent_kafka.admin import AdminClient, NewTopic

conf = {"bootstrap.servers": sys.argv[1], "log_level": 0}
name = "t" + kafka.libversion()[0]
partitions = [kafka.TopicPartition(name, 0)]


def until(what, condition):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            if condition():
                return
        except kafka.KafkaException:
            pass
        time.sleep(0.2)
    sys.exit(f"waited in vain: {what}")


def named(client):
    return set(client.list_topics(timeout=5).brokers)


def coordinator(group):
    admin = AdminClient(conf)
    return admin.describe_consumer_groups([group])[group].result().coordinator.id


def asked(admin, group):
    wanted = kafka.ConsumerGroupTopicPartitions(group, partitions)
    return admin.list_consumer_group_offsets([wanted], request_timeout=15)[group].result().topic_partitions[0].offset


def committed(consumer):
    return consumer.committed(partitions, timeout=15)[0].offset


def say(what, ask, *args):
    begin = time.monotonic()
    try:
        answer = f"answer {ask(*args)}"
    except kafka.KafkaException as error:
        answer = error.args[0].name()
    print(f"{what}: {answer} after {time.monotonic() - begin:.1f} s", flush=True)


def group_of_broker_2():
    """A group, with an offset, and its consumer."""
    for number in range(100):
        group = f"{name}-{number}"
        consumer = kafka.Consumer({**conf, "group.id": group, "enable.auto.commit": False})
        offsets = [kafka.TopicPartition(name, 0, 7)]
        until("a commit", lambda: consumer.commit(offsets=offsets, asynchronous=False))
        until("a coordinator", lambda: coordinator(group) in (1, 2))
        if coordinator(group) == 2:
            return group, consumer
        consumer.close()
    sys.exit("broker 2 is the coordinator of no group")


print("librdkafka", kafka.libversion()[0])
maker = AdminClient(conf)
until("two brokers", lambda: named(maker) == {1, 2})
maker.create_topics([NewTopic(name, 1, 2)])[name].result(60)
group, consumer = group_of_broker_2()
first, second = AdminClient(conf), AdminClient(conf)
say("before, first client", asked, first, group)
say("before, second client", asked, second, group)
print("filled", flush=True)

until("one broker", lambda: all(named(client) == {1} for client in (first, second, consumer)))
until("broker 1 is the coordinator", lambda: coordinator(group) == 1)
say("gone, first client", asked, first, group)
say("gone, a new client", asked, AdminClient(conf), group)
print("gone", flush=True)

until("two brokers again", lambda: all(named(client) == {1, 2} for client in (first, second, consumer)))
until("broker 2 is the coordinator", lambda: coordinator(group) == 2)
until("the consumer's answer", lambda: committed(consumer) == 7)
say("back, second client", asked, second, group)
say("back, second client again", asked, second, group)
say("back, a new client", asked, AdminClient(conf), group)
say("back, the consumer", committed, consumer)
print("done", flush=True)
consumer.close()
PYTHON

start 1
start 2
declare -A client=()
for version in "$old" "$new"; do
	"$folder/$version/bin/python" "$folder/client.py" "127.0.0.1:${ports[1]}" >"$folder/$version.out" 2>"$folder/$version.err" &
	client[$version]=$!
done
# waits until both clients have said this word
reached() {
	local version
	for version in "$old" "$new"; do
		until grep -qx "$1" "$folder/$version.out"; do
			kill -0 "${client[$version]}" 2>/dev/null || grep -qx "$1" "$folder/$version.out" ||
				cannot "$folder/$version.err" "the client of confluent-kafka $version did not come to \"$1\""
			sleep 0.2
		done
	done
}
reached filled
kill "${broker[2]}"
wait "${broker[2]}" || true
reached gone
start 2
reached "done"

for version in "$old" "$new"; do
	echo "confluent-kafka $version, Kafka $kafka:"
	sed -E '/^(filled|gone|done)$/d; s/^/	/' "$folder/$version.out"
done
# what: what came of it, without the time
answers() { sed -nE 's/ after [0-9.]+ s$//p' "$folder/$1.out"; }
well=$(answers "$old" | grep -c ': answer 7$' || true)
answered=$(answers "$new" | grep -c ': answer 7$' || true)
stuck=$(answers "$new" | grep -cE '^(gone, first client|back, second client( again)?): _TIMED_OUT$' || true)
if [ "$well" = 8 ] && [ "$answered" = 5 ] && [ "$stuck" = 3 ]; then
	echo "as described"
else
	echo "not as described any more"
	exit 1
fi
