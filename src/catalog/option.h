/*
 * option.h
 *	  One option of a subscription: its name, type and what values are allowed.
 *
 * The table of all of them is in options.h.
 */
#ifndef BURROW_CATALOG_OPTION_H
#define BURROW_CATALOG_OPTION_H

#include "compat.h"

/*
 * An option's value travels as canonical text ("10 ms", "true"), which is
 * what is stored; NULL: has no value.
 */
typedef enum BurrowOptionKind
{
	BURROW_KIND_BOOLEAN,
	BURROW_KIND_INTEGER,
	BURROW_KIND_BYTES,			/* a size, with or without a unit */
	BURROW_KIND_INTERVAL,
	BURROW_KIND_CHOICE,			/* one of several words */
	BURROW_KIND_SET,			/* some of several words, each with a bit */
	BURROW_KIND_SERVER,
	BURROW_KIND_GROUP,
	BURROW_KIND_START,			/* start_from */
	BURROW_KIND_TOPIC,
	BURROW_KIND_SQLSTATES,
	BURROW_KIND_KAFKA			/* properties */
} BurrowOptionKind;

typedef struct BurrowOptionChoice
{
	const char *word;
	int			value;
} BurrowOptionChoice;

typedef struct BurrowOption
{
	const char *name;
	BurrowOptionKind kind;
	const char *default_value;	/* canonical; NULL: none */
	const char *description;
	int64		min;			/* INTEGER, BYTES; INTERVAL: microseconds */
	int64		max;
	const BurrowOptionChoice *choices;	/* ends with a NULL word */
	bool		own_column;		/* not in subscription.options: has its own column */
	size_t		field;			/* in BurrowOptions, and its size; size 0: none */
	size_t		field_size;
} BurrowOption;

/* Type of the argument of burrow.subscribe(). */
extern const char *burrow_option_sql_type(const BurrowOption *option);
/* What values are allowed: continues "Valid values are ". */
extern char *burrow_option_allowed(const BurrowOption *option);

/* Error INVALID_PARAMETER_VALUE that names option, value and what is allowed. */
extern void burrow_option_reject(const BurrowOption *option, const char *value,
								 const char *nearest) pg_attribute_noreturn();

/* A value as errors repeat it: not more than fits into a line.  Palloc'd. */
extern char *burrow_option_clip(const char *value);

#endif							/* BURROW_CATALOG_OPTION_H */
