/*
 * harness.c
 *	  What the tests of src/kafka/ share: TAP, and librdkafka's mock cluster.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"

const BurrowKafkaFunctions *kafka;
rd_kafka_mock_cluster_t *cluster;
rd_kafka_t *producer;
char		bootstrap[256];
bool		has_controller;

int			tests_run = 0;
int			tests_failed = 0;

static rd_kafka_t *mock_handle;

/* ---- results ---- */

bool
check(bool ok, const char *format, ...)
{
	va_list		args;

	tests_run++;
	if (!ok)
		tests_failed++;
	printf("%sok %d - ", ok ? "" : "not ", tests_run);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	return ok;
}

void
note(const char *format, ...)
{
	va_list		args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void
die(const char *what, const char *why)
{
	printf("Bail out! %s: %s\n", what, why);
	exit(1);
}

int64_t
clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* ---- the cluster ---- */

static rd_kafka_t *
new_producer(const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	char		why[512];

	if (brokers != NULL)
		(void) rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why));
	(void) rd_kafka_conf_set(conf, "log_level", "2", why, sizeof(why));
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (rk == NULL)
		die("producer", why);
	return rk;
}

/*
 * The mock cluster says that its controller is broker 0, which it does not have: what librdkafka asks a controller gets no
 * answer.  From 2.16 on it can be told another one.
 */
static void
set_controller(void)
{
	void		(*set_controller_id) (rd_kafka_mock_cluster_t *, int32_t);

	*(void **) &set_controller_id = dlsym(RTLD_DEFAULT, "rd_kafka_mock_set_controller_id");
	has_controller = set_controller_id != NULL;
	if (has_controller)
		set_controller_id(cluster, 1);
}

void
start_cluster(void)
{
	mock_handle = new_producer(NULL);
	cluster = rd_kafka_mock_cluster_new(mock_handle, 1);
	if (cluster == NULL)
		die("mock cluster", "none");
	set_controller();
	snprintf(bootstrap, sizeof(bootstrap), "%s", rd_kafka_mock_cluster_bootstraps(cluster));
	producer = new_producer(bootstrap);
}

void
stop_cluster(void)
{
	rd_kafka_destroy(producer);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(mock_handle);
}

void
create_topic(const char *topic, int partitions)
{
	if (rd_kafka_mock_topic_create(cluster, topic, partitions, 1) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("could not create topic", topic);
}

void
flush_producer(void)
{
	if (rd_kafka_flush(producer, PATIENCE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("produce", "time is up");
}

/* Messages "key-i" -> "value-i". */
void
produce(const char *topic, int partition, int first, int n)
{
	for (int i = first; i < first + n; i++)
	{
		char		key[32];
		char		value[128];

		snprintf(key, sizeof(key), "key-%d", i);
		snprintf(value, sizeof(value), "value-%d", i);
		while (rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic),
								 RD_KAFKA_V_PARTITION(partition),
								 RD_KAFKA_V_KEY(key, strlen(key)),
								 RD_KAFKA_V_VALUE(value, strlen(value)),
								 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
								 RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			rd_kafka_poll(producer, 10);
	}
	flush_producer();
}
