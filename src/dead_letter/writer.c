/*
 * writer.c
 *	  Dead letters, and what is skipped, go into the database.
 *
 * Runs in: the consumer.
 *
 * A dead letter is written by the consumer and not by the worker: it has the message's
 * bytes and everything that is known of its attempts, also when the worker is dead, and
 * its transaction touches nothing of the user's.  That transaction's LSN becomes the
 * mark of the message's tracker slot, so the row and the offset cannot part: until the
 * row is durable, Kafka's offset does not pass the message.  While the row cannot be
 * written (the disk is full, the table is locked), the message stays in hand.
 *
 * Exactly once, skipping and dead-lettering are progress too: it is written in the same
 * transaction, into a row of its own beside those of the workers' lanes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "catalog/dead_letter.h"
#include "catalog/progress.h"
#include "dead_letter/key_parking.h"
#include "dead_letter/letter_count.h"
#include "dead_letter/publisher.h"
#include "dead_letter/writer.h"
#include "offsets/offset_commit.h"
#include "offsets/progress_merge.h"
#include "partition/message_error.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "partition/turn.h"
#include "runtime/trace.h"

/* Dead letters in one transaction, and about how many bytes. */
#define LETTERS_AT_ONCE		100
#define LETTER_BYTES		(16 * 1024 * 1024)

/* When they could not be written. */
#define LETTERS_AGAIN_US	INT64CONST(1000000)

/* Those to be written, as they came. */
static dlist_head letters = DLIST_STATIC_INIT(letters);

/* They could not be written: not before; 0: at once. */
static TimestampTz again_at;

bool
burrow_writer_is_empty(void)
{
	return dlist_is_empty(&letters);
}

void
burrow_writer_give(const BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure)
{
	/* held as if a worker still had it, until that is in the database */
	m->retry->failure = failure;
	dlist_push_tail(&letters, &m->retry->node);
}

/* ---- messages of a parked key ---- */

/* As if a worker had it: it is resolved like one that has failed. */
void
burrow_writer_park(const BurrowConsumer *c, BurrowMessage *m)
{
	burrow_partition_pin_message(m);
	dlist_push_tail(&letters, &burrow_message_error_record(c, m)->node);
}

void
burrow_writer_leave(const BurrowConsumer *c, BurrowMessage *m)
{
	burrow_partition_pin_message(m);
	burrow_partition_forget_message(c, m);
}

BurrowSchedulerItem *
burrow_writer_sort(const BurrowConsumer *c, BurrowSchedulerItem *items, uint32 *n)
{
	const BurrowKeyParking *parking = ((const BurrowMessage *) items)->part->parking;
	BurrowSchedulerItem *first = NULL;
	BurrowSchedulerItem **last = &first;
	BurrowSchedulerItem *next;

	if (!burrow_key_parking_has_keys(parking))
		return items;
	for (BurrowSchedulerItem *item = items; item != NULL; item = next)
	{
		BurrowMessage *m = (BurrowMessage *) item;

		next = item->next;
		switch (burrow_key_parking_judge(m))
		{
			case BURROW_PARK_HANDLE:
				*last = item;
				last = &item->next;
				continue;
			case BURROW_PARK_WRITE:
				burrow_writer_park(c, m);
				break;
			case BURROW_PARK_LEAVE:
				burrow_writer_leave(c, m);
				break;
		}
		(*n)--;
	}
	*last = NULL;
	return first;
}

/* ---- dead letters, and what is skipped ---- */

static void
record_skipped(const BurrowConsumer *c, BurrowMessage *m, const BurrowFailure *failure)
{
	const char *public_text = burrow_message_error_public_text(failure);
	BurrowMessageView view = burrow_message_view(m);

	ereport(LOG,
			(errmsg("subscription \"%s\" skips topic \"%s\" partition %d offset %lld after %u attempts",
					c->sub->name, m->part->topic, m->part->partition, (long long) m->frame.offset, m->frame.attempt),
			 errdetail("%s: %s", failure->sqlstate,
					   public_text != NULL ? public_text : burrow_message_error_text(failure)),
			 burrow_trace_errcontext(&view)));
	BURROW_COUNT(c->slot, messages_skipped, 1);
}

static inline bool
exactly_once(const BurrowConsumer *c)
{
	return c->sub->options.delivery == BURROW_EXACTLY_ONCE;
}

