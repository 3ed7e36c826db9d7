/*
 * mock_cluster.c
 *	  A Kafka cluster in one small process, for the demo and for quick tests.
 *
 * It is librdkafka's own mock: it speaks the protocol well enough for consumers,
 * producers and groups, keeps everything in memory, and forgets the oldest messages of
 * a partition beyond 5 MB or 100,000.  What has to be shown on a real broker
 * (transactions, retention, access control, TLS) is shown on one: see run_broker.
 *
 *	mock_cluster --topic orders:4 [--brokers 1] [--produce orders [--rate 100]] [--exit-on-eof]
 *
 * Prints "bootstrap HOST:PORT,..." when it is ready, then serves until SIGTERM or SIGINT.
 * With --produce, each line of its input, "key<TAB>value" or just "value", becomes a
 * message.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define MAX_TOPICS	100

typedef struct Options
{
	int			brokers;
	int			ntopics;
	char	   *topics[MAX_TOPICS]; /* NAME:PARTITIONS */
	const char *produce;		/* NULL: the input is not read */
	double		rate;			/* messages a second; 0: as fast as they come */
	bool		exit_on_eof;
} Options;

static volatile sig_atomic_t stop = 0;

/* Closing the input ends a read that begins just now, as the signal ends one that has begun. */
static void
on_signal(int signo)
{
	stop = 1;
	close(STDIN_FILENO);
}

static void
fail(const char *format, const char *what)
{
	fprintf(stderr, "mock_cluster: ");
	fprintf(stderr, format, what);
	fprintf(stderr, "\n");
	exit(1);
}

static void
usage(FILE *to)
{
	fprintf(to,
			"usage: mock_cluster --topic NAME:PARTITIONS [--topic ...] [--brokers N]\n"
			"                    [--produce TOPIC [--rate MESSAGES_PER_SECOND]] [--exit-on-eof]\n");
}

/* A whole number from 1 to max, or the end of the program. */
static int
count_option(const char *name, const char *text, long max)
{
	char	   *end;
	long		n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < 1 || n > max)
	{
		fprintf(stderr, "mock_cluster: invalid %s: \"%s\" (1 to %ld)\n", name, text, max);
		exit(1);
	}
	return (int) n;
}

static void
parse_options(int argc, char **argv, Options *options)
{
	static const struct option known[] = {
		{"brokers", required_argument, NULL, 'b'},
		{"topic", required_argument, NULL, 't'},
		{"produce", required_argument, NULL, 'p'},
		{"rate", required_argument, NULL, 'r'},
		{"exit-on-eof", no_argument, NULL, 'e'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}
	};
	char	   *end;
	int			c;

	memset(options, 0, sizeof(*options));
	options->brokers = 1;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
	{
		switch (c)
		{
			case 'b':
				options->brokers = count_option("number of brokers", optarg, 100);
				break;
			case 't':
				if (options->ntopics == MAX_TOPICS)
					fail("too many topics, \"%s\" is one more than it can", optarg);
				options->topics[options->ntopics++] = optarg;
				break;
			case 'p':
				options->produce = optarg;
				break;
			case 'r':
				options->rate = strtod(optarg, &end);
				if (end == optarg || *end != '\0' || !(options->rate > 0))
					fail("invalid rate: \"%s\" (a number greater than 0)", optarg);
				break;
			case 'e':
				options->exit_on_eof = true;
				break;
			case 'h':
				usage(stdout);
				exit(0);
			default:
				usage(stderr);
				exit(1);
		}
	}
	if (optind < argc)
		fail("unexpected argument: \"%s\"", argv[optind]);
	if (options->ntopics == 0)
		fail("no topics: give at least one %s", "--topic NAME:PARTITIONS");
	if (options->rate > 0 && options->produce == NULL)
		fail("--rate needs %s", "--produce");
	if (options->exit_on_eof && options->produce == NULL)
		fail("--exit-on-eof needs %s", "--produce");
}

