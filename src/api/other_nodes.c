/*
 * other_nodes.c
 *	  Exactly once, and rows that a handler writes to other servers.
 *
 * Burrow's progress is in this database.  Citus can be told to have its nodes commit with it (catalog/citus.c);
 * postgres_fdw and dblink cannot: the one commits on the other server before the local commit, the other when its caller says.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "api/other_nodes.h"
#include "catalog/access.h"
#include "catalog/citus.h"

PG_FUNCTION_INFO_V1(burrow_sql_citus_commit);

/* _citus_commit(): how transactions commit on Citus's other nodes; NULL: there is no Citus here. */
Datum
burrow_sql_citus_commit(PG_FUNCTION_ARGS)
{
	switch (burrow_citus_find())
	{
		case BURROW_CITUS_NONE:
			break;
		case BURROW_CITUS_ONE_PHASE:
			PG_RETURN_TEXT_P(cstring_to_text("one-phase"));
		case BURROW_CITUS_TWO_PHASE:
			PG_RETURN_TEXT_P(cstring_to_text("two-phase"));
	}
	PG_RETURN_NULL();
}

static bool
is_exactly_once(const char *delivery)
{
	return strcmp(delivery, "exactly_once") == 0;
}

void
burrow_other_nodes_check(const char *delivery)
{
	if (!is_exactly_once(delivery) || burrow_citus_find() != BURROW_CITUS_ONE_PHASE)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("delivery \"%s\" is not possible beside this build of Citus", delivery),
			 errdetail(BURROW_CITUS_ONE_PHASE_DETAIL),
			 errhint("Use delivery => 'at_least_once', or a build of Citus that exports the function, in shared_preload_libraries.")));
}

void
burrow_other_nodes_warn(const char *delivery)
{
	static const char *const query =
	"SELECT pg_catalog.format('foreign server \"%s\" of postgres_fdw', s.srvname)"
	" FROM pg_catalog.pg_foreign_server s"
	" JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw"
	" JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) w.fdwhandler"
	" WHERE p.prosrc OPERATOR(pg_catalog.=) 'postgres_fdw_handler'"
	" UNION ALL SELECT 'extension dblink' FROM pg_catalog.pg_extension e"
	" WHERE e.extname OPERATOR(pg_catalog.=) 'dblink'"
	" ORDER BY 1 DESC LIMIT 1";

	if (!is_exactly_once(delivery) || burrow_access_execute(query, 0, NULL, NULL, NULL, SPI_OK_SELECT) == 0)
		return;
	ereport(WARNING,
			(errmsg("what the handler writes to other servers is not exactly once"),
			 errdetail("This database has the %s, whose writes do not commit together with Burrow's progress.",
					   SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
			 errhint("Write there only what may come twice, such as INSERT ... ON CONFLICT DO NOTHING.")));
}
