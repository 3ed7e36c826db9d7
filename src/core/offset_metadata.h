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

/* Bytes of the shortest form, without runs and terminator. */
#define BURROW_OFFSET_METADATA_MIN	(sizeof("burrow/1 alo ") - 1 + BURROW_UUID_TEXT_LEN)

/*
 * Writes the metadata with a terminating NUL; returns its length without that.
 * done may be NULL.  When the whole would pass room - 1 bytes, the runs are left
 * out as a whole and *with_runs is false.  room must be above the minimum.
 */
extern size_t burrow_offset_metadata_encode(const BurrowOffsetMetadata *m, const BurrowOffsetSet *done,
											int64_t committed, char *out, size_t room, bool *with_runs);

/*
 * True if the bytes are Burrow's.  Runs (if any) are added to done, unless that is
 * NULL.  Malformed runs make the whole foreign.  Survives any bytes.
 */
extern bool burrow_offset_metadata_decode(const char *in, size_t len, int64_t committed,
										  BurrowOffsetMetadata *m, BurrowOffsetSet *done);

#endif							/* BURROW_CORE_OFFSET_METADATA_H */
