/*
 * writer.h
 *	  Dead letters, and what is skipped, go into the database.
 */
#ifndef BURROW_DEAD_LETTER_WRITER_H
#define BURROW_DEAD_LETTER_WRITER_H

#include "partition/message_error.h"
#include "partition/partition.h"

/* The message, which nobody holds any more, has failed for good; frees failure in the end. */
extern void burrow_writer_give(const BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure);
/* A message just picked is to be written as a dead letter, without having failed. */
extern void burrow_writer_park(const BurrowConsumer *c, BurrowMessage *m);
/* A dead letter just picked is not to be tried: its row stays as it is. */
extern void burrow_writer_leave(const BurrowConsumer *c, BurrowMessage *m);
/* Waits none to be written? */
extern bool burrow_writer_is_empty(void);
/* Writes dead letters.  True: some were written.  *due: when it is next due. */
extern bool burrow_writer_run(const BurrowConsumer *c, TimestampTz *due);
/* Takes out of a chunk, just picked, what must not be handled; *n becomes what is left. */
extern BurrowSchedulerItem *burrow_writer_sort(const BurrowConsumer *c, BurrowSchedulerItem *items, uint32 *n);

#endif							/* BURROW_DEAD_LETTER_WRITER_H */
