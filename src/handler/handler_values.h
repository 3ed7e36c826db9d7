/*
 * handler_values.h
 *	  A message's fields as datums.
 */
#ifndef BURROW_HANDLER_HANDLER_VALUES_H
#define BURROW_HANDLER_HANDLER_VALUES_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "core/frame.h"
#include "handler/handler_plan.h"

/* Where a message is from; the same for a whole chunk. */
typedef struct BurrowSource
{
	const char *topic;
	size_t		topic_len;
	int32		partition;
} BurrowSource;

/* Made once for a prepared handler: building a tuple then looks up nothing. */
typedef struct BurrowMessageLayout
{
	BurrowMessageTypes types;
	TupleDesc	message;
	TupleDesc	header;
	HeapTupleHeader row;		/* some burrow.message, for its header */
} BurrowMessageLayout;

/* A call's messages, and which is being converted: for whoever looks after an error. */
typedef struct BurrowMessageSet
{
	const BurrowMessageLayout *layout;
	BurrowSource source;
	const BurrowMessageView *messages;
	int			n;				/* at least 1 */
	int		   *current;
} BurrowMessageSet;

/* In the current memory context; error when the types are not this library's. */
extern void burrow_handler_values_layout(const BurrowMessageTypes *types, BurrowMessageLayout *layout);
extern Datum burrow_handler_values_field(const BurrowMessageLayout *layout, const BurrowSource *source,
										 const BurrowMessageView *message, BurrowField field, Oid type, bool *isnull);
/* Checked, and in the database's encoding; *len is changed, and the text a copy, where that differs from UTF-8. */
extern const char *burrow_handler_values_text(const char *data, size_t *len);
/* In an error's context callback: what the field's bytes look like, if that explains it. */
extern void burrow_handler_values_hint(const BurrowMessageView *message, BurrowField field);

#endif							/* BURROW_HANDLER_HANDLER_VALUES_H */
