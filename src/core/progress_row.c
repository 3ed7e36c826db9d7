/*
 * progress_row.c
 *	  What a lane knows of its row of burrow.progress; see progress_row.h.
 */
#include "core/progress_row.h"

#include "core/check.h"

void
burrow_progress_row_init(BurrowProgressRow *row, void *(*resize) (void *, size_t))
{
	row->merged_chunk = row->older_chunk = row->newer_chunk = 0;
	burrow_offset_set_init(&row->newer, resize);
}

BurrowProgressKeep
burrow_progress_row_keep(const BurrowProgressRow *row, uint64_t merged_chunk)
{
	if (merged_chunk == 0 || merged_chunk < row->older_chunk)
		return BURROW_PROGRESS_KEEP_ALL;
	return merged_chunk < row->newer_chunk ? BURROW_PROGRESS_KEEP_NEWER : BURROW_PROGRESS_KEEP_NOTHING;
}

/* All that the row has now is the older generation, done in chunks up to this one. */
static void
make_older(BurrowProgressRow *row, uint64_t chunk)
{
	BURROW_CHECK(row->newer_chunk <= chunk);
	row->older_chunk = chunk;
	burrow_offset_set_reset(&row->newer);
}

void
burrow_progress_row_committed(BurrowProgressRow *row, const BurrowProgressStep *step, bool anew)
{
	BURROW_CHECK(step->merged_chunk < step->chunk && row->newer_chunk <= step->chunk);
	/* earlier workers of this lane wrote it in earlier chunks, and we perhaps in this one, too */
	if (anew)
		make_older(row, step->chunk);
	else if (step->merged_chunk > row->merged_chunk)
	{
		bool		emptied = burrow_progress_row_keep(row, step->merged_chunk) == BURROW_PROGRESS_KEEP_NOTHING;

		make_older(row, row->newer_chunk);
		if (emptied)
			row->older_chunk = 0;
	}
	row->merged_chunk = step->merged_chunk;
	row->newer_chunk = step->chunk;

	burrow_offset_set_remove_below(&row->newer, step->head);
	burrow_offset_set_add_each(&row->newer, step->offsets, (size_t) step->noffsets);
}
