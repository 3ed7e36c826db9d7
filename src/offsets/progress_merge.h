/*
 * progress_merge.h
 *	  What workers have done beyond the head, in one row.
 */
#ifndef BURROW_OFFSETS_PROGRESS_MERGE_H
#define BURROW_OFFSETS_PROGRESS_MERGE_H

#include "core/offset_set.h"
#include "partition/partition.h"

/* Kafka's default for offset.metadata.max.bytes.  The runs are left out where they do
 * not fit. */
#define BURROW_METADATA_ROOM		4096

/* The lane is given a chunk: its number, in the order of all.  That of the resolved lane is over when
 * it is written. */
extern uint64 burrow_progress_merge_begin_chunk(int lane);
/* All results of the lane's chunk are here. */
extern void burrow_progress_merge_end_chunk(int lane);
/* Everything of this part that is done and is not below its head; allocated in the
 * current memory context. */
extern void burrow_progress_merge_collect(BurrowPartition *part, BurrowOffsetSet *done);
/* The last of the lane's chunks that is in our row; 0: none. */
extern uint64 burrow_progress_merge_chunk(const BurrowPartition *part, int lane);
/* So much, in bytes, does the lane's row hold beyond the head after a chunk that was sent
 * when the last merge had its chunks up to merged_chunk. */
extern void burrow_progress_merge_record(BurrowPartition *part, int lane, uint64 merged_chunk, size_t row_bytes);
/* Makes a progress merge of the partition if one is due.  True: the consumer's row was written. */
extern bool burrow_progress_merge_run(const BurrowConsumer *c, BurrowPartition *part);

/* At least once: may more be taken of this part, if this is done beyond its head?  fits: what is flushed
 * of it has room. */
extern void burrow_progress_merge_check_room(BurrowPartition *part, const BurrowOffsetSet *done, bool fits);

#endif							/* BURROW_OFFSETS_PROGRESS_MERGE_H */
