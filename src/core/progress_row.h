/*
 * progress_row.h
 *	  What a lane knows of its row of burrow.progress, and what may leave it.
 *
 * Pure.  A head that stands still must not let a row grow with what passes it.  The
 * consumer's progress merges take over what is done; what one has may leave the row.  A merge
 * goes by chunks: it has all that the lane did in its chunks up to one of them.
 *
 * So the row is thought of as two generations.  The newer one's offsets are known here;
 * the older one is the rest of the row, whatever it is.  A merge drops a generation when it
 * has all of its chunks, and makes older what is left; so the row has no more than was
 * done in the time of two merges.
 *
 * This must be true after each commit, because an offset that leaves the row and is in no
 * merge is forgotten, and its message runs again after a crash:
 *
 *	- all of the row that is not in `newer` was done in chunks up to older_chunk,
 *	- all of `newer` was done in chunks up to newer_chunk.
 *
 * A chunk may have several transactions; so a generation may end in its middle, and its last
 * chunk is then the one that still runs.
 */
#ifndef BURROW_CORE_PROGRESS_ROW_H
#define BURROW_CORE_PROGRESS_ROW_H

#include "core/offset_set.h"

typedef struct BurrowProgressRow
{
	uint64_t	merged_chunk;	/* the last merge that was acted on */
	uint64_t	older_chunk;	/* the last chunk of the older generation; 0: it is empty */
	uint64_t	newer_chunk;	/* and of the newer one */
	BurrowOffsetSet newer;
} BurrowProgressRow;

/* A transaction's part in it. */
typedef struct BurrowProgressStep
{
	uint64_t	chunk;			/* that its messages came in: never less than the one before */
	uint64_t	merged_chunk;	/* what the lane did in chunks up to this one is in a merge; 0:
								 * nothing. Always before chunk */
	int64_t		head;			/* all below is done */
	const int64_t *offsets;		/* its messages */
	int			noffsets;
} BurrowProgressStep;

typedef enum BurrowProgressKeep
{
	BURROW_PROGRESS_KEEP_ALL,	/* nothing that the row has may leave it because of a merge */
	BURROW_PROGRESS_KEEP_NEWER, /* what is in row->newer stays */
	BURROW_PROGRESS_KEEP_NOTHING
} BurrowProgressKeep;

extern void burrow_progress_row_init(BurrowProgressRow *row, void *(*resize) (void *, size_t));

/*
 * What stays of a row that is where the lane's last commit left it.  Of one that is not, all
 * does: others may have written it.
 */
extern BurrowProgressKeep burrow_progress_row_keep(const BurrowProgressRow *row, uint64_t merged_chunk);

/*
 * The transaction was committed.  anew: the row was not where the last commit had left it, or
 * there was none, so that nothing was known of what it had.
 */
extern void burrow_progress_row_committed(BurrowProgressRow *row, const BurrowProgressStep *step, bool anew);

#endif							/* BURROW_CORE_PROGRESS_ROW_H */
