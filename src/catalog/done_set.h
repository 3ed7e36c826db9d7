/*
 * done_set.h
 *	  Sets of offsets that are done, as burrow.progress keeps them.
 */
#ifndef BURROW_CATALOG_DONE_SET_H
#define BURROW_CATALOG_DONE_SET_H

#include "core/offset_set.h"

/* For sets whose memory comes from PostgreSQL's current memory context, and stays in it. */
extern void *burrow_done_set_resize(void *pointer, size_t size);
/* Its memory comes from the context that is current when it first needs some. */
extern void burrow_done_set_init(BurrowOffsetSet *set);
/* Adds what the column says; error DATA_CORRUPTED if it cannot be read.  Needs a transaction. */
extern void burrow_done_set_read(BurrowOffsetSet *set, int64 low, Datum done);
/* The column's value: a bytea of what lies beyond low. */
extern Datum burrow_done_set_datum(const BurrowOffsetSet *set, int64 low);

#endif							/* BURROW_CATALOG_DONE_SET_H */
