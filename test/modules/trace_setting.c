/*
 * trace_setting.c
 *	  The setting by which pg_tracing is told of a trace, with what it refuses.
 *
 * pg_tracing is in no package registry; what is here is as strict about the value as its newest version.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

#define BEGIN	"traceparent='"
#define LENGTH	55

static char *trace_context = NULL;

static bool
check(char **newval, void **extra, GucSource source)
{
	const char *p = *newval == NULL ? "" : *newval;

	if (*p == '\0')
		return true;
	p = strstr(p, BEGIN);
	if (p != NULL && strlen(p) >= strlen(BEGIN) + LENGTH + 1 && p[strlen(BEGIN) + LENGTH] == '\'')
		return true;
	GUC_check_errdetail("It is no trace context.");
	return false;
}

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	DefineCustomStringVariable("pg_tracing.trace_context", "A trace context.", NULL, &trace_context, NULL,
							   PGC_USERSET, 0, check, NULL, NULL);
}