/* One handle for both: the cluster lives in it, and it produces to the cluster. */
static rd_kafka_t *
start_cluster(const Options *options)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	char		brokers[16];
	char		why[512];

	snprintf(brokers, sizeof(brokers), "%d", options->brokers);
	if (rd_kafka_conf_set(conf, "test.mock.num.brokers", brokers, why, sizeof(why)) !=
		RD_KAFKA_CONF_OK ||
		/* it would announce its address once more, and say that it is a mock */
		rd_kafka_conf_set(conf, "log_level", "3", why, sizeof(why)) != RD_KAFKA_CONF_OK ||
		rd_kafka_conf_set(conf, "linger.ms", "5", why, sizeof(why)) != RD_KAFKA_CONF_OK)
		fail("could not configure the cluster: %s", why);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (rk == NULL)
		fail("could not start the cluster: %s", why);
	return rk;
}

static void
create_topics(rd_kafka_mock_cluster_t *cluster, const Options *options)
{
	bool		can_produce = options->produce == NULL;

	for (int i = 0; i < options->ntopics; i++)
	{
		char	   *topic = options->topics[i];
		char	   *colon = strrchr(topic, ':');
		int			partitions;

		if (colon == NULL || colon == topic)
			fail("invalid topic: \"%s\" (NAME:PARTITIONS)", topic);
		partitions = count_option("number of partitions", colon + 1, 10000);
		*colon = '\0';
		if (rd_kafka_mock_topic_create(cluster, topic, partitions, 1) !=
			RD_KAFKA_RESP_ERR_NO_ERROR)
			fail("could not create topic \"%s\"", topic);
		if (options->produce != NULL && strcmp(topic, options->produce) == 0)
			can_produce = true;
	}
	if (!can_produce)
		fail("--produce names topic \"%s\", which no --topic creates", options->produce);
}

static void
produce(rd_kafka_t *rk, const char *topic, char *line)
{
	char	   *tab = strchr(line, '\t');
	char	   *value = tab == NULL ? line : tab + 1;
	char	   *key = tab == NULL ? NULL : line;
	size_t		key_len = tab == NULL ? 0 : (size_t) (tab - line);
	rd_kafka_resp_err_t code;

	for (;;)
	{
		code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
								 RD_KAFKA_V_KEY(key, key_len),
								 RD_KAFKA_V_VALUE(value, strlen(value)),
								 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
								 RD_KAFKA_V_END);
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || stop)
			break;
		rd_kafka_poll(rk, 100);
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR && !stop)
		fail("could not produce: %s", rd_kafka_err2str(code));
	rd_kafka_poll(rk, 0);
}

/* Waits until the given time, or a signal. */
static void
wait_until(struct timespec *when)
{
	while (!stop && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, when, NULL) == EINTR)
		;
}

/* Reads lines until the input ends, or a signal comes. */
static void
produce_input(rd_kafka_t *rk, const Options *options)
{
	struct timespec next;
	char	   *line = NULL;
	size_t		room = 0;
	ssize_t		len;

	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!stop && (len = getline(&line, &room, stdin)) > 0)
	{
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		produce(rk, options->produce, line);
		if (options->rate > 0)
		{
			long		step = (long) (1e9 / options->rate);

			next.tv_sec += (next.tv_nsec + step) / 1000000000;
			next.tv_nsec = (next.tv_nsec + step) % 1000000000;
			wait_until(&next);
		}
	}
	free(line);
	rd_kafka_flush(rk, 10000);
}

int
main(int argc, char **argv)
{
	/* without SA_RESTART, so that a signal ends the reading of a line */
	struct sigaction action = {.sa_handler = on_signal};
	Options		options;
	rd_kafka_t *rk;
	sigset_t	ends;
	sigset_t	before;

	parse_options(argc, argv, &options);

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);

	rk = start_cluster(&options);
	create_topics(rd_kafka_handle_mock_cluster(rk), &options);
	printf("bootstrap %s\n",
		   rd_kafka_mock_cluster_bootstraps(rd_kafka_handle_mock_cluster(rk)));
	fflush(stdout);

	if (options.produce != NULL)
		produce_input(rk, &options);

	/* blocked but while it waits, or one that comes just before would not end the wait */
	sigprocmask(SIG_BLOCK, &ends, &before);
	while (!stop && !(options.produce != NULL && options.exit_on_eof))
		(void) sigsuspend(&before);

	rd_kafka_destroy(rk);
	return 0;
}
