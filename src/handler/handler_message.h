/*
 * handler_message.h
 *	  Messages as burrow.message, and a chunk's as burrow.message[].
 */
#ifndef BURROW_HANDLER_HANDLER_MESSAGE_H
#define BURROW_HANDLER_HANDLER_MESSAGE_H

#include "handler/handler_values.h"

/* The set's only message; in the current memory context. */
extern Datum burrow_handler_message_row(BurrowMessageSet *set);
extern Datum burrow_handler_message_array(BurrowMessageSet *set);

#endif							/* BURROW_HANDLER_HANDLER_MESSAGE_H */
