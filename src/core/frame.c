/*
 * frame.c
 *	  Encoding and checked decoding of what travels through the queues.
 *
 * Runs in: consumer and workers.
 *
 * Owns: nothing; a view points into the frame that it was read from.
 *
 * Both ends are the same build, so why check?  Because a frame is the one thing
 * that a consumer and a worker of different ages might come to share by a mistake,
 * and a length believed without a look turns such a mistake into a crash of the
 * whole server.  The checks compare a few numbers a message.  Text inside is
 * not looked at: that is the handler's conversion's work.
 *
 * Fields are read in place, so a frame must be aligned to 8 bytes, as shm_mq's
 * messages are; another one is refused.  Headers have no padding and are read by
 * memcpy.
 */
#include "core/frame.h"
#include "core/policy.h"

#include <string.h>

_Static_assert(sizeof(BurrowChunkHeader) % 8 == 0, "the topic is to be aligned");
_Static_assert(sizeof(BurrowMessageHeader) % 8 == 0, "the key follows the header at once");

static inline bool
is_aligned(const void *data)
{
	return ((uintptr_t) data & 7) == 0;
}

/* ---- messages ---- */

/* Where they are not inlined. */
extern inline size_t burrow_frame_message_size(size_t key_len, size_t value_len, size_t headers_len);
extern inline char *burrow_frame_key(BurrowMessageHeader *header);
extern inline char *burrow_frame_value(BurrowMessageHeader *header);
extern inline char *burrow_frame_headers(BurrowMessageHeader *header);
extern inline void burrow_frame_end_value(BurrowMessageHeader *header);

size_t
burrow_frame_header_size(size_t name_len, int64_t value_len)
{
	return sizeof(uint32_t) + sizeof(int32_t) + name_len + (value_len > 0 ? (size_t) value_len : 0);
}

/* value_len -1: a NULL value */
char *
burrow_frame_put_header(char *p, const char *name, size_t name_len,
						const char *value, int64_t value_len)
{
	uint32_t	n = (uint32_t) name_len;
	int32_t		v = (int32_t) value_len;

	memcpy(p, &n, sizeof(n));
	p += sizeof(n);
	memcpy(p, &v, sizeof(v));
	p += sizeof(v);
	if (name_len > 0)
		memcpy(p, name, name_len);
	p += name_len;
	if (value_len > 0)
	{
		memcpy(p, value, (size_t) value_len);
		p += value_len;
	}
	return p;
}

bool
burrow_frame_read_chunk(BurrowChunkReader *r, const void *data, size_t len)
{
	const BurrowChunkHeader *header = data;

	if (len < sizeof(BurrowChunkHeader) || !is_aligned(data) ||
		header->magic != BURROW_CHUNK_MAGIC || header->nmessages == 0 ||
		BURROW_FRAME_ALIGN(header->topic_len) > len - sizeof(BurrowChunkHeader))
		return false;

	r->header = header;
	r->topic = (const char *) (header + 1);
	r->p = r->topic + BURROW_FRAME_ALIGN(header->topic_len);
	r->end = (const char *) data + len;
	r->left = header->nmessages;
	return true;
}

/*
 * The lengths must make up the total exactly.  The headers are only known to be as
 * long as they say; burrow_frame_get_header() checks each.
 */
bool
burrow_frame_next_message(BurrowChunkReader *r, BurrowMessageView *m)
{
	const BurrowMessageHeader *header = (const BurrowMessageHeader *) r->p;
	size_t		there = (size_t) (r->end - r->p);
	uint64_t	parts;

	if (r->left == 0 || there < sizeof(BurrowMessageHeader) || header->total > there)
		return false;
	parts = (uint64_t) header->key_len + header->value_len + 1 + header->headers_len;
	if (header->total != BURROW_FRAME_ALIGN(sizeof(BurrowMessageHeader) + parts))
		return false;
	if ((header->key_len > 0 && !(header->flags & BURROW_MESSAGE_HAS_KEY)) ||
		(header->value_len > 0 && !(header->flags & BURROW_MESSAGE_HAS_VALUE)))
		return false;
	if ((header->nheaders == 0 && header->headers_len > 0) ||
		header->headers_len / burrow_frame_header_size(0, 0) < header->nheaders)
		return false;

	m->header = header;
	m->key = (const char *) (header + 1);
	m->value = m->key + header->key_len;
	m->headers = m->value + header->value_len + 1;
	if (m->headers[-1] != '\0')
		return false;
	if (!(header->flags & BURROW_MESSAGE_HAS_KEY))
		m->key = NULL;
	if (!(header->flags & BURROW_MESSAGE_HAS_VALUE))
		m->value = NULL;
	r->p += header->total;
	r->left--;
	return true;
}

