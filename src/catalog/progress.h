/*
 * progress.h
 *	  A worker's row of burrow.progress: which messages took effect in this database.
 *
 * In exactly_once mode each transaction of a worker carries its progress.  A row
 * belongs to a lane, a worker's number within its subscription, so no two
 * transactions that run at the same time write the same row.
 *
 * Process: worker.
 */
#ifndef BURROW_CATALOG_PROGRESS_H
#define BURROW_CATALOG_PROGRESS_H

typedef struct BurrowProgress
{
	int32		subid;
	const char *uuid;			/* the subscription's, as text */
	const char *topic;
	int32		partition;
	int			lane;
	uint32		row_hint;		/* a number for the partition: where the row was found last is
								 * remembered by it */
	int64		head;			/* all below is done */
	uint64		chunk;			/* number of the chunk that the messages came in, ascending */
	uint64		merged_chunk;	/* what this lane did in chunks up to this one is in the
								 * consumer's row, and may leave ours */
	const int64 *offsets;		/* what this transaction handled, ascending */
	int			noffsets;
} BurrowProgress;

/*
 * Writes the row, as the last thing before the commit.  Needs the caller's transaction and
 * an active snapshot, of whatever time; allocates in the current memory context, and not little.  Privileges and row security
 * are not asked: the row is Burrow's.  An error is no message's fault.
 *
 * Nothing is written when the subscription is gone: nobody will ask for its progress.
 */
extern void burrow_progress_save(const BurrowProgress *p);
/* The transaction was committed: the row stays where it was put.  What save was given
 * must be there still.  Returns how much the row holds beyond the head, bytes; 0 if no
 * row was written. */
extern size_t burrow_progress_committed(void);

#endif							/* BURROW_CATALOG_PROGRESS_H */
