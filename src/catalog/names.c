/*
 * names.c
 *	  What topics, subscriptions and consumer groups may be called.
 */
#include "postgres.h"

/* The C library's, as librdkafka uses it; not PostgreSQL's. */
#include <regex.h>

#include "common/hashfn.h"

#include "catalog/names.h"

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

/*
 * librdkafka gives the expression to regcomp(), so nothing else can say whether it
 * compiles.  Without braces, and this short, nothing in there can take long or much
 * memory: repetition of repetitions is what explodes.
 */
static bool
compiles(const char *pattern, const char **detail)
{
	regex_t		compiled;
	char		reason[256];
	int			rc = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);

	if (rc == 0)
	{
		regfree(&compiled);
		return true;
	}
	regerror(rc, &compiled, reason, sizeof(reason));
	*detail = psprintf("The regular expression does not compile: %s.", reason);
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
	*detail = "A regular expression has at most 249 printable characters of ASCII, without spaces and braces.";
	if (strlen(name) > BURROW_TOPIC_MAX || !all_graphic(name) || strpbrk(name, "{}") != NULL)
		return false;
	return compiles(name, detail);
}

bool
burrow_name_matches(const char *topic_or_pattern, const char *topic)
{
	regex_t		compiled;
	bool		matches;

	if (topic_or_pattern[0] != '^')
		return strcmp(topic_or_pattern, topic) == 0;
	if (!burrow_name_is_topic(topic) || regcomp(&compiled, topic_or_pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	matches = regexec(&compiled, topic, 0, NULL, 0) == 0;
	regfree(&compiled);
	return matches;
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
