/*
 * groups.c
 *	  Which subscription of the server holds which consumer group.
 *
 * The catalog of one database does not know what the others' say, and a group is one thing for
 * the whole server: whoever is in it gets a share of its messages and moves its position.  So
 * this array has all subscriptions of all databases, the disabled and paused ones too.
 *
 * Runs in: backends, discovery workers, the launcher, consumers.
 * Owns: the array of holders.
 * Locking: burrow->lock, for one pass over the array at a time.
 *
 * A backend takes a group before its transaction has committed, so that of two at the same
 * time one finds it taken.  Its entry stands beside the one that it replaces until the
 * transaction ends; a rollback, also one to a savepoint, takes it away.  Nobody waits: a lock
 * on the name would have somebody wait for as long as another role likes.
 *
 * Discovery adds what is in the catalog and not here (after a start of the server nothing is),
 * and removes what is not in the catalog any more.  Its snapshot may be older than an entry;
 * changes are numbered, and what was changed since it began is left alone.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "guc.h"
#include "shmem/groups.h"
#include "shmem/shared.h"
#include "shmem/wait_events.h"

/* Entries for each slot of a subscription that runs: the disabled ones have none. */
#define ENTRIES_PER_SLOT	16

typedef struct Groups
{
	/* All under burrow->lock. */
	uint64		changes;		/* numbers of changes given so far */
	bool		known;			/* each database was looked at since the server started */
	Oid			unknown_database;	/* one that was not, while !known */
	BurrowGroupHolder holders[FLEXIBLE_ARRAY_MEMBER];
} Groups;

static Groups *groups = NULL;

/* This backend's transaction has taken or given up something. */
static bool pending = false;

int
burrow_groups_room(void)
{
	return ENTRIES_PER_SLOT * burrow_max_subscriptions;
}

Size
burrow_groups_shmem_size(void)
{
	return add_size(offsetof(Groups, holders),
					mul_size(burrow_groups_room(), sizeof(BurrowGroupHolder)));
}

void
burrow_groups_startup_shmem(void)
{
	bool		found;

	groups = ShmemInitStruct("burrow consumer groups", burrow_groups_shmem_size(), &found);
	if (!found)
		memset(groups, 0, burrow_groups_shmem_size());
}

/* ---- looking ---- */

/* The lint's "for each entry in use". */
static BurrowGroupHolder *
next_holder(int *i)
{
	Assert(LWLockHeldByMe(burrow->lock));

	while (*i < burrow_groups_room())
	{
		BurrowGroupHolder *holder = &groups->holders[(*i)++];

		if (OidIsValid(holder->dboid))
			return holder;
	}
	return NULL;
}

static bool
is_of(const BurrowGroupHolder *holder, Oid dboid, int32 subid)
{
	return holder->dboid == dboid && holder->subid == subid;
}

/* Has this transaction given it up, so that it is in nobody's way here? */
static bool
is_given_up_here(const BurrowGroupHolder *holder)
{
	return holder->dropper == MyProcPid;
}

static BurrowGroupAnswer
judge(const BurrowGroupWish *wish, const BurrowGroupHolder *holder)
{
	if (holder->gone || is_of(holder, wish->dboid, wish->subid) ||
		strcmp(holder->group, wish->group) != 0)
		return BURROW_GROUP_FREE;
	if (holder->owner != wish->owner)
		return BURROW_GROUP_OTHER_OWNER;
	return holder->joins || wish->joins ? BURROW_GROUP_FREE : BURROW_GROUP_SAME_OWNER;
}

/* Locks: caller holds burrow->lock. */
static BurrowGroupAnswer
find_conflict(const BurrowGroupWish *wish, BurrowGroupHolder *with)
{
	BurrowGroupAnswer worst = BURROW_GROUP_FREE;
	BurrowGroupHolder *holder;

	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		BurrowGroupAnswer answer = is_given_up_here(holder) ? BURROW_GROUP_FREE : judge(wish, holder);

		if (answer == BURROW_GROUP_FREE || worst == BURROW_GROUP_OTHER_OWNER)
			continue;
		worst = answer;
		*with = *holder;
	}
	return worst;
}

