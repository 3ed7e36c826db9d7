/*
 * trace.c
 *	  The trace that a message belongs to: settings, and a line of the error context.
 *
 * Runs in: workers and processes of burrow.dry_run(); the error context in the consumer, too.
 * Owns: burrow.traceparent, burrow.tracestate.
 *
 * The settings are set for the transaction, so its end takes them back, also after an error.  Anybody may set
 * them; what a handler has set, for its session even, is set anew before the next message, because
 * what there is then is compared with what there is to be.  A message without a trace after another such
 * costs that comparison.
 *
 * pg_tracing takes the trace that its spans belong to from a setting of its own, in the form of an
 * SQL comment.  It refuses what it cannot read; that is no reason to fail here.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "guc.h"
#include "runtime/trace.h"

#define MODULE_SETTING	"pg_tracing.trace_context"

/* It has, or had in an earlier transaction, a trace from here. */
static bool module_told = false;

static void
set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, DEBUG1, false);
}

static void
set_module(const char *parent)
{
	char		value[sizeof("traceparent=''") + BURROW_TRACE_PARENT_SIZE] = "";
	const char *now;

	if (*parent == '\0' && !module_told)
		return;

	/*
	 * GetConfigOption() cannot tell one that is not there from pg_tracing's, whose default is
	 * NULL
	 */
	now = GetConfigOptionByName(MODULE_SETTING, NULL, true);
	/* it may be no more than a line in somebody's configuration file */
	if (now == NULL || (GetConfigOptionFlags(MODULE_SETTING, true) & GUC_CUSTOM_PLACEHOLDER) != 0)
		return;
	if (*parent != '\0')
		snprintf(value, sizeof(value), "traceparent='%s'", parent);
	if (strcmp(now, value) != 0)
		set(MODULE_SETTING, value);
	module_told = *parent != '\0';
}

void
burrow_trace_begin(const BurrowMessageView *message)
{
	BurrowTraceContext trace;

	if (message == NULL || message->header->nheaders == 0 || !burrow_trace_context_find(message, &trace))
	{
		if (*burrow_traceparent == '\0' && *burrow_tracestate == '\0' && !module_told)
			return;
		trace.parent[0] = trace.state[0] = '\0';
	}
	if (strcmp(trace.parent, burrow_traceparent) != 0)
		set("burrow.traceparent", trace.parent);
	if (strcmp(trace.state, burrow_tracestate) != 0)
		set("burrow.tracestate", trace.state);
	set_module(trace.parent);
}

const char *
burrow_trace_parent(const BurrowMessageView *message)
{
	BurrowTraceContext trace;

	if (message->header->nheaders == 0 || !burrow_trace_context_find(message, &trace))
		return NULL;
	return pstrdup(trace.parent);
}

int
burrow_trace_errcontext(const BurrowMessageView *message)
{
	BurrowTraceContext trace;

	if (message->header->nheaders > 0 && burrow_trace_context_find(message, &trace))
		errcontext("traceparent %s", trace.parent);
	return 0;
}