bool
burrow_frame_at_end(const BurrowChunkReader *r)
{
	return r->left == 0 && r->p == r->end;
}

bool
burrow_frame_get_header(const char **p, const char *end, BurrowHeaderView *h)
{
	size_t		there = (size_t) (end - *p);
	size_t		value_len;

	if (there < burrow_frame_header_size(0, 0))
		return false;
	memcpy(&h->name_len, *p, sizeof(uint32_t));
	memcpy(&h->value_len, *p + sizeof(uint32_t), sizeof(int32_t));
	if (h->value_len < -1)
		return false;
	there -= burrow_frame_header_size(0, 0);
	value_len = h->value_len > 0 ? (size_t) h->value_len : 0;
	if (h->name_len > there || value_len > there - h->name_len)
		return false;

	h->name = *p + burrow_frame_header_size(0, 0);
	h->value = h->value_len >= 0 ? h->name + h->name_len : NULL;
	*p = h->name + h->name_len + value_len;
	return true;
}

/* ---- results ---- */

/* Appends a text, cut to its limit; returns the length taken. */
static uint32_t
put_text(char **p, const char *text)
{
	size_t		len = text != NULL ? strnlen(text, BURROW_FAILURE_TEXT_MAX) : 0;

	if (len > 0)
		memcpy(*p, text, len);
	*p += len;
	return (uint32_t) len;
}

/* Built aside and copied, so that buf may lie anywhere. */
size_t
burrow_frame_put_failure(char *buf, uint64_t chunk, uint32_t index, const char *sqlstate,
						 uint8_t origin, bool fresh, const char *message, const char *detail,
						 const char *hint, const char *context)
{
	BurrowResultFailure f = {.kind = BURROW_RESULT_FAILURE, .index = index, .chunk = chunk, .origin = origin, .fresh = fresh};
	char	   *p = buf + offsetof(BurrowResultFailure, text);

	if (sqlstate != NULL)
		memcpy(f.sqlstate, sqlstate, strnlen(sqlstate, 5));
	f.message_len = put_text(&p, message);
	f.detail_len = put_text(&p, detail);
	f.hint_len = put_text(&p, hint);
	f.context_len = put_text(&p, context);
	memcpy(buf, &f, offsetof(BurrowResultFailure, text));
	return (size_t) (p - buf);
}

BurrowResultKind
burrow_frame_result_kind(const void *data, size_t len)
{
	uint32_t	kind;

	if (len < sizeof(kind))
		return 0;
	memcpy(&kind, data, sizeof(kind));
	return kind == BURROW_RESULT_CHUNK || kind == BURROW_RESULT_FAILURE ? (BurrowResultKind) kind : 0;
}

const BurrowResultChunk *
burrow_frame_read_result_chunk(const void *data, size_t len)
{
	const BurrowResultChunk *result = data;

	if (burrow_frame_result_kind(data, len) != BURROW_RESULT_CHUNK ||
		len < sizeof(BurrowResultChunk) || !is_aligned(data) || result->nmessages == 0 ||
		len - sizeof(BurrowResultChunk) != (size_t) result->nmessages * sizeof(BurrowMessageResult))
		return NULL;
	for (uint32_t i = 0; i < result->nmessages; i++)
	{
		if (result->results[i].outcome < BURROW_OUTCOME_DONE ||
			result->results[i].outcome > BURROW_OUTCOME_ALONE ||
			result->results[i].ends > (result->results[i].outcome == BURROW_OUTCOME_DONE))
			return NULL;
	}
	return result;
}

const BurrowResultFailure *
burrow_frame_read_failure(const void *data, size_t len)
{
	const BurrowResultFailure *failure = data;

	if (burrow_frame_result_kind(data, len) != BURROW_RESULT_FAILURE ||
		len < sizeof(BurrowResultFailure) || !is_aligned(data) ||
		failure->origin >= BURROW_NORIGINS || failure->fresh > 1 ||
		failure->message_len > BURROW_FAILURE_TEXT_MAX ||
		failure->detail_len > BURROW_FAILURE_TEXT_MAX ||
		failure->hint_len > BURROW_FAILURE_TEXT_MAX ||
		failure->context_len > BURROW_FAILURE_TEXT_MAX ||
		len - sizeof(BurrowResultFailure) != (size_t) failure->message_len + failure->detail_len +
		failure->hint_len + failure->context_len ||
		memchr(failure->sqlstate, '\0', sizeof(failure->sqlstate)) == NULL)
		return NULL;
	return failure;
}