BurrowGroupAnswer
burrow_groups_check(const BurrowGroupWish *wish, BurrowGroupHolder *with)
{
	BurrowGroupAnswer answer;

	LWLockAcquire(burrow->lock, LW_SHARED);
	answer = find_conflict(wish, with);
	LWLockRelease(burrow->lock);
	return answer;
}

int
burrow_groups_count(Oid owner)
{
	BurrowGroupHolder *holder;
	int			n = 0;

	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; (holder = next_holder(&i)) != NULL;)
		n += holder->owner == owner && !holder->gone && !is_given_up_here(holder);
	LWLockRelease(burrow->lock);
	return n;
}

bool
burrow_groups_is_held_by(Oid owner, const char *group)
{
	BurrowGroupHolder *holder;
	bool		held = false;

	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; (holder = next_holder(&i)) != NULL;)
		held |= !holder->gone && holder->owner == owner && strcmp(holder->group, group) == 0;
	LWLockRelease(burrow->lock);
	return held;
}

/* ---- the end of a transaction ---- */

/*
 * What is taken becomes what is held; what was given up for it, or for nothing, goes.  A
 * subscription that is gone keeps its entry until discovery has read so, or one with an older
 * snapshot would bring it back.
 */
static void
commit(void)
{
	BurrowGroupHolder *holder;
	uint64		change = ++groups->changes;

	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		bool		replaced = false;
		BurrowGroupHolder *other;

		if (holder->dropper != MyProcPid)
			continue;
		for (int j = 0; (other = next_holder(&j)) != NULL;)
			replaced |= other->taker == MyProcPid && other->dropper == 0 &&
				is_of(other, holder->dboid, holder->subid);
		holder->gone = true;
		holder->dropper = 0;
		holder->changed = change;
		if (replaced || holder->taker != 0)
			holder->dboid = InvalidOid;
	}
	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		if (holder->taker != MyProcPid)
			continue;
		holder->taker = 0;
		holder->since = holder->changed = change;
	}
}

/* InvalidSubTransactionId: all of the transaction. */
static void
roll_back(SubTransactionId subxid)
{
	BurrowGroupHolder *holder;

	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		if (holder->dropper == MyProcPid &&
			(subxid == InvalidSubTransactionId || holder->dropped_in == subxid))
			holder->dropper = 0;
		if (holder->taker == MyProcPid &&
			(subxid == InvalidSubTransactionId || holder->taken_in == subxid))
			holder->dboid = InvalidOid;
	}
}

/* Taken and given up by one transaction: only a rollback to a savepoint could want it back. */
static bool
is_back_and_forth(const BurrowGroupHolder *holder)
{
	return holder->taker != 0 && holder->dropper == holder->taker;
}

static void
hand_to_parent(SubTransactionId subxid, SubTransactionId parent)
{
	BurrowGroupHolder *holder;

	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		if (holder->dropper == MyProcPid && holder->dropped_in == subxid)
			holder->dropped_in = parent;
		if (holder->taker == MyProcPid && holder->taken_in == subxid)
			holder->taken_in = parent;
		/* there is no savepoint between the two any more */
		if (is_back_and_forth(holder) && holder->taker == MyProcPid && holder->taken_in == holder->dropped_in)
			holder->dboid = InvalidOid;
	}
}

/* Neither raises nor allocates.  PREPARE is refused where anything is pending: see registry.c. */
static void
end_of_transaction(XactEvent event, void *arg)
{
	if (!pending || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT))
		return;
	pending = false;
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	if (event == XACT_EVENT_COMMIT)
		commit();
	else
		roll_back(InvalidSubTransactionId);
	LWLockRelease(burrow->lock);
}

static void
end_of_subtransaction(SubXactEvent event, SubTransactionId subxid, SubTransactionId parent, void *arg)
{
	if (!pending || (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB))
		return;
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	if (event == SUBXACT_EVENT_ABORT_SUB)
		roll_back(subxid);
	else
		hand_to_parent(subxid, parent);
	LWLockRelease(burrow->lock);
}

