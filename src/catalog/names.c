/*
 * names.c
 *	  What topics, subscriptions and consumer groups may be called.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "catalog/names.h"
#include "core/topic_pattern.h"

#define TOPIC_CHARACTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* Printable, no space, of ASCII. */
static bool
is_graphic(unsigned char c)
{
	return c > ' ' && c < 0x7f;
}

static bool
all_graphic(const char *name)
{
	for (; *name != '\0'; name++)
	{
		if (!is_graphic((unsigned char) *name))
			return false;
	}
	return true;
}

bool
burrow_name_is_topic(const char *name)
{
	size_t		length = strlen(name);

	return length >= 1 && length <= BURROW_TOPIC_MAX &&
		strspn(name, TOPIC_CHARACTERS) == length &&
		strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Of text, in which the expression begins at byte offset; for a detail. */
static bool
pattern_is_safe(const char *text, size_t offset, size_t length, const char **detail)
{
	size_t		position;
	const char *reason = burrow_topic_pattern_check(text + offset, length, &position);

	if (reason == NULL)
		return true;
	*detail = psprintf("At character %zu of the regular expression: %s.", offset + position + 1, reason);
	return false;
}

bool
burrow_name_is_topic_or_pattern(const char *name, const char **detail)
{
	if (name[0] != '^')
	{
		*detail = "Valid values are " BURROW_TOPIC_ALLOWED ", and regular expressions that begin with ^.";
		return burrow_name_is_topic(name);
	}
	return pattern_is_safe(name, 0, strlen(name), detail);
}

bool
burrow_name_is_pattern_list(const char *list, const char **detail)
{
	size_t		begin = 0;

	if (strlen(list) > BURROW_PATTERN_LIST_MAX)
	{
		*detail = "A list of regular expressions has at most " CppAsString2(BURROW_PATTERN_LIST_MAX) " characters.";
		return false;
	}
	for (;;)
	{
		size_t		length = strcspn(list + begin, ",");

		if (!pattern_is_safe(list, begin, length, detail))
			return false;
		begin += length;
		if (list[begin] == '\0')
			return true;
		begin++;
	}
}

bool
burrow_name_matches(const char *topic_or_pattern, const char *topic)
{
	if (topic_or_pattern[0] != '^')
		return strcmp(topic_or_pattern, topic) == 0;
	return burrow_name_is_topic(topic) &&
		burrow_topic_pattern_matches(topic_or_pattern, strlen(topic_or_pattern), topic);
}

bool
burrow_name_is_subscription(const char *name)
{
	size_t		length = strlen(name);

	if (length < 1 || length > BURROW_NAME_MAX)
		return false;
	for (; *name != '\0'; name++)
	{
		if ((unsigned char) *name < ' ' || *name == 0x7f)
			return false;
	}
	return true;
}

bool
burrow_name_is_group(const char *name)
{
	size_t		length = strlen(name);

	return length >= 1 && length <= BURROW_GROUP_MAX && all_graphic(name);
}

/*
 * Two servers with a database of the same name must not split a topic unasked, so
 * the server's identifier is in it.  Nor must two subscriptions whose names differ
 * only in what is replaced or cut off here: their groups end in a hash of the name.
 */
char *
burrow_name_default_group(uint64 system_identifier, const char *database, const char *subscription)
{
	uint32		server = (uint32) (system_identifier >> 32) ^ (uint32) system_identifier;
	char	   *full = psprintf("burrow.%08x.%s.%s", server, database, subscription);
	size_t		length = strlen(full);
	char		hash[16];
	bool		changed = false;

	snprintf(hash, sizeof(hash), "-%08x", hash_bytes((const unsigned char *) full, (int) length));
	for (char *p = full; *p != '\0'; p++)
	{
		if (strchr(TOPIC_CHARACTERS, *p) == NULL)
		{
			*p = '_';
			changed = true;
		}
	}
	if (!changed && length <= BURROW_GROUP_MAX)
		return full;
	return psprintf("%.*s%s", (int) Min(length, BURROW_GROUP_MAX - strlen(hash)), full, hash);
}
