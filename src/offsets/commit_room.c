/*
 * commit_room.c
 *	  How much the broker takes with a commit.
 *
 * Runs in: the consumer.
 * Owns: the room.
 *
 * A broker refuses metadata that are longer than its offset.metadata.max.bytes, and tells no number.  So what it has refused
 * is halved until it is taken: the runs that have no room are left out, from the highest on, then all of
 * them, then what tells whose commit it is.  Each run of the consumer tries it anew: the broker's limit may be
 * another one.
 */
#include "postgres.h"

#include "core/offset_metadata.h"
#include "offsets/commit_room.h"
#include "offsets/progress_merge.h"

/* The blank, and a run in base64. */
#define LEAST_RUNS	(1 + 4)

/* With the terminating NUL. */
static size_t room = BURROW_METADATA_ROOM + 1;

static bool without_runs;
static bool without_tag;

/* Of the metadata of the last commit. */
static size_t longest;

void
burrow_commit_room_begin(void)
{
	longest = 0;
}

void
burrow_commit_room_record(size_t len)
{
	longest = Max(longest, len);
}

size_t
burrow_commit_room_bytes(void)
{
	return room;
}

bool
burrow_commit_room_is_small(void)
{
	return room <= BURROW_METADATA_ROOM;
}

bool
burrow_commit_room_has_runs(void)
{
	return !without_runs;
}

bool
burrow_commit_room_has_tag(void)
{
	return !without_tag;
}

static void
shrink_runs(const BurrowConsumer *c)
{
	size_t		runs = (longest - BURROW_OFFSET_METADATA_MIN) / 2;
	int			elevel = burrow_commit_room_is_small() ? DEBUG1 : LOG;

	room = BURROW_OFFSET_METADATA_MIN + runs + 1;
	without_runs = runs < LEAST_RUNS;
	if (without_runs)
		ereport(LOG,
				(errmsg("subscription \"%s\" leaves out of its commits what is done beyond their offsets", c->sub->name),
				 errdetail("The broker's limit offset.metadata.max.bytes has no room for it.")));
	else
		ereport(elevel,
				(errmsg("subscription \"%s\" tells in its commits less of what is done beyond their offsets", c->sub->name),
				 errdetail("%zu bytes were more than the broker's limit offset.metadata.max.bytes: %zu are tried next.", longest, room - 1)));
}

bool
burrow_commit_room_shrink(const BurrowConsumer *c)
{
	if (!without_runs && longest > BURROW_OFFSET_METADATA_MIN)
	{
		shrink_runs(c);
		return true;
	}
	if (without_tag)
		return false;
	without_runs = without_tag = true;
	ereport(c->sub->commits_untagged ? DEBUG1 : LOG,
			(errmsg("subscription \"%s\" commits without metadata from now on", c->sub->name),
			 errdetail("The broker's limit offset.metadata.max.bytes has no room for the %zu bytes that tell whose commits they are.",
					   BURROW_OFFSET_METADATA_MIN),
			 errhint("Move the subscription by burrow.seek() only: offsets that Kafka's own tools have set are not told from its own.")));
	return true;
}
