/*
 * citus.c
 *	  Is this a database of Citus's, and how do its transactions commit on other nodes?
 *
 * Citus commits a transaction on other nodes in one of two ways.  In one phase: before the local commit, so a
 * crash in between leaves the rows there and takes Burrow's progress back.  In two phases: the nodes prepare before the local
 * commit, which has a row for each of them (pg_dist_transaction), and commit after it; after a crash that row decides.
 * Citus takes two phases when it sees writes to more than one node.  Burrow's row of progress is such a write and Citus does not
 * see it, as it is made below the planner; so Citus is told, by the function that it has for this.
 *
 * The function is looked up in the process, for Burrow is not linked with Citus: every server of Citus's has loaded its
 * library at its start.  It is not part of an interface: a build that hides its symbols does not have it (PostgreSQL 16 and
 * later make extensions so, unless the extension says otherwise).
 *
 * An extension that comes or goes sends no invalidation of its own, but its functions do.
 *
 * Runs in: every process that is in a database.
 */
#include "postgres.h"

#include <dlfcn.h>

#include "commands/extension.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "catalog/citus.h"

typedef void (*UseTwoPhases) (void);

static uint64 changes = 1;
static uint64 found_at = 0;		/* changes, when it was looked for */
static BurrowCitus found;
static UseTwoPhases use_two_phases;

static void
record_change(Datum arg, int cacheid, uint32 hashvalue)
{
	changes++;
}

BurrowCitus
burrow_citus_find(void)
{
	static bool watching = false;
	uint64		now;

	if (!watching)
		CacheRegisterSyscacheCallback(PROCOID, record_change, (Datum) 0);
	watching = true;
	if (found_at == changes)
		return found;
	now = changes;
	if (!OidIsValid(get_extension_oid("citus", true)))
		found = BURROW_CITUS_NONE;
	else
	{
		use_two_phases = (UseTwoPhases) dlsym(RTLD_DEFAULT, BURROW_CITUS_FUNCTION);
		found = use_two_phases != NULL ? BURROW_CITUS_TWO_PHASE : BURROW_CITUS_ONE_PHASE;
	}
	found_at = now;
	return found;
}

void
burrow_citus_use_two_phases(void)
{
	if (burrow_citus_find() == BURROW_CITUS_TWO_PHASE)
		use_two_phases();
}
