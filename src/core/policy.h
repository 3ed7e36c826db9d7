/*
 * policy.h
 *	  What follows from a failed attempt.
 *
 * Pure: (SQLSTATE, attempt, options, a random number) in, a verdict out.
 *
 *	kind			SQLSTATEs					verdict
 *	-----------		-------------------------	----------------------------------------
 *	corrupt			XX001, XX002				halt: data is damaged, going on may
 *												damage more
 *	unfit			class 42, raised before		halt: the handler is missing or has
 *					the handler was called		changed, which is no message's fault
 *	permanent		the option's list, and		on_failure, at once
 *					burrow.reject()
 *	environment		53, 58, 57P01-57P03, 25006	as a retriable one; but see breaker.h:
 *												several messages that fail so make the
 *												whole subscription wait
 *	conflict		40001, 40P01, 55P03			retried; says nothing about the handler,
 *												so it does not count as an error in a row
 *	retriable		all others					retried, then on_failure
 *
 * The option's list is asked before environment and conflict: who names one of those
 * there means it.  Class 23 does not cover 23503, because the row that a foreign key
 * misses may come with another message; naming 23503 itself does.
 */
#ifndef BURROW_CORE_POLICY_H
#define BURROW_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* burrow.reject() */
#define BURROW_SQLSTATE_REJECTED		"BR001"
/* A worker process ended with the message in hand. */
#define BURROW_SQLSTATE_WORKER_ENDED	"BR002"

typedef enum BurrowErrorKind
{
	BURROW_ERROR_RETRIABLE,
	BURROW_ERROR_PERMANENT,
	BURROW_ERROR_ENVIRONMENT,
	BURROW_ERROR_CONFLICT,
	BURROW_ERROR_UNFIT,
	BURROW_ERROR_CORRUPT
} BurrowErrorKind;

typedef enum BurrowBackoff
{
	BURROW_BACKOFF_EXPONENTIAL,	/* base * 2^(attempt - 1) */
	BURROW_BACKOFF_LINEAR,		/* base * attempt */
	BURROW_BACKOFF_CONSTANT		/* base */
} BurrowBackoff;

typedef enum BurrowOnFailure
{
	BURROW_FAILURE_HALT,
	BURROW_FAILURE_DEAD_LETTER,
	BURROW_FAILURE_SKIP
} BurrowOnFailure;

typedef struct BurrowPolicy
{
	uint32_t	max_retries;	/* attempts after the first */
	BurrowBackoff backoff;
	int64_t		base_us;
	int64_t		max_us;
	BurrowOnFailure on_failure;
	const char *permanent;		/* "{22,23,42}": SQLSTATEs and classes */
} BurrowPolicy;

typedef enum BurrowAction
{
	BURROW_ACTION_RETRY,		/* after delay_us */
	BURROW_ACTION_HALT,
	BURROW_ACTION_DEAD_LETTER,
	BURROW_ACTION_SKIP
} BurrowAction;

typedef struct BurrowVerdict
{
	BurrowAction action;
	int64_t		delay_us;		/* RETRY */
} BurrowVerdict;

/* unfit: raised while the handler was looked up, not by calling it. */
extern BurrowErrorKind burrow_policy_classify(const BurrowPolicy *policy, const char *sqlstate, bool unfit);

/* An error of transactions that got in each other's way: smaller ones do so less. */
extern bool burrow_policy_is_conflict(const char *sqlstate);

/* attempt: the one that failed, from 1.  random: any 64 bits. */
extern BurrowVerdict burrow_policy_decide(const BurrowPolicy *policy, BurrowErrorKind kind,
										  uint32_t attempt, uint64_t random);

/*
 * Time from the end of this attempt to the next: what the strategy says, at most
 * max_us, and up to a quarter of it more, so that messages that failed together do
 * not come back together.  Never less than the strategy says, never more than max_us.
 */
extern int64_t burrow_policy_backoff(const BurrowPolicy *policy, uint32_t attempt, uint64_t random);

#endif							/* BURROW_CORE_POLICY_H */
