/*
 * baseline.c
 *	  What a user would write first: one thread, a Kafka consumer, a connection.
 *
 *	baseline row|copy BOOTSTRAP TOPIC GROUP CONNINFO MESSAGES BATCH
 *
 * "row" calls on_row($1, $2) as a prepared statement for each message, "copy" writes
 * the rows that it would make by COPY.  Each BATCH of messages is a transaction, and
 * Kafka learns of it afterwards, once for a thousand messages.  After MESSAGES it
 * prints the rate from a tenth of them on, and ends.
 *
 *	baseline watch BOOTSTRAP TOPIC GROUP MESSAGES
 *
 * has no database: for each message it prints "n" and, in microseconds, how long after
 * "seq" it came.
 *
 *	baseline arrivals BOOTSTRAP TOPIC GROUP [NAME=VALUE...]
 *
 * has no database either, and these properties: for each message it prints its partition and when it came, in
 * microseconds since 1970, at once, until it is ended.
 *
 *	baseline --version      librdkafka's version
 */
#include <librdkafka/rdkafka.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "baseline: %s: %s\n", what, why);
	exit(1);
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char		why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		die(name, why);
}

/* properties: as "NAME=VALUE" */
static rd_kafka_t *
make_consumer(const char *bootstrap, const char *topic, const char *group, char **properties, int nproperties)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t result;
	rd_kafka_t *consumer;
	char		why[256];

	set(conf, "bootstrap.servers", bootstrap);
	set(conf, "group.id", group);
	set(conf, "auto.offset.reset", "earliest");
	set(conf, "enable.auto.commit", "false");
	for (int i = 0; i < nproperties; i++)
	{
		char	   *value = strchr(properties[i], '=');

		if (value == NULL)
			die("property", properties[i]);
		*value = '\0';
		set(conf, properties[i], value + 1);
	}
	consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (consumer == NULL)
		die("could not make a consumer", why);
	rd_kafka_poll_set_consumer(consumer);
	rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
	result = rd_kafka_subscribe(consumer, topics);
	if (result != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("could not subscribe", rd_kafka_err2str(result));
	rd_kafka_topic_partition_list_destroy(topics);
	return consumer;
}

static void
expect(PGconn *conn, PGresult *result, ExecStatusType wanted)
{
	if (PQresultStatus(result) != wanted)
		die("database", PQerrorMessage(conn));
	PQclear(result);
}

/* The text of a message has no zero byte at its end, and libpq's parameters want one. */
static char *
terminated(const void *bytes, size_t size, char **buffer, size_t *room)
{
	if (size + 1 > *room)
	{
		*room = size + 1;
		*buffer = realloc(*buffer, *room);
		if (*buffer == NULL)
			die("memory", "none left");
	}
	memcpy(*buffer, bytes, size);
	(*buffer)[size] = '\0';
	return *buffer;
}

static void
handle(PGconn *conn, const rd_kafka_message_t *message)
{
	static char *buffers[2];
	static size_t rooms[2];
	const char *values[2] = {
		terminated(message->key, message->key_len, &buffers[0], &rooms[0]),
		terminated(message->payload, message->len, &buffers[1], &rooms[1])
	};

	expect(conn, PQexecPrepared(conn, "h", 2, values, NULL, NULL, 0), PGRES_TUPLES_OK);
}

/* The row that on_row() would insert, as text of COPY. */
static void
copy_row(PGconn *conn, const rd_kafka_message_t *message)
{
	static char *buffers[2];
	static size_t rooms[2];
	static char *row;
	static size_t room;
	char	   *key = terminated(message->key, message->key_len, &buffers[0], &rooms[0]);
	char	   *value = terminated(message->payload, message->len, &buffers[1], &rooms[1]);
	char	   *pad = strstr(value, "\"pad\": \"");
	long		n,
				seq;
	int			size;

	if (sscanf(value, "{\"n\": %ld, \"key\": %*d, \"seq\": %ld", &n, &seq) != 2 || pad == NULL)
		die("message", value);
	pad += strlen("\"pad\": \"");
	pad[strcspn(pad, "\"")] = '\0';
	if (message->key_len + message->len + 64 > room)
	{
		room = message->key_len + message->len + 64;
		row = realloc(row, room);
		if (row == NULL)
			die("memory", "none left");
	}
	size = snprintf(row, room, "%s\t%ld\t%ld\t%s\n", key, n, seq, pad);
	if (PQputCopyData(conn, row, size) != 1)
		die("database", PQerrorMessage(conn));
}

