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

/*
 * Leaves of claimed runs what can be true of the log; returns how many it has cut or dropped.
 * next: what comes next, says the rest.
 */
static size_t
refuse_claims(BurrowOffsetSet *claimed, int64_t next, const BurrowLogBounds *log)
{
	size_t		refused = 0;
	size_t		kept = 0;

	for (size_t i = 0; i < claimed->nruns; i++)
	{
		BurrowOffsetRun run = claimed->runs[i];
		bool		beyond = run.last >= log->end;
		bool		hides = next < log->low && run.first <= next && next <= run.last;

		if (beyond || hides)
			refused++;
		if (hides)
			run.first = log->low;
		if (!beyond && run.first <= run.last)
			claimed->runs[kept++] = run;
	}
	claimed->nruns = kept;
	return refused;
}

/* The first offset that is not done, if a position was decided on. */
static int64_t
first_missing(const BurrowStartPosition *decided, BurrowOffsetSet *skip)
{
	int64_t		start;

	if (decided->offset < 0)
		return -1;
	/* retention may have taken what is done */
	start = burrow_offset_set_next_missing(skip, decided->offset);
	burrow_offset_set_remove_below(skip, start);
	return start;
}

BurrowStartPositionFound
burrow_start_position_find(BurrowStartPositionInput *in, const char *own_uuid,
						   const char *metadata, size_t metadata_len,
						   const BurrowOffsetSet *row_done,
						   const BurrowLogBounds *log, BurrowOffsetSet *skip)
{
	BurrowStartPositionFound found = {.start = -1};
	BurrowOffsetMetadata decoded;
	BurrowOffsetSet claimed;
	bool		has_commit = in->committed >= 0;
	bool		is_burrows;

	burrow_offset_set_init(&claimed, skip->resize);
	is_burrows = has_commit && metadata != NULL &&
		burrow_offset_metadata_decode(metadata, metadata_len, in->committed, &decoded, &claimed);
	in->commit = burrow_start_position_classify(has_commit, is_burrows ? &decoded : NULL, own_uuid);
	if (in->untagged_is_own && in->commit == BURROW_START_COMMIT_UNTAGGED)
		in->commit = BURROW_START_COMMIT_OWN_EXACTLY_ONCE;
	found.commit = in->commit;
	found.decided = burrow_start_position_decide(in);
	if (!found.decided.kafka_runs)
		burrow_offset_set_reset(&claimed);

	if (claimed.nruns > 0 && log == NULL)
		found.needs_bounds = true;
	else
	{
		burrow_offset_set_union(skip, row_done);
		if (claimed.nruns > 0)
			found.refused = refuse_claims(&claimed, burrow_offset_set_next_missing(skip, found.decided.offset), log);
		burrow_offset_set_union(skip, &claimed);
		found.start = first_missing(&found.decided, skip);
	}
	burrow_offset_set_reset(&claimed);
	return found;
}
