/*
 * client_test.c
 *	  Tests of src/kafka/ against librdkafka's mock cluster.  Output is TAP.  Each subject
 *	  has a file: conf_test.c, message_test.c, and so on; see the table below.
 *
 *	client_test [NAME ...]		all tests, or those whose names begin so
 *	client_NAME					that test (a link to client_test)
 *	client_test --names			the names of all
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
	{"cannot_be_made", test_cannot_be_made},
	{"combinations", test_combinations},
	{"conf", test_conf},
	{"messages", test_messages},
	{"headers", test_headers},
	{"broken", test_broken},
	{"commit", test_commit},
	{"questions", test_questions},
	{"peek", test_peek},
	{"look", test_look},
	{"ask", test_ask},
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
	{"slow_coordinator", test_slow_coordinator},
	{"producer_properties", test_producer_properties},
	{"producer_answers", test_producer_answers},
	{"producer_refusals", test_producer_refusals},
	{"producer_broker_down", test_producer_broker_down},
};

/* Called by a test's name, or with names that tests begin with; else all are wanted. */
static bool
is_wanted(const char *name, int argc, char **argv)
{
	const char *called = strrchr(argv[0], '/');
	bool		wanted = argc == 1;

	called = called != NULL ? called + 1 : argv[0];
	if (strncmp(called, "client_test", 11) != 0)
		return strcmp(called + strlen("client_"), name) == 0;
	for (int i = 1; i < argc; i++)
		wanted |= strncmp(name, argv[i], strlen(argv[i])) == 0;
	return wanted;
}

static int
run_tests(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
	{
		if (!is_wanted(tests[i].name, argc, argv))
			continue;
		note("%s", tests[i].name);
		tests[i].run();
	}
	printf("1..%d\n", tests_run);
	return tests_failed == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	int			status = 0;

	if (argc > 1 && strcmp(argv[1], "--names") == 0)
	{
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
			puts(tests[i].name);
		return 0;
	}
	kafka = burrow_kafka_functions();
	if (kafka->abi != BURROW_KAFKA_ABI)
		die("abi", "differs");
	note("librdkafka %s", kafka->version());
	start_cluster();
	if (argc > 1 && strcmp(argv[1], "--speed") == 0)
		speed();
	else
		status = run_tests(argc, argv);
	stop_cluster();
	return status;
}
