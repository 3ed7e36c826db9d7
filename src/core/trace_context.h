/*
 * trace_context.h
 *	  The trace that a message belongs to: W3C Trace Context, as producers write it into headers.
 *
 * Two headers, "traceparent" and "tracestate", in lower case, as Kafka tells names apart by it.  Of several
 * of one name the last counts, as it does for the libraries that write them.  What is not as the
 * specification has it is as if it were not there; so what is found can be written into a log as it is.
 *
 * Pure.
 */
#ifndef BURROW_CORE_TRACE_CONTEXT_H
#define BURROW_CORE_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/frame.h"

/* With the NUL. */
#define BURROW_TRACE_PARENT_SIZE	56
#define BURROW_TRACE_STATE_SIZE		513

typedef struct BurrowTraceContext
{
	char		parent[BURROW_TRACE_PARENT_SIZE];	/* version 00: what later versions add is left
													 * out */
	char		state[BURROW_TRACE_STATE_SIZE]; /* "": none, or none that is valid */
} BurrowTraceContext;

/* False: it is not valid, and nothing is said of the result. */
extern bool burrow_trace_context_read_parent(const char *text, size_t len, char *parent);
extern bool burrow_trace_context_read_state(const char *text, size_t len, char *state);

/* False: the message belongs to no trace. */
extern bool burrow_trace_context_find(const BurrowMessageView *message, BurrowTraceContext *trace);

#endif							/* BURROW_CORE_TRACE_CONTEXT_H */
