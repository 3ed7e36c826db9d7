/*
 * peek.c
 *	  Messages of a topic, read by nobody's group.
 *
 * Partitions take turns strictly, each a message, so that a second call has the same result; one
 * that does not give its next in time, or cannot be read, is left, with a warning, so that it does not hold
 * back the others.  Where a partition ends is asked for at the beginning: what comes later is not waited for.
 *
 * As many partitions as messages are wanted are read at a time, and let go before the next: more would be fetched for
 * nothing, and what all of them hold together is bounded.
 *
 * Runs in: processes of burrow.peek().
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "miscadmin.h"

#include "catalog/options.h"
#include "catalog/start_from.h"
#include "core/offset.h"
#include "first_look/peek.h"
#include "runtime/answer.h"
#include "runtime/transaction.h"

typedef struct PeekPartition
{
	const char *topic;
	int32		partition;
	int64		next;			/* to read */
	int64		end;
	BurrowKafkaPartition *queue;	/* NULL: not read */
} PeekPartition;

typedef struct Peek
{
	BurrowVisit *visit;
	int			wanted;
	int64		room;			/* bytes */
	int			npartitions;
	PeekPartition *partitions;
} Peek;

/* ---- where ---- */

static void
read_start_from(const char *text, BurrowStartFrom *start)
{
	MemoryContext cxt = CurrentMemoryContext;

	burrow_transaction_begin();
	MemoryContextSwitchTo(cxt);
	burrow_start_from_parse(&burrow_options[BURROW_OPTION_START_FROM], text, start);
	burrow_transaction_commit(cxt);
}

static int64
first_of(const BurrowStartFrom *start, int32 partition, int64 low, int64 end, const int64 *at_time)
{
	switch (start->kind)
	{
		case BURROW_START_EARLIEST:
			break;
		case BURROW_START_LATEST:
			return end;
		case BURROW_START_TIME:
			return Max(low, *at_time);
		case BURROW_START_OFFSETS:
			for (int i = 0; i < start->noffsets; i++)
				if (start->partitions[i] == partition)
					return Max(low, start->offsets[i]);
			break;
	}
	return low;
}

/* Those that hold something of what is wanted, in the order of the list. */
static void
find_partitions(Peek *peek, const BurrowLook *look)
{
	BurrowVisit *visit = peek->visit;
	BurrowStartFrom start;
	BurrowKafkaList *list;
	int64	   *low;
	int64	   *end;
	int64	   *at_time = NULL;

	read_start_from(look->start_from, &start);
	list = burrow_visit_partitions(visit, look->topic);
	low = burrow_visit_offsets(visit, list, BURROW_KAFKA_EARLIEST);
	end = burrow_visit_offsets(visit, list, BURROW_KAFKA_LATEST);
	if (start.kind == BURROW_START_TIME)
		at_time = burrow_visit_offsets(visit, list, start.time_ms);

	peek->partitions = palloc0(sizeof(PeekPartition) * list->n);
	for (int i = 0; i < list->n; i++)
	{
		PeekPartition *p = &peek->partitions[peek->npartitions];

		if (low[i] < 0 || end[i] < 0 || (at_time != NULL && at_time[i] < 0))
		{
			ereport(WARNING,
					(errmsg("topic \"%s\" partition %d is left out: Kafka does not say where it begins and ends",
							list->items[i].topic, list->items[i].partition)));
			continue;
		}
		p->topic = pstrdup(list->items[i].topic);
		p->partition = list->items[i].partition;
		p->next = first_of(&start, p->partition, low[i], end[i], at_time != NULL ? &at_time[i] : NULL);
		p->end = end[i];
		if (p->next < p->end)
			peek->npartitions++;
	}
	visit->kafka->list_free(list);
}

/* ---- messages ---- */

