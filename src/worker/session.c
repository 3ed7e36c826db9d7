/*
 * session.c
 *	  What an error may owe to the session that it was met in.
 *
 * Runs in: workers.
 * Owns: what is remembered of the session's begin.
 *
 * A session keeps plans, and what languages remember of types and tables; when these have
 * changed since, some of it is made anew, and some of it raises errors for ever (PL/pgSQL,
 * about a record whose row type has changed).  What every change of a catalog does is to
 * send invalidation messages, so a session that has received none since its first
 * transaction began has nothing that is out of date.  Nor has the first transaction itself:
 * what it uses it keeps locked.
 *
 * The messages are many: those of all databases, of temporary tables, of VACUUM.  To be
 * wrong in that direction costs another try of a message that has failed, and no more;
 * callbacks for those that matter would have to know what everything rests on.  The counter
 * is PostgreSQL's own and is looked at after an error only.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/sinval.h"

#include "worker/session.h"

static int	begun = 0;			/* transactions: none, the first, more */
static uint64 received = 0;		/* messages, when the first had begun */

void
burrow_session_begin_transaction(void)
{
	if (begun == 0)
		received = SharedInvalidMessageCounter;
	if (begun < 2)
		begun++;
}

bool
burrow_session_is_fresh(void)
{
	return begun < 2 || received == SharedInvalidMessageCounter;
}

bool
burrow_session_is_read_only(void)
{
	return DefaultXactReadOnly;
}
