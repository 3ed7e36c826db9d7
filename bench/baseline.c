/*
 * baseline.c
 *	  What a user would write first: one thread, a Kafka consumer, a connection.
 *
 *	baseline BOOTSTRAP TOPIC GROUP CONNINFO MESSAGES BATCH
 *
 * Calls on_row($1, $2) as a prepared statement for each message and commits each
 * BATCH of them, to the database first and then to Kafka.  After MESSAGES it prints
 * the rate from a tenth of them on, and ends.
 *
 *	baseline --version      librdkafka's version
 */
#include <librdkafka/rdkafka.h>
#include <libpq-fe.h>
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

static rd_kafka_t *
make_consumer(const char *bootstrap, const char *topic, const char *group)
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

int
main(int argc, char **argv)
{
	PGconn	   *conn;
	rd_kafka_t *consumer;
	long		wanted,
				batch,
				done = 0,
				pending = 0;
	double		began = 0;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
	{
		puts(rd_kafka_version_str());
		return 0;
	}
	if (argc != 7)
		die("arguments", "BOOTSTRAP TOPIC GROUP CONNINFO MESSAGES BATCH");
	wanted = atol(argv[5]);
	batch = atol(argv[6]);

	conn = PQconnectdb(argv[4]);
	if (PQstatus(conn) != CONNECTION_OK)
		die("could not connect", PQerrorMessage(conn));
	expect(conn, PQprepare(conn, "h", "SELECT on_row($1::text, $2::jsonb)", 2, NULL), PGRES_COMMAND_OK);
	consumer = make_consumer(argv[1], argv[2], argv[3]);

	while (done < wanted)
	{
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 1000);

		if (message == NULL)
			continue;
		if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			die("Kafka", rd_kafka_message_errstr(message));
		if (pending == 0 && batch > 1)
			expect(conn, PQexec(conn, "BEGIN"), PGRES_COMMAND_OK);
		handle(conn, message);
		rd_kafka_message_destroy(message);
		done++;
		if (++pending == batch || done == wanted)
		{
			if (batch > 1)
				expect(conn, PQexec(conn, "COMMIT"), PGRES_COMMAND_OK);
			rd_kafka_commit(consumer, NULL, 1);
			pending = 0;
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
