/*
 * kafka_client.c
 *	  Kafka clients for a subscription, made with its properties.
 *
 * Runs in: the consumer, and the process of a dry run.
 *
 * A subscription has up to three: the member of its group; the metadata client, which joins nothing and
 * only asks questions; and a producer of dead letters.
 */
#include "postgres.h"

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/hashfn.h"
#include "storage/fd.h"

#include "catalog/names.h"
#include "runtime/kafka_client.h"

/* librdkafka's own default for max.poll.interval.ms. */
#define MAX_POLL_DEFAULT_US	INT64CONST(300000000)

/* And for session.timeout.ms. */
#define SESSION_DEFAULT_US	INT64CONST(45000000)

/* One queued message for so many bytes of queue_memory. */
#define QUEUED_MESSAGE_BYTES	128

/* What a client that asks has in the queues of all partitions that it reads at a time, in kB. */
#define READ_KB				16384

/* So much of a subscription's name is in group.instance.id; Kafka takes 249 bytes. */
#define INSTANCE_NAME_BYTES	100

/* The pipe lives as long as the process: librdkafka writes to the number of its file
 * descriptor, which must never become that of a data file. */
void
burrow_kafka_client_make_pipe(int *read_end, int *write_end)
{
	int			fds[2];

	if (pipe(fds) < 0 ||
		fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(fds[1], F_SETFL, O_NONBLOCK) < 0 ||
		fcntl(fds[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(fds[1], F_SETFD, FD_CLOEXEC) < 0)
		ereport(ERROR,
				(errcode_for_socket_access(),
				 errmsg("could not create a pipe: %m")));
	/* counted against max_files_per_process */
	ReserveExternalFD();
	ReserveExternalFD();
	*read_end = fds[0];
	*write_end = fds[1];
}

/* sub NULL: the client is nobody's. */
static void
set_property(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub, BurrowKafkaConf *conf,
			 const char *name, const char *value)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	if (!kafka->conf_set(conf, name, value, text))
	{
		kafka->conf_free(conf);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 sub != NULL ?
				 errmsg("invalid Kafka property \"%s\" of subscription \"%s\": %s", name, sub->name, text) :
				 errmsg("invalid Kafka property \"%s\": %s", name, text)));
	}
}

uint32
burrow_kafka_client_fingerprint(const BurrowSubscription *sub, const BurrowKafkaList *partitions)
{
	uint32		sum = hash_bytes((const unsigned char *) sub->topic, strlen(sub->topic));

	/* brokers list topics in any order */
	for (int i = 0; i < partitions->n; i++)
	{
		const BurrowKafkaTopicPartition *item = &partitions->items[i];

		sum += hash_combine(hash_bytes((const unsigned char *) item->topic, strlen(item->topic)),
							hash_bytes_uint32((uint32) item->partition));
	}
	return sum;
}

/*
 * Who the member is, in whichever group: two subscriptions must not have the same, or each would have
 * the group throw out the other.  The name is for who looks at the group: the numbers tell them
 * apart.  Kafka takes letters, digits, dots, underscores and hyphens.
 *
 * A static member that comes back while the group still has its place gets the partitions that it
 * had, whatever it asks for now: nobody works out an assignment.  So the place is kept only for who
 * would consume the same partitions, which is what the fingerprint tells.
 */
static char *
instance_id(const BurrowSubscription *sub, uint32 fingerprint)
{
	char	   *id = psprintf("burrow." UINT64_FORMAT ".%u.%d.%.*s.%08x", sub->system_identifier, sub->dboid, sub->subid,
							  INSTANCE_NAME_BYTES, sub->name, fingerprint);

	for (char *p = id; *p != '\0'; p++)
		if (((unsigned char) *p >= 128 || !isalnum((unsigned char) *p)) && strchr("._-", *p) == NULL)
			*p = '_';
	return id;
}

/* The value that the user has given; NULL: none. */
static const char *
property(const BurrowSubscription *sub, const char *name)
{
	const BurrowOptions *o = &sub->options;

	for (int i = 0; i < o->nkafka; i++)
		if (strcmp(o->kafka[i].name, name) == 0)
			return o->kafka[i].value;
	return NULL;
}

bool
burrow_kafka_client_is_next_protocol(const BurrowSubscription *sub)
{
	const char *protocol = property(sub, "group.protocol");

	return protocol != NULL && pg_strcasecmp(protocol, "consumer") == 0;
}

