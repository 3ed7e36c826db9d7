/*
 * transaction.h
 *	  Burrow's own short transactions.
 */
#ifndef BURROW_RUNTIME_TRANSACTION_H
#define BURROW_RUNTIME_TRANSACTION_H

#include "utils/palloc.h"

/* With a snapshot; nobody who has locked a table is waited for for long. */
extern void burrow_transaction_begin(void);
/* Afterwards that memory context is the current one. */
extern void burrow_transaction_commit(MemoryContext after);
/* The same after an error, which was copied. */
extern void burrow_transaction_abort(MemoryContext after);

#endif							/* BURROW_RUNTIME_TRANSACTION_H */
