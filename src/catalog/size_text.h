/*
 * size_text.h
 *	  Sizes as options store them: "64 MB".
 */
#ifndef BURROW_CATALOG_SIZE_TEXT_H
#define BURROW_CATALOG_SIZE_TEXT_H

/* What was given, as pg_size_bytes() reads it.  False: it is no size, or does not fit. */
extern bool burrow_size_text_bytes(text * given, int64 *bytes);

/* An integer and the largest unit that leaves one. */
extern char *burrow_size_text_format(int64 bytes);
/* Back, or what 0.1.0 has stored, a number of bytes; DATA_CORRUPTED for what neither has. */
extern int64 burrow_size_text_parse(const char *size);

#endif							/* BURROW_CATALOG_SIZE_TEXT_H */
