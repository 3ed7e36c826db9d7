/*
 * handler_arrays.h
 *	  Fields of a chunk's messages as arrays.
 */
#ifndef BURROW_HANDLER_HANDLER_ARRAYS_H
#define BURROW_HANDLER_HANDLER_ARRAYS_H

#include "handler/handler_values.h"

/*
 * An array with an element for each message, which is NULL where the message has no such field; in the
 * current memory context.  type: the elements'.
 */
extern Datum burrow_handler_arrays_field(BurrowMessageSet *set, BurrowField field, Oid type);

#endif							/* BURROW_HANDLER_HANDLER_ARRAYS_H */
