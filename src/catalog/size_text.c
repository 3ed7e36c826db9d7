/*
 * size_text.c
 *	  Sizes as options store them.
 *
 * Runs in: backends; discovery workers and consumers read what is stored.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "catalog/size_text.h"
#include "catalog/unit_text.h"

static const BurrowUnit unit_table[] = {
	{"GB", INT64CONST(1) << 30},
	{"MB", INT64CONST(1) << 20},
	{"kB", INT64CONST(1) << 10},
	{"bytes", 1},
};
static const BurrowUnits units = {"size", lengthof(unit_table), unit_table};

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
	return burrow_unit_text_format(&units, bytes);
}

int64
burrow_size_text_parse(const char *size)
{
	/* 0.1.0 has stored numbers of bytes */
	if (size[0] != '\0' && size[strspn(size, "0123456789")] == '\0')
		return strtoll(size, NULL, 10);
	return burrow_unit_text_parse(&units, size);
}
