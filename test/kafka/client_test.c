/*
 * client_test.c
 *	  Tests of src/kafka/ against librdkafka's mock cluster.  Output is TAP.  Each subject
 *	  has a file: conf_test.c, message_test.c, and so on; see the table below.
 *
 *	client_test [NAME ...]		all tests, or those whose names begin so
 *	client_test --speed			how long a take() takes
 *
 * Each test has topics and groups of its own in one cluster, except where it takes the
 * broker down.  Nothing sleeps to wait for something: pump() waits for the pipe, as the
 * consumer process does, until a condition holds or the time is up.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "consumer.h"

/* ---- speed ---- */

static void
measure(const char *name)
{
	enum
	{
		N = 40000
	};
	Consumer   *c = open_consumer(name, "speed", NULL);
	Part	   *part;
	BurrowKafkaMessage m;
	int64_t		begun;
	int64_t		took;
	int			n = 0;
	uint64_t	sum = 0;

	part = part_of(c, "speed", 0);
	part->paused = true;
	if (!pump(c, c->assigns > 0))
		die("join", "time is up");
	/* all of it is in the queue before the clock starts */
	(void) poll(NULL, 0, 3000);
	begun = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (kafka->poll_queue(part->p, &m) == BURROW_KAFKA_MESSAGE)
	{
		n++;
		sum += m.value_len + m.key_len;
	}
	took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun;
	note("%s: %d messages, %.1f ns of CPU each (%llu bytes)", name, n, (double) took / n,
		 (unsigned long long) sum);
	(void) close_consumer(c);
}

static void
speed(void)
{
	create_topic("speed", 1);
	produce("speed", 0, 0, 40000);
	for (int i = 0; i < 3; i++)
		measure("taken");
}

/* ---- */

static const struct
{
	const char *name;
	void		(*run) (void);
}			tests[] =
{
	{"classes", test_classes},
	{"combinations", test_combinations},
	{"conf", test_conf},
	{"messages", test_messages},
	{"broken", test_broken},
	{"commit", test_commit},
	{"questions", test_questions},
	{"peek", test_peek},
	{"look", test_look},
	{"wake", test_wake},
	{"backpressure", test_backpressure},
	{"membership", test_membership},
	{"rebalance", test_rebalance},
	{"strays", test_strays},
	{"fatal", test_fatal},
	{"close", test_close},
	{"secrets", test_secrets},
	{"broker_down", test_broker_down},
	{"coordinator_back", test_coordinator_back},
	{"producer_properties", test_producer_properties},
	{"producer_answers", test_producer_answers},
	{"producer_refusals", test_producer_refusals},
	{"producer_broker_down", test_producer_broker_down},
};

int
main(int argc, char **argv)
{
	kafka = burrow_kafka_functions();
	if (kafka->abi != BURROW_KAFKA_ABI)
		die("abi", "differs");
	note("librdkafka %s", kafka->version());
	start_cluster();

	if (argc > 1 && strcmp(argv[1], "--speed") == 0)
		speed();
	else
	{
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		{
			bool		wanted = argc == 1;

			for (int j = 1; j < argc; j++)
				wanted |= strncmp(tests[i].name, argv[j], strlen(argv[j])) == 0;
			if (!wanted)
				continue;
			note("%s", tests[i].name);
			tests[i].run();
		}
		printf("1..%d\n", tests_run);
	}

	stop_cluster();
	return tests_failed == 0 ? 0 : 1;
}