static void
send_message(Peek *peek, const PeekPartition *p, const BurrowKafkaMessage *km)
{
	StringInfoData answer;

	burrow_answer_begin(&answer);
	burrow_answer_put_text(&answer, p->topic);
	pq_sendint32(&answer, p->partition);
	pq_sendint64(&answer, km->offset);
	pq_sendint64(&answer, km->timestamp_ms);
	burrow_answer_put_bytes(&answer, km->key, km->key_len);
	burrow_answer_put_bytes(&answer, km->value, km->value_len);
	pq_sendint32(&answer, (int32) km->nheaders);
	for (size_t i = 0; i < km->nheaders; i++)
	{
		const char *name = "";
		const void *value = NULL;
		size_t		len = 0;

		(void) peek->visit->kafka->header(p->queue, i, &name, &value, &len);
		burrow_answer_put_text(&answer, name);
		burrow_answer_put_bytes(&answer, value, len);
	}
	peek->room -= answer.len;
	peek->wanted--;
	burrow_answer_send(&answer);
}

static void
leave(PeekPartition *p, const char *reason)
{
	ereport(WARNING,
			(errmsg("topic \"%s\" partition %d could not be read from offset %lld on: %s",
					p->topic, p->partition, (long long) p->next, reason)));
	p->next = p->end;
}

/* The partition's turn: its next message, or its end. */
static void
take_turn(Peek *peek, PeekPartition *p)
{
	BurrowVisit *visit = peek->visit;
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), BURROW_VISIT_MAX_WAIT_MS);
	BurrowKafkaMessage km;

	while (p->next < p->end)
	{
		switch (visit->kafka->poll_queue(p->queue, &km))
		{
			case BURROW_KAFKA_MESSAGE:
				/* one that came later: what was there before is compacted away */
				if (km.offset < p->end)
					send_message(peek, p, &km);
				p->next = burrow_offset_after(km.offset);
				return;
			case BURROW_KAFKA_END:
				p->next = p->end;
				break;
			case BURROW_KAFKA_BROKEN:
				if (km.fault != BURROW_KAFKA_FAULT_PASSING || !burrow_visit_wait(visit, until))
					leave(p, km.text);
				break;
			case BURROW_KAFKA_EMPTY:
				visit->text[0] = '\0';
				if (!burrow_visit_wait(visit, until))
					leave(p, burrow_visit_reason(visit));
				break;
		}
	}
}

static void
begin_reading(Peek *peek, PeekPartition *partitions, int n)
{
	BurrowVisit *visit = peek->visit;

	visit->what = "read the topics";
	for (int i = 0; i < n; i++)
	{
		PeekPartition *p = &partitions[i];

		p->queue = visit->kafka->open_queue(visit->client, p->topic, p->partition, i + 1, visit->text);
		if (p->queue == NULL || !visit->kafka->visit->start_reading(p->queue, p->next, visit->text))
			burrow_visit_fail(visit);
	}
}

/* What comes to them later would be kept for nobody. */
static void
end_reading(Peek *peek, PeekPartition *partitions, int n)
{
	for (int i = 0; i < n; i++)
	{
		peek->visit->kafka->visit->stop_reading(partitions[i].queue);
		partitions[i].queue = NULL;
	}
}

static void
read_partitions(Peek *peek, PeekPartition *partitions, int n)
{
	bool		any = true;

	begin_reading(peek, partitions, n);
	while (any)
	{
		any = false;
		for (int i = 0; i < n; i++)
		{
			if (peek->wanted == 0 || peek->room <= 0)
				return;
			take_turn(peek, &partitions[i]);
			any |= partitions[i].next < partitions[i].end;
		}
	}
	end_reading(peek, partitions, n);
}

void
burrow_peek_run(BurrowVisit *visit, const BurrowLook *look)
{
	Peek		peek = {.visit = visit, .wanted = look->n, .room = BURROW_PEEK_MAX_BYTES};
	int			step = look->n;

	find_partitions(&peek, look);
	for (int i = 0; i < peek.npartitions && peek.wanted > 0 && peek.room > 0; i += step)
		read_partitions(&peek, &peek.partitions[i], Min(step, peek.npartitions - i));
	if (peek.wanted > 0 && peek.room <= 0)
		ereport(NOTICE,
				(errmsg("no more than %d MB are read at a time", BURROW_PEEK_MAX_BYTES / (1024 * 1024)),
				 errhint("Give where to go on: start_from => '{\"<partition>\": <offset>}'.")));
}
