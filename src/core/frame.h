/*
 * frame.h
 *	  What travels through the queues between consumer and worker.
 *
 * Pure: no PostgreSQL, no Kafka.  Both ends run the same build on the same
 * machine, so fields are in host byte order; lengths and counts are checked all
 * the same, and a frame that does not add up is rejected, never read beyond.
 *
 * Consumer -> worker: one queue message is one chunk:
 *
 *		BurrowChunkHeader, then per message, each at an 8-byte boundary:
 *		BurrowMessageHeader, key, value, a zero byte, headers
 *
 * The zero byte is for those who parse a value where it lies.
 *
 * The consumer keeps each message encoded this way (header and payload in one
 * piece of memory, padded to 8 bytes), so a chunk is sent by an I/O vector and
 * nothing is copied in between.
 *
 * Headers: per header uint32 name length, int32 value length (-1: NULL value),
 * name, value; no padding, no terminators.
 *
 * Worker -> consumer: a BurrowResult*, told apart by its first field.
 */
#ifndef BURROW_CORE_FRAME_H
#define BURROW_CORE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BURROW_FRAME_ALIGN(n)	(((size_t) (n) + 7) & ~(size_t) 7)

#define BURROW_CHUNK_MAGIC		UINT32_C(0x42554348)

typedef struct BurrowChunkHeader
{
	uint32_t	magic;
	uint32_t	nmessages;		/* at least 1 */
	uint64_t	chunk;			/* number of the chunk, echoed in results */
	uint32_t	partition_slot; /* index in the shared partition array; any with _LETTERS */
	int32_t		partition;		/* Kafka's partition number */
	uint32_t	topic_len;		/* topic follows the header, padded to 8 bytes */
	uint32_t	flags;
	int64_t		head;			/* all of the partition below it is done and marked; so the
								 * chunk's commits come after theirs */
	uint64_t	merged_chunk;	/* what this lane did in chunks up to this number is in the
								 * consumer's row; 0: in none */
	uint32_t	batch_size;		/* most messages of a transaction, at least 1 */
} BurrowChunkHeader;

#define BURROW_CHUNK_LETTERS	1	/* dead letters: their rows go with their transactions */

#define BURROW_MESSAGE_HAS_KEY		1
#define BURROW_MESSAGE_HAS_VALUE	2	/* otherwise a tombstone */
#define BURROW_MESSAGE_HAS_TIME		4
#define BURROW_MESSAGE_ORDERED		8	/* order is to be kept */

typedef struct BurrowMessageHeader
{
	uint32_t	total;			/* bytes with this header, padded to 8 */
	uint32_t	flags;
	int64_t		offset;
	int64_t		timestamp_ms;	/* Kafka's, milliseconds since 1970, UTC */
	uint64_t	order;			/* see scheduler.h */
	uint64_t	slots;			/* dsa_pointer of the tracker segment's slots */
	uint32_t	slot;			/* index in it */
	uint32_t	attempt;		/* from 1 */
	uint32_t	key_len;
	uint32_t	value_len;
	uint32_t	nheaders;
	uint32_t	headers_len;
} BurrowMessageHeader;

/* A decoded message: pointers into the frame. */
typedef struct BurrowMessageView
{
	const BurrowMessageHeader *header;
	const char *key;			/* NULL if there is none */
	const char *value;			/* NULL: tombstone; a zero byte follows it */
	const char *headers;		/* encoded, header->headers_len bytes */
} BurrowMessageView;

typedef struct BurrowHeaderView
{
	const char *name;
	uint32_t	name_len;
	const char *value;			/* NULL if value_len is -1 */
	int32_t		value_len;
} BurrowHeaderView;

/* Size of a message in the frame, padded; 0 if it would pass UINT32_MAX / 2. */
inline size_t
burrow_frame_message_size(size_t key_len, size_t value_len, size_t headers_len)
{
	const size_t limit = UINT32_MAX / 2;
	size_t		size;

	/* each of them first, so that the sum cannot wrap */
	if (key_len > limit || value_len > limit || headers_len > limit)
		return 0;
	size = BURROW_FRAME_ALIGN(sizeof(BurrowMessageHeader) + key_len + value_len + 1 + headers_len);
	return size <= limit ? size : 0;
}

/* Where the parts of a message go, in memory of that size whose header is filled in. */
inline char *
burrow_frame_key(BurrowMessageHeader *header)
{
	return (char *) (header + 1);
}

inline char *
burrow_frame_value(BurrowMessageHeader *header)
{
	return burrow_frame_key(header) + header->key_len;
}

inline char *
burrow_frame_headers(BurrowMessageHeader *header)
{
	return burrow_frame_value(header) + header->value_len + 1;
}

