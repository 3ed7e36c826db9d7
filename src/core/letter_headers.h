/*
 * letter_headers.h
 *	  What a dead letter's record says about where it came from and why it is one.
 *
 * There are three conventions that tools know: Kafka Connect's (all values are text), Spring
 * Kafka's (numbers are big-endian bytes), and that of Kafka's own brokers, which since 4.4 write
 * dead letters of share groups (text).  They do not get in each other's way, so a record may carry
 * all of them.  What has no counterpart here is left out, such as the type of the timestamp; what
 * stands for a Java class is the SQLSTATE or the handler.
 *
 * Pure: nothing is allocated, values point into the origin's texts and into the result.
 */
#ifndef BURROW_CORE_LETTER_HEADERS_H
#define BURROW_CORE_LETTER_HEADERS_H

#include <stddef.h>
#include <stdint.h>

#define BURROW_LETTER_HEADERS	24

/* Conventions; a set of them is an int. */
typedef enum BurrowLetterConvention
{
	BURROW_LETTER_CONNECT = 1,
	BURROW_LETTER_SPRING = 2,
	BURROW_LETTER_KAFKA = 4
} BurrowLetterConvention;

/* Texts are UTF-8 and never NULL. */
typedef struct BurrowLetterOrigin
{
	const char *topic;
	int32_t		partition;
	int64_t		offset;
	int64_t		timestamp_ms;	/* -1: none */
	int32_t		attempts;
	const char *subscription;
	const char *consumer_group;
	const char *handler;
	const char *sqlstate;
	const char *message;
	const char *report;			/* the whole error, several lines */
} BurrowLetterOrigin;

typedef struct BurrowLetterHeader
{
	const char *name;
	const char *value;
	size_t		value_len;
} BurrowLetterHeader;

typedef struct BurrowLetterHeaders
{
	int			n;
	BurrowLetterHeader items[BURROW_LETTER_HEADERS];
	char		partition_text[12];
	char		offset_text[21];
	char		attempts_text[12];
	char		partition_bytes[4];
	char		offset_bytes[8];
	char		timestamp_bytes[8];
} BurrowLetterHeaders;

extern void burrow_letter_headers_make(BurrowLetterHeaders *headers, const BurrowLetterOrigin *origin, int conventions);

#endif							/* BURROW_CORE_LETTER_HEADERS_H */
