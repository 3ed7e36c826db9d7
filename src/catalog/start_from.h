/*
 * start_from.h
 *	  The option start_from: where a partition without any progress begins.
 */
#ifndef BURROW_CATALOG_START_FROM_H
#define BURROW_CATALOG_START_FROM_H

#include "catalog/option.h"

/*
 * start_from, parsed.  Error INVALID_PARAMETER_VALUE at subscribe; the consumer
 * parses the stored text again.
 */
typedef enum BurrowStartKind
{
	BURROW_START_EARLIEST,
	BURROW_START_LATEST,
	BURROW_START_TIME,			/* time_ms */
	BURROW_START_OFFSETS		/* per partition; others start at the beginning */
} BurrowStartKind;

typedef struct BurrowStartFrom
{
	BurrowStartKind kind;
	int64		time_ms;		/* milliseconds since 1970 */
	int			noffsets;
	int32	   *partitions;
	int64	   *offsets;
} BurrowStartFrom;

extern void burrow_start_from_parse(const BurrowOption *option, const char *text, BurrowStartFrom *start);
/* The text to be stored: means the same in every session.  Errors as above. */
extern char *burrow_start_from_normalize(const BurrowOption *option, const char *text);

#endif							/* BURROW_CATALOG_START_FROM_H */
