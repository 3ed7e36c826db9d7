/*
 * row.h
 *	  Rows of a function that returns a set, column by column, each by its name.
 *
 * The SQL objects may be another version's, until ALTER EXTENSION UPDATE: its views ask for the columns that they know.
 * They get those of the same name and type, and NULL for the others, so that monitoring goes on.
 *
 * Process: backends.
 */
#ifndef BURROW_API_ROW_H
#define BURROW_API_ROW_H

#include "fmgr.h"
#include "funcapi.h"
#include "utils/timestamp.h"

#define BURROW_ROW_MAX	64

typedef struct BurrowRow
{
	ReturnSetInfo *rsinfo;
	int			next;			/* the column after the last one that was put */
	int			nput;
	const char *stray;			/* a column that the caller does not ask for; NULL: there is none */
	bool		other_version;	/* found out when it matters */
	Datum		values[BURROW_ROW_MAX];
	bool		nulls[BURROW_ROW_MAX];
} BurrowRow;

/* An error if the library was not preloaded. */
extern void burrow_row_begin(BurrowRow *row, FunctionCallInfo fcinfo);
/* Of the extension's own version all columns must have been put. */
extern void burrow_row_end(BurrowRow *row);

extern void burrow_row_put_int(BurrowRow *row, const char *name, int value, bool isnull);
extern void burrow_row_put_bool(BurrowRow *row, const char *name, bool value);
extern void burrow_row_put_int64(BurrowRow *row, const char *name, int64 value, bool isnull);
extern void burrow_row_put_float(BurrowRow *row, const char *name, double value, bool isnull);
/* Below 0: not known. */
extern void burrow_row_put_offset(BurrowRow *row, const char *name, int64 value);
/* Microseconds; below 0: not known. */
extern void burrow_row_put_seconds(BurrowRow *row, const char *name, int64 us);
/* 0: none */
extern void burrow_row_put_time(BurrowRow *row, const char *name, TimestampTz value);
/* "" or NULL: none */
extern void burrow_row_put_text(BurrowRow *row, const char *name, const char *value);

#endif							/* BURROW_API_ROW_H */
