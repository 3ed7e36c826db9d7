/*
 * commit_silence.c
 *	  For how long Kafka has not answered a commit.
 *
 * Runs in: the consumer.
 * Owns: since when.
 *
 * A member that is cut off from Kafka has lost its partitions when its session has timed out, and what it handles then
 * another member handles as well.  librdkafka counts the time, too, and takes the assignment away.  But it does so by
 * heartbeats, which tell nothing of commits; not while it waits for the answer to an assignment, which with the
 * cooperative protocol leaves other partitions going on; and not at all with group.protocol=consumer, where the brokers
 * alone know the time-out.  So when no commit was answered for as long as a session lasts, no message is
 * given out: what would be done could not be told to Kafka, and whoever has the partition would do it again.
 */
#include "postgres.h"

#include "offsets/commit_silence.h"

/* Kafka's default, until the client is asked. */
static int64 limit_us = 45 * USECS_PER_SEC;

/* The first commit that was not answered; 0: none. */
static TimestampTz since;

/* It was said that it is long. */
static bool said;

void
burrow_commit_silence_set_limit(int64 us)
{
	limit_us = us;
}

void
burrow_commit_silence_begin(const BurrowConsumer *c)
{
	if (since == 0)
		since = c->now;
}

void
burrow_commit_silence_forget(void)
{
	since = 0;
	said = false;
}

void
burrow_commit_silence_end(const BurrowConsumer *c)
{
	if (said)
		ereport(LOG,
				(errmsg("subscription \"%s\" gives out messages again", c->sub->name)));
	burrow_commit_silence_forget();
}

bool
burrow_commit_silence_is_long(const BurrowConsumer *c)
{
	if (since == 0 || c->now - since < limit_us)
		return false;
	if (!said)
		ereport(LOG,
				(errmsg("subscription \"%s\" gives out no messages until Kafka answers its commits", c->sub->name),
				 errdetail("None was answered for %lld s: the partitions may be another member's by now.",
						   (long long) ((c->now - since) / USECS_PER_SEC))));
	said = true;
	return true;
}
