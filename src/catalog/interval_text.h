/*
 * interval_text.h
 *	  Intervals as options store them: "10 ms", "1 min".
 */
#ifndef BURROW_CATALOG_INTERVAL_TEXT_H
#define BURROW_CATALOG_INTERVAL_TEXT_H

#include "utils/timestamp.h"

/* In microseconds.  False: it has months, is infinite, or does not fit. */
extern bool burrow_interval_text_us(const Interval *interval, int64 *us);
/* An integer and the largest unit that leaves one.  Also a valid interval. */
extern char *burrow_interval_text_format(int64 us);
/* Back; DATA_CORRUPTED for what was not written by the function above. */
extern int64 burrow_interval_text_parse(const char *text);

#endif							/* BURROW_CATALOG_INTERVAL_TEXT_H */
