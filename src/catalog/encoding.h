/*
 * encoding.h
 *	  Texts of messages and of other libraries in the database's encoding, and back.
 *
 * Nothing here raises an error because of what a text holds: these texts are about something that
 * has gone wrong already.
 *
 * Process: any, in a transaction.
 */
#ifndef BURROW_CATALOG_ENCODING_H
#define BURROW_CATALOG_ENCODING_H

/*
 * Bytes of a message that should be UTF-8, as a text of the database's encoding.  What is no UTF-8, or has a character
 * that the encoding lacks, has its bytes beyond ASCII as \xhh, and its zero bytes as \x00.  *same: to_utf8() makes the very
 * same bytes of it.
 */
extern char *burrow_encoding_from_utf8(const char *bytes, size_t len, bool *same);

/* A text of the database's as UTF-8; with \xhh for bytes beyond ASCII, if it cannot be UTF-8. */
extern char *burrow_encoding_to_utf8(const char *text);

/* Bytes of a message as they are. */
extern Datum burrow_encoding_bytea(const char *bytes, size_t len);

/* A text of another library's: itself, if it is valid in the database's encoding; otherwise with ? for bytes beyond
 * ASCII. */
extern const char *burrow_encoding_valid(const char *text);

#endif							/* BURROW_CATALOG_ENCODING_H */