/* Do others of its key wait behind it? */
static bool
holds_key(const BurrowMessage *m)
{
	return m->part->parking != NULL && m->item.ordered;
}

static void
store_letter(const BurrowConsumer *c, const BurrowRetry *retry)
{
	BurrowMessage *m = retry->m;
	const BurrowFailure *failure = retry->failure;
	bool		parked = failure == NULL;
	BurrowDeadLetter letter = {
		.topic = m->part->topic,
		.partition = m->part->partition,
		.message = burrow_message_view(m),
		.sqlstate = parked ? NULL : failure->sqlstate,
		.error = parked ? NULL : burrow_message_error_text(failure),
		.detail = parked ? NULL : failure->detail,
		.hint = parked ? NULL : failure->hint,
		.context = parked ? NULL : failure->context,
		.first_failed_at = retry->first_failed_at,
		.is_retry = m->part->is_redelivery,
		.retry_requested = parked && burrow_key_parking_is_asked(m),
		.holds_key = holds_key(m)
	};

	burrow_dead_letter_store(c->subid, c->sub->uuid, &letter);
}

/* What is written at once: the first n letters, with the progress of their part. */
typedef struct Writing
{
	int			n;
	const BurrowRetry *retries[LETTERS_AT_ONCE];	/* the same, by their offsets */
	int64		offsets[LETTERS_AT_ONCE];
} Writing;

static void
save_progress(const BurrowConsumer *c, const BurrowPartition *part, Writing *writing)
{
	BurrowProgress progress = {
		.subid = c->subid,
		.uuid = c->sub->uuid,
		.topic = part->topic,
		.partition = part->partition,
		.lane = BURROW_RESOLVED_LANE,
		.row_hint = (uint32) part->slot,
		.head = burrow_tracker_head(&part->tracker),
		.chunk = burrow_progress_merge_begin_chunk(BURROW_RESOLVED_LANE),
		.merged_chunk = burrow_progress_merge_chunk(part, BURROW_RESOLVED_LANE),
		.offsets = writing->offsets,
		.noffsets = writing->n
	};

	PushActiveSnapshot(GetTransactionSnapshot());
	burrow_progress_save(&progress);
	PopActiveSnapshot();
}

static int
compare_offsets(const void *a, const void *b)
{
	int64		x = (*(const BurrowRetry *const *) a)->m->frame.offset;
	int64		y = (*(const BurrowRetry *const *) b)->m->frame.offset;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* They came in the order in which they have failed. */
static void
sort_letters(Writing *writing)
{
	int			n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &letters)
	{
		if (n == writing->n)
			break;
		writing->retries[n++] = dlist_container(BurrowRetry, node, iter.cur);
	}
	qsort(writing->retries, writing->n, sizeof(writing->retries[0]), compare_offsets);
	for (int i = 0; i < writing->n; i++)
		writing->offsets[i] = writing->retries[i]->m->frame.offset;
}

static inline bool
becomes_letter(const BurrowRetry *retry)
{
	return retry->failure == NULL || retry->failure->verdict.action == BURROW_ACTION_DEAD_LETTER;
}

/* Their rows are there, and so are those of the letters behind them, which wait with them. */
static void
lock_rows(const BurrowConsumer *c, const BurrowPartition *part, const Writing *writing)
{
	uint64		keys[LETTERS_AT_ONCE];
	int			nkeys = 0;

	for (int i = 0; i < writing->n; i++)
	{
		BurrowMessage *m = writing->retries[i]->m;
		BurrowMessageView view = burrow_message_view(m);

		if (holds_key(m))
			keys[nkeys++] = burrow_key_order(view.key, view.header->key_len);
	}
	burrow_dead_letter_lock(c->subid, c->sub->uuid, part->topic, part->partition, writing->offsets, writing->n, keys, nkeys);
}

/* What has to be in the database of them. */
static void
store_letters(const BurrowConsumer *c, void *arg)
{
	Writing    *writing = arg;
	const BurrowPartition *part = dlist_container(BurrowRetry, node, dlist_head_node(&letters))->m->part;

	sort_letters(writing);
	if (part->is_redelivery)
		lock_rows(c, part, writing);
	for (int i = 0; i < writing->n; i++)
	{
		if (becomes_letter(writing->retries[i]))
			store_letter(c, writing->retries[i]);
	}
	if (exactly_once(c) && !part->is_redelivery)
		save_progress(c, part, writing);
}

