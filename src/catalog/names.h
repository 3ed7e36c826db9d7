/*
 * names.h
 *	  What topics, subscriptions and consumer groups may be called.
 */
#ifndef BURROW_CATALOG_NAMES_H
#define BURROW_CATALOG_NAMES_H

#include "burrow.h"

#define BURROW_TOPIC_ALLOWED \
	"topic names of 1 to 249 letters, digits, \".\", \"_\" and \"-\", but not \".\" and \"..\""

/* The name of one topic? */
extern bool burrow_name_is_topic(const char *name);

/* One that is not, for an error: its beginning, with %XX for what no topic has.  Palloc'd. */
extern char *burrow_name_shown(const char *topic);

#define BURROW_PATTERN_ALLOWED \
	"Regular expressions are made of characters, \".\", brackets, \"^\", \"$\", \"|\", groups up to 5 within each other, and \"*\", \"+\" and \"?\" behind what has none of them in it."

/* Longest list of regular expressions, in bytes. */
#define BURROW_PATTERN_LIST_MAX 1000

/*
 * May it be subscribed to: a topic, or a regular expression beginning with ^ out of the safe
 * subset (core/topic_pattern.h)?  If not, *detail says what is allowed, or what is wrong with
 * the regular expression, and where.
 */
extern bool burrow_name_is_topic_or_pattern(const char *name, const char **detail);

/* The Kafka property whose value is such a list; librdkafka has no other. */
#define BURROW_PATTERN_LIST_PROPERTY "topic.blacklist"

/* The same of a list of expressions, separated by commas, that need not begin with ^. */
extern bool burrow_name_is_pattern_list(const char *list, const char **detail);

/* Is this topic the one that is subscribed to, or one that the regular expression matches? */
extern bool burrow_name_matches(const char *topic_or_pattern, const char *topic);

/* 1 to 249 bytes, no control characters */
extern bool burrow_name_is_subscription(const char *name);

/* 1 to 249 printable characters of ASCII, no space */
extern bool burrow_name_is_group(const char *name);

/* The group of a subscription that names none.  Palloc'd. */
extern char *burrow_name_default_group(uint64 system_identifier, const char *database,
									   const char *subscription);
/* Could it be the default group of a subscription of another database of this server? */
extern bool burrow_name_is_group_of_other_database(uint64 system_identifier, const char *database,
												   const char *group);

#endif							/* BURROW_CATALOG_NAMES_H */
