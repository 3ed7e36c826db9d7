/*
 * session_budget.h
 *	  How many fresh sessions errors may cost.
 *
 * Pure.  A session in which an error was met that may be the session's own is replaced.
 * Where the error is the message's after all, and there are thousands of such messages,
 * that must not cost thousands of processes.  So it is bounded: a burst, as large as the
 * pool, and one more each second.
 */
#ifndef BURROW_CORE_SESSION_BUDGET_H
#define BURROW_CORE_SESSION_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BURROW_SESSION_BUDGET_US	INT64_C(1000000)	/* until there is one more */

/* All zero: nothing is used up. */
typedef struct BurrowSessionBudget
{
	int64_t		full_at;		/* when all of the burst is there again, microseconds */
} BurrowSessionBudget;

/* Takes one, if there is one.  burst: at least 1. */
extern bool burrow_session_budget_take(BurrowSessionBudget *b, uint32_t burst, int64_t now_us);
/* From when on there is one; may be past. */
extern int64_t burrow_session_budget_next(const BurrowSessionBudget *b, uint32_t burst);

#endif							/* BURROW_CORE_SESSION_BUDGET_H */
