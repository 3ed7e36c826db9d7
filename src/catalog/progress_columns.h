/*
 * progress_columns.h
 *	  The columns of burrow.progress.
 *
 * Process: worker.
 */
#ifndef BURROW_CATALOG_PROGRESS_COLUMNS_H
#define BURROW_CATALOG_PROGRESS_COLUMNS_H

#include "utils/rel.h"

/* The key's first. */
enum
{
	BURROW_PROGRESS_SUBID,
	BURROW_PROGRESS_TOPIC,
	BURROW_PROGRESS_PARTITION,
	BURROW_PROGRESS_LANE,
	BURROW_PROGRESS_LOW,
	BURROW_PROGRESS_DONE,
	BURROW_PROGRESS_SEEN_OFFSET,	/* these two are NULL in the workers' rows */
	BURROW_PROGRESS_SEEN_TIME,
	BURROW_PROGRESS_COLUMNS
};

/*
 * The index of each of them in the table, whose lock the caller holds.  An error if one is missing.  The answer is valid until the
 * next call.
 */
extern const int *burrow_progress_columns(Relation rel);

#endif							/* BURROW_CATALOG_PROGRESS_COLUMNS_H */
