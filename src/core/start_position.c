/*
 * start_position.c
 *	  Where a partition starts; the table and its reasons are in start_position.h.
 *
 * Runs in: the consumer, at assignment.
 */
#include "core/start_position.h"

#include <string.h>

BurrowStartCommit
burrow_start_position_classify(bool has_commit, const BurrowOffsetMetadata *metadata,
							   const char *own_uuid)
{
	if (!has_commit)
		return BURROW_START_COMMIT_NONE;
	if (metadata == NULL)
		return BURROW_START_COMMIT_UNTAGGED;
	if (strcmp(metadata->uuid, own_uuid) != 0)
		return BURROW_START_COMMIT_OTHER;
	return metadata->delivery == BURROW_EXACTLY_ONCE ?
		BURROW_START_COMMIT_OWN_EXACTLY_ONCE : BURROW_START_COMMIT_OWN_AT_LEAST_ONCE;
}

static BurrowStartPosition
start(BurrowStartPositionDecision decision, int64_t offset, bool kafka_runs, bool log)
{
	return (BurrowStartPosition) {decision, offset, kafka_runs, log};
}

/* Rows 1 and 3: the database knows nothing. */
static BurrowStartPosition
start_without_row(const BurrowStartPositionInput *in)
{
	switch (in->commit)
	{
		case BURROW_START_COMMIT_NONE:
			return start(in->group_has_others ? BURROW_START_AT_BEGINNING : BURROW_START_BY_OPTION,
						 -1, false, false);
		case BURROW_START_COMMIT_OWN_EXACTLY_ONCE:
			return start(BURROW_START_AT_KAFKA, in->committed, false, true);
		case BURROW_START_COMMIT_OWN_AT_LEAST_ONCE:
			return start(BURROW_START_AT_KAFKA, in->committed, true, true);
		case BURROW_START_COMMIT_OTHER:
			return start(BURROW_START_AT_KAFKA, in->committed, true, false);
		case BURROW_START_COMMIT_UNTAGGED:
			break;
	}
	return start(BURROW_START_AT_KAFKA, in->committed, false, false);
}

BurrowStartPosition
burrow_start_position_decide(const BurrowStartPositionInput *in)
{
	if (!in->has_row)
		return start_without_row(in);

	switch (in->commit)
	{
		case BURROW_START_COMMIT_NONE:
		case BURROW_START_COMMIT_OWN_EXACTLY_ONCE:
			return start(BURROW_START_AT_DATABASE, in->low, false, false);
		case BURROW_START_COMMIT_OWN_AT_LEAST_ONCE:
			if (in->delivery == BURROW_EXACTLY_ONCE)
				return start(BURROW_START_AT_DATABASE, in->low, in->low >= in->committed, false);
			return start(BURROW_START_AT_KAFKA, in->committed, true, false);
		case BURROW_START_COMMIT_OTHER:
			return start(BURROW_START_AT_LARGER, in->committed > in->low ? in->committed : in->low,
						 true, false);
		case BURROW_START_COMMIT_UNTAGGED:
			break;
	}
	if (in->committed < in->low)
		return start(BURROW_START_HALT, -1, false, false);
	return start(BURROW_START_AT_KAFKA, in->committed, false, true);
}
