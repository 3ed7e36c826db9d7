/*
 * partitions.c
 *	  The array of partition slots; see partitions.h.
 *
 * Runs in: the consumer, but for the views' readers.
 * Locking: burrow->lock for who owns a slot; the figures in it need none.
 *
 * A search is linear: a partition comes and goes with a rebalance, not with a
 * message.
 */
#include "postgres.h"

#include "common/int.h"
#include "storage/shmem.h"

#include "guc.h"
#include "shmem/partitions.h"
#include "shmem/shared_text.h"

BurrowPartitionSlot *burrow_partitions = NULL;

Size
burrow_partitions_shmem_size(void)
{
	return mul_size(burrow_max_partitions, sizeof(BurrowPartitionSlot));
}

void
burrow_partitions_startup_shmem(void)
{
	bool		found;

	burrow_partitions = ShmemInitStruct("burrow partitions", burrow_partitions_shmem_size(), &found);
	if (found)
		return;
	memset(burrow_partitions, 0, burrow_partitions_shmem_size());
	for (int i = 0; i < burrow_max_partitions; i++)
	{
		BurrowPartitionSlot *part = &burrow_partitions[i];

		pg_atomic_init_u64(&part->committed, 0);
		pg_atomic_init_u64(&part->processed, 0);
		pg_atomic_init_u64(&part->end, 0);
		pg_atomic_init_u64(&part->high_watermark, 0);
		pg_atomic_init_u64(&part->blocked_since, 0);
		pg_atomic_init_u64(&part->end_checked_at, 0);
		pg_atomic_init_u64(&part->end_asked_at, 0);
		pg_atomic_init_u64(&part->inflight, 0);
		pg_atomic_init_u64(&part->oldest_pending, 0);
		pg_atomic_init_u64(&part->oldest_pending_since, 0);
		pg_atomic_init_u64(&part->behind_since, 0);
		pg_atomic_init_u64(&part->last_message_at, 0);
		pg_atomic_init_u32(&part->window_full, 0);
	}
}

int
burrow_partitions_reserve(int subscription, const char *topic, int32 partition, uint32 epoch)
{
	int			found = -1;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; i < burrow_max_partitions && found < 0; i++)
	{
		BurrowPartitionSlot *part = &burrow_partitions[i];

		if (part->in_use)
			continue;
		part->subscription = subscription;
		part->partition = partition;
		part->epoch = epoch;
		part->gone = false;
		strlcpy(part->topic, topic, sizeof(part->topic));
		part->trouble_since = 0;
		pg_atomic_write_u64(&part->committed, (uint64) -1);
		pg_atomic_write_u64(&part->processed, (uint64) -1);
		pg_atomic_write_u64(&part->end, (uint64) -1);
		pg_atomic_write_u64(&part->high_watermark, (uint64) -1);
		pg_atomic_write_u64(&part->blocked_since, 0);
		pg_atomic_write_u64(&part->end_checked_at, 0);
		pg_atomic_write_u64(&part->end_asked_at, 0);
		pg_atomic_write_u64(&part->inflight, 0);
		pg_atomic_write_u64(&part->oldest_pending, (uint64) -1);
		pg_atomic_write_u64(&part->oldest_pending_since, 0);
		pg_atomic_write_u64(&part->behind_since, 0);
		pg_atomic_write_u64(&part->last_message_at, 0);
		pg_atomic_write_u32(&part->window_full, 0);
		part->in_use = true;
		found = i;
	}
	LWLockRelease(burrow->lock);
	return found;
}

void
burrow_partitions_set_trouble(int slot, TimestampTz since, int64 offset, const char *sqlstate, const char *text)
{
	BurrowPartitionSlot *part = &burrow_partitions[slot];

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	part->trouble_since = since;
	part->trouble_offset = offset;
	strlcpy(part->trouble_sqlstate, sqlstate, sizeof(part->trouble_sqlstate));
	burrow_shared_text_copy(part->trouble, sizeof(part->trouble), text);
	LWLockRelease(burrow->lock);
}

void
burrow_partitions_free(int slot)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	burrow_partitions[slot].in_use = false;
	LWLockRelease(burrow->lock);
}

void
burrow_partitions_set_gone(int slot)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	burrow_partitions[slot].gone = true;
	LWLockRelease(burrow->lock);
}

void
burrow_partitions_free_all(int subscription)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; i < burrow_max_partitions; i++)
	{
		if (burrow_partitions[i].in_use && burrow_partitions[i].subscription == subscription)
			burrow_partitions[i].in_use = false;
	}
	LWLockRelease(burrow->lock);
}

int64
burrow_partitions_lag_us(BurrowPartitionSlot *part, TimestampTz now)
{
	TimestampTz behind_since = (TimestampTz) pg_atomic_read_u64(&part->behind_since);

	if (behind_since != 0)
		return behind_since < now ? now - behind_since : 0;
	return (int64) pg_atomic_read_u64(&part->end) >= 0 ? 0 : -1;
}

void
burrow_partitions_add_lag(BurrowLag * lag, BurrowPartitionSlot *part, TimestampTz now)
{
	int64		committed = (int64) pg_atomic_read_u64(&part->committed);
	int64		end = (int64) pg_atomic_read_u64(&part->end);
	int64		us = burrow_partitions_lag_us(part, now);
	bool		known = committed >= 0 && end >= 0;

	lag->known |= known;
	if (known && end > committed && pg_add_s64_overflow(lag->messages, end - committed, &lag->messages))
		lag->messages = PG_INT64_MAX;
	lag->time_known |= us >= 0;
	lag->time_us = Max(lag->time_us, us);
}

const BurrowPartitionSlot *
burrow_partitions_in_hand(BurrowWorkerSlot *worker)
{
	uint32		index = pg_atomic_read_u32(&worker->running_partition);
	const BurrowPartitionSlot *part;

	Assert(LWLockHeldByMe(burrow->lock));
	if (index >= (uint32) burrow_max_partitions)
		return NULL;
	part = &burrow_partitions[index];
	return part->in_use && part->subscription == worker->subscription ? part : NULL;
}
