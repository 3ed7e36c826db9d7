/*
 * groups.h
 *	  Which subscription of the server holds which consumer group.
 */
#ifndef BURROW_SHMEM_GROUPS_H
#define BURROW_SHMEM_GROUPS_H

#include "access/xact.h"

#include "burrow.h"

/*
 * One subscription, of any database, whether it runs or not, with its group.  Under the registry
 * lock.  A change that is not committed yet is there beside what it changes.
 */
typedef struct BurrowGroupHolder
{
	Oid			dboid;			/* InvalidOid: free */
	int32		subid;
	Oid			owner;
	bool		joins;			/* option join_group */
	bool		gone;			/* was unsubscribed; discovery has not read that yet */
	pid_t		taker;			/* backend whose transaction takes it; 0: committed */
	SubTransactionId taken_in;	/* of that transaction; the backend's alone */
	pid_t		dropper;		/* backend whose transaction gives it up; 0: none */
	SubTransactionId dropped_in;
	uint64		since;			/* number of the change by which it came: the lower was first */
	uint64		changed;		/* number of the change that was the last */
	char		group[BURROW_GROUP_MAX + 1];
} BurrowGroupHolder;

/* Groups that open transactions of one role have taken and given up again, so that a rollback to a savepoint could want
 * them back: each takes an entry as a subscription does. */
#define BURROW_GROUP_CHANGES_MAX	32

/* What one subscription holds, or wants to. */
typedef struct BurrowGroupWish
{
	Oid			dboid;
	int32		subid;			/* -1: has no number yet */
	Oid			owner;
	bool		joins;
	const char *group;
} BurrowGroupWish;

typedef enum BurrowGroupAnswer
{
	BURROW_GROUP_FREE,
	BURROW_GROUP_OTHER_OWNER,	/* a subscription of another role is in it */
	BURROW_GROUP_SAME_OWNER,	/* one of the same role is, and neither is said to join */
	BURROW_GROUP_NO_ROOM,		/* the array is full */
	BURROW_GROUP_MANY_CHANGES	/* the role's open transactions keep BURROW_GROUP_CHANGES_MAX for
								 * a rollback */
} BurrowGroupAnswer;

/* From _PG_init's hooks. */
extern Size burrow_groups_shmem_size(void);
extern void burrow_groups_startup_shmem(void);	/* caller holds AddinShmemInitLock */

/* How many subscriptions have a place in the array. */
extern int	burrow_groups_room(void);

/*
 * Process: backend, in a transaction.  May the subscription be in the group; *with is then the holder that
 * is in the way.  take: and from now on it is, if the transaction commits; what it held before is given up.
 * A taker of nothing new (same group, owner and joins) always may.  Locks: takes burrow->lock.
 */
extern BurrowGroupAnswer burrow_groups_check(const BurrowGroupWish *wish, BurrowGroupHolder *with);
extern BurrowGroupAnswer burrow_groups_take(const BurrowGroupWish *wish, BurrowGroupHolder *with);

/* The subscription gives its group up, if the transaction commits. */
extern void burrow_groups_give_up(Oid dboid, int32 subid);
/* Subscriptions of a role, in all databases, those of transactions that may still commit among them. */
extern int	burrow_groups_count(Oid owner);
/* Does a subscription of this role hold the group? */
extern bool burrow_groups_is_held_by(Oid owner, const char *group);

/*
 * Process: consumer, attached to its slot.  The same question at the start, when it counts; BURROW_GROUP_FREE: the
 * group is the subscription's as long as the consumer is there.  Of two that must not share a group, the one
 * that was first has it.  *known is false if discovery has not told of the subscription.
 */
extern BurrowGroupAnswer burrow_groups_enter(int slot, BurrowGroupHolder *with, bool *known);

/*
 * Process: discovery.  begin: before the snapshot.  sync: what the catalog of this database says; what was
 * changed since begin stays.  Returns how many found no room.
 */
extern uint64 burrow_groups_begin_sync(void);
extern int	burrow_groups_sync(uint64 begun, const BurrowGroupWish *wishes, int n);

/* Process: launcher.  The database is gone. */
extern void burrow_groups_forget(Oid dboid);

/*
 * Process: launcher.  Has each database been looked at since the server started?  Until then *database is one
 * that was not.
 */
extern void burrow_groups_set_known(bool known, Oid database);
extern bool burrow_groups_are_known(Oid *database);
/* Process: backend.  Waits for that, but not where nothing can be expected now; false: not known. */
extern bool burrow_groups_wait_known(int timeout_ms, Oid *database);

#endif							/* BURROW_SHMEM_GROUPS_H */
