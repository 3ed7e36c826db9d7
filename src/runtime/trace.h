/*
 * trace.h
 *	  The trace that a message belongs to, as its handler and the log are told of it.
 *
 * Burrow makes no spans of its own.
 */
#ifndef BURROW_RUNTIME_TRACE_H
#define BURROW_RUNTIME_TRACE_H

#include "core/trace_context.h"

/*
 * In a transaction, outside of the handler: what runs from now on is this message's; NULL: it is nobody's, or
 * several messages'.  It ends with the transaction at the latest.
 */
extern void burrow_trace_begin(const BurrowMessageView *message);

/* In the current memory context; NULL: the message belongs to no trace. */
extern const char *burrow_trace_parent(const BurrowMessageView *message);

/* Among the arguments of ereport(), or in an error context callback: adds it to the context, if there is one. */
extern int	burrow_trace_errcontext(const BurrowMessageView *message);

#endif							/* BURROW_RUNTIME_TRACE_H */
