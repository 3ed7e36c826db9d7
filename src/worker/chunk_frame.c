/*
 * chunk_frame.c
 *	  A chunk as it comes from the consumer, and its results as they go there.
 *
 * Runs in: workers.
 * Locking: none; the queues have one writer and one reader each.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "burrow.h"
#include "compat.h"
#include "guc.h"
#include "shmem/wait_events.h"
#include "shmem/worker_slots.h"
#include "worker/chunk_frame.h"

/* ---- the chunk ---- */

static void pg_attribute_noreturn()
report_malformed(void)
{
	elog(ERROR, "malformed chunk from the consumer");
}

/* Where the mark goes; the address is looked up now, because that may have to map memory. */
static BurrowTrackerSlot *
tracker_slot(BurrowWorker *w, const BurrowMessageHeader *message)
{
	BurrowTrackerSlot *slots = dsa_get_address(w->area, (dsa_pointer) message->slots);

	if (slots == NULL || message->slot >= BURROW_TRACKER_SEGMENT_SLOTS ||
		slots[message->slot].offset != message->offset)
		report_malformed();
	return &slots[message->slot];
}

BurrowChunk *
burrow_chunk_frame_decode(BurrowWorker *w, const void *data, Size len)
{
	BurrowChunk *c = palloc0(sizeof(BurrowChunk));
	BurrowChunkReader reader;
	uint32		n;

	if (!burrow_frame_read_chunk(&reader, data, len))
		report_malformed();
	n = reader.header->nmessages;
	if (n > len / sizeof(BurrowMessageHeader) || reader.header->batch_size == 0 || reader.header->topic_len > BURROW_TOPIC_MAX ||
		(reader.header->partition_slot >= (uint32) burrow_max_partitions &&
		 (reader.header->flags & BURROW_CHUNK_LETTERS) == 0))
		report_malformed();

	c->w = w;
	c->setup = w->transport->setup;
	c->header = reader.header;
	c->begun = 1;
	c->begun_at = c->told_at = GetCurrentTimestamp();
	memcpy(c->topic, reader.topic, reader.header->topic_len);
	c->messages = palloc(sizeof(BurrowMessageView) * n);
	c->slots = palloc(sizeof(BurrowTrackerSlot *) * n);
	c->members = palloc(sizeof(uint32) * n);
	c->offsets = palloc(sizeof(int64) * n);
	c->result_size = offsetof(BurrowResultChunk, results) + sizeof(BurrowMessageResult) * n;
	c->result = palloc0(c->result_size);
	c->result->kind = BURROW_RESULT_CHUNK;
	c->result->nmessages = n;
	c->result->chunk = c->header->chunk;

	for (uint32 i = 0; i < n; i++)
	{
		if (!burrow_frame_next_message(&reader, &c->messages[i]))
			report_malformed();
		c->slots[i] = tracker_slot(w, c->messages[i].header);
	}
	if (!burrow_frame_at_end(&reader))
		report_malformed();

	c->activity_len = snprintf(c->activity, sizeof(c->activity), "handling message from topic \"%s\" partition %d offset ",
							   c->topic, c->header->partition);
	return c;
}

/* ---- results ---- */

/*
 * Waits while the queue is full.  The consumer reads the queues of those lanes only
 * that have set their bit, so that is done each time, also in the middle of a message.
 */
static void
send_frame(BurrowChunk *c, const void *data, Size len)
{
	BurrowWorker *w = c->w;
	shm_mq_iovec iov = {.data = data, .len = len};

	while (!c->gone)
	{
		shm_mq_result r = burrow_transport_send(w->transport->results, &iov, 1, true);

		if (r == SHM_MQ_DETACHED)
		{
			c->gone = true;
			return;
		}
		burrow_worker_slot_result_ready(w->args.subscription, w->args.lane);
		if (r == SHM_MQ_SUCCESS)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1L, burrow_wait_event(BURROW_WAIT_RESULT));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Cuts between characters; what is cut at a byte elsewhere would be broken text. */
static char *
clip(char *text)
{
	int			len;

	if (text == NULL)
		return NULL;
	len = strlen(text);
	if (len > BURROW_FAILURE_TEXT_MAX)
		text[burrow_clip_length(text, len, BURROW_FAILURE_TEXT_MAX)] = '\0';
	return text;
}

static void
send_failure(BurrowChunk *c, uint32 index)
{
	ErrorData  *error = c->error;
	char	   *frame = palloc(BURROW_FAILURE_SIZE_MAX);
	size_t		len;

	len = burrow_frame_put_failure(frame, c->header->chunk, index, unpack_sql_state(error->sqlerrcode),
								   c->origin, c->fresh, clip(error->message), clip(error->detail), clip(error->hint),
								   clip(error->context));
	send_frame(c, frame, len);
	pfree(frame);
}

void
burrow_chunk_frame_message_failed(BurrowChunk *c, uint32 index)
{
	const BurrowMessageHeader *failed = c->messages[index].header;

	c->result->results[index].outcome = BURROW_OUTCOME_FAILED;
	/* nothing more in a session that may be to blame: the rest goes back */
	if (c->origin == BURROW_ORIGIN_SESSION ||
		(!c->fresh && burrow_policy_may_be_stale(unpack_sql_state(c->error->sqlerrcode), c->origin)))
		c->stopped = true;
	if (failed->flags & BURROW_MESSAGE_ORDERED)
	{
		for (uint32 i = index + 1; i < c->header->nmessages; i++)
		{
			const BurrowMessageHeader *other = c->messages[i].header;

			if ((other->flags & BURROW_MESSAGE_ORDERED) && other->order == failed->order)
				c->result->results[i].outcome = BURROW_OUTCOME_RETURNED;
		}
	}

	pg_atomic_write_u64(&c->w->slot->messages_failed, pg_atomic_read_u64(&c->w->slot->messages_failed) + 1);
	send_failure(c, index);
}

void
burrow_chunk_frame_save_failed(BurrowChunk *c)
{
	send_failure(c, c->members[0]);
	c->stopped = true;
}

void
burrow_chunk_frame_send_result(BurrowChunk *c)
{
	for (uint32 i = 0; i < c->header->nmessages; i++)
	{
		if (!burrow_chunk_is_resolved(c, i))
			c->result->results[i].outcome = BURROW_OUTCOME_RETURNED;
	}
	c->result->busy_us = Max(GetCurrentTimestamp() - c->begun_at, 0);
	send_frame(c, c->result, c->result_size);
}
