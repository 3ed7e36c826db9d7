/*
 * answer.h
 *	  Answers of a process that works for one call of an SQL function.
 *
 * The backend that has called it makes a segment: the queue of the answers, of BURROW_ANSWER_QUEUE
 * bytes, and behind it a request, if there is one.  Answers come as in PostgreSQL's protocol, as those of
 * parallel workers do: 'N' and 'E' are a notice and the error that ended it, and these are ours.
 */
#ifndef BURROW_RUNTIME_ANSWER_H
#define BURROW_RUNTIME_ANSWER_H

#include "lib/stringinfo.h"
#include "storage/dsm.h"

#include "shmem/call_places.h"

#define BURROW_ANSWER_QUEUE		(64 * 1024)

#define BURROW_ANSWER_ROW		'D'
#define BURROW_ANSWER_END		'C'

/*
 * Process: dry run, first look.  Takes its place over; errors and notices go to the backend from here on.  The request, of
 * as many bytes as the segment has; NULL: the call is over.
 */
extern const char *burrow_answer_attach(dsm_handle segment, const BurrowCallPlace *place);

extern void burrow_answer_begin(StringInfo answer);
/* Bytes, or NULL; the number of bytes before them. */
extern void burrow_answer_put_bytes(StringInfo answer, const void *bytes, size_t len);
extern void burrow_answer_put_text(StringInfo answer, const char *text);
/* Waits while the queue is full. */
extern void burrow_answer_send(StringInfo answer);
/* There are no more. */
extern void burrow_answer_end(void);

#endif							/* BURROW_RUNTIME_ANSWER_H */
