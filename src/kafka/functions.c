/*
 * functions.c
 *	  The table of functions that burrow_kafka gives to whoever loads it.
 *
 * The only file of src/kafka/ that includes a header of PostgreSQL's: the library
 * is loaded by load_external_function(), which asks for the module magic.
 *
 * Runs in: the consumer, and backends that check properties.
 */
#include "postgres.h"

#include "fmgr.h"

#include "burrow.h"
#include "compat.h"
#include "kafka/asker.h"
#include "kafka/internal.h"

BURROW_MODULE_MAGIC("burrow_kafka");

extern PGDLLEXPORT const BurrowKafkaFunctions *burrow_kafka_functions(void);

static const BurrowKafkaFunctions functions = {
	.abi = BURROW_KAFKA_ABI,
	.version = rd_kafka_version_str,
	.version_number = rd_kafka_version,

	.classify = burrow_kafka_classify,
	.conf_new = burrow_kafka_conf_new,
	.conf_free = burrow_kafka_conf_free,
	.conf_set = burrow_kafka_conf_set,
	.conf_check = burrow_kafka_conf_check,
	.conf_get = burrow_kafka_conf_get,
	.conf_leave_out = burrow_kafka_conf_leave_out,

	.open = burrow_kafka_open,
	.subscribe = burrow_kafka_subscribe,
	.poll = burrow_kafka_poll,
	.open_queue = burrow_kafka_open_queue,
	.close_queue = burrow_kafka_close_queue,
	.poll_queue = burrow_kafka_poll_queue,
	.header = burrow_kafka_header,
	.discard = burrow_kafka_discard,
	.queue_length = burrow_kafka_queue_length,
	.pause = burrow_kafka_pause,
	.assign = burrow_kafka_assign,
	.assign_more = burrow_kafka_assign_more,
	.is_incremental = burrow_kafka_is_incremental,
	.is_lost = burrow_kafka_is_lost,
	.unassign = burrow_kafka_unassign,
	.commit = burrow_kafka_commit,
	.fetch_committed = burrow_kafka_fetch_committed,
	.list_offsets = burrow_kafka_list_offsets,
	.list_bounds = burrow_kafka_list_bounds,
	.ask = burrow_kafka_ask,
	.high_watermark = burrow_kafka_high_watermark,
	.cluster_id = burrow_kafka_cluster_id,
	.tells_topic_ids = burrow_kafka_tells_topic_ids,
	.describe_topics = burrow_kafka_describe_topics,
	.list_partitions = burrow_kafka_list_partitions,
	.close_begin = burrow_kafka_close_begin,
	.closed = burrow_kafka_closed,
	.destroy = burrow_kafka_destroy,
	.list_new = burrow_kafka_list_new,
	.list_set = burrow_kafka_list_set,
	.list_copy = burrow_kafka_list_copy,
	.list_free = burrow_kafka_list_free,
	.free_text = burrow_kafka_free_text,
	.leave = burrow_kafka_leave,
	.left = burrow_kafka_left,
	.producer_conf_new = burrow_kafka_producer_conf_new,
	.open_producer = burrow_kafka_open_producer,
	.produce = burrow_kafka_produce,
	.property_name = burrow_kafka_property_name,
	.level = burrow_kafka_level,
	.level_name = burrow_kafka_level_name,
	.visit = &burrow_kafka_visit_functions,
	.conf_check_pem = burrow_kafka_conf_check_pem,
	.set_interrupts = burrow_kafka_set_interrupts,
};

const BurrowKafkaFunctions *
burrow_kafka_functions(void)
{
	return &functions;
}