static void
record_pending(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(end_of_transaction, NULL);
		RegisterSubXactCallback(end_of_subtransaction, NULL);
		registered = true;
	}
	pending = true;
}

/* ---- taking ---- */

/*
 * NULL: all entries are in use.  One that is gone and waits for discovery to read so is given away when there is no
 * other: discovery may be kept from it for as long as there is no process for it, and at worst brings it back until it
 * looks again.
 */
static BurrowGroupHolder *
find_free(void)
{
	BurrowGroupHolder *gone = NULL;

	Assert(LWLockHeldByMeInMode(burrow->lock, LW_EXCLUSIVE));

	for (int i = 0; i < burrow_groups_room(); i++)
	{
		BurrowGroupHolder *holder = &groups->holders[i];

		if (!OidIsValid(holder->dboid))
			return holder;
		if (holder->gone && holder->taker == 0 && holder->dropper == 0)
			gone = holder;
	}
	return gone;
}

/* Do the role's transactions keep so many that there is to be no other?  Locks: caller holds burrow->lock. */
static bool
has_many_changes(Oid owner)
{
	BurrowGroupHolder *holder;
	int			n = 0;

	for (int i = 0; (holder = next_holder(&i)) != NULL;)
		n += holder->owner == owner && is_back_and_forth(holder);
	return n >= BURROW_GROUP_CHANGES_MAX;
}

static void
fill(BurrowGroupHolder *holder, const BurrowGroupWish *wish)
{
	holder->dboid = wish->dboid;
	holder->subid = wish->subid;
	holder->owner = wish->owner;
	holder->joins = wish->joins;
	strlcpy(holder->group, wish->group, sizeof(holder->group));
}

/* Locks: caller holds burrow->lock exclusively. */
static void
give_up(Oid dboid, int32 subid)
{
	BurrowGroupHolder *holder;
	SubTransactionId subxid = GetCurrentSubTransactionId();

	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		if (!is_of(holder, dboid, subid) || holder->dropper != 0)
			continue;
		/* neither a commit nor a rollback to a savepoint would need it */
		if (holder->taker == MyProcPid && holder->taken_in == subxid)
		{
			holder->dboid = InvalidOid;
			continue;
		}
		holder->dropper = MyProcPid;
		holder->dropped_in = subxid;
	}
}

BurrowGroupAnswer
burrow_groups_take(const BurrowGroupWish *wish, BurrowGroupHolder *with)
{
	BurrowGroupAnswer answer;
	BurrowGroupHolder *holder;

	record_pending();
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		if (is_of(holder, wish->dboid, wish->subid) && !is_given_up_here(holder) && !holder->gone &&
			holder->owner == wish->owner && holder->joins == wish->joins &&
			strcmp(holder->group, wish->group) == 0)
		{
			LWLockRelease(burrow->lock);
			return BURROW_GROUP_FREE;
		}
	}
	answer = has_many_changes(wish->owner) ? BURROW_GROUP_MANY_CHANGES : find_conflict(wish, with);
	if (answer == BURROW_GROUP_FREE)
	{
		give_up(wish->dboid, wish->subid);
		holder = find_free();
		if (holder == NULL)
			answer = BURROW_GROUP_NO_ROOM;	/* the error takes the giving up back */
		else
		{
			memset(holder, 0, sizeof(*holder));
			fill(holder, wish);
			holder->taker = MyProcPid;
			holder->taken_in = GetCurrentSubTransactionId();
		}
	}
	LWLockRelease(burrow->lock);
	return answer;
}

void
burrow_groups_give_up(Oid dboid, int32 subid)
{
	record_pending();
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	give_up(dboid, subid);
	LWLockRelease(burrow->lock);
}

/* ---- the consumer ---- */

/* Does a consumer use the group of this holder? */
static bool
is_in_use(const BurrowGroupHolder *holder)
{
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		const BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];

		if (sub->in_use && sub->dboid == holder->dboid && sub->subid == holder->subid)
			return sub->in_group;
	}
	return false;
}

