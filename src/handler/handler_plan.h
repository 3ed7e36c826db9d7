/*
 * handler_plan.h
 *	  What a handler is given: which fields of a message, in which form.
 */
#ifndef BURROW_HANDLER_HANDLER_PLAN_H
#define BURROW_HANDLER_HANDLER_PLAN_H

typedef enum BurrowHandlerForm
{
	BURROW_HANDLER_MESSAGE,		/* h(burrow.message) */
	BURROW_HANDLER_ARRAY,		/* h(burrow.message[]) */
	BURROW_HANDLER_NAMED,		/* named arguments, each a field */
	BURROW_HANDLER_VALUE,		/* one argument: the value */
	BURROW_HANDLER_FIELDS		/* as the two before, but each argument an array: a chunk's */
} BurrowHandlerForm;

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
	Oid			type;			/* of one message's field: an array's element type */
} BurrowHandlerArgument;

/* What a call needs: for the forms NAMED, VALUE and FIELDS the field of each argument. */
typedef struct BurrowHandlerPlan
{
	Oid			funcoid;
	Oid			owner;
	BurrowHandlerForm form;
	int			nargs;
	BurrowHandlerArgument args[BURROW_NFIELDS];
} BurrowHandlerPlan;

#endif							/* BURROW_HANDLER_HANDLER_PLAN_H */