/* What all clients have: where the cluster is, and who they are there. */
static void
set_server(const BurrowKafkaFunctions *kafka, const BurrowServer *server, const BurrowSubscription *sub,
		   BurrowKafkaConf *conf)
{
	if (conf == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	/* whoever makes a client has looked for the server before, because it may not be there */
	Assert(server != NULL);
	for (int i = 0; i < server->nproperties; i++)
		set_property(kafka, sub, conf, server->properties[i].name, server->properties[i].value);
	set_property(kafka, sub, conf, "client.id", "burrow");
}

/*
 * Expressions were checked when the subscription was made; but rows also come out of dumps, and
 * no unsafe one may reach the C library in this process.
 */
static void
check_patterns(const BurrowSubscription *sub)
{
	const BurrowOptions *o = &sub->options;
	const char *detail;
	bool		safe = burrow_name_is_topic_or_pattern(sub->topic, &detail);

	for (int i = 0; i < o->nkafka && safe; i++)
		if (strcmp(o->kafka[i].name, BURROW_PATTERN_LIST_PROPERTY) == 0)
			safe = burrow_name_is_pattern_list(o->kafka[i].value, &detail);
	if (!safe)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid regular expression of subscription \"%s\"", sub->name),
				 errdetail_internal("%s", detail),
				 errhint(BURROW_PATTERN_ALLOWED)));
}

/* What the user has set, after what may be set otherwise. */
static void
set_properties(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub, BurrowKafkaConf *conf)
{
	const BurrowOptions *o = &sub->options;

	for (int i = 0; i < o->nkafka; i++)
		set_property(kafka, sub, conf, o->kafka[i].name, o->kafka[i].value);
}

/* The share, or what the user has set, if that is less; librdkafka reads hexadecimal numbers, too. */
static void
limit_queue(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub, BurrowKafkaConf *conf,
			const char *name, int64 share)
{
	const BurrowOptions *o = &sub->options;

	for (int i = 0; i < o->nkafka; i++)
		if (strcmp(o->kafka[i].name, name) == 0)
			share = Min(share, strtoll(o->kafka[i].value, NULL, 0));
	set_property(kafka, sub, conf, name, psprintf(INT64_FORMAT, share));
}

/*
 * Each partition's share of queue_memory, in bytes and in messages: librdkafka counts their
 * bytes only, and needs 310 for itself with each.  Not fewer messages: before 2.2 it looks
 * at a queue that was full again after a second, so what is queued is all that a partition
 * gives in that time.  After the user's properties, which can make it less and not more.
 */
static void
limit_queues(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub, BurrowKafkaConf *conf, int partitions)
{
	int64		bytes = sub->options.queue_memory / partitions;

	limit_queue(kafka, sub, conf, "queued.max.messages.kbytes", Min(Max(bytes / 1024, 64), 2097151));
	limit_queue(kafka, sub, conf, "queued.min.messages", Min(Max(bytes / QUEUED_MESSAGE_BYTES, 500), 10000000));
}

/*
 * For a client that asks, and reads so many messages of a partition.  burrow.peek() reads no more partitions at a
 * time than it wants messages, so what librdkafka fetches ahead of all of them is bounded, too.
 */
static void
limit_reads(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub, BurrowKafkaConf *conf, int messages)
{
	/*
	 * these are all that it ever reads of a partition, at once; librdkafka's marks of pausing and
	 * starting are in the queue too, and count as messages
	 */
	set_property(kafka, sub, conf, "fetch.min.bytes", "1");
	/* what an error left behind does not hold up the next question about the partition */
	set_property(kafka, sub, conf, "fetch.error.backoff.ms", "10");
	set_property(kafka, sub, conf, "fetch.wait.max.ms", "10");
	set_property(kafka, sub, conf, "reconnect.backoff.max.ms", "1000");
	set_property(kafka, sub, conf, "max.partition.fetch.bytes", "65536");
	set_property(kafka, sub, conf, "queued.min.messages", psprintf("%d", messages + 9));
	set_property(kafka, sub, conf, "queued.max.messages.kbytes",
				 psprintf("%d", Min(1024, Max(64, READ_KB / Max(messages, 1)))));
}

/* partitions: to divide queue_memory by; 0: this client is a metadata client, to read so many messages,
 * and joins no group. */
static BurrowKafkaConf *
make_conf(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub, int partitions, int messages,
		  uint32 fingerprint)
{
	BurrowKafkaConf *conf;
	char		text[BURROW_KAFKA_TEXT_MAX];

	check_patterns(sub);
	conf = kafka->conf_new();
	set_server(kafka, sub->server, sub, conf);

	/*
	 * A crash or a restart takes its partitions back at once.  Not so with
	 * group.protocol=consumer: there the place of a static member that has crashed is refused
	 * until its session has timed out, which takes as long as the brokers say (45 s), and one
	 * that closes cannot leave for good, whoever waits for its partitions.  Without a place, a
	 * clean end hands them over at once.
	 */
	if (!burrow_kafka_client_is_next_protocol(sub))
		set_property(kafka, sub, conf, "group.instance.id", instance_id(sub, fingerprint));
	set_properties(kafka, sub, conf);
	if (partitions > 0)
		limit_queues(kafka, sub, conf, partitions);
	if (!kafka->conf_leave_out(conf, sub->topic, text))
	{
		kafka->conf_free(conf);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid Kafka property \"%s\" of subscription \"%s\": %s", "topic.blacklist", sub->name, text)));
	}
	if (partitions == 0)
		limit_reads(kafka, sub, conf, messages);
	return conf;
}

