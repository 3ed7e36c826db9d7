/*
 * text.c
 *	  Texts of bounded length, without secrets.
 *
 * Every text that leaves src/kafka/ passes through here: it is cut at a character's
 * end, never inside one, because PostgreSQL refuses half a character, and the
 * secrets that the properties hold are replaced by "***" *before* it is cut, so that
 * no beginning of one stays at the end.
 *
 * Runs in: the consumer, and backends that check properties.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

/* A secret shorter than this is taken out only where it stands as a word:
 * with "a" for a password there would be no text left. */
#define SECRET_WORD_LEN	4

/* A line of a PEM text shorter than this is no secret by itself. */
#define SECRET_LINE_LEN	16

void
burrow_kafka_free_text(char *text)
{
	free(text);
}

/* Adds a copy of the first len bytes of text; false: out of memory. */
bool
burrow_kafka_text_add(TextList *list, const char *text, size_t len)
{
	char	   *copy;

	if (list->n == list->room)
	{
		int			room = list->room == 0 ? 8 : list->room * 2;
		char	  **items = realloc(list->items, room * sizeof(char *));

		if (items == NULL)
			return false;
		list->items = items;
		list->room = room;
	}

	copy = malloc(len + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	list->items[list->n++] = copy;
	return true;
}

bool
burrow_kafka_text_has(const TextList *list, const char *text)
{
	for (int i = 0; i < list->n; i++)
	{
		if (strcmp(list->items[i], text) == 0)
			return true;
	}
	return false;
}

void
burrow_kafka_text_clear(TextList *list)
{
	for (int i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	memset(list, 0, sizeof(*list));
}

/* Ends dst, which holds len bytes and was cut short, before a character begun but not finished. */
static void
end_at_character(char *dst, size_t len)
{
	size_t		start = len;
	unsigned char lead;
	size_t		need;

	while (start > 0 && ((unsigned char) dst[start - 1] & 0xC0) == 0x80)
		start--;
	if (start > 0)
	{
		lead = (unsigned char) dst[start - 1];
		need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
		if (len - (start - 1) < need)
			len = start - 1;
	}
	dst[len] = '\0';
}

/* How much of it is text, without the newline that some of librdkafka's messages end with? */
static size_t
text_len(const char *src)
{
	size_t		len = strlen(src);

	while (len > 0 && isspace((unsigned char) src[len - 1]))
		len--;
	return len;
}

/* Copies src into room bytes. */
void
burrow_kafka_text_copy(char *dst, size_t room, const char *src)
{
	size_t		len = text_len(src);

	if (len < room)
	{
		memcpy(dst, src, len);
		dst[len] = '\0';
		return;
	}
	memcpy(dst, src, room - 1);
	end_at_character(dst, room - 1);
}

/*
 * Remembers a secret.  A PEM text is remembered line by line as well: OpenSSL's
 * and librdkafka's texts never hold the whole of it, but might hold a line.
 */
bool
burrow_kafka_secret_add(TextList *secrets, const char *value)
{
	const char *line = value;

	if (value[0] == '\0')
		return true;
	if (!burrow_kafka_text_add(secrets, value, strlen(value)))
		return false;

	while (strchr(value, '\n') != NULL && *line != '\0')
	{
		size_t		len = strcspn(line, "\r\n");

		if (len >= SECRET_LINE_LEN && strncmp(line, "-----", 5) != 0 &&
			!burrow_kafka_text_add(secrets, line, len))
			return false;
		line += len;
		line += strspn(line, "\r\n");
	}
	return true;
}

/* How long is the longest secret that begins at text[at]? */
static size_t
secret_at(const TextList *secrets, const char *text, size_t at)
{
	size_t		longest = 0;

	for (int i = 0; i < secrets->n; i++)
	{
		const char *secret = secrets->items[i];
		size_t		len = strlen(secret);

		if (len <= longest || strncmp(text + at, secret, len) != 0)
			continue;
		if (len < SECRET_WORD_LEN &&
			((at > 0 && isalnum((unsigned char) text[at - 1])) ||
			 isalnum((unsigned char) text[at + len])))
			continue;
		longest = len;
	}
	return longest;
}

/* Copies src into room bytes, with "***" for each secret. */
void
burrow_kafka_redact(const TextList *secrets, const char *src, char *dst, size_t room)
{
	size_t		end = text_len(src);
	size_t		len = 0;

	if (secrets->n == 0)
	{
		burrow_kafka_text_copy(dst, room, src);
		return;
	}

	for (size_t at = 0; at < end;)
	{
		size_t		secret = secret_at(secrets, src, at);

		if (len + (secret > 0 ? 3 : 1) >= room)
		{
			end_at_character(dst, len);
			return;
		}
		if (secret > 0)
		{
			memcpy(dst + len, "***", 3);
			len += 3;
			at += secret;
		}
		else
			dst[len++] = src[at++];
	}
	dst[len] = '\0';
}
