#!/bin/bash
# librdkafka's mock cluster names a controller that it does not have: metadata say broker 0, and its brokers
# are numbered from 1. So whatever librdkafka asks of the controller waits there until its time is up, and
# that is more than the creation of topics: DescribeCluster and DescribeTopics, too, which any broker of a real
# cluster could answer.
#
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0) and 2.10.1 (librdkafka 2.10.1) from PyPI, a mock cluster
# of two brokers, 2026-11-30:
#
#	list_topics():       brokers 1 and 2, controller 0, the topic t
#	describe_cluster():  _TIMED_OUT, "Failed while waiting for controller", after the 3 s that it was given
#	describe_topics(t):  the same
#
# It concerns tests: an admin client that is tried against the mock looks as if the cluster were away, while
# producers and consumers beside it work. Since librdkafka 2.16 a program in C can name the controller,
# rd_kafka_mock_set_controller_id(); one that has the mock by test.mock.num.brokers alone cannot.
#
# Takes the clients from PyPI (as the machine's pip is set up) into a temporary folder. Needs Python with venv.
# Fails when the answers differ.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/ask.py" <<'PYTHON'
import confluent_kafka as kafka
from confluent_kafka.admin import AdminClient

admin = AdminClient({"test.mock.num.brokers": 2, "log_level": 0})
metadata = admin.list_topics("t", timeout=10)
print("librdkafka", kafka.libversion()[0])
print("brokers", *sorted(metadata.brokers), "controller", metadata.controller_id, "topics", *metadata.topics)


def ask(what, future):
    try:
        print(what, "answered:", future.result())
    except kafka.KafkaException as error:
        print(what, error.args[0].name(), error.args[0].str())


ask("describe_cluster", admin.describe_cluster(request_timeout=3))
ask("describe_topics", admin.describe_topics(kafka.TopicCollection(["t"]), request_timeout=3)["t"])
PYTHON

differs=0
for version in 2.10.1 2.16.1; do
	{ python3 -m venv "$folder/$version" &&
		"$folder/$version/bin/pip" install -q --only-binary :all: "confluent-kafka==$version"; } >"$folder/pip.log" 2>&1 || {
		tail -n 5 "$folder/pip.log"
		echo "confluent-kafka $version could not be fetched: nothing can be said"
		exit 2
	}
	"$folder/$version/bin/python" "$folder/ask.py" | tee "$folder/out"
	tail -n +2 "$folder/out" | diff - /dev/fd/3 3<<-'END' || differs=1
		brokers 1 2 controller 0 topics t
		describe_cluster _TIMED_OUT Failed while waiting for controller: Local: Timed out
		describe_topics _TIMED_OUT Failed while waiting for controller: Local: Timed out
	END
done
if [ $differs = 0 ]; then
	echo "as described: requests for the controller wait in vain"
else
	echo "NOT as described any more"
fi
exit $differs
