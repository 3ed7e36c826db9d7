/*
 * names.c
 *	  What topics, subscriptions and consumer groups may be called.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "catalog/names.h"
#include "compat.h"
#include "core/topic_pattern.h"

/* Plain in the name of a database, in a default group: without the dot, which ends it. */
#define NAME_CHARACTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

#define TOPIC_CHARACTERS	NAME_CHARACTERS "."

/* Of a name that no topic can have, in bytes. */
#define SHOWN_MAX			64

/* Of the hash that a group ends in which was cut. */
#define HASH_BYTES			16

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
	return burrow_topic_pattern_is_topic(name);
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

/* Appends the bytes of name, those that are not in `plain` as %XX. */
static void
append_escaped(StringInfo group, const char *name, const char *plain)
{
	for (const unsigned char *p = (const unsigned char *) name; *p != '\0'; p++)
	{
		if (strchr(plain, *p) != NULL)
			appendStringInfoChar(group, (char) *p);
		else
			appendStringInfo(group, "%%%02X", *p);
	}
}

char *
burrow_name_shown(const char *topic)
{
	StringInfoData shown;
	const char *cut = strlen(topic) > SHOWN_MAX ? "..." : "";

	initStringInfo(&shown);
	append_escaped(&shown, pnstrdup(topic, SHOWN_MAX), TOPIC_CHARACTERS);
	appendStringInfoString(&shown, cut);
	return shown.data;
}

/* The end of a group that is cut: what no group that is not cut has. */
static char *
cut_group(const char *group)
{
	bytea	   *sum = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea,
														  PointerGetDatum(cstring_to_text(group))));
	char		end[2 + 2 * HASH_BYTES] = "~";

	for (int i = 0; i < HASH_BYTES; i++)
		snprintf(end + 1 + 2 * i, 3, "%02x", (unsigned char) VARDATA_ANY(sum)[i]);
	return psprintf("%.*s%s", (int) (BURROW_GROUP_MAX - strlen(end)), group, end);
}

/* "burrow.<server>.<database>."; no other database of the server has a group that begins so. */
static char *
default_group_prefix(uint64 system_identifier, const char *database)
{
	uint32		server = (uint32) (system_identifier >> 32) ^ (uint32) system_identifier;
	StringInfoData prefix;

	initStringInfo(&prefix);
	appendStringInfo(&prefix, "burrow.%08x.", server);
	append_escaped(&prefix, database, NAME_CHARACTERS);
	appendStringInfoChar(&prefix, '.');
	return prefix.data;
}

/*
 * Two servers with a database of the same name must not split a topic unasked, so the server's
 * identifier is in it.  And no two subscriptions of a server have the same: the database ends at
 * the first dot, because its own dots are escaped, and what is not plain is escaped and not
 * replaced.  What is too long ends in a hash that nobody finds another name for.
 */
char *
burrow_name_default_group(uint64 system_identifier, const char *database, const char *subscription)
{
	StringInfoData group;

	initStringInfo(&group);
	appendStringInfoString(&group, default_group_prefix(system_identifier, database));
	append_escaped(&group, subscription, TOPIC_CHARACTERS);
	return group.len <= BURROW_GROUP_MAX ? group.data : cut_group(group.data);
}

bool
burrow_name_is_group_of_other_database(uint64 system_identifier, const char *database, const char *group)
{
	const char *here = default_group_prefix(system_identifier, database);
	const char *server = default_group_prefix(system_identifier, "");

	/* without the dot behind the empty name */
	return strncmp(group, server, strlen(server) - 1) == 0 && strncmp(group, here, strlen(here)) != 0;
}
