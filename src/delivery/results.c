/*
 * results.c
 *	  What workers send back, and what is made of it.
 *
 * Runs in: the consumer.
 *
 * What counts is the mark in the tracker slot.  A worker stores it in its commit
 * callback, before it can be interrupted; so whatever else is heard of a message, if
 * its mark is there, it is done.
 *
 * A worker tells of a result by a bit for its lane and the consumer's latch, so one
 * wake-up can serve many results and no queue is looked at in vain.  A worker that
 * exits sets its bit too, after its transaction is aborted and its slot is free.
 *
 * Outcomes are taken in the order in which the worker had them: failures in a row are
 * counted.  What follows from a failure is decided in failure.c.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "postmaster/interrupt.h"
#include "utils/memutils.h"

#include "core/claim.h"
#include "core/kafka_time.h"
#include "dead_letter/letter_count.h"
#include "dead_letter/writer.h"
#include "delivery/failure.h"
#include "delivery/pool.h"
#include "delivery/results.h"
#include "delivery/rights.h"
#include "offsets/offset_commit.h"
#include "offsets/progress_merge.h"
#include "partition/context.h"
#include "partition/message_error.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "shmem/worker_slots.h"

/* What messages and their transactions take. */
static BurrowSizer sizer;

const BurrowSizer *
burrow_results_sizer(void)
{
	return &sizer;
}

/* The worker has let go of this message. */
static void
release_message(const BurrowConsumer *c, BurrowMessage *m)
{
	burrow_tracker_release(&m->part->tracker, m->ref);
}

static void
count_done(const BurrowConsumer *c, BurrowMessage *m, TimestampTz committed_at)
{
	BurrowSubscriptionSlot *slot = &burrow->subscriptions[c->slot];
	TimestampTz produced_at;

	/* a time that PostgreSQL cannot hold counts for nothing */
	if ((m->frame.flags & BURROW_MESSAGE_HAS_TIME) &&
		burrow_kafka_time_to_us(m->frame.timestamp_ms, &produced_at))
	{
		burrow_histogram_add(&slot->end_to_end_time, committed_at > produced_at ? committed_at - produced_at : 0);
		m->part->newest_done_at = Max(m->part->newest_done_at, produced_at);
	}
	burrow_offset_commit_count_done(m->part);
}

/* The message took effect. */
static void
message_done(const BurrowConsumer *c, BurrowMessage *m)
{
	BurrowPartition *part = m->part;

	if (part->is_redelivery)
		burrow_letter_count_outdate();
	release_message(c, m);
	burrow_scheduler_finish(c->sched, &m->item);
	burrow_partition_free_message(m);
	burrow_partition_release(c, part);
}

void
burrow_results_returned(const BurrowConsumer *c, BurrowMessage *m)
{
	BurrowPartition *part = m->part;

	release_message(c, m);
	if (part->state == BURROW_PARTITION_ACTIVE)
		burrow_scheduler_put_back(c->sched, &m->item);
	else
	{
		/* its partition is closing: whoever gets it next will read it again */
		burrow_scheduler_finish(c->sched, &m->item);
		burrow_partition_free_message(m);
	}
	burrow_partition_release(c, part);
}

static bool
is_done(const BurrowMessage *m)
{
	return burrow_tracker_is_done(burrow_tracker_slot(m->ref));
}

static bool
same_order(const BurrowMessage *a, const BurrowMessage *b)
{
	return a->item.ordered && b->item.ordered && a->item.order == b->item.order;
}

/* Is there a message of the same order before this one, that has failed, or has not been run? */
static bool
is_behind(const BurrowLane *lane, int index, bool failed)
{
	for (int i = 0; i < index; i++)
	{
		if (lane->messages[i] != NULL && (!failed || lane->failures[i] != NULL) &&
			same_order(lane->messages[i], lane->messages[index]))
			return true;
	}
	return false;
}

/*
 * The first n of a lane's messages, as far as they are not resolved already: those that
 * are done and those that have failed.  A worker runs its messages in their order, so
 * that is how failures are judged; if the chunk is not at its end, up to the first of
 * which nothing is known, but for those that go back because of a failure before them.
 * What comes of failures is done newest first, so that those put back end up in their
 * order.  One that is to be run again waits for what has to be run before it, in the
 * scheduler, which knows that order; of two that wait for their time, either might be first.
 */
