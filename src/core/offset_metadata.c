/*
 * offset_metadata.c
 *	  The metadata of Kafka's commits: version, delivery mode, UUID, runs.
 *
 * Runs in: the consumer.
 *
 * Owns: nothing, and asks for no memory of its own: the runs' bytes are coded at
 * the end of the caller's buffer and turned to base64 in place, and read back
 * through a buffer on the stack, which Kafka's own limit on such strings bounds.
 *
 * There is exactly one text for each content, and nothing else is accepted: what
 * was cut off, retouched or written by somebody else is foreign, and a foreign
 * commit is treated with more care (start_position.h) than one believed to be ours.
 */
#include "core/offset_metadata.h"

#include <string.h>

#define VERSION_TAG		"burrow/1 "
#define VERSION_TAG_LEN	(sizeof(VERSION_TAG) - 1)

static const char base64_digits[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static inline size_t
base64_size(size_t n)
{
	return (n + 2) / 3 * 4;
}

/*
 * The n bytes at the end of the text's room become the text.  A group of three is
 * read before its four digits are written, and the digits never overtake the bytes
 * that are still to be read, since there are n / 3 bytes of room in front.
 */
static void
base64_encode_in_place(char *text, size_t n)
{
	size_t		size = base64_size(n);
	const uint8_t *in = (const uint8_t *) text + size - n;

	for (char *out = text; n > 0; out += 4)
	{
		uint32_t	group = (uint32_t) in[0] << 16;
		size_t		here = n < 3 ? n : 3;

		if (here > 1)
			group |= (uint32_t) in[1] << 8;
		if (here > 2)
			group |= in[2];
		in += here;
		n -= here;
		out[0] = base64_digits[group >> 18];
		out[1] = base64_digits[group >> 12 & 63];
		out[2] = here > 1 ? base64_digits[group >> 6 & 63] : '=';
		out[3] = here > 2 ? base64_digits[group & 63] : '=';
	}
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Writes at most len / 4 * 3 bytes to out.  False: not base64, or not its one form. */
static bool
base64_decode(const char *in, size_t len, uint8_t *out, size_t *n)
{
	*n = 0;
	if (len == 0 || len % 4 != 0)
		return false;
	for (size_t i = 0; i < len; i += 4)
	{
		size_t		digits = 4;
		uint32_t	group = 0;

		if (i + 4 == len && in[i + 3] == '=')
			digits = in[i + 2] == '=' ? 2 : 3;
		for (size_t k = 0; k < digits; k++)
		{
			int			value = base64_value(in[i + k]);

			if (value < 0)
				return false;
			group |= (uint32_t) value << (18 - 6 * k);
		}
		/* bits that belong to no byte are zero */
		if (group & (UINT32_C(0xFFFFFF) >> (8 * (digits - 1))))
			return false;
		for (size_t k = 0; k + 1 < digits; k++)
			out[(*n)++] = (uint8_t) (group >> (16 - 8 * k));
	}
	return true;
}

/* As PostgreSQL writes a uuid: 8-4-4-4-12 lower-case hexadecimal digits. */
static bool
is_uuid(const char *in)
{
	for (int i = 0; i < BURROW_UUID_TEXT_LEN; i++)
	{
		bool		dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? in[i] != '-' :
			!((in[i] >= '0' && in[i] <= '9') || (in[i] >= 'a' && in[i] <= 'f')))
			return false;
	}
	return true;
}

size_t
burrow_offset_metadata_encode(const BurrowOffsetMetadata *m, const BurrowOffsetSet *done,
							  int64_t committed, char *out, size_t room, bool *with_runs)
{
	size_t		size;
	char	   *p = out;

	memcpy(p, VERSION_TAG, VERSION_TAG_LEN);
	p += VERSION_TAG_LEN;
	if (m->delivery == BURROW_EXACTLY_ONCE)
		*p++ = 'e';
	else
	{
		*p++ = 'a';
		*p++ = 'l';
	}
	*p++ = 'o';
	*p++ = ' ';
	memcpy(p, m->uuid, BURROW_UUID_TEXT_LEN);
	p += BURROW_UUID_TEXT_LEN;

	*with_runs = true;
	size = done != NULL ? burrow_offset_set_encoded_size(done, committed) : 0;
	if (size > 0)
	{
		size_t		used = (size_t) (p - out) + 2;	/* with the blank, and the end */
		BurrowOffsetSet within;

		if (room > BURROW_OFFSET_METADATA_MAX + 1)
			room = BURROW_OFFSET_METADATA_MAX + 1;
		within = burrow_offset_set_within(done, committed, room > used ? (room - used) / 4 * 3 : 0);
		*with_runs = within.nruns == done->nruns;
		size = burrow_offset_set_encoded_size(&within, committed);
		if (size > 0)
		{
			*p++ = ' ';
			burrow_offset_set_encode(&within, committed,
									 (uint8_t *) p + base64_size(size) - size, size);
			base64_encode_in_place(p, size);
			p += base64_size(size);
		}
	}
	*p = '\0';
	return (size_t) (p - out);
}

bool
burrow_offset_metadata_decode(const char *in, size_t len, int64_t committed,
							  BurrowOffsetMetadata *m, BurrowOffsetSet *done)
{
	const char *end;
	BurrowOffsetMetadata found;
	uint8_t		runs[BURROW_OFFSET_METADATA_MAX / 4 * 3];
	size_t		nbytes = 0;

	if (len < BURROW_OFFSET_METADATA_MIN - 1 || len > BURROW_OFFSET_METADATA_MAX ||
		memcmp(in, VERSION_TAG, VERSION_TAG_LEN) != 0)
		return false;
	end = in + len;
	in += VERSION_TAG_LEN;

	if (memcmp(in, "eo ", 3) == 0)
	{
		found.delivery = BURROW_EXACTLY_ONCE;
		in += 3;
	}
	else if (memcmp(in, "alo ", 4) == 0)
	{
		found.delivery = BURROW_AT_LEAST_ONCE;
		in += 4;
	}
	else
		return false;

	if (end - in < BURROW_UUID_TEXT_LEN || !is_uuid(in))
		return false;
	memcpy(found.uuid, in, BURROW_UUID_TEXT_LEN);
	found.uuid[BURROW_UUID_TEXT_LEN] = '\0';
	in += BURROW_UUID_TEXT_LEN;

	if (in < end &&
		(*in != ' ' ||
		 !base64_decode(in + 1, (size_t) (end - in - 1), runs, &nbytes) ||
		 !burrow_offset_set_check(committed, runs, nbytes)))
		return false;

	if (done != NULL)
		burrow_offset_set_decode(done, committed, runs, nbytes);
	*m = found;
	return true;
}
