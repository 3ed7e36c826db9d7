/*
 * letter_count.c
 *	  How many dead letters there are, for the metrics.
 *
 * Runs in: the consumer.
 *
 * Rows come from here and go by workers' transactions and by burrow.discard_dead_letters(), which wakes the
 * consumer.  So they are counted when something of that has happened, but not one after the other: a count reads an
 * index, and there may be millions of them.
 *
 * It is a figure that is shown and no more: who has locked the table is not waited for, and an error is no trouble of
 * the subscription's.
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "utils/timestamp.h"

#include "catalog/access.h"
#include "catalog/dead_letter.h"
#include "dead_letter/key_parking.h"
#include "dead_letter/letter_count.h"
#include "partition/status.h"
#include "shmem/registry.h"

/* From the end of one count to the next, and how many times as long as the count itself. */
#define PAUSE_US		INT64CONST(5000000)
#define PAUSE_TIMES		100

/* They were not counted since something has happened. */
static bool stale = true;

/* Not before; 0: at once. */
static TimestampTz again_at;

void
burrow_letter_count_outdate(void)
{
	stale = true;
}

/* *n stays what it is if the table is locked, or there is none. */
static void
count_rows(const BurrowConsumer *c, void *arg)
{
	int64	   *n = arg;
	Oid			table = burrow_access_table("dead_letter");

	if (OidIsValid(table) && ConditionalLockRelationOid(table, AccessShareLock))
		*n = (int64) burrow_dead_letter_count(c->subid);
}

static void
count(const BurrowConsumer *c)
{
	int64		n = -1;
	bool		counted = burrow_status_try_quietly(c, count_rows, &n) && n >= 0;
	TimestampTz now = GetCurrentTimestamp();

	again_at = now + Max(PAUSE_US, (now - c->now) * PAUSE_TIMES);
	if (!counted)
		return;
	pg_atomic_write_u64(&burrow->subscriptions[c->slot].letters_pending, (uint64) n);
	stale = false;
}

TimestampTz
burrow_letter_count_run(const BurrowConsumer *c)
{
	burrow_key_parking_publish(c);
	if (!stale || !burrow_status_has_joined() || burrow_status_is_stopping())
		return 0;
	if (again_at <= c->now)
		count(c);
	return stale ? again_at : 0;
}
