/*
 * handler_internal.h
 *	  What the three files behind handler.h share:
 *
 *		handler_lookup.c	which function, and what its arguments get (the plan)
 *		handler_values.c	a message's fields as datums
 *		handler.c			the prepared handler and its call
 */
#ifndef BURROW_HANDLER_HANDLER_INTERNAL_H
#define BURROW_HANDLER_HANDLER_INTERNAL_H

#include "access/tupdesc.h"

#include "handler/handler.h"

/* The fields of a message, in the order of burrow.message's columns. */
typedef enum BurrowField
{
	BURROW_FIELD_TOPIC,
	BURROW_FIELD_PARTITION,
	BURROW_FIELD_OFFSET,
	BURROW_FIELD_KEY,
	BURROW_FIELD_VALUE,
	BURROW_FIELD_HEADERS,
	BURROW_FIELD_TIMESTAMP,
	BURROW_FIELD_ATTEMPT
} BurrowField;

#define BURROW_NFIELDS	(BURROW_FIELD_ATTEMPT + 1)

/* The extension's types; their OIDs differ between databases. */
typedef struct BurrowMessageTypes
{
	Oid			message;
	Oid			message_array;
	Oid			header;
	Oid			header_array;
} BurrowMessageTypes;

typedef struct BurrowHandlerArgument
{
	BurrowField field;
	Oid			type;
} BurrowHandlerArgument;

/* What a call needs: for the forms NAMED and VALUE the field of each argument. */
typedef struct BurrowHandlerPlan
{
	Oid			funcoid;
	Oid			owner;
	BurrowHandlerForm form;
	int			nargs;
	BurrowHandlerArgument args[BURROW_NFIELDS];
} BurrowHandlerPlan;

/* Where a message is from; the same for a whole chunk. */
typedef struct BurrowSource
{
	const char *topic;
	size_t		topic_len;
	int32		partition;
} BurrowSource;

/* ---- handler_lookup.c ---- */
extern const char *burrow_handler_field_name(BurrowField field);
extern void burrow_handler_types(BurrowMessageTypes *types);
/* InvalidOid: there is no function of this signature. */
extern Oid	burrow_handler_find_signature(const char *signature);
/* Raises the errors of burrow_handler_lookup() for one given function. */
extern void burrow_handler_plan(Oid funcoid, const BurrowMessageTypes *types, BurrowHandlerPlan *plan);
/* Error unless the current role may execute it. */
extern void burrow_handler_require_execute(Oid funcoid);

/* ---- handler_values.c ---- */

/* Made once for a prepared handler: building a tuple then looks up nothing. */
typedef struct BurrowMessageLayout
{
	BurrowMessageTypes types;
	TupleDesc	message;
	TupleDesc	header;
} BurrowMessageLayout;

/* In the current memory context; error when the types are not this library's. */
extern void burrow_values_layout(const BurrowMessageTypes *types, BurrowMessageLayout *layout);
extern Datum burrow_values_field(const BurrowMessageLayout *layout, const BurrowSource *source,
								 const BurrowMessageView *message, BurrowField field, Oid type, bool *isnull);
/* In an error's context callback: what the field's bytes look like, if that explains it. */
extern void burrow_handler_values_hint(const BurrowMessageView *message, BurrowField field);
extern Datum burrow_values_message(const BurrowMessageLayout *layout, const BurrowSource *source,
								   const BurrowMessageView *message);
extern Datum burrow_values_message_array(const BurrowMessageLayout *layout, const BurrowSource *source,
										 const BurrowMessageView *messages, int n);

#endif							/* BURROW_HANDLER_HANDLER_INTERNAL_H */
