/*
 * redelivery.c
 *	  Dead letters that somebody wants to be tried again.
 *
 * Runs in: the consumer.
 *
 * burrow.retry_dead_letters() marks their rows and wakes the consumer, which reads some
 * at a time and gives them to the scheduler as messages of a part of their own, with a
 * tracker that no commit to Kafka looks at: their offsets were passed long ago.  So they
 * are handled by the same workers and under the same rules as all others.
 *
 * Where the partition is ours, its letters share its place in the scheduler: each comes
 * before the messages of its key that wait there, and holds the key while it runs.  So the
 * two never run at the same time.  More is promised with park_key only (key_parking.c); without
 * it, messages that came after the letter were handled long ago.  Letters that were read
 * before their partition came, or whose partition goes, are given up and read again.
 *
 * The worker deletes the row in the transaction that handles the message, so however
 * often this is interrupted and repeated, a letter takes effect once.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "catalog/dead_letter.h"
#include "compat.h"
#include "dead_letter/key_parking.h"
#include "dead_letter/redelivery.h"
#include "dead_letter/writer.h"
#include "partition/context.h"
#include "partition/old_worker.h"
#include "partition/partition.h"
#include "partition/segment.h"
#include "partition/status.h"
#include "partition/turn.h"

/* Letters that are read at once, and about how many bytes. */
#define LETTERS_AT_ONCE		1000
#define LETTER_BYTES		INT64CONST(16777216)

/* When they could not be read. */
#define READ_AGAIN_US		INT64CONST(1000000)

/* There may be dead letters that are to be tried again. */
static bool wanted = true;

/* They could not be read: not before; 0: at once. */
static TimestampTz again_at;

/* While the rows of one part come. */
typedef struct Reading
{
	const BurrowConsumer *c;
	BurrowPartition *part;		/* NULL: none yet */
	int			n;
	BurrowMessage **messages;
	uint64		total;			/* letters that are to be tried again, those not read among them */
} Reading;

static BurrowPartition *
new_part(const BurrowConsumer *c, const BurrowDeadLetterRow *row)
{
	BurrowPartition *host = burrow_partition_find(row->topic, row->partition);
	BurrowPartition *part = burrow_partition_new(row->topic, row->partition, true);

	burrow_key_parking_join(c, part);
	burrow_partition_open_letters(c, part, host, row->offset, LETTERS_AT_ONCE);
	return part;
}

static size_t
headers_size(const BurrowDeadLetterRow *row)
{
	size_t		size = 0;

	for (int i = 0; i < row->nheaders; i++)
	{
		size_t		len;

		(void) burrow_dead_letter_header_name(row, i, &len);
		size += burrow_frame_header_size(len, row->header_nulls[i] ? -1 :
										 (int64) VARSIZE_ANY_EXHDR(DatumGetByteaPP(row->header_values[i])));
	}
	return size;
}

static void
put_headers(const BurrowDeadLetterRow *row, char *p)
{
	for (int i = 0; i < row->nheaders; i++)
	{
		size_t		len;
		const char *name = burrow_dead_letter_header_name(row, i, &len);
		bytea	   *value = row->header_nulls[i] ? NULL : DatumGetByteaPP(row->header_values[i]);

		p = burrow_frame_put_header(p, name, len, value == NULL ? NULL : VARDATA_ANY(value),
									value == NULL ? -1 : (int64) VARSIZE_ANY_EXHDR(value));
	}
}

static size_t
bytes_len(const bytea *bytes)
{
	return bytes == NULL ? 0 : VARSIZE_ANY_EXHDR(bytes);
}

/* Which letters and messages it has to keep its order with. */
static void
set_order(const BurrowConsumer *c, const BurrowDeadLetterRow *row, BurrowSchedulerItem *item)
{
	bool		by_key = c->sub->options.ordering == BURROW_ORDER_KEY && row->key != NULL;

	item->kind = 1;
	item->ordered = by_key || c->sub->options.ordering == BURROW_ORDER_PARTITION;
	item->order = by_key ? burrow_key_order(VARDATA_ANY(row->key), bytes_len(row->key)) : 0;
}

/* The message as it was when it came from Kafka, with one attempt more. */
static BurrowMessage *
make_message(const BurrowConsumer *c, BurrowPartition *part, const BurrowDeadLetterRow *row, BurrowTrackerRef ref)
{
	size_t		hsize = headers_size(row);
	size_t		size = burrow_frame_message_size(bytes_len(row->key), bytes_len(row->value), hsize);
	size_t		total = offsetof(BurrowMessage, frame) + size;
	BurrowMessage *m = MemoryContextAllocZero(c->message_cxt, total);
	BurrowMessageHeader *h = &m->frame;

	m->part = part;
	m->ref = ref;
	set_order(c, row, &m->item);
	m->item.bytes = (uint32) total;

	h->total = (uint32) size;
	h->flags = (row->key != NULL ? BURROW_MESSAGE_HAS_KEY : 0) |
		(row->value != NULL ? BURROW_MESSAGE_HAS_VALUE : 0) |
		(row->has_time ? BURROW_MESSAGE_HAS_TIME : 0) |
		(m->item.ordered ? BURROW_MESSAGE_ORDERED : 0);
	h->offset = row->offset;
	if (row->has_time)
		h->timestamp_ms = burrow_dead_letter_time_ms(row);
	h->order = m->item.order;
	h->slots = ref.segment->handle;
	h->slot = ref.index;
	h->attempt = (uint32) row->attempts + 1;
	h->key_len = (uint32) bytes_len(row->key);
	h->value_len = (uint32) bytes_len(row->value);
	h->nheaders = (uint32) row->nheaders;
	h->headers_len = (uint32) hsize;
	if (h->key_len > 0)
		memcpy(burrow_frame_key(h), VARDATA_ANY(row->key), h->key_len);
	if (h->value_len > 0)
		memcpy(burrow_frame_value(h), VARDATA_ANY(row->value), h->value_len);

	/*
	 * the byte that ends the value is zero, as all memory was; gcc 12 takes
	 * burrow_frame_end_value() here for one beyond the header
	 */
	put_headers(row, burrow_frame_headers(h));
	return m;
}

