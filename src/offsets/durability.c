/*
 * durability.c
 *	  Up to where commits are durable: here, and on the standbys that the level asks for.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/lwlock.h"

#include "offsets/durability.h"

/* Flushed here, and not confirmed by the standbys since; 0: none. */
static uint64 unconfirmed_lsn;
static TimestampTz unconfirmed_since;

/* The level of synchronous replication that the subscription asks for; -1: none. */
static int
standby_mode(const BurrowConsumer *c)
{
	switch (c->sub->options.synchronous_commit)
	{
		case SYNCHRONOUS_COMMIT_LOCAL_FLUSH:
			return -1;
		case SYNCHRONOUS_COMMIT_REMOTE_WRITE:
			return SYNC_REP_WAIT_WRITE;
		case SYNCHRONOUS_COMMIT_REMOTE_APPLY:
			return SYNC_REP_WAIT_APPLY;
		default:
			/* off: the workers do not wait, but Kafka's offset does */
			return SYNC_REP_WAIT_FLUSH;
	}
}

/*
 * The LSN up to which commits are durable.  Never waits.
 *
 * Locks: takes SyncRepLock shared for one read, if standbys are configured.
 */
uint64
burrow_durability_lsn(const BurrowConsumer *c)
{
	XLogRecPtr	lsn = GetFlushRecPtr(NULL);
	int			mode = standby_mode(c);

	if (mode >= 0 && max_wal_senders > 0 &&
		SyncRepStandbyNames != NULL && SyncRepStandbyNames[0] != '\0')
	{
		XLogRecPtr	confirmed;

		LWLockAcquire(SyncRepLock, LW_SHARED);
		confirmed = WalSndCtl->lsn[mode];
		LWLockRelease(SyncRepLock);
		lsn = Min(lsn, confirmed);
	}
	return lsn;
}

/*
 * For the views: since when do standbys owe a confirmation?  The first LSN that waits is kept
 * until it is confirmed, so that a steady stream is not mistaken for standbys that are gone.
 */
void
burrow_durability_record(const BurrowConsumer *c, uint64 durable, uint64 target)
{
	if (unconfirmed_lsn > durable)
		return;
	unconfirmed_lsn = target > durable && target <= GetFlushRecPtr(NULL) ? target : 0;
	unconfirmed_since = unconfirmed_lsn > 0 ? c->now : 0;
}

TimestampTz
burrow_durability_unconfirmed_since(void)
{
	return unconfirmed_since;
}
