/*
 * letter_headers.c
 *	  What a dead letter's record says about where it came from and why it is one.
 *
 * Names and encodings are those of org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter,
 * of Spring's KafkaHeaders and DeadLetterPublishingRecoverer, and of
 * org.apache.kafka.server.share.dlq.ShareGroupDLQStateManager.
 */
#include "core/letter_headers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CONNECT(name)	"__connect.errors." name
#define SPRING(name)	"kafka_dlt-" name
#define KAFKA(name)		"__dlq.errors." name

/* Connect's name of the stage in which a sink takes a record. */
#define STAGE			"TASK_PUT"

static void
add_bytes(BurrowLetterHeaders *headers, const char *name, const char *value, size_t len)
{
	headers->items[headers->n++] = (BurrowLetterHeader) {name, value, len};
}

static void
add_text(BurrowLetterHeaders *headers, const char *name, const char *value)
{
	add_bytes(headers, name, value, strlen(value));
}

static void
put_big_endian(char *bytes, uint64_t number, int n)
{
	for (int i = n - 1; i >= 0; i--)
	{
		bytes[i] = (char) (number & 0xFF);
		number >>= 8;
	}
}

static void
add_connect(BurrowLetterHeaders *headers, const BurrowLetterOrigin *origin)
{
	add_text(headers, CONNECT("topic"), origin->topic);
	add_text(headers, CONNECT("partition"), headers->partition_text);
	add_text(headers, CONNECT("offset"), headers->offset_text);
	add_text(headers, CONNECT("connector.name"), origin->subscription);
	add_text(headers, CONNECT("task.id"), "0");
	add_text(headers, CONNECT("stage"), STAGE);
	add_text(headers, CONNECT("class.name"), origin->handler);
	add_text(headers, CONNECT("exception.class.name"), origin->sqlstate);
	add_text(headers, CONNECT("exception.message"), origin->message);
	add_text(headers, CONNECT("exception.stacktrace"), origin->report);
}

static void
add_spring(BurrowLetterHeaders *headers, const BurrowLetterOrigin *origin)
{
	put_big_endian(headers->partition_bytes, (uint64_t) origin->partition, 4);
	put_big_endian(headers->offset_bytes, (uint64_t) origin->offset, 8);
	put_big_endian(headers->timestamp_bytes, (uint64_t) origin->timestamp_ms, 8);

	add_text(headers, SPRING("original-topic"), origin->topic);
	add_bytes(headers, SPRING("original-partition"), headers->partition_bytes, 4);
	add_bytes(headers, SPRING("original-offset"), headers->offset_bytes, 8);
	add_bytes(headers, SPRING("original-timestamp"), headers->timestamp_bytes, 8);
	add_text(headers, SPRING("original-consumer-group"), origin->consumer_group);
	add_text(headers, SPRING("exception-fqcn"), origin->sqlstate);
	add_text(headers, SPRING("exception-message"), origin->message);
	add_text(headers, SPRING("exception-stacktrace"), origin->report);
}

static void
add_kafka(BurrowLetterHeaders *headers, const BurrowLetterOrigin *origin)
{
	add_text(headers, KAFKA("topic"), origin->topic);
	add_text(headers, KAFKA("partition"), headers->partition_text);
	add_text(headers, KAFKA("offset"), headers->offset_text);
	add_text(headers, KAFKA("group"), origin->consumer_group);
	add_text(headers, KAFKA("delivery.count"), headers->attempts_text);
	add_text(headers, KAFKA("message"), origin->message);
}

void
burrow_letter_headers_make(BurrowLetterHeaders *headers, const BurrowLetterOrigin *origin, int conventions)
{
	headers->n = 0;
	snprintf(headers->partition_text, sizeof(headers->partition_text), "%" PRId32, origin->partition);
	snprintf(headers->offset_text, sizeof(headers->offset_text), "%" PRId64, origin->offset);
	snprintf(headers->attempts_text, sizeof(headers->attempts_text), "%" PRId32, origin->attempts);
	if (conventions & BURROW_LETTER_CONNECT)
		add_connect(headers, origin);
	if (conventions & BURROW_LETTER_SPRING)
		add_spring(headers, origin);
	if (conventions & BURROW_LETTER_KAFKA)
		add_kafka(headers, origin);
}
