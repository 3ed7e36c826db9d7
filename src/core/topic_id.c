/*
 * topic_id.c
 *	  The id that Kafka gives to a topic when it is made.
 *
 * Runs in: the consumer.
 */
#include "core/topic_id.h"

#include <string.h>

/* As in Kafka's Uuid.toString(): base64 for URLs, without padding. */
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 6 bits of the 128, from the highest; the last digit has 2, and four zeros after them. */
static unsigned
digit_at(uint64_t high, uint64_t low, int i)
{
	int			shift = 128 - 6 * (i + 1);

	if (shift < 0)
		return (unsigned) (low << -shift) & 63;
	if (shift < 64)
		return (unsigned) ((low >> shift) | (shift > 58 ? high << (64 - shift) : 0)) & 63;
	return (unsigned) (high >> (shift - 64)) & 63;
}

BurrowTopicId
burrow_topic_id_make(uint64_t high, uint64_t low)
{
	BurrowTopicId id = {""};

	if (high == 0 && low == 0)
		return id;
	for (int i = 0; i < BURROW_TOPIC_ID_SIZE - 1; i++)
		id.text[i] = digits[digit_at(high, low, i)];
	return id;
}

BurrowTopicId
burrow_topic_id_read(const char *text)
{
	BurrowTopicId id = {""};

	if (text != NULL && strlen(text) == BURROW_TOPIC_ID_SIZE - 1 &&
		strspn(text, digits) == BURROW_TOPIC_ID_SIZE - 1)
		memcpy(id.text, text, BURROW_TOPIC_ID_SIZE);
	return id;
}

bool
burrow_topic_id_is_known(const BurrowTopicId *id)
{
	return id->text[0] != '\0';
}

bool
burrow_topic_id_differs(const BurrowTopicId *a, const BurrowTopicId *b)
{
	return burrow_topic_id_is_known(a) && burrow_topic_id_is_known(b) && strcmp(a->text, b->text) != 0;
}

BurrowTopicId
burrow_topic_id_to_keep(const BurrowTopicId *now, const BurrowTopicId *kept)
{
	return burrow_topic_id_is_known(now) ? *now : *kept;
}
