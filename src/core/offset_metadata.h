/*
 * offset_metadata.h
 *	  What a Kafka commit of Burrow's carries beside the offset.
 *
 * Pure.  Printable ASCII, so that Kafka's tools show it:
 *
 *		burrow/1 <mode> <uuid>[ <base64 of the runs done beyond the offset>]
 *
 * mode is "alo" (at_least_once) or "eo" (exactly_once); uuid the subscription's,
 * in its usual 36 characters; the runs as in offset_set.h with the committed
 * offset as base.  Anything else is foreign.
 */
#ifndef BURROW_CORE_OFFSET_METADATA_H
#define BURROW_CORE_OFFSET_METADATA_H

#include "core/offset_set.h"

typedef enum BurrowDelivery
{
	BURROW_AT_LEAST_ONCE,
	BURROW_EXACTLY_ONCE
} BurrowDelivery;

#define BURROW_UUID_TEXT_LEN	36

typedef struct BurrowOffsetMetadata
{
	BurrowDelivery delivery;
	char		uuid[BURROW_UUID_TEXT_LEN + 1];
} BurrowOffsetMetadata;

/* Bytes of the longer mode's form, without runs and terminator. */
#define BURROW_OFFSET_METADATA_MIN	(sizeof("burrow/1 alo ") - 1 + BURROW_UUID_TEXT_LEN)

/* Most bytes, without the terminator: Kafka's limit on a string, whatever the broker's
 * offset.metadata.max.bytes says.  Longer texts are neither written nor believed. */
#define BURROW_OFFSET_METADATA_MAX	32767

/*
 * Writes the metadata with a terminating NUL; returns its length without that.
 * done may be NULL.  When the whole would pass room - 1 bytes, the highest runs that
 * have no room are left out and *with_runs is false; it is true when nothing was left out.
 * room must be above the minimum.  The UUID is PostgreSQL's text: lower case.
 */
extern size_t burrow_offset_metadata_encode(const BurrowOffsetMetadata *m, const BurrowOffsetSet *done,
											int64_t committed, char *out, size_t room, bool *with_runs);

/*
 * True if the bytes are Burrow's.  Runs (if any) are added to done, unless that is
 * NULL.  Malformed runs make the whole foreign.  If false, *m and done are as they
 * were.  Survives any bytes; in may be NULL if len is 0.
 */
extern bool burrow_offset_metadata_decode(const char *in, size_t len, int64_t committed,
										  BurrowOffsetMetadata *m, BurrowOffsetSet *done);

#endif							/* BURROW_CORE_OFFSET_METADATA_H */
