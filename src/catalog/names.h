/*
 * names.h
 *	  What topics, subscriptions and consumer groups may be called.
 *
 * Pure but for the regular expression, which the C library compiles.
 */
#ifndef BURROW_CATALOG_NAMES_H
#define BURROW_CATALOG_NAMES_H

#include "burrow.h"

/* Longest consumer group.  Kafka would take more; its tools show it in columns. */
#define BURROW_GROUP_MAX	249

#define BURROW_TOPIC_ALLOWED \
	"topic names of 1 to 249 letters, digits, \".\", \"_\" and \"-\", but not \".\" and \"..\""

/* The name of one topic? */
extern bool burrow_name_is_topic(const char *name);

/*
 * May it be subscribed to: a topic, or a regular expression beginning with ^?  If not,
 * *detail says what is allowed, or what is wrong with the regular expression.
 */
extern bool burrow_name_is_topic_or_pattern(const char *name, const char **detail);

/* Is this topic the one that is subscribed to, or one that the regular expression matches? */
extern bool burrow_name_matches(const char *topic_or_pattern, const char *topic);

/* 1 to 249 bytes, no control characters */
extern bool burrow_name_is_subscription(const char *name);

/* 1 to 249 printable characters of ASCII, no space */
extern bool burrow_name_is_group(const char *name);

/* The group of a subscription that names none.  Palloc'd. */
extern char *burrow_name_default_group(uint64 system_identifier, const char *database,
									   const char *subscription);

#endif							/* BURROW_CATALOG_NAMES_H */
