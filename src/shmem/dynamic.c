/*
 * dynamic.c
 *	  Dynamic shared memory that there may be none of.
 *
 * Runs in: the consumer.
 *
 * PostgreSQL raises an error when it has no segment to give: all are in use, the file system that
 * they are in is full or may not be written to.  DSA_ALLOC_NO_OOM does not keep that from happening.
 * In a consumer it must not end all that works, so it is caught here.  There may be no
 * transaction to abort, so what it has left behind is cleaned up by hand: the LWLocks of a
 * dsa_area, and a half-made segment, which a resource owner of its own lets go of.
 */
#include "postgres.h"

#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "shmem/dynamic.h"

static void
release(ResourceOwner owner, bool made)
{
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, made, true);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_LOCKS, made, true);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_AFTER_LOCKS, made, true);
	ResourceOwnerDelete(owner);
}

const char *
burrow_dynamic_try(void (*make) (void *arg), void *arg)
{
	MemoryContext cxt = CurrentMemoryContext;
	ResourceOwner outer = CurrentResourceOwner;
	ResourceOwner owner = ResourceOwnerCreate(NULL, "burrow dynamic shared memory");
	const char *volatile why = NULL;

	PG_TRY();
	{
		CurrentResourceOwner = owner;
		make(arg);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		FlushErrorState();
		LWLockReleaseAll();
		why = error->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	CurrentResourceOwner = outer;
	release(owner, why == NULL);
	return why;
}
