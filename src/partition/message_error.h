/*
 * message_error.h
 *	  The error of a message's attempt, and what is known of a message that has failed.
 */
#ifndef BURROW_PARTITION_MESSAGE_ERROR_H
#define BURROW_PARTITION_MESSAGE_ERROR_H

#include "partition/partition.h"

/* The texts are Burrow's own, and copied; they may be NULL.  pfree() frees it. */
extern BurrowFailure *burrow_message_error_new(BurrowConsumer *c, const char *sqlstate, const char *message,
											   const char *detail, const char *hint, const char *context);
extern BurrowFailure *burrow_message_error_from_frame(BurrowConsumer *c, const BurrowResultFailure *frame);
extern const char *burrow_message_error_text(const BurrowFailure *failure);
/* What of it may be logged, and seen by those who may not see messages' contents; NULL: all. */
extern const char *burrow_message_error_public_text(const BurrowFailure *failure);
/* For the views: the subscription's last error. */
extern void burrow_message_error_show(BurrowConsumer *c, const BurrowFailure *failure);
/* The message's record, made at its first failure. */
extern BurrowRetry *burrow_message_error_record(BurrowConsumer *c, BurrowMessage *m);

#endif							/* BURROW_PARTITION_MESSAGE_ERROR_H */
