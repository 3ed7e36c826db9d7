/*
 * size_text.c
 *	  Sizes as options store them.
 *
 * Runs in: backends; discovery workers and consumers read what is stored.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "burrow.h"
#include "catalog/size_text.h"

static const struct
{
	const char *name;
	int64		bytes;
}			units[] =

{
	{"GB", INT64CONST(1) << 30},
	{"MB", INT64CONST(1) << 20},
	{"kB", INT64CONST(1) << 10},
	{"bytes", 1},
};

/*
 * PostgreSQL's function raises what is wrong with the text; whoever asked says it better, by
 * the option's name.  What is caught was raised about the text alone: no lock, buffer or
 * transaction is left half way.  Everything else (out of memory, a cancel) goes on.
 */
bool
burrow_size_text_bytes(text * given, int64 *bytes)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool read = false;

	PG_TRY();
	{
		*bytes = DatumGetInt64(DirectFunctionCall1(pg_size_bytes, PointerGetDatum(given)));
		read = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return read;
}

char *
burrow_size_text_format(int64 bytes)
{
	int			i = 0;

	while (i < lengthof(units) - 1 && bytes % units[i].bytes != 0)
		i++;
	return psprintf(INT64_FORMAT " %s", bytes / units[i].bytes, units[i].name);
}

int64
burrow_size_text_parse(const char *size)
{
	char	   *unit;
	int64		number = strtoll(size, &unit, 10);

	if (*unit == ' ')
		unit++;
	for (int i = 0; i < lengthof(units); i++)
	{
		if (strcmp(unit, units[i].name) == 0)
			return number * units[i].bytes;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("invalid size \"%s\" in table \"%s.%s\"", size, BURROW_SCHEMA, "subscription")));
}
