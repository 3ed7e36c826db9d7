#!/bin/bash
# Kafka's kafka-consumer-groups ends with status 0 when it could not reach the broker, and writes
# the error where the table would be, to standard output; kafka-topics ends with 1 and writes to
# standard error.
#
# Seen with Apache Kafka 3.9.1 (org.apache.kafka:kafka-tools:3.9.1 from Maven), Java 17, 2026-11-30,
# with nobody listening at the bootstrap address, and the same with a broker that is slower than
# --timeout (5 s unless it is given):
#
#	kafka-consumer-groups --describe: status 0, "Error: Executing consumer group command failed due to ..."
#	kafka-topics --list:              status 1
#
# So a script that reads lag or committed offsets with kafka-consumer-groups and looks at its status
# takes "no answer" for "no rows": it has to look for "Error:" in the output, and give --timeout on
# a busy machine.
#
# Takes Kafka's tools from Maven Central (as the machine's Maven is set up) into a temporary
# folder.  Needs Maven and Java 17 or later.  Fails when the status differs.
set -euo pipefail

version=3.9.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
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

# nobody listens at port 1
run() { java -cp "$folder/libs/*" "$@" >"$folder/out" 2>"$folder/err" && echo 0 || echo $?; }
groups=$(run org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server 127.0.0.1:1 --describe --group g --timeout 2000)
said=$(grep -c '^Error: Executing consumer group command failed' "$folder/out" || true)
printf 'client.id=finding\ndefault.api.timeout.ms=3000\nrequest.timeout.ms=2000\n' >"$folder/properties"
topics=$(run org.apache.kafka.tools.TopicCommand --bootstrap-server 127.0.0.1:1 --list --command-config "$folder/properties")
echo "Kafka $version: kafka-consumer-groups ended with $groups and $said line(s) of error on standard output, kafka-topics with $topics"
[ "$groups" = 0 ] && [ "$said" = 1 ] && [ "$topics" = 1 ] && echo "as described" || {
	echo "not as described any more"
	exit 1
}