static void
resolve_known(const BurrowConsumer *c, BurrowLane *lane, int n, bool at_end, TimestampTz committed_at)
{
	uint32		ndone = 0;
	bool		succeeding = false; /* as far as burrow_failure_success() was told */

	for (int i = 0; i < n; i++)
	{
		BurrowMessage *m = lane->messages[i];

		if (m == NULL)
			continue;
		if (is_done(m))
		{
			if (!succeeding)
				burrow_failure_success(c);
			succeeding = true;
			count_done(c, m, committed_at);
			message_done(c, m);
			lane->messages[i] = NULL;
			ndone++;
		}
		else if (lane->failures[i] != NULL)
		{
			succeeding = false;
			burrow_failure_judge(c, m, lane->failures[i]);
		}
		else if (!at_end && !is_behind(lane, i, true))
			n = i;
	}
	for (int i = n - 1; i >= 0; i--)
	{
		BurrowMessage *m = lane->messages[i];

		if (m == NULL || lane->failures[i] == NULL)
			continue;
		if (lane->failures[i]->verdict.action == BURROW_ACTION_RETRY && is_behind(lane, i, false))
		{
			m->item.alone = true;
			pfree(lane->failures[i]);
			burrow_results_returned(c, m);
		}
		else
			burrow_failure_act(c, m, lane->failures[i]);
		lane->failures[i] = NULL;
		lane->messages[i] = NULL;
	}
	BURROW_COUNT(c->slot, messages_processed, ndone);
}

/*
 * While the chunk is still being run.  The others of their orders need not wait for the
 * chunk's end then.  The lane keeps the last message that was begun, and with it its part.
 */
void
burrow_results_resolve_known(const BurrowConsumer *c, BurrowLane *lane)
{
	int			begun = (int) burrow_claim_begun(lane->transport->claim);

	resolve_known(c, lane, Min(begun, lane->nmessages) - 1, false, c->now);
}

/* All of the lane's messages: what is neither done nor at fault is run again. */
static void
resolve_all(const BurrowConsumer *c, BurrowLane *lane, TimestampTz committed_at)
{
	resolve_known(c, lane, lane->nmessages, true, committed_at);
	/* what was done of the chunk came before it; its message, which goes back, keeps the part */
	if (lane->unsaved != NULL)
		burrow_failure_of_progress(c, lane->part, lane->unsaved_offset, lane->unsaved);
	burrow_pool_set_unsaved(lane, NULL, -1);
	for (int i = lane->nmessages - 1; i >= 0; i--)
	{
		if (lane->messages[i] != NULL)
			burrow_results_returned(c, lane->messages[i]);
	}
}

static void
take_outcomes(const BurrowConsumer *c, BurrowLane *lane, const BurrowResultChunk *result)
{
	BurrowSubscriptionSlot *slot = &burrow->subscriptions[c->slot];
	uint32		slow_us = 0;
	uint32		ndone = 0;
	uint32		ndone_before = 0;	/* in earlier transactions */

	for (int i = 0; i < lane->nmessages; i++)
	{
		const BurrowMessageResult *message = &result->results[i];

		if (message->outcome == BURROW_OUTCOME_ALONE)
		{
			lane->messages[i]->item.alone = true;
			slow_us = Max(slow_us, message->handler_us);
		}
		else if (message->outcome == BURROW_OUTCOME_DONE)
		{
			burrow_histogram_add(&slot->handler_time, message->handler_us);
			ndone++;
		}
		if (message->ends != 0)
		{
			burrow_sizes_add(&slot->transaction_messages, ndone - ndone_before);
			ndone_before = ndone;
		}
	}
	BURROW_COUNT(c->slot, transactions, result->committed);
	BURROW_COUNT(c->slot, transactions_rolled_back, result->rolled_back);
	BURROW_COUNT(c->slot, worker_busy_us, result->busy_us);
	if (ndone > 0)
		pg_atomic_write_u64(&slot->last_progress_at, (uint64) result->committed_at);
	burrow_progress_merge_record(lane->part, lane->lane, lane->header.merged_chunk, result->row_bytes);
	resolve_all(c, lane, result->committed_at);
	if (ndone > 0)
		burrow_sizer_took(&sizer, result->busy_us - Min(slow_us, result->busy_us), ndone,
						  lane->header.batch_size);
	if (slow_us > 0)
		burrow_sizer_took(&sizer, slow_us, 1, 1);
	if (result->lost_us > 0)
		burrow_sizer_rolled_back(&sizer, Min(lane->header.batch_size, (uint32) lane->nmessages),
								 result->lost_us, result->conflict != 0);
	else if (ndone == (uint32) lane->nmessages)
		burrow_sizer_went_well(&sizer, result->busy_us, c->sub->options.batch_size);
}

/* A message's error, or one of its progress, which comes before the chunk's end; what follows is decided then. */
static void
take_failure(const BurrowConsumer *c, BurrowLane *lane, const BurrowResultFailure *f)
{
	if (f->chunk != lane->chunk || f->index >= (uint32) lane->nmessages)
		elog(ERROR, "worker %d sent a failure for a message that it does not have", lane->lane);
	if (f->origin == BURROW_ORIGIN_PROGRESS)
	{
		if (lane->unsaved == NULL)
			burrow_pool_set_unsaved(lane, burrow_message_error_from_frame(c, f),
									lane->messages[f->index]->frame.offset);
		return;
	}
	/* it was told to stop: that says nothing about the message */
	if (lane->cancelled || lane->failures[f->index] != NULL)
		return;
	lane->failures[f->index] = burrow_message_error_from_frame(c, f);
	burrow_pool_set_failed(lane);
	burrow_registry_count_failure(c->slot, f->sqlstate);
	if (burrow_failure_doubts_session(lane->failures[f->index]))
		burrow_pool_doubt(c, lane);
}

