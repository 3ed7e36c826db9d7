/*
 * handshake.c
 *	  What a listener says before it knows who is there.
 *
 * librdkafka does not tell which version a broker has, nor what SASL a listener offers to a client that has none.  Both are
 * told to whoever asks, by two requests that need no credentials: ApiVersions, whose answer has the highest
 * metadata.version that the broker knows, and SaslHandshake.
 *
 * What comes back is not trusted: lengths are compared with what is there.
 *
 * Runs in: processes of a first look at a cluster.  It waits in poll(2), which the latch does not wake, so for
 * a few seconds at most.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "kafka/handshake.h"
#include "kafka/tls.h"

#define API_VERSIONS		18
#define SASL_HANDSHAKE		17
#define UNSUPPORTED_SASL_MECHANISM	33

/* Of an answer; those that are asked for here have a few kB. */
#define ANSWER_MAX			65536

/* A connection, with TLS or without. */
typedef struct Line
{
	int			sock;
	SSL		   *ssl;			/* NULL: without */
	int64_t		until;			/* by burrow_kafka_now_ms() */
	char	   *text;			/* why it has failed, in so many bytes */
	size_t		room;
} Line;

/* ---- the connection ---- */

static bool
fail(Line *line, const char *text)
{
	snprintf(line->text, line->room, "%s", text);
	return false;
}

static bool
wait_for(Line *line, short events)
{
	struct pollfd fd = {.fd = line->sock, .events = events};
	int64_t		left;

	while ((left = line->until - burrow_kafka_now_ms()) > 0)
	{
		int			n = poll(&fd, 1, (int) left);

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return fail(line, strerror(errno));
	}
	return fail(line, "it does not answer");
}

/* What OpenSSL waits for; false: it has failed. */
static bool
wait_for_tls(Line *line, int done)
{
	switch (SSL_get_error(line->ssl, done))
	{
		case SSL_ERROR_WANT_READ:
			return wait_for(line, POLLIN);
		case SSL_ERROR_WANT_WRITE:
			return wait_for(line, POLLOUT);
		case SSL_ERROR_SYSCALL:
			return fail(line, errno != 0 ? strerror(errno) : "it closes the connection");
		case SSL_ERROR_ZERO_RETURN:
			return fail(line, "it closes the connection");
		default:
			return fail(line, burrow_kafka_tls_reason());
	}
}

/* After a call that has moved nothing; false: it has failed. */
static bool
go_on(Line *line, ssize_t done, short events)
{
	if (line->ssl != NULL)
		return wait_for_tls(line, (int) done);
	if (done == 0)
		return fail(line, "it closes the connection");
	if (errno == EAGAIN || errno == EINTR)
		return wait_for(line, events);
	return fail(line, strerror(errno));
}

static bool
put(Line *line, const unsigned char *bytes, size_t len)
{
	while (len > 0)
	{
		ssize_t		n;

		ERR_clear_error();
		errno = 0;
		n = line->ssl != NULL ? SSL_write(line->ssl, bytes, (int) len) : send(line->sock, bytes, len, MSG_NOSIGNAL);
		if (n <= 0 && !go_on(line, n, POLLOUT))
			return false;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t) n : 0;
	}
	return true;
}

static bool
get(Line *line, unsigned char *bytes, size_t len)
{
	while (len > 0)
	{
		ssize_t		n;

		ERR_clear_error();
		errno = 0;
		n = line->ssl != NULL ? SSL_read(line->ssl, bytes, (int) len) : recv(line->sock, bytes, len, 0);
		if (n <= 0 && !go_on(line, n, POLLIN))
			return false;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t) n : 0;
	}
	return true;
}

/* ---- requests and answers ---- */

static size_t
put_int16(unsigned char *to, int value)
{
	to[0] = (unsigned char) (value >> 8);
	to[1] = (unsigned char) value;
	return 2;
}

static size_t
put_int32(unsigned char *to, uint32_t value)
{
	(void) put_int16(to, (int) (value >> 16));
	(void) put_int16(to + 2, (int) (value & 0xFFFF));
	return 4;
}

