/*
 * list.c
 *	  Lists of topic-partitions: ours, and librdkafka's.
 *
 * Runs in: the consumer.
 * Owns: the strings of a list made by list_new().  The list of an event points
 * into librdkafka's event instead and must not be freed.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

_Static_assert(BURROW_KAFKA_NONE_OFFSET == RD_KAFKA_OFFSET_INVALID, "offsets differ");
_Static_assert(BURROW_KAFKA_LATEST == RD_KAFKA_OFFSET_END, "offsets differ");
_Static_assert(BURROW_KAFKA_EARLIEST == RD_KAFKA_OFFSET_BEGINNING, "offsets differ");

BurrowKafkaList *
burrow_kafka_list_new(int n)
{
	BurrowKafkaList *list = calloc(1, sizeof(BurrowKafkaList));

	if (list == NULL)
		return NULL;
	/* never calloc(0), which may be NULL without meaning it */
	list->items = calloc(n > 0 ? n : 1, sizeof(BurrowKafkaTopicPartition));
	if (list->items == NULL)
	{
		free(list);
		return NULL;
	}
	list->n = n;
	for (int i = 0; i < n; i++)
		list->items[i].offset = list->items[i].log_start = BURROW_KAFKA_NONE_OFFSET;
	return list;
}

bool
burrow_kafka_list_set(BurrowKafkaList *list, int i, const char *topic, int32_t partition,
					  int64_t offset, const char *metadata, size_t metadata_len)
{
	BurrowKafkaTopicPartition *item = &list->items[i];
	char	   *topic_copy = strdup(topic);
	char	   *metadata_copy = NULL;

	if (topic_copy == NULL)
		return false;
	if (metadata != NULL)
	{
		/* with a NUL behind it, for who prints it */
		metadata_copy = malloc(metadata_len + 1);
		if (metadata_copy == NULL)
		{
			free(topic_copy);
			return false;
		}
		memcpy(metadata_copy, metadata, metadata_len);
		metadata_copy[metadata_len] = '\0';
	}

	free(item->topic);
	free(item->metadata);
	memset(item, 0, sizeof(*item));
	item->topic = topic_copy;
	item->partition = partition;
	item->offset = offset;
	item->log_start = BURROW_KAFKA_NONE_OFFSET;
	item->metadata = metadata_copy;
	item->metadata_len = metadata == NULL ? 0 : metadata_len;
	return true;
}

/* Where and which offsets, without what an answer says.  NULL: out of memory. */
BurrowKafkaList *
burrow_kafka_list_copy(const BurrowKafkaList *list)
{
	BurrowKafkaList *copy = burrow_kafka_list_new(list->n);

	for (int i = 0; copy != NULL && i < list->n; i++)
	{
		const BurrowKafkaTopicPartition *item = &list->items[i];

		if (burrow_kafka_list_set(copy, i, item->topic, item->partition, item->offset, item->metadata, item->metadata_len))
			continue;
		burrow_kafka_list_free(copy);
		copy = NULL;
	}
	return copy;
}

void
burrow_kafka_list_free(BurrowKafkaList *list)
{
	if (list == NULL)
		return;
	for (int i = 0; i < list->n; i++)
	{
		free(list->items[i].topic);
		free(list->items[i].metadata);
	}
	free(list->items);
	free(list);
}

static int
compare_items(const void *a, const void *b)
{
	const BurrowKafkaTopicPartition *x = a;
	const BurrowKafkaTopicPartition *y = b;
	int			order = strcmp(x->topic, y->topic);

	return order != 0 ? order : x->partition < y->partition ? -1 : x->partition > y->partition;
}

/* By topic and partition. */
void
burrow_kafka_list_sort(BurrowKafkaList *list)
{
	qsort(list->items, list->n, sizeof(BurrowKafkaTopicPartition), compare_items);
}

/*
 * A copy for librdkafka, freed by rd_kafka_topic_partition_list_destroy().
 * NULL: out of memory (librdkafka itself aborts when it has none).
 */
rd_kafka_topic_partition_list_t *
burrow_kafka_list_to_rd(const BurrowKafkaList *list)
{
	rd_kafka_topic_partition_list_t *rd = rd_kafka_topic_partition_list_new(list->n);

	for (int i = 0; i < list->n; i++)
	{
		const BurrowKafkaTopicPartition *item = &list->items[i];
		rd_kafka_topic_partition_t *to;

		to = rd_kafka_topic_partition_list_add(rd, item->topic, item->partition);
		to->offset = item->offset;
		if (item->metadata != NULL && item->metadata_len > 0)
		{
			/* librdkafka frees it with the list */
			to->metadata = rd_kafka_mem_malloc(NULL, item->metadata_len);
			if (to->metadata == NULL)
			{
				rd_kafka_topic_partition_list_destroy(rd);
				return NULL;
			}
			memcpy(to->metadata, item->metadata, item->metadata_len);
			to->metadata_size = item->metadata_len;
		}
	}
	return rd;
}

/* Takes over what librdkafka has answered, in the list's own order; false: out of memory. */
bool
burrow_kafka_list_take_rd(BurrowKafkaList *list, const rd_kafka_topic_partition_list_t *rd)
{
	for (int i = 0; i < list->n; i++)
	{
		BurrowKafkaTopicPartition answer;

		burrow_kafka_item_from_rd(&answer, &rd->elems[i]);
		if (!burrow_kafka_list_set(list, i, answer.topic, answer.partition, answer.offset, answer.metadata,
								   answer.metadata_len))
			return false;
		list->items[i].error = answer.error;
		list->items[i].error_text = answer.error_text;
	}
	return true;
}

/* For the list of an event; false: out of memory. */
bool
burrow_kafka_make_room(BurrowKafkaClient *c, int n)
{
	BurrowKafkaTopicPartition *items;

	if (n <= c->items_room)
		return true;
	items = realloc(c->items, n * sizeof(*items));
	if (items == NULL)
		return false;
	c->items = items;
	c->items_room = n;
	return true;
}

/* Fills an item that points into rd's strings and lives no longer than they do. */
void
burrow_kafka_item_from_rd(BurrowKafkaTopicPartition *item, const rd_kafka_topic_partition_t *rd)
{
	item->topic = rd->topic;
	item->partition = rd->partition;
	item->offset = rd->offset;
	item->log_start = BURROW_KAFKA_NONE_OFFSET;
	item->metadata = rd->metadata;
	item->metadata_len = rd->metadata == NULL ? 0 : rd->metadata_size;
	item->error = rd->err;
	item->error_text = rd->err == RD_KAFKA_RESP_ERR_NO_ERROR ? NULL : rd_kafka_err2str(rd->err);
}
