/*
 * troubles.c
 *	  What a subscription waits for now, for the views.
 *
 * Runs in: consumers and the launcher.
 */
#include "postgres.h"

#include "shmem/shared_text.h"
#include "shmem/troubles.h"

static void
copy(char *to, size_t size, const char *from)
{
	burrow_shared_text_copy(to, size, from != NULL ? from : "");
}

void
burrow_troubles_set(int slot, BurrowTroubleKind kind, const BurrowTroubleReport *report)
{
	BurrowTrouble *trouble = &burrow->subscriptions[slot].troubles[kind];
	TimestampTz now = GetCurrentTimestamp();

	burrow_registry_set_error(slot, report->sqlstate, report->message, report->public_message);
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	if (trouble->since == 0)
		trouble->since = now;
	trouble->at = now;
	trouble->cause = report->cause;
	strlcpy(trouble->sqlstate, report->sqlstate, sizeof(trouble->sqlstate));
	copy(trouble->message, sizeof(trouble->message), report->message);
	copy(trouble->public_message, sizeof(trouble->public_message), report->public_message);
	copy(trouble->statement, sizeof(trouble->statement), report->statement);
	LWLockRelease(burrow->lock);
}

void
burrow_troubles_clear(int slot, BurrowTroubleKind kind)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	burrow->subscriptions[slot].troubles[kind].since = 0;
	LWLockRelease(burrow->lock);
}
