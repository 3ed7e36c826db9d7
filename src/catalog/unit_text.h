/*
 * unit_text.h
 *	  A whole number and a unit, as options store sizes and times: "64 MB", "10 ms".
 */
#ifndef BURROW_CATALOG_UNIT_TEXT_H
#define BURROW_CATALOG_UNIT_TEXT_H

typedef struct BurrowUnit
{
	const char *name;
	int64		factor;
} BurrowUnit;

/* The largest unit first, the last one with factor 1. */
typedef struct BurrowUnits
{
	const char *kind;			/* for errors: "size", "time" */
	int			n;
	const BurrowUnit *units;
} BurrowUnits;

/* An integer and the largest unit that leaves one. */
extern char *burrow_unit_text_format(const BurrowUnits *units, int64 value);
/* Back; DATA_CORRUPTED for what was not written by the function above. */
extern int64 burrow_unit_text_parse(const BurrowUnits *units, const char *text);

#endif							/* BURROW_CATALOG_UNIT_TEXT_H */