/* One row; what does not fit now is found again later. */
static void
take_row(void *arg, const BurrowDeadLetterRow *row)
{
	Reading    *reading = arg;
	const BurrowConsumer *c = reading->c;
	BurrowPartition *part = reading->part;
	BurrowTrackerRef ref;
	BurrowMessage *m;

	/* asked for since the keys were read: they are read again */
	if (row->key != NULL &&
		!burrow_key_parking_is_retried(burrow_key_parking_of(c, row->topic, row->partition),
									   burrow_key_order(VARDATA_ANY(row->key), bytes_len(row->key))))
	{
		burrow_key_parking_outdate(c);
		return;
	}
	if (part == NULL || part->partition != row->partition || strcmp(part->topic, row->topic) != 0)
		part = reading->part = new_part(c, row);
	if (burrow_tracker_needs_segment(&part->tracker) && !burrow_segment_add(c, part))
		return;
	if (burrow_tracker_begin(&part->tracker, row->offset, &ref) != BURROW_TRACKER_TAKEN)
		return;
	m = make_message(c, part, row, ref);
	burrow_partition_count_message(m);
	reading->messages[reading->n++] = m;
}

/* Before what waits in their order, and so the last one first. */
static void
schedule(Reading *reading)
{
	for (int i = reading->n - 1; i >= 0; i--)
	{
		BurrowMessage *m = reading->messages[i];

		burrow_scheduler_add_first(reading->c->sched, m->part->sched, &m->item);
	}
}

/* Parts for which there was no room hold nothing that would close them. */
static void
close_empty_parts(const BurrowConsumer *c)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->is_redelivery && part->state != BURROW_PARTITION_CLOSED && part->unresolved == 0)
			burrow_partition_close(c, part);
	}
}

void
burrow_redelivery_wake(void)
{
	wanted = true;
	burrow_turn_again();
}

void
burrow_redelivery_give_up(const BurrowConsumer *c, BurrowPartition *letters)
{
	burrow_partition_stop(c, letters);
	burrow_key_parking_each(burrow_parking_given_up);
	burrow_redelivery_wake();
}

static void
read_rows(const BurrowConsumer *c, void *arg)
{
	Reading    *reading = arg;

	if (burrow_key_parking_is_stale())
		burrow_key_parking_read(c);
	else
		burrow_key_parking_each(burrow_parking_all_done);
	reading->total = burrow_dead_letter_each(c->subid, BURROW_LETTERS_ASKED, LETTERS_AT_ONCE, LETTER_BYTES,
											 take_row, reading);
}

/* What was read before an error goes to the scheduler, and is not read again. */
static void
read_some(const BurrowConsumer *c)
{
	Reading		reading = {.c = c, .messages = palloc(sizeof(BurrowMessage *) * LETTERS_AT_ONCE)};

	again_at = 0;
	if (burrow_status_try(c, read_rows, &reading, BURROW_TROUBLE_READ_LETTERS))
	{
		wanted = reading.total > 0;
		if (reading.total == (uint64) reading.n)
			burrow_key_parking_each(burrow_parking_all_read);
		if (reading.total == 0)
			burrow_key_parking_each(burrow_parking_all_done);
	}
	else
	{
		burrow_key_parking_outdate(c);
		again_at = c->now + READ_AGAIN_US;
	}
	schedule(&reading);
}

/*
 * Nothing of what was read before is in hand, so the rows are as they will stay until
 * something of what is read now has its result.  What an older consumer's worker has in hand may be a
 * letter, too.
 */
static bool
wants_to_read(bool assignment_unanswered)
{
	return wanted && !burrow_partition_any_redelivery() && burrow_writer_is_empty() &&
		!assignment_unanswered && !burrow_old_worker_exists() && !burrow_status_is_stopping() &&
		!burrow_status_is_waiting();
}

TimestampTz
burrow_redelivery_run(const BurrowConsumer *c, bool assignment_unanswered)
{
	close_empty_parts(c);
	if (wants_to_read(assignment_unanswered) && again_at <= c->now)
	{
		read_some(c);
		close_empty_parts(c);
	}
	return wants_to_read(assignment_unanswered) ? Max(again_at, c->now) : 0;
}
