/*
 * left_out.c
 *	  Topics that a pattern leaves out: Kafka's own, and what the user does not want.
 *
 * "^.*" must not mean the topic of the groups' commits: each commit of ours would be another
 * message.  Java's consumer leaves out what the brokers mark as internal; librdkafka
 * reads that mark, but does not give it to those who use it, and its patterns match every
 * name.  The topics that brokers mark are the three here; and by Kafka's convention, names that
 * begin with two underscores belong to the system.  So a pattern that does not spell "__" leaves
 * these out, and none matches the three: they are consumed where they are named, without a pattern.
 *
 * One list says it all, the property topic.blacklist.  librdkafka looks at it when it
 * subscribes, but not when it is asked for topics: so we do, in query.c.
 *
 * Runs in: the consumer, and that of a dry run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/topic_pattern.h"
#include "kafka/internal.h"

#define PROPERTY	"topic.blacklist"

static const char internal_topics[] =
"^__consumer_offsets$,^__transaction_state$,^__share_group_state$";
static const char system_topics[] = ",^__";

/* The property's value with room for so much more, to be freed; NULL: out of memory. */
static char *
read_list(const rd_kafka_conf_t *rk, size_t more)
{
	size_t		size = 0;
	char	   *list;

	if (rd_kafka_conf_get(rk, PROPERTY, NULL, &size) != RD_KAFKA_CONF_OK)
		size = 0;
	list = calloc(1, size + more + 1);
	if (list != NULL && size > 0 && rd_kafka_conf_get(rk, PROPERTY, list, &size) != RD_KAFKA_CONF_OK)
		list[0] = '\0';
	return list;
}

bool
burrow_kafka_conf_leave_out(BurrowKafkaConf *conf, const char *topic, char *error)
{
	char	   *list;
	bool		ok;

	if (topic[0] != '^')
		return true;
	list = read_list(conf->rk, 1 + sizeof(internal_topics) + sizeof(system_topics));
	if (list == NULL)
	{
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "out of memory");
		return false;
	}
	if (list[0] != '\0')
		strcat(list, ",");
	strcat(list, internal_topics);
	if (strstr(topic, "__") == NULL)
		strcat(list, system_topics);
	ok = rd_kafka_conf_set(conf->rk, PROPERTY, list, error, BURROW_KAFKA_TEXT_MAX) == RD_KAFKA_CONF_OK;
	free(list);
	return ok;
}

/* Ends the list's first pattern, where ",," stands for a comma in it; returns the rest. */
static char *
cut_first(char *list)
{
	char	   *to = list;

	for (char *from = list; *from != '\0'; from++)
	{
		if (*from == ',' && from[1] != ',')
		{
			*to = '\0';
			return from + 1;
		}
		if (*from == ',')
			from++;
		*to++ = *from;
	}
	*to = '\0';
	return to;
}

/* False: out of memory. */
bool
burrow_kafka_left_out_read(const BurrowKafkaClient *c, LeftOut *out)
{
	size_t		room = 1;

	memset(out, 0, sizeof(*out));
	out->text = read_list(rd_kafka_conf(c->rk), 0);
	for (char *p = out->text; p != NULL && *p != '\0'; p++)
		room += *p == ',' ? 1 : 0;
	out->patterns = calloc(room, sizeof(char *));
	for (char *p = out->text; out->patterns != NULL && p != NULL && *p != '\0';)
	{
		out->patterns[out->n++] = p;
		p = cut_first(p);
	}
	return out->text != NULL && out->patterns != NULL;
}

bool
burrow_kafka_left_out_has(const LeftOut *out, const char *topic)
{
	for (int i = 0; i < out->n; i++)
	{
		if (burrow_topic_pattern_matches(out->patterns[i], strlen(out->patterns[i]), topic))
			return true;
	}
	return false;
}

void
burrow_kafka_left_out_free(LeftOut *out)
{
	free(out->patterns);
	free(out->text);
}
