/*
 * harness.h
 *	  What the tests of src/kafka/ share: TAP, and librdkafka's mock cluster.
 */
#ifndef BURROW_TEST_HARNESS_H
#define BURROW_TEST_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "kafka/kafka.h"

#define PATIENCE_MS		20000

extern const BurrowKafkaFunctions *burrow_kafka_functions(void);

extern const BurrowKafkaFunctions *kafka;
extern rd_kafka_mock_cluster_t *cluster;
extern rd_kafka_t *producer;	/* librdkafka's own, for the messages that are consumed */
extern char bootstrap[256];
extern bool has_controller;	/* somebody answers what a controller is asked */

extern int	tests_run;
extern int	tests_failed;

/* a point; returns ok */
extern bool check(bool ok, const char *format, ...);
extern void note(const char *format, ...);
extern void die(const char *what, const char *why);

extern int64_t clock_ns(clockid_t clock);
extern int64_t now_ms(void);

extern void start_cluster(void);
extern void stop_cluster(void);
extern void create_topic(const char *topic, int partitions);
/* Messages "key-i" -> "value-i". */
extern void produce(const char *topic, int partition, int first, int n);
extern void flush_producer(void);

/* conf_test.c */
extern void test_classes(void);
extern void test_cannot_be_made(void);
extern void test_combinations(void);
extern void test_conf(void);
extern void test_secrets(void);

/* message_test.c */
extern void test_messages(void);
extern void test_headers(void);
extern void test_broken(void);

/* group_test.c */
extern void test_commit(void);
extern void test_membership(void);
extern void test_rebalance(void);
extern void test_strays(void);
extern void test_fatal(void);
extern void test_close(void);

/* query_test.c */
extern void test_questions(void);
extern void test_peek(void);
extern void test_look(void);
extern void test_ask(void);

/* queue_test.c */
extern void test_wake(void);
extern void test_backpressure(void);

/* broker_test.c */
extern void test_broker_down(void);
extern void test_coordinator_back(void);
extern void test_slow_coordinator(void);

/* producer_test.c */
extern void test_producer_properties(void);
extern void test_producer_answers(void);
extern void test_producer_refusals(void);
extern void test_producer_broker_down(void);

#endif							/* BURROW_TEST_HARNESS_H */
