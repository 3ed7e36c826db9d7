/*
 * option_values.h
 *	  Option values that are more than a word or a number, and their canonical texts.
 */
#ifndef BURROW_CATALOG_OPTION_VALUES_H
#define BURROW_CATALOG_OPTION_VALUES_H

#include "utils/timestamp.h"

#include "catalog/options.h"

/* False: it has months, is infinite, or does not fit. */
extern bool burrow_value_interval_us(const Interval *interval, int64 *us);
/* "10 ms", "1 min": an integer and the largest unit that leaves one.  Also a valid interval. */
extern char *burrow_value_format_interval(int64 us);
extern int64 burrow_value_parse_interval(const char *text);

/* Sorted, in capitals, each once. */
extern char *burrow_value_normalize_sqlstates(const BurrowOption *option, ArrayType *array);

/* The form of properties is checked here, their names and values are not. */
extern char *burrow_value_normalize_properties(const BurrowOption *option, Datum jsonb);

#endif							/* BURROW_CATALOG_OPTION_VALUES_H */
