/*
 * commit_silence.h
 *	  For how long Kafka has not answered a commit.
 */
#ifndef BURROW_OFFSETS_COMMIT_SILENCE_H
#define BURROW_OFFSETS_COMMIT_SILENCE_H

#include "partition/context.h"

/* The session's time-out. */
extern void burrow_commit_silence_set_limit(int64 us);
/* A commit is sent. */
extern void burrow_commit_silence_begin(const BurrowConsumer *c);
/* Kafka has answered the member, as one that it knows. */
extern void burrow_commit_silence_end(const BurrowConsumer *c);
/* There is nothing to be committed, or what there is comes with another assignment. */
extern void burrow_commit_silence_forget(void);
/* Has it lasted so long that what is held may be another member's? */
extern bool burrow_commit_silence_is_long(const BurrowConsumer *c);

#endif							/* BURROW_OFFSETS_COMMIT_SILENCE_H */
