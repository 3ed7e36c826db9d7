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
 *	handler invalid	class 42, raised before		halt: the handler is missing or has
 *					the handler was called		changed, which is no message's fault
 *	permanent		the option's list,			on_failure, at once
 *					burrow.reject(), and what
 *					a value causes on its way
 *					into an argument
 *	session			25006 where the session's	none: the message is run again in another
 *					transactions begin			session, and no attempt is counted; while
 *					read-only					all are like that, the subscription waits
 *	environment		08, 53, 58, 57P01-57P03,	as a retriable one; but see breaker.h:
 *					25006;						several messages that fail so make the
 *					any of our own progress		whole subscription wait
 *	conflict		40001, 40P01, 55P03			retried; says nothing about the handler,
 *												so it does not count as an error in a row
 *	retriable		all others					retried, then on_failure
 *
 * The option's list is asked before environment and conflict: who names one of those
 * there means it.  Class 23 does not cover 23503, because the row that a foreign key
 * misses may come with another message; naming 23503 itself does.
 *
 * A value that cannot become the argument's type cannot become it at the next attempt
 * either, whatever the class of the error is (54001 for JSON that is nested too deeply);
 * but for those classes that say that the server could not do its work.
 *
 * An error may also come from what a session keeps: plans and caches that a change of the
 * catalog has made wrong.  Such errors have a class that otherwise means a broken handler,
 * so they are not held against a message before they have come in a fresh session, too
 * (burrow_policy_may_be_stale(); delivery/failure.c).
 */
#ifndef BURROW_CORE_POLICY_H
#define BURROW_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* burrow.reject() */
#define BURROW_SQLSTATE_REJECTED		"BR001"
/* A worker process ended with the message in hand. */
#define BURROW_SQLSTATE_WORKER_ENDED	"BR002"

/* Where an error was raised, as far as the SQLSTATE does not say it. */
typedef enum BurrowErrorOrigin
{
	BURROW_ORIGIN_HANDLER = 0,	/* by the handler, or at the commit */
	BURROW_ORIGIN_LOOKUP,		/* while the handler was looked up */
	BURROW_ORIGIN_VALUE,		/* while the message became the handler's arguments */
	BURROW_ORIGIN_SESSION,		/* by the handler, in a session that is read-only by itself */
	BURROW_ORIGIN_PROGRESS		/* while the transaction's progress was written: no message's
								 * fault */
} BurrowErrorOrigin;

#define BURROW_NORIGINS		(BURROW_ORIGIN_PROGRESS + 1)

typedef enum BurrowErrorKind
{
	BURROW_ERROR_RETRIABLE,
	BURROW_ERROR_PERMANENT,
	BURROW_ERROR_ENVIRONMENT,
	BURROW_ERROR_CONFLICT,
	BURROW_ERROR_HANDLER_INVALID,
	BURROW_ERROR_CORRUPT,
	BURROW_ERROR_SESSION		/* no verdict is asked for */
} BurrowErrorKind;

typedef enum BurrowBackoff
{
	BURROW_BACKOFF_EXPONENTIAL, /* base * 2^(attempt - 1) */
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

extern BurrowErrorKind burrow_policy_classify(const BurrowPolicy *policy, const char *sqlstate,
											  BurrowErrorOrigin origin);

/* May it come from plans or caches that are out of date, rather than from the message? */
extern bool burrow_policy_may_be_stale(const char *sqlstate, BurrowErrorOrigin origin);

/*
 * Does the text of one of PostgreSQL's own errors speak of the server and its objects only?  Others
 * may quote a value, and a value may be a message's.
 */
extern bool burrow_policy_text_quotes_nothing(const char *sqlstate);

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
