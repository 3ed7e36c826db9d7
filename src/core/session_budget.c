/*
 * session_budget.c
 *	  How many fresh sessions errors may cost; see session_budget.h.
 */
#include "core/session_budget.h"

int64_t
burrow_session_budget_next(const BurrowSessionBudget *b, uint32_t burst)
{
	return b->full_at - (int64_t) (burst - 1) * BURROW_SESSION_BUDGET_US;
}

bool
burrow_session_budget_take(BurrowSessionBudget *b, uint32_t burst, int64_t now_us)
{
	int64_t		longest = (int64_t) burst * BURROW_SESSION_BUDGET_US;

	/* the clock was set back, or the burst is smaller now */
	if (b->full_at > now_us + longest)
		b->full_at = now_us + longest;
	if (burrow_session_budget_next(b, burst) > now_us)
		return false;
	b->full_at = (b->full_at > now_us ? b->full_at : now_us) + BURROW_SESSION_BUDGET_US;
	return true;
}
