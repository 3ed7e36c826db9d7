/*
 * message.c
 *	  A message of Kafka's, copied into the form in which handlers are given it.
 *
 * Runs in: the consumer, and processes of burrow.dry_run().
 *
 * It has to be copied: librdkafka's own pins the whole fetch response.
 */
#include "postgres.h"

#include "core/kafka_time.h"
#include "partition/message.h"

static size_t
headers_size(const BurrowKafkaFunctions *kafka, BurrowKafkaPartition *queue, size_t nheaders)
{
	size_t		size = 0;

	for (size_t i = 0; i < nheaders; i++)
	{
		const char *name;
		const void *value;
		size_t		value_len;

		if (!kafka->header(queue, i, &name, &value, &value_len))
			break;
		size += burrow_frame_header_size(strlen(name), value == NULL ? -1 : (int64_t) value_len);
	}
	return size;
}

static void
copy_headers(const BurrowKafkaFunctions *kafka, BurrowKafkaPartition *queue, size_t nheaders, char *p)
{
	for (size_t i = 0; i < nheaders; i++)
	{
		const char *name;
		const void *value;
		size_t		value_len;

		if (!kafka->header(queue, i, &name, &value, &value_len))
			break;
		p = burrow_frame_put_header(p, name, strlen(name), value,
									value == NULL ? -1 : (int64_t) value_len);
	}
}

size_t
burrow_message_size(const BurrowKafkaFunctions *kafka, BurrowKafkaPartition *queue,
					const BurrowKafkaMessage *km, size_t *headers_len)
{
	*headers_len = km->nheaders > 0 ? headers_size(kafka, queue, km->nheaders) : 0;
	return burrow_frame_message_size(km->key_len, km->value_len, *headers_len);
}

void
burrow_message_copy(const BurrowKafkaFunctions *kafka, BurrowKafkaPartition *queue,
					const BurrowKafkaMessage *km, size_t size, size_t headers_len,
					BurrowMessageHeader *h)
{
	h->total = (uint32) size;
	h->flags = (km->key != NULL ? BURROW_MESSAGE_HAS_KEY : 0) |
		(km->value != NULL ? BURROW_MESSAGE_HAS_VALUE : 0) |
		(km->timestamp_ms != BURROW_KAFKA_NO_TIME ? BURROW_MESSAGE_HAS_TIME : 0);
	h->offset = km->offset;
	h->timestamp_ms = km->timestamp_ms;
	h->order = 0;
	h->slots = 0;
	h->slot = 0;
	h->attempt = 1;
	h->key_len = (uint32) km->key_len;
	h->value_len = (uint32) km->value_len;
	h->nheaders = (uint32) km->nheaders;
	h->headers_len = (uint32) headers_len;
	if (km->key_len > 0)
		memcpy(burrow_frame_key(h), km->key, km->key_len);
	if (km->value_len > 0)
		memcpy(burrow_frame_value(h), km->value, km->value_len);
	burrow_frame_end_value(h);
	if (headers_len > 0)
		copy_headers(kafka, queue, km->nheaders, burrow_frame_headers(h));
}