/* Puts the byte that ends the value. */
inline void
burrow_frame_end_value(BurrowMessageHeader *header)
{
	burrow_frame_value(header)[header->value_len] = '\0';
}

/* Encoded size of one header, and its encoding at p; returns the byte after. */
extern size_t burrow_frame_header_size(size_t name_len, int64_t value_len);
extern char *burrow_frame_put_header(char *p, const char *name, size_t name_len,
									 const char *value, int64_t value_len);

/*
 * Reads a chunk.  begin checks the chunk header; then next is called nmessages
 * times.  False: malformed.  get_header reads the header at *p and moves *p on.
 */
typedef struct BurrowChunkReader
{
	const BurrowChunkHeader *header;
	const char *topic;			/* topic_len bytes, not terminated */
	const char *p;
	const char *end;
	uint32_t	left;
} BurrowChunkReader;

extern bool burrow_frame_read_chunk(BurrowChunkReader *r, const void *data, size_t len);
extern bool burrow_frame_next_message(BurrowChunkReader *r, BurrowMessageView *m);
extern bool burrow_frame_at_end(const BurrowChunkReader *r);	/* all read, nothing left over */
extern bool burrow_frame_get_header(const char **p, const char *end, BurrowHeaderView *h);

/* ---- results ---- */

typedef enum BurrowResultKind
{
	BURROW_RESULT_CHUNK = 1,	/* the chunk is at its end; outcomes of all messages */
	BURROW_RESULT_FAILURE		/* one message's error; sent before its chunk's end */
} BurrowResultKind;

typedef enum BurrowOutcome
{
	BURROW_OUTCOME_DONE = 1,	/* committed and marked */
	BURROW_OUTCOME_FAILED,		/* a failure was sent for it */
	BURROW_OUTCOME_RETURNED,	/* not run to its end, and not at fault: run it again */
	BURROW_OUTCOME_ALONE		/* the same, but alone: others have waited for it too long */
} BurrowOutcome;

typedef struct BurrowMessageResult
{
	uint16_t	outcome;
	uint16_t	ends;			/* 1: the last message of a transaction that was committed; those
								 * done since the one before were in it */
	uint32_t	handler_us;		/* the handler's time, microseconds; of one done, or _ALONE */
} BurrowMessageResult;

typedef struct BurrowResultChunk
{
	uint32_t	kind;			/* BURROW_RESULT_CHUNK */
	uint32_t	nmessages;
	uint64_t	chunk;
	int64_t		committed_at;	/* time of the last commit, as PostgreSQL's */
	uint64_t	row_bytes;		/* what the worker's row of burrow.progress now holds beyond the
								 * head, bytes; 0: no row was written */
	uint64_t	busy_us;		/* the chunk's time, with its transactions, microseconds */
	uint64_t	lost_us;		/* of it, for transactions of several messages that were rolled
								 * back; 0: none was */
	uint32_t	conflict;		/* 1: for one that another transaction was in the way of */
	uint32_t	committed;		/* transactions */
	uint32_t	rolled_back;	/* transactions */
	uint32_t	unused;			/* 0 */
	BurrowMessageResult results[];
} BurrowResultChunk;

typedef struct BurrowResultFailure
{
	uint32_t	kind;			/* BURROW_RESULT_FAILURE */
	uint32_t	index;			/* the message's place in its chunk */
	uint64_t	chunk;
	char		sqlstate[6];	/* five characters and a NUL */
	uint8_t		origin;			/* BurrowErrorOrigin */
	uint8_t		fresh;			/* 1: the session has nothing that could be out of date */
	uint32_t	message_len;
	uint32_t	detail_len;
	uint32_t	hint_len;
	uint32_t	context_len;
	char		text[];			/* message, detail, hint, context; no terminators */
} BurrowResultFailure;

/* Longest of each text; longer ones are cut when encoded (at a byte; the caller
 * clips by character before). */
#define BURROW_FAILURE_TEXT_MAX		2048

/* Writes a failure to buf (of BURROW_FAILURE_SIZE_MAX bytes); returns its size.
 * Texts may be NULL. */
#define BURROW_FAILURE_SIZE_MAX		(sizeof(BurrowResultFailure) + 4 * BURROW_FAILURE_TEXT_MAX)
extern size_t burrow_frame_put_failure(char *buf, uint64_t chunk, uint32_t index, const char *sqlstate,
									   uint8_t origin, bool fresh, const char *message, const char *detail,
									   const char *hint, const char *context);

/* NULL: malformed. */
extern const BurrowResultChunk *burrow_frame_read_result_chunk(const void *data, size_t len);
extern const BurrowResultFailure *burrow_frame_read_failure(const void *data, size_t len);
/* 0 if it is neither. */
extern BurrowResultKind burrow_frame_result_kind(const void *data, size_t len);

#endif							/* BURROW_CORE_FRAME_H */