/*
 * A process that went away with a message in hand: that message is charged, and only
 * that one, so that one that kills its worker each time does not do so for ever.  Not
 * so when the process was told to go.
 */
static void
charge_killer(const BurrowConsumer *c, BurrowLane *lane)
{
	int64		offset;

	if (lane->cancelled || burrow_status_is_stopping() || ShutdownRequestPending ||
		!burrow_worker_slot_message_in_hand(lane->worker, c->slot, c->generation, lane->lane, &offset))
		return;
	for (int i = 0; i < lane->nmessages; i++)
	{
		BurrowMessage *m = lane->messages[i];

		if (m == NULL || m->frame.offset != offset || is_done(m) || lane->failures[i] != NULL)
			continue;
		lane->failures[i] = burrow_message_error_new(c, BURROW_SQLSTATE_WORKER_ENDED,
													 "worker process ended while it was handling the message",
													 "It was terminated, or its session was ended by an error.",
													 "The server's log may say why.", NULL);
		burrow_registry_count_failure(c->slot, BURROW_SQLSTATE_WORKER_ENDED);
	}
}

/* The process is gone, or on its way out with its transaction aborted. */
void
burrow_results_lane_gone(const BurrowConsumer *c, BurrowLane *lane)
{
	if (lane->state == BURROW_LANE_BUSY)
	{
		charge_killer(c, lane);
		resolve_all(c, lane, c->now);
		burrow_pool_forget_chunk(lane);
	}
	burrow_pool_let_go(c, lane);
	burrow_rights_doubt();
}

/*
 * Reads what one worker has sent.  Its queue is empty after a chunk's result, until it is
 * given another; to look again would tell it that its queue was read, a wake-up for nothing.
 */
static void
lane_receive(const BurrowConsumer *c, BurrowLane *lane)
{
	while (lane->transport != NULL)
	{
		Size		len;
		void	   *data;
		shm_mq_result r = shm_mq_receive(lane->transport->results, &len, &data, true);

		if (r == SHM_MQ_WOULD_BLOCK)
		{
			/* its exit frees the slot first, and tells us, before the queue is detached */
			if (lane->state != BURROW_LANE_STARTING && !burrow_pool_is_attached(c, lane))
				burrow_results_lane_gone(c, lane);
			/* what comes of a failure can wait for the chunk's end */
			else if (lane->state == BURROW_LANE_BUSY && !lane->failed)
				burrow_results_resolve_known(c, lane);
			return;
		}
		if (r == SHM_MQ_DETACHED)
		{
			burrow_results_lane_gone(c, lane);
			return;
		}

		switch (burrow_frame_result_kind(data, len))
		{
			case BURROW_RESULT_FAILURE:
				{
					const BurrowResultFailure *f = burrow_frame_read_failure(data, len);

					if (f == NULL)
						elog(ERROR, "worker %d sent a malformed failure", lane->lane);
					take_failure(c, lane, f);
					break;
				}
			case BURROW_RESULT_CHUNK:
				{
					const BurrowResultChunk *result = burrow_frame_read_result_chunk(data, len);

					if (result == NULL || lane->state != BURROW_LANE_BUSY ||
						result->chunk != lane->chunk || result->nmessages != lane->header.nmessages)
						elog(ERROR, "worker %d sent a malformed result", lane->lane);
					take_outcomes(c, lane, result);
					burrow_pool_forget_chunk(lane);
					if (lane->retire)
						burrow_pool_let_go(c, lane);
					else
						burrow_pool_set_idle(c, lane);
					if (lane->transport != NULL && burrow_pool_is_attached(c, lane))
						return;
					break;
				}
			default:
				elog(ERROR, "worker %d sent a result of an unknown kind", lane->lane);
		}
	}
}

TimestampTz
burrow_results_collect(const BurrowConsumer *c)
{
	BurrowSubscriptionSlot *slot = &burrow->subscriptions[c->slot];
	TimestampTz due;

	for (int w = 0; w < BURROW_MAX_WORKERS / 64; w++)
	{
		uint64		bits;

		if (pg_atomic_read_u64(&slot->ready[w]) == 0)
			continue;
		bits = pg_atomic_exchange_u64(&slot->ready[w], 0);
		while (bits != 0)
		{
			int			lane = w * 64 + pg_rightmost_one_pos64(bits);

			bits &= bits - 1;
			if (burrow_pool()->lanes[lane] != NULL && burrow_pool()->lanes[lane]->transport != NULL)
				lane_receive(c, burrow_pool()->lanes[lane]);
		}
	}
	burrow_pool_look_at_processes(c);
	(void) burrow_writer_run(c, &due);
	return due;
}
