/*
 * fair_share.c
 *	  Who may have how many of the worker processes; see fair_share.h.
 *
 * A level is looked for that all can be given up to; then the rest goes one by one to those who
 * want more.
 */
#include "core/fair_share.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/check.h"

static int64_t
sum_up_to(const BurrowClaim *claims, int n, int level)
{
	int64_t		sum = 0;

	for (int i = 0; i < n; i++)
		sum += claims[i].wanted < level ? claims[i].wanted : level;
	return sum;
}

/* The highest level that there are workers for. */
static int
find_level(const BurrowClaim *claims, int n, int workers)
{
	int			low = 0;
	int			high = workers;

	while (low < high)
	{
		int			middle = low + (high - low + 1) / 2;

		if (sum_up_to(claims, n, middle) <= workers)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* Does a come before b, when one is left over? */
static bool
is_before(const BurrowClaim *a, const BurrowClaim *b, int level)
{
	bool		a_stays = level == 0 ? a->held == 0 : a->held > level;
	bool		b_stays = level == 0 ? b->held == 0 : b->held > level;

	if (a_stays != b_stays)
		return a_stays;
	return a->served < b->served;
}

static void
give_one(BurrowClaim *claims, int n, int level)
{
	BurrowClaim *first = NULL;

	for (int i = 0; i < n; i++)
	{
		BurrowClaim *claim = &claims[i];

		if (claim->share == level && claim->wanted > level &&
			(first == NULL || is_before(claim, first, level)))
			first = claim;
	}
	BURROW_CHECK(first != NULL);
	first->share++;
}

static void
divide(BurrowClaim *claims, int n, int workers)
{
	int			level = find_level(claims, n, workers);
	int64_t		left = workers - sum_up_to(claims, n, level);
	int64_t		missing = sum_up_to(claims, n, level + 1) - sum_up_to(claims, n, level);

	for (int i = 0; i < n; i++)
		claims[i].share = claims[i].wanted < level ? claims[i].wanted : level;
	/* all have what they want, or there are more who want another one than are left */
	if (left > missing)
		left = missing;
	for (; left > 0; left--)
		give_one(claims, n, level);
}

void
burrow_fair_share(BurrowClaim *claims, int n, BurrowClaim *roles, int workers, int most_per_role)
{
	int			nroles = 0;
	int			at = 0;

	for (int i = 0; i < n; i++)
	{
		BurrowClaim *role = &roles[nroles > 0 ? nroles - 1 : 0];

		if (nroles == 0 || role->role != claims[i].role)
		{
			role = &roles[nroles++];
			*role = (BurrowClaim) {.role = claims[i].role};
		}
		role->wanted += claims[i].wanted;
		role->held += claims[i].held;
		if (claims[i].served > role->served)
			role->served = claims[i].served;
	}
	for (int i = 0; i < nroles; i++)
	{
		if (most_per_role >= 0 && roles[i].wanted > most_per_role)
			roles[i].wanted = most_per_role;
	}
	divide(roles, nroles, workers);
	for (int i = 0; i < nroles; i++)
	{
		int			end = at;

		while (end < n && claims[end].role == roles[i].role)
			end++;
		divide(&claims[at], end - at, roles[i].share);
		at = end;
	}
}