static size_t
put_text(unsigned char *to, const char *text)
{
	size_t		len = strlen(text);

	(void) put_int16(to, (int) len);
	memcpy(to + 2, text, len);
	return len + 2;
}

/* What is left of an answer; a read beyond its end gives zeros, and is_short. */
typedef struct Answer
{
	const unsigned char *at;
	size_t		left;
	bool		is_short;
} Answer;

static const unsigned char *
take(Answer *answer, size_t n)
{
	static const unsigned char zeros[4];
	const unsigned char *at = answer->at;

	if (n > answer->left)
	{
		answer->is_short = true;
		answer->left = 0;
		return n <= sizeof(zeros) ? zeros : NULL;
	}
	answer->at += n;
	answer->left -= n;
	return at;
}

static int
take_int16(Answer *answer)
{
	const unsigned char *at = take(answer, 2);

	return (int16_t) (at[0] << 8 | at[1]);
}

static uint32_t
take_int32(Answer *answer)
{
	const unsigned char *at = take(answer, 4);

	return (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8 | at[3];
}

static uint32_t
take_varint(Answer *answer)
{
	uint32_t	value = 0;

	for (int shift = 0; shift < 32; shift += 7)
	{
		unsigned char byte = *take(answer, 1);

		value |= (uint32_t) (byte & 0x7F) << shift;
		if ((byte & 0x80) == 0)
			break;
	}
	return value;
}

/* Sends the request, whose first 4 bytes are for its length, and receives the answer to it into room. */
static bool
ask(Line *line, unsigned char *request, size_t len, uint32_t correlation_id, unsigned char *room, Answer *answer)
{
	unsigned char head[4];
	Answer		length = {.at = head, .left = sizeof(head)};
	uint32_t	size;

	(void) put_int32(request, (uint32_t) (len - 4));
	if (!put(line, request, len) || !get(line, head, sizeof(head)))
		return false;
	/* an alert of TLS */
	if (head[0] == 0x15 && head[1] == 0x03)
		return fail(line, "it speaks TLS");
	size = take_int32(&length);
	if (size < 4 || size > ANSWER_MAX)
		return fail(line, "it does not speak Kafka's protocol");
	if (!get(line, room, size))
		return false;
	*answer = (Answer) {.at = room, .left = size};
	return take_int32(answer) == correlation_id || fail(line, "it does not speak Kafka's protocol");
}

/* Of the features that the broker supports, which are the tagged field 0, the number of metadata.version. */
static int
find_metadata_version(Answer *answer)
{
	static const char name[] = "metadata.version";

	for (uint32_t features = take_varint(answer); features > 1 && !answer->is_short; features--)
	{
		uint32_t	len = take_varint(answer) - 1;
		const unsigned char *text = len <= answer->left ? take(answer, len) : NULL;
		int			highest;

		if (text == NULL)
			return 0;
		(void) take_int16(answer);
		highest = take_int16(answer);
		(void) take_varint(answer); /* tagged fields: none */
		if (len == sizeof(name) - 1 && memcmp(text, name, len) == 0)
			return answer->is_short ? 0 : highest;
	}
	return 0;
}

/* ApiVersions, version 3; what a broker does not know of it, it answers with version 0, which has no features. */
static bool
greet(Line *line, BurrowKafkaHandshake *result)
{
	unsigned char request[64];
	unsigned char room[ANSWER_MAX];
	Answer		answer;
	size_t		len = 4;
	static const unsigned char rest[] = {0, 7, 'b', 'u', 'r', 'r', 'o', 'w', 2, '1', 0};

	len += put_int16(request + len, API_VERSIONS);
	len += put_int16(request + len, 3);
	len += put_int32(request + len, 1);
	len += put_text(request + len, "burrow");
	memcpy(request + len, rest, sizeof(rest));
	if (!ask(line, request, len + sizeof(rest), 1, room, &answer))
		return false;
	if (take_int16(&answer) != 0)
		return true;
	/* of each request: its number, versions, and no tagged fields */
	for (uint32_t n = take_varint(&answer); n > 1 && !answer.is_short; n--)
	{
		(void) take_int16(&answer);
		(void) take_int32(&answer);
		(void) take_varint(&answer);
	}
	(void) take_int32(&answer);
	for (uint32_t n = take_varint(&answer); n > 0 && !answer.is_short; n--)
	{
		uint32_t	tag = take_varint(&answer);
		uint32_t	size = take_varint(&answer);

		if (tag == 0)
		{
			result->metadata_version = find_metadata_version(&answer);
			break;
		}
		if (size > answer.left)
			break;
		(void) take(&answer, size);
	}
	return true;
}

/* SaslHandshake, version 1.  A listener without SASL says that this is not the time for it. */
static bool
ask_for_mechanisms(Line *line, const char *mechanism, BurrowKafkaHandshake *result)
{
	unsigned char request[128];
	unsigned char room[ANSWER_MAX];
	Answer		answer;
	size_t		len = 4;
	size_t		at = 0;
	int			error;

	len += put_int16(request + len, SASL_HANDSHAKE);
	len += put_int16(request + len, 1);
	len += put_int32(request + len, 2);
	len += put_text(request + len, "burrow");
	len += put_text(request + len, mechanism);
	if (!ask(line, request, len, 2, room, &answer))
		return false;
	error = take_int16(&answer);
	result->sasl = error == 0 || error == UNSUPPORTED_SASL_MECHANISM ? 1 : 0;
	for (uint32_t n = take_int32(&answer); n > 0 && !answer.is_short; n--)
	{
		int			size = take_int16(&answer);
		const unsigned char *text = size >= 0 && (size_t) size <= answer.left ? take(&answer, (size_t) size) : NULL;

		if (text == NULL || at + (size_t) size + 3 > sizeof(result->mechanisms))
			break;
		at += (size_t) snprintf(result->mechanisms + at, sizeof(result->mechanisms) - at, "%s%.*s", at > 0 ? ", " : "", size,
								(const char *) text);
	}
	return true;
}

/* ---- all of it ---- */

static bool
begin_tls(Line *line, const BurrowKafkaClient *c, const char *host, const char *key, const char *passphrase,
		  BurrowKafkaHandshake *result)
{
	int			done;

	line->text = result->tls_text;
	line->room = sizeof(result->tls_text);
	line->ssl = burrow_kafka_tls_new(c, host, key, passphrase, line->sock, line->text, line->room);
	if (line->ssl == NULL)
		return false;
	do
	{
		ERR_clear_error();
		errno = 0;
		done = SSL_connect(line->ssl);
		if (done != 1 && !wait_for_tls(line, done))
			return false;
	} while (done != 1);
	result->tls_done = true;
	burrow_kafka_tls_describe(c, line->ssl, host, result);
	/* a client would go no further */
	return result->certificate_error == X509_V_OK;
}

void
burrow_kafka_shake_hands(BurrowKafkaClient *c, int sock, const char *host, const char *key, const char *passphrase,
						 int timeout_ms, BurrowKafkaHandshake *result)
{
	Line		line = {.sock = sock, .until = burrow_kafka_now_ms() + timeout_ms};
	char		mechanism[32] = "";
	size_t		room = sizeof(mechanism);

	memset(result, 0, sizeof(*result));
	result->tls = burrow_kafka_tls_is(c, "security.protocol", "ssl") || burrow_kafka_tls_is(c, "security.protocol", "sasl_ssl");
	result->sasl = -1;
	/* without SASL it says GSSAPI, which nobody means */
	if (burrow_kafka_tls_is(c, "security.protocol", "ssl") || burrow_kafka_tls_is(c, "security.protocol", "plaintext") ||
		rd_kafka_conf_get(rd_kafka_conf(c->rk), "sasl.mechanism", mechanism, &room) != RD_KAFKA_CONF_OK)
		snprintf(mechanism, sizeof(mechanism), "PLAIN");
	if (!result->tls || begin_tls(&line, c, host, key, passphrase, result))
	{
		line.text = result->text;
		line.room = sizeof(result->text);
		result->greeted = greet(&line, result);
		if (result->greeted)
			(void) ask_for_mechanisms(&line, mechanism, result);
	}
	burrow_kafka_tls_free(line.ssl);
}
