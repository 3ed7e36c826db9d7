/*
 * names.c
 *	  The names of the properties that a subscription may set, to suggest one for a
 *	  misspelt name.
 *
 * Runs in: backends that check properties.
 */
#include "kafka/internal.h"

/*
 * librdkafka tells its properties' names only together with their values, as a list in
 * its own memory.  It is kept: it does not change, and the names given out point into it.
 */
const char *
burrow_kafka_property_name(int i)
{
	static const char **pairs;
	static size_t npairs;

	if (pairs == NULL)
	{
		rd_kafka_conf_t *conf = rd_kafka_conf_new();

		pairs = rd_kafka_conf_dump(conf, &npairs);
		rd_kafka_conf_destroy(conf);
	}
	for (size_t pair = 0; pair + 1 < npairs; pair += 2)
	{
		if (burrow_kafka_classify(pairs[pair]) == BURROW_KAFKA_PROPERTY_SUBSCRIPTION && i-- == 0)
			return pairs[pair];
	}
	return NULL;
}
