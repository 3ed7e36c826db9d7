#!/bin/bash
# kafka-configs refuses the two SCRAM mechanisms of a user in one command: the controller says that
# "a user credential cannot be altered twice in the same request", although they are two credentials.
#
# Seen with Apache Kafka 3.9.1 in KRaft mode (org.apache.kafka:kafka_2.13 and kafka-tools 3.9.1 from
# Maven), Java 17, 2026-11-30:
#
#	--add-config SCRAM-SHA-256=[password=...],SCRAM-SHA-512=[password=...]: status 1,
#		DuplicateResourceException, and the user has neither credential
#	the same as two commands, one after the other: status 0 each, and the user has both
#
# Guides that were written for clusters with ZooKeeper, and KIP-554 where it says what is to be
# replaced, make a user with the first form.  With ZooKeeper the broker compared user and mechanism
# (ZkAdminManager); the KRaft controller (ScramControlManager) keeps what a request changes by
# the name of the user alone.  Who writes a script for both kinds of cluster, or changes the password
# of a user whose clients have either mechanism, needs a request for each, and between them the
# two mechanisms have different passwords.
#
# Takes Kafka from Maven Central (as the machine's Maven is set up) into a temporary folder, and runs a
# broker on ports of 127.0.0.1 that are free.  Needs Maven and Java 17 or later.  Fails when the answer differs.
set -euo pipefail

version=3.9.1
folder=$(mktemp -d)
broker=''
clean_up() {
	[ -z "$broker" ] || { kill -KILL "$broker" && wait "$broker"; } 2>/dev/null || true
	rm -rf "$folder"
}
trap clean_up EXIT
cat >"$folder/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>
  </dependencies>
</project>
POM
mvn -B -q -f "$folder/pom.xml" dependency:copy-dependencies -DoutputDirectory="$folder/libs" </dev/null >"$folder/mvn.log" 2>&1 ||
	{
		tail -n 5 "$folder/mvn.log"
		echo "Kafka $version could not be fetched: nothing can be said"
		exit 2
	}

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
client=$(free_port) controller=$(free_port)
cat >"$folder/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$client,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$client
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$folder/data
END
run() { java -Xmx512m -XX:TieredStopAtLevel=1 -cp "$folder/libs/*" "$@"; }
run kafka.tools.StorageTool format --cluster-id "$(run kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)" \
	--config "$folder/server.properties" >"$folder/format.log" 2>&1
java -Xmx512m -XX:TieredStopAtLevel=1 -cp "$folder/libs/*" kafka.Kafka "$folder/server.properties" >"$folder/server.log" 2>&1 &
broker=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$client") 2>/dev/null; do
	kill -0 "$broker" 2>/dev/null || {
		tail -n 5 "$folder/server.log"
		echo "the broker did not start: nothing can be said"
		exit 2
	}
	sleep 0.2
done

configs() {
	run kafka.admin.ConfigCommand --bootstrap-server "127.0.0.1:$client" --entity-type users --entity-name reader "$@" >"$folder/out" 2>&1 &&
		echo 0 || echo $?
}
credentials() {
	configs --describe >/dev/null
	{ grep -o 'SCRAM-SHA-[0-9]*' "$folder/out" || true; } | sort -u | wc -l
}
both=$(configs --alter --add-config 'SCRAM-SHA-256=[password=one-secret],SCRAM-SHA-512=[password=one-secret]')
said=$(grep -o 'A user credential cannot be altered twice in the same request' "$folder/out" | head -n 1 || true)
after_both=$(credentials)
first=$(configs --alter --add-config 'SCRAM-SHA-256=[password=one-secret]')
second=$(configs --alter --add-config 'SCRAM-SHA-512=[password=one-secret]')
after_each=$(credentials)

echo "Kafka $version: both in one command: status $both, \"$said\", credentials after it: $after_both"
echo "one after the other: status $first and $second, credentials after them: $after_each"
if [ "$both" = 1 ] && [ -n "$said" ] && [ "$after_both" = 0 ] && [ "$first$second" = 00 ] && [ "$after_each" = 2 ]; then
	echo "as described"
else
	echo "not as described any more"
	exit 1
fi
