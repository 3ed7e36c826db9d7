/*
 * call_places.c
 *	  Places for processes that work for one call.
 *
 * burrow.dry_run() and the first looks start a process each, out of max_worker_processes like consumers
 * and workers.  So that nobody takes those by calling them, a role has a few at a time, and all roles together a
 * quarter of what there is.  Consumers come first all the same: while the launcher finds no place
 * for one, no call gets one either, and a call that has lasted for some seconds is ended.
 *
 * A place is the process's, not the call's: one that is cancelled while it waits for something that cannot be
 * interrupted (a resolver) is there for a while after its call has ended.  So the backend reserves the place, the
 * process takes it over, and the backend gives it back only if the process has not come.
 *
 * Runs in: backends, processes of dry runs and first looks, the launcher.
 * Owns: burrow->call_places.
 * Locking: burrow->lock, for a few assignments at a time.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"

#include "shmem/call_places.h"
#include "shmem/registry.h"

/* A call that is shorter is not worth ending: the launcher tries again sooner than that. */
#define LONG_MS		3000

/* However few processes there are: one role's calls do not take them all. */
#define LEAST_OF_ALL	3

static BurrowCallPlace mine;	/* the process's */

int
burrow_call_place_most(void)
{
	int			quarter = (max_worker_processes - burrow_registry_static_processes()) / 4;

	return Min(Max(quarter, LEAST_OF_ALL), BURROW_MAX_CALL_PLACES);
}

/* Locks: caller holds burrow->lock. */
static BurrowCallPlaceSlot *
slot_of(const BurrowCallPlace *place)
{
	BurrowCallPlaceSlot *slot = &burrow->call_places[place->number];

	Assert(LWLockHeldByMe(burrow->lock));
	return place->serial != 0 && slot->serial == place->serial ? slot : NULL;
}

/* A free one's number, or -1.  Locks: caller holds burrow->lock. */
static int
find_free(Oid role, int *taken, int *taken_by_role)
{
	int			found = -1;

	Assert(LWLockHeldByMe(burrow->lock));
	*taken = *taken_by_role = 0;
	for (int i = 0; i < BURROW_MAX_CALL_PLACES; i++)
	{
		const BurrowCallPlaceSlot *slot = &burrow->call_places[i];

		if (slot->serial == 0)
			found = i;
		else
			(*taken)++;
		*taken_by_role += slot->serial != 0 && slot->role == role ? 1 : 0;
	}
	return found;
}

BurrowCallPlaceAnswer
burrow_call_place_reserve(Oid role, int most_per_role, bool is_superuser, BurrowCallPlace *place)
{
	BurrowCallPlaceAnswer answer = BURROW_CALL_PLACE_GIVEN;
	TimestampTz now = GetCurrentTimestamp();
	int			most = burrow_call_place_most();
	int			taken;
	int			taken_by_role;
	int			found;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	found = find_free(role, &taken, &taken_by_role);
	if (burrow->crowded_since != 0)
		answer = BURROW_CALL_PLACE_CROWDED;
	else if (!is_superuser && most_per_role >= 0 && taken_by_role >= most_per_role)
		answer = BURROW_CALL_PLACE_ROLE_HAS_ENOUGH;
	else if (found < 0 || (!is_superuser && taken >= most))
		answer = BURROW_CALL_PLACE_ALL_TAKEN;
	else
	{
		BurrowCallPlaceSlot *slot = &burrow->call_places[found];

		/* 0 is for a free one */
		if (++burrow->last_call_place == 0)
			burrow->last_call_place = 1;
		*slot = (BurrowCallPlaceSlot) {
			.serial = burrow->last_call_place,
				.role = role,
				.backend = MyProc,
				.since = now,
		};
		*place = (BurrowCallPlace) {.number = found, .serial = slot->serial};
	}
	LWLockRelease(burrow->lock);
	return answer;
}

void
burrow_call_place_release(const BurrowCallPlace *place)
{
	BurrowCallPlaceSlot *slot;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	slot = slot_of(place);
	if (slot != NULL && !slot->attached)
		slot->serial = 0;
	LWLockRelease(burrow->lock);
}

bool
burrow_call_place_is_needed(const BurrowCallPlace *place)
{
	const BurrowCallPlaceSlot *slot;
	bool		needed;

	LWLockAcquire(burrow->lock, LW_SHARED);
	slot = slot_of(place);
	needed = slot != NULL && slot->needed;
	LWLockRelease(burrow->lock);
	return needed;
}

static void
detach(int code, Datum arg)
{
	BurrowCallPlaceSlot *slot;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	slot = slot_of(&mine);
	if (slot != NULL)
		slot->serial = 0;
	LWLockRelease(burrow->lock);
}

bool
burrow_call_place_attach(const BurrowCallPlace *place)
{
	BurrowCallPlaceSlot *slot;

	mine = *place;
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	slot = slot_of(place);
	if (slot != NULL)
		slot->attached = true;
	LWLockRelease(burrow->lock);
	if (slot != NULL)
		before_shmem_exit(detach, (Datum) 0);
	return slot != NULL;
}

void
burrow_call_place_need(TimestampTz now)
{
	BurrowCallPlaceSlot *latest = NULL;
	PGPROC	   *backend = NULL;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; i < BURROW_MAX_CALL_PLACES; i++)
	{
		BurrowCallPlaceSlot *slot = &burrow->call_places[i];

		if (slot->serial != 0 && !slot->needed && TimestampDifferenceExceeds(slot->since, now, LONG_MS) &&
			(latest == NULL || slot->since > latest->since))
			latest = slot;
	}
	if (latest != NULL)
	{
		latest->needed = true;
		backend = latest->backend;
	}
	LWLockRelease(burrow->lock);
	burrow_registry_wake(backend);
}
