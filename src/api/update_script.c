/*
 * update_script.c
 *	  What ALTER EXTENSION UPDATE's scripts need of the library.
 *
 * Whatever a script of an extension grants is a privilege that the extension has from the start
 * (pg_init_privs), and pg_dump leaves it out, because CREATE EXTENSION brings it.  What the administrator
 * has granted must not become such a privilege when the script gives it back.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(burrow_sql_outside_script);

/* _outside_script(statement): runs it with the caller's rights, as if no script did */
Datum
burrow_sql_outside_script(PG_FUNCTION_ARGS)
{
	const char *statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		in_script = creating_extension;

	creating_extension = false;
	PG_TRY();
	{
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "could not connect to SPI");
		if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "\"%s\" is not a utility statement", statement);
		SPI_finish();
	}
	PG_FINALLY();
	{
		creating_extension = in_script;
	}
	PG_END_TRY();
	PG_RETURN_VOID();
}