static void
begin(PGconn *conn, bool copy, long batch)
{
	if (copy)
		expect(conn, PQexec(conn, "COPY sink FROM STDIN"), PGRES_COPY_IN);
	else if (batch > 1)
		expect(conn, PQexec(conn, "BEGIN"), PGRES_COMMAND_OK);
}

static void
commit(PGconn *conn, bool copy, long batch)
{
	if (copy)
	{
		if (PQputCopyEnd(conn, NULL) != 1)
			die("database", PQerrorMessage(conn));
		expect(conn, PQgetResult(conn), PGRES_COMMAND_OK);
		while (PQgetResult(conn) != NULL)
			;
	}
	else if (batch > 1)
		expect(conn, PQexec(conn, "COMMIT"), PGRES_COMMAND_OK);
}

static void
watch(const char *bootstrap, const char *topic, const char *group, long wanted)
{
	rd_kafka_t *consumer = make_consumer(bootstrap, topic, group, NULL, 0);

	while (wanted > 0)
	{
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 1000);
		struct timespec now;
		char		value[64];
		long		n,
					seq;

		if (message == NULL)
			continue;
		clock_gettime(CLOCK_REALTIME, &now);
		if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			die("Kafka", rd_kafka_message_errstr(message));
		snprintf(value, sizeof(value), "%.*s", (int) message->len, (const char *) message->payload);
		if (sscanf(value, "{\"n\": %ld, \"key\": %*d, \"seq\": %ld", &n, &seq) != 2)
			die("message", value);
		printf("%ld %ld\n", n, now.tv_sec * 1000000 + now.tv_nsec / 1000 - seq);
		/* somebody waits for the first ones */
		if (n < 0)
			fflush(stdout);
		rd_kafka_message_destroy(message);
		wanted--;
	}
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
}

static void
arrivals(const char *bootstrap, const char *topic, const char *group, char **properties, int nproperties)
{
	rd_kafka_t *consumer = make_consumer(bootstrap, topic, group, properties, nproperties);

	for (;;)
	{
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 1000);
		struct timespec now;

		if (message == NULL)
			continue;
		clock_gettime(CLOCK_REALTIME, &now);
		if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			die("Kafka", rd_kafka_message_errstr(message));
		printf("%d %ld\n", (int) message->partition, now.tv_sec * 1000000 + now.tv_nsec / 1000);
		fflush(stdout);
		rd_kafka_message_destroy(message);
	}
}

int
main(int argc, char **argv)
{
	PGconn	   *conn;
	rd_kafka_t *consumer;
	long		wanted,
				batch,
				done = 0,
				pending = 0,
				untold = 0;
	double		began = 0;
	bool		copy;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
	{
		puts(rd_kafka_version_str());
		return 0;
	}
	if (argc == 6 && strcmp(argv[1], "watch") == 0)
	{
		watch(argv[2], argv[3], argv[4], atol(argv[5]));
		return 0;
	}
	if (argc >= 5 && strcmp(argv[1], "arrivals") == 0)
		arrivals(argv[2], argv[3], argv[4], argv + 5, argc - 5);
	if (argc != 8)
		die("arguments", "row|copy BOOTSTRAP TOPIC GROUP CONNINFO MESSAGES BATCH");
	copy = strcmp(argv[1], "copy") == 0;
	wanted = atol(argv[6]);
	batch = atol(argv[7]);

	conn = PQconnectdb(argv[5]);
	if (PQstatus(conn) != CONNECTION_OK)
		die("could not connect", PQerrorMessage(conn));
	expect(conn, PQprepare(conn, "h", "SELECT on_row($1::text, $2::jsonb)", 2, NULL), PGRES_COMMAND_OK);
	consumer = make_consumer(argv[2], argv[3], argv[4], NULL, 0);

	while (done < wanted)
	{
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 1000);

		if (message == NULL)
			continue;
		if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			die("Kafka", rd_kafka_message_errstr(message));
		if (pending == 0)
			begin(conn, copy, batch);
		if (copy)
			copy_row(conn, message);
		else
			handle(conn, message);
		rd_kafka_message_destroy(message);
		done++;
		untold++;
		if (++pending == batch || done == wanted)
		{
			commit(conn, copy, batch);
			pending = 0;
			/* all that was read is done now */
			if (untold >= 1000)
			{
				rd_kafka_commit(consumer, NULL, 1);
				untold = 0;
			}
		}
		if (done == wanted / 10)
			began = seconds();
	}
	printf("%.1f\n", (double) (wanted - wanted / 10) / (seconds() - began));

	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	PQfinish(conn);
	return 0;
}
