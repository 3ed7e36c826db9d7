/*
 * distributed.h
 *	  What a handler's transaction needs where its tables may be on other nodes.
 */
#ifndef BURROW_HANDLER_DISTRIBUTED_H
#define BURROW_HANDLER_DISTRIBUTED_H

/* Begin, before the first call: after StartTransactionCommand(). */
extern void burrow_distributed_begin(void);
/* False: Citus has come or gone since, and the transaction must not call another handler. */
extern bool burrow_distributed_is_current(void);
/* Before CommitTransactionCommand(). */
extern void burrow_distributed_end(void);

#endif							/* BURROW_HANDLER_DISTRIBUTED_H */
