/*
 * policy.c
 *	  What follows from a failed attempt; see policy.h.
 */
#include "core/policy.h"

#include <string.h>

static bool
is_one_of(const char *sqlstate, const char *const *list)
{
	for (; *list != NULL; list++)
	{
		if (strncmp(sqlstate, *list, strlen(*list)) == 0)
			return true;
	}
	return false;
}

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

/*
 * Does the option's list name this SQLSTATE, or its class?  Every list that the option
 * accepts consists of words of five or two characters; all else separates them.
 */
static bool
is_listed(const char *list, const char *sqlstate)
{
	bool		by_class = strcmp(sqlstate, "23503") != 0;

	for (const char *p = list; *p != '\0';)
	{
		size_t		length = 0;

		while (is_word(p[length]))
			length++;
		if ((length == 5 || (length == 2 && by_class)) && strncmp(p, sqlstate, length) == 0)
			return true;
		p += length > 0 ? length : 1;
	}
	return false;
}

bool
burrow_policy_is_conflict(const char *sqlstate)
{
	static const char *const conflict[] = {"40001", "40P01", "55P03", NULL};

	return is_one_of(sqlstate, conflict);
}

bool
burrow_policy_text_quotes_nothing(const char *sqlstate)
{
	static const char *const of_the_server[] = {"08", "40", "53", "55", "57", "58", "XX", NULL};

	return is_one_of(sqlstate, of_the_server);
}

static const char *const corrupt[] = {"XX001", "XX002", NULL};

bool
burrow_policy_may_be_stale(const char *sqlstate, BurrowErrorOrigin origin)
{
	static const char *const stale[] = {"42", "0A", "XX", NULL};

	return origin == BURROW_ORIGIN_HANDLER && is_one_of(sqlstate, stale) && !is_one_of(sqlstate, corrupt);
}

BurrowErrorKind
burrow_policy_classify(const BurrowPolicy *policy, const char *sqlstate, BurrowErrorOrigin origin)
{
	static const char *const not_the_value[] = {"53", "57", "58", NULL};
	static const char *const environment[] = {"08", "53", "58", "57P01", "57P02", "57P03", "25006", NULL};

	if (is_one_of(sqlstate, corrupt))
		return BURROW_ERROR_CORRUPT;
	if (origin == BURROW_ORIGIN_PROGRESS)
		return BURROW_ERROR_ENVIRONMENT;
	if (origin == BURROW_ORIGIN_LOOKUP && strncmp(sqlstate, "42", 2) == 0)
		return BURROW_ERROR_HANDLER_INVALID;
	if (strcmp(sqlstate, BURROW_SQLSTATE_REJECTED) == 0 || is_listed(policy->permanent, sqlstate))
		return BURROW_ERROR_PERMANENT;
	if (origin == BURROW_ORIGIN_VALUE && !is_one_of(sqlstate, not_the_value))
		return BURROW_ERROR_PERMANENT;
	if (origin == BURROW_ORIGIN_SESSION)
		return BURROW_ERROR_SESSION;
	if (is_one_of(sqlstate, environment))
		return BURROW_ERROR_ENVIRONMENT;
	if (burrow_policy_is_conflict(sqlstate))
		return BURROW_ERROR_CONFLICT;
	return BURROW_ERROR_RETRIABLE;
}

/* a * b, at most max; all positive */
static int64_t
times_at_most(int64_t a, int64_t b, int64_t max)
{
	return a > max / b ? max : a * b;
}

int64_t
burrow_policy_backoff(const BurrowPolicy *policy, uint32_t attempt, uint64_t random)
{
	int64_t		delay = policy->base_us;
	int64_t		room;

	switch (policy->backoff)
	{
		case BURROW_BACKOFF_EXPONENTIAL:
			delay = times_at_most(delay, INT64_C(1) << (attempt > 62 ? 61 : attempt - 1), policy->max_us);
			break;
		case BURROW_BACKOFF_LINEAR:
			delay = times_at_most(delay, attempt, policy->max_us);
			break;
		case BURROW_BACKOFF_CONSTANT:
			break;
	}
	if (delay > policy->max_us)
		delay = policy->max_us;
	room = policy->max_us - delay;
	if (room > delay / 4)
		room = delay / 4;
	return delay + (int64_t) (random % ((uint64_t) room + 1));
}

BurrowVerdict
burrow_policy_decide(const BurrowPolicy *policy, BurrowErrorKind kind, uint32_t attempt, uint64_t random)
{
	BurrowVerdict verdict = {BURROW_ACTION_HALT, 0};

	if (kind == BURROW_ERROR_CORRUPT || kind == BURROW_ERROR_HANDLER_INVALID)
		return verdict;
	if (kind != BURROW_ERROR_PERMANENT && attempt <= policy->max_retries)
	{
		verdict.action = BURROW_ACTION_RETRY;
		verdict.delay_us = burrow_policy_backoff(policy, attempt, random);
		return verdict;
	}
	switch (policy->on_failure)
	{
		case BURROW_FAILURE_HALT:
			break;
		case BURROW_FAILURE_DEAD_LETTER:
			verdict.action = BURROW_ACTION_DEAD_LETTER;
			break;
		case BURROW_FAILURE_SKIP:
			verdict.action = BURROW_ACTION_SKIP;
			break;
	}
	return verdict;
}