/* The failed message is skipped, or a dead letter, and that is in the database. */
static void
record_given_up(const BurrowConsumer *c, BurrowMessage *m, const BurrowFailure *failure)
{
	burrow_message_error_show(c, failure);
	if (failure->verdict.action == BURROW_ACTION_SKIP)
	{
		record_skipped(c, m, failure);
		return;
	}
	BURROW_COUNT(c->slot, messages_dead_lettered, 1);
	burrow_key_parking_key(m);
	burrow_publisher_wake();
}

static void
take_letter(const BurrowConsumer *c, BurrowRetry *retry, uint64 mark)
{
	BurrowMessage *m = retry->m;

	dlist_delete(&retry->node);
	if (mark != 0)
	{
		burrow_letter_count_outdate();
		burrow_tracker_complete(burrow_tracker_slot(m->ref), mark);
		if (retry->failure == NULL)
			BURROW_COUNT(c->slot, messages_parked, 1);
		else
			record_given_up(c, m, retry->failure);
		burrow_offset_commit_count_done(m->part);
	}
	if (retry->failure != NULL)
		pfree(retry->failure);
	burrow_partition_forget_message(c, m);
}

/* The row that the first letter's progress is in holds so much now. */
static void
record_row(const BurrowConsumer *c, size_t bytes)
{
	BurrowPartition *part = dlist_container(BurrowRetry, node, dlist_head_node(&letters))->m->part;

	burrow_progress_merge_record(part, BURROW_RESOLVED_LANE, burrow_progress_merge_chunk(part, BURROW_RESOLVED_LANE), bytes);
}

/* Writes as many as fit into one transaction.  False: not now. */
static bool
write_some(const BurrowConsumer *c)
{
	const BurrowPartition *part = dlist_container(BurrowRetry, node, dlist_head_node(&letters))->m->part;
	Writing		writing;
	uint64		bytes = 0;
	dlist_iter	iter;

	writing.n = 0;
	/* a transaction can carry the progress of one partition only */
	dlist_foreach(iter, &letters)
	{
		const BurrowMessage *m = dlist_container(BurrowRetry, node, iter.cur)->m;

		bytes += m->item.bytes;
		if (writing.n > 0 && (writing.n == LETTERS_AT_ONCE || bytes > LETTER_BYTES || m->part != part))
			break;
		writing.n++;
	}
	if (!burrow_status_try(c, store_letters, &writing, BURROW_TROUBLE_WRITE_LETTERS))
		return false;
	record_row(c, burrow_progress_committed());
	/* where nothing was written (skipped, at least once), an older commit's will do */
	for (int n = writing.n; n > 0; n--)
		take_letter(c, dlist_container(BurrowRetry, node, dlist_head_node(&letters)),
					Max(XactLastCommitEnd, BURROW_SLOT_DONE));
	return true;
}

/*
 * Those whose partition is gone are somebody else's, and those whose partition is going
 * cannot wait: they will be read, and fail, again.
 */
static void
give_up_letters(const BurrowConsumer *c, bool going)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &letters)
	{
		BurrowRetry *retry = dlist_container(BurrowRetry, node, iter.cur);

		if (retry->m->part->state == BURROW_PARTITION_CLOSED ||
			(going && (retry->m->part->state != BURROW_PARTITION_ACTIVE || burrow_status_is_stopping())))
			take_letter(c, retry, 0);
	}
}

bool
burrow_writer_run(const BurrowConsumer *c, TimestampTz *due)
{
	bool		written = false;

	*due = 0;
	if (dlist_is_empty(&letters))
		return false;
	give_up_letters(c, again_at > c->now);
	if (again_at > c->now)
	{
		*due = dlist_is_empty(&letters) ? 0 : again_at;
		return false;
	}
	again_at = 0;
	while (!dlist_is_empty(&letters))
	{
		if (!write_some(c))
		{
			again_at = c->now + LETTERS_AGAIN_US;
			give_up_letters(c, true);
			break;
		}
		written = true;
	}
	*due = dlist_is_empty(&letters) ? 0 : again_at;
	/* those that are to be tried again were perhaps waited for */
	if (written)
		burrow_turn_again();
	return written;
}
