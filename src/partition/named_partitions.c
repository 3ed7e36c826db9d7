/*
 * named_partitions.c
 *	  Partitions, as the log names them: whoever looks for one has to find the line, and the line of a thousand has
 *	  to stay one that can be read.  So neighbours are a run, and runs are counted.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "partition/named_partitions.h"

typedef const BurrowKafkaTopicPartition *Item;

static int
compare(const void *a, const void *b)
{
	Item		x = *(const Item *) a;
	Item		y = *(const Item *) b;
	int			order = strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static bool
same_topic(Item a, Item b)
{
	return strcmp(a->topic, b->topic) == 0;
}

/* How many of these n, which is not 0, are neighbours. */
static int
run_length(const Item * items, int n)
{
	int			len = 1;

	while (len < n && same_topic(items[len], items[0]) && items[len]->partition == items[0]->partition + len)
		len++;
	return len;
}

char *
burrow_named_partitions(const BurrowKafkaList *list, bool (*is_meant) (const BurrowKafkaTopicPartition *item))
{
	Item	   *items = palloc(sizeof(Item) * Max(list->n, 1));
	StringInfoData text;
	int			n = 0;
	int			len;

	for (int i = 0; i < list->n; i++)
		if (is_meant == NULL || is_meant(&list->items[i]))
			items[n++] = &list->items[i];
	qsort(items, n, sizeof(Item), compare);

	initStringInfo(&text);
	for (int i = 0, runs = 0; i < n; i += len, runs++)
	{
		len = run_length(&items[i], n - i);
		if (runs == BURROW_NAMED_RUNS_MAX)
		{
			appendStringInfo(&text, "; and %d more", n - i);
			break;
		}
		if (i > 0 && same_topic(items[i], items[i - 1]))
			appendStringInfoString(&text, ", ");
		else
			appendStringInfo(&text, "%s \"%s\" partition ", i == 0 ? "Topic" : "; topic", items[i]->topic);
		appendStringInfo(&text, "%d", items[i]->partition);
		if (len > 1)
			appendStringInfo(&text, "-%d", items[i]->partition + len - 1);
	}
	appendStringInfoChar(&text, '.');
	pfree(items);
	return n > 0 ? text.data : NULL;
}