/* The client, or an error. */
static BurrowKafkaClient *
made(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub, BurrowKafkaClient *client,
	 BurrowKafkaConf *conf, const char *text)
{
	if (client == NULL)
	{
		kafka->conf_free(conf);
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 sub != NULL ?
				 errmsg("could not create a Kafka client for subscription \"%s\": %s", sub->name, text) :
				 errmsg("could not create a Kafka client: %s", text)));
	}
	return client;
}

static BurrowKafkaClient *
start_client(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub, BurrowKafkaConf *conf,
			 int wake_write)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	return made(kafka, sub, kafka->open(conf, sub->consumer_group, wake_write, text), conf, text);
}

BurrowKafkaClient *
burrow_kafka_client_open_metadata(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub,
								  int wake_write, int messages)
{
	return start_client(kafka, sub, make_conf(kafka, sub, 0, messages, 0), wake_write);
}

BurrowKafkaClient *
burrow_kafka_client_open_visitor(const BurrowKafkaFunctions *kafka, const BurrowServer *server, int wake_write,
								 int messages)
{
	BurrowKafkaConf *conf = kafka->conf_new();
	char		text[BURROW_KAFKA_TEXT_MAX];

	set_server(kafka, server, NULL, conf);
	limit_reads(kafka, NULL, conf, messages);
	if (!kafka->conf_leave_out(conf, "^", text))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not leave out internal topics: %s", text)));
	return made(kafka, NULL, kafka->open(conf, NULL, wake_write, text), conf, text);
}

/* In microseconds, of a property in milliseconds; the default where librdkafka does not have it. */
static int64
time_of(const BurrowKafkaFunctions *kafka, const BurrowKafkaConf *conf, const char *property, int64 default_us)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	return kafka->conf_get(conf, property, text, sizeof(text)) ? (int64) atol(text) * 1000 : default_us;
}

BurrowKafkaClient *
burrow_kafka_client_open_member(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub,
								int wake_write, int partitions, uint32 fingerprint, int64 *max_poll_us,
								int64 *session_us)
{
	BurrowKafkaConf *conf = make_conf(kafka, sub, partitions, 1, fingerprint);

	*max_poll_us = time_of(kafka, conf, "max.poll.interval.ms", MAX_POLL_DEFAULT_US);
	/* with group.protocol=consumer only the brokers know; the default is the same there */
	*session_us = time_of(kafka, conf, "session.timeout.ms", SESSION_DEFAULT_US);
	return start_client(kafka, sub, conf, wake_write);
}

BurrowKafkaClient *
burrow_kafka_client_open_producer(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub,
								  int wake_write)
{
	BurrowKafkaConf *conf;
	char		text[BURROW_KAFKA_TEXT_MAX];

	check_patterns(sub);
	conf = kafka->producer_conf_new();
	set_server(kafka, sub->server, sub, conf);
	set_properties(kafka, sub, conf);
	return made(kafka, sub, kafka->open_producer(conf, wake_write, text), conf, text);
}

const char *
burrow_kafka_client_cluster(const BurrowKafkaFunctions *kafka, BurrowKafkaClient *metadata_client,
							const BurrowSubscription *sub, BurrowHalt *halt)
{
	char	   *answer = kafka->cluster_id(metadata_client, BURROW_KAFKA_ANSWER_MS);
	char	   *id;

	halt->message = NULL;
	if (answer == NULL)
		return NULL;			/* Kafka has no ids before 0.10.1 */
	id = pstrdup(answer);
	kafka->free_text(answer);
	if (sub->cluster_id[0] != '\0' && strcmp(sub->cluster_id, id) != 0)
		*halt = (BurrowHalt) {
		.partition = -1,
			.offset = -1,
			.sqlstate = "55000",
			.message = psprintf("Kafka cluster \"%s\" is not cluster \"%s\" that subscription \"%s\" has consumed",
								id, sub->cluster_id, sub->name),
			.detail = "The positions of the subscription belong to the other cluster.",
			.remedy = BURROW_REMEDY_RESUME, /* a seek would read all of a cluster that is perhaps
											 * a mistake */
			.hint = "Correct the address (burrow.bootstrap_servers, or the foreign server) and use burrow.resume(), or use burrow.seek() with a time to go on in this cluster.",
	};
	return id;
}
