/*
 * html.h
 *	  Pieces of an HTML document.
 *
 * All that may come from a user goes through burrow_html_text(), in elements and in attributes between double quotes.
 */
#ifndef BURROW_EXPORTER_HTML_H
#define BURROW_EXPORTER_HTML_H

#include "lib/stringinfo.h"
#include "utils/timestamp.h"

/* A text, escaped; it is UTF-8. */
extern void burrow_html_text(StringInfo out, const char *text);
/* The same of a name of a user's, which may be written from right to left: that goes no further. */
extern void burrow_html_name(StringInfo out, const char *name);
/* "1,234,567" */
extern void burrow_html_count(StringInfo out, int64 count);
/* "3 min 20 s", and the number for programs. */
extern void burrow_html_duration(StringInfo out, double seconds);
/* How long it is from a time to another, and the first for programs. */
extern void burrow_html_age(StringInfo out, TimestampTz since, TimestampTz now);
/* "2026-11-30 15:04:05 UTC" */
extern void burrow_html_time(StringInfo out, TimestampTz at);

#endif							/* BURROW_EXPORTER_HTML_H */