BurrowGroupAnswer
burrow_groups_enter(int slot, BurrowGroupHolder *with, bool *known)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];
	const BurrowGroupHolder *mine = NULL;
	BurrowGroupHolder *holder;
	BurrowGroupAnswer answer = BURROW_GROUP_FREE;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		if (is_of(holder, sub->dboid, sub->subid) && holder->taker == 0 && !holder->gone)
			mine = holder;
	}
	*known = mine != NULL;
	for (int i = 0; mine != NULL && answer == BURROW_GROUP_FREE && (holder = next_holder(&i)) != NULL;)
	{
		BurrowGroupWish wish = {mine->dboid, mine->subid, mine->owner, mine->joins, mine->group};

		if (holder->taker != 0 || (holder->since > mine->since && !is_in_use(holder)))
			continue;
		answer = judge(&wish, holder);
		*with = *holder;
	}
	sub->in_group = mine != NULL && answer == BURROW_GROUP_FREE;
	LWLockRelease(burrow->lock);
	return answer;
}

/* ---- discovery and the launcher ---- */

uint64
burrow_groups_begin_sync(void)
{
	uint64		begun;

	LWLockAcquire(burrow->lock, LW_SHARED);
	begun = groups->changes;
	LWLockRelease(burrow->lock);
	return begun;
}

/* Locks: caller holds burrow->lock exclusively.  False: there is no room. */
static bool
sync_one(uint64 begun, const BurrowGroupWish *wish)
{
	BurrowGroupHolder *holder;

	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		if (!is_of(holder, wish->dboid, wish->subid))
			continue;
		if (holder->taker == 0 && holder->changed <= begun)
		{
			holder->gone = false;
			fill(holder, wish);
		}
		return true;
	}
	holder = find_free();
	if (holder == NULL)
		return false;
	memset(holder, 0, sizeof(*holder));
	fill(holder, wish);
	/* begun before it came: what changes it from now on is later */
	holder->since = ++groups->changes;
	return true;
}

int
burrow_groups_sync(uint64 begun, const BurrowGroupWish *wishes, int n)
{
	BurrowGroupHolder *holder;
	int			left_out = 0;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		bool		found = false;

		if (holder->dboid != MyDatabaseId || holder->taker != 0 || holder->changed > begun)
			continue;
		for (int j = 0; j < n && !found; j++)
			found = wishes[j].subid == holder->subid;
		if (!found)
			holder->dboid = InvalidOid;
	}
	for (int i = 0; i < n; i++)
		left_out += !sync_one(begun, &wishes[i]);
	LWLockRelease(burrow->lock);
	return left_out;
}

void
burrow_groups_forget(Oid dboid)
{
	BurrowGroupHolder *holder;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; (holder = next_holder(&i)) != NULL;)
	{
		if (holder->dboid == dboid)
			holder->dboid = InvalidOid;
	}
	LWLockRelease(burrow->lock);
}

void
burrow_groups_set_known(bool known, Oid database)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	groups->known = groups->known || known;
	groups->unknown_database = database;
	LWLockRelease(burrow->lock);
	if (known)
		ConditionVariableBroadcast(&burrow->gone);
}

bool
burrow_groups_are_known(Oid *database)
{
	bool		known;

	LWLockAcquire(burrow->lock, LW_SHARED);
	known = groups->known;
	*database = groups->unknown_database;
	LWLockRelease(burrow->lock);
	return known;
}

static bool
is_nobody_looking(void)
{
	bool		nobody;

	LWLockAcquire(burrow->lock, LW_SHARED);
	nobody = burrow->launcher_pid == 0 || burrow->crowded_since != 0;
	LWLockRelease(burrow->lock);
	return nobody;
}

bool
burrow_groups_wait_known(int timeout_ms, Oid *database)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	bool		known = burrow_groups_are_known(database);

	if (known)
		return true;
	ConditionVariablePrepareToSleep(&burrow->gone);
	while (!(known = burrow_groups_are_known(database)) && !is_nobody_looking())
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		if (left <= 0)
			break;
		(void) ConditionVariableTimedSleep(&burrow->gone, left, burrow_wait_event(BURROW_WAIT_LEAVE));
	}
	ConditionVariableCancelSleep();
	return known;
}
