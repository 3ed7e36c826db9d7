/*
 * gate.c
 *	  A gate between Kafka's answers and Burrow, for tests: preloaded into a server.
 *
 * What happens between two questions can be shown only if the second one is not asked before it
 * has happened.  While there is a FIFO "burrow gate offsets" in the data directory, the call that asks
 * for offsets has its answer and does not return until somebody has opened the FIFO to write and
 * closed it again.  Nothing is built into Burrow for that.  So does, with "burrow gate contact", the call
 * for the broker's metadata of no topic in particular.
 *
 * While there is a file "burrow lost ids" there, no question for the ids of topics is sent, nor answered; each adds
 * a byte to it.
 *
 * While there is a file "burrow no ids" there, each question for the ids of topics fails.  An answer to
 * one that does not adds a byte to the file "burrow ids", if that is there.
 *
 * While there is a file "burrow no commits", or "burrow no committed", each commit of offsets, or each question for those
 * that a group has committed, fails with librdkafka's error of the number that is in the file.
 *
 * With a file "burrow no offsets" each partition's answer to a question for offsets is Kafka's error of the number in it.
 *
 * Whoever asks for the address of hang.example waits for ever.
 *
 * While there is a file "burrow no contact" there, the client that asks for the broker's metadata of no topic in particular, which
 * the member does when it doubts its connections, is told that there is none; each question adds a byte to the file.
 *
 * While there is a file "burrow dead producer" there, the producers that are made reach nothing, and give records up after 3 s.
 *
 * While there is a file "burrow clock" there, with a process's id and a number, the clock of that process is so many seconds fast.
 *
 * While there is a file "burrow lost questions" there, no question for a group's committed offsets is sent on the
 * usual way, and none is answered; each adds a byte to it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

typedef int (*Function) (void *client, void *list, int timeout_ms);

/* rd_kafka_topic_partition_list_t, as far as it is needed */
typedef struct Partitions
{
	int			n;
	int			size;
	struct
	{
		const char *topic;
		int			partition;
		long long	offset;
		void	   *metadata;
		size_t		metadata_size;
		void	   *opaque;
		int			error;
		void	   *private;
	}		   *items;
}			Partitions;

static void
wait_at_gate(const char *name)
{
	int			fd;
	char		byte;

	do
		fd = open(name, O_RDONLY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return;
	while (read(fd, &byte, 1) > 0 || errno == EINTR)
		errno = 0;
	close(fd);
}

/* The number in the file; 0: there is no such file. */
static int
number_in(const char *name)
{
	char		text[16] = "";
	int			fd = open(name, O_RDONLY);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		abort();
	close(fd);
	return atoi(text);
}

int
rd_kafka_offsets_for_times(void *client, void *list, int timeout_ms)
{
	static Function real;
	int			result;

	if (real == NULL)
		real = (Function) dlsym(RTLD_NEXT, "rd_kafka_offsets_for_times");
	if (real == NULL)
		abort();
	result = real(client, list, timeout_ms);
	for (int i = 0, number = number_in("burrow no offsets"); number != 0 && i < ((Partitions *) list)->n; i++)
		((Partitions *) list)->items[i].error = number;
	wait_at_gate("burrow gate offsets");
	return result;
}

/* RD_KAFKA_EVENT_OFFSET_COMMIT, LISTCONSUMERGROUPOFFSETS_RESULT and DESCRIBETOPICS_RESULT */
#define COMMIT			0x20
#define COMMITTED		0x8000
#define DESCRIPTION		0x100000
/* RD_KAFKA_RESP_ERR__TIMED_OUT */
#define TIMED_OUT		(-185)

int
rd_kafka_event_error(void *event)
{
	static int	(*real) (void *event);
	static int	(*type) (void *event);
	int			fd;

	if (real == NULL)
	{
		real = (int (*) (void *)) dlsym(RTLD_NEXT, "rd_kafka_event_error");
		type = (int (*) (void *)) dlsym(RTLD_NEXT, "rd_kafka_event_type");
	}
	if (real == NULL || type == NULL)
		abort();
	if (event == NULL)
		return real(event);
	if (type(event) != DESCRIPTION)
	{
		int			number = type(event) == COMMIT ? number_in("burrow no commits") :
			type(event) == COMMITTED ? number_in("burrow no committed") : 0;

		return number != 0 ? number : real(event);
	}
	if (access("burrow no ids", F_OK) == 0)
		return TIMED_OUT;
	fd = open("burrow ids", O_WRONLY | O_APPEND);
	if (fd >= 0)
	{
		if (write(fd, "x", 1) != 1)
			abort();
		close(fd);
	}
	return real(event);
}

/* Is the question to be lost?  The file counts it. */
static int
is_lost(const char *name)
{
	int			fd = open(name, O_WRONLY | O_APPEND);

	if (fd < 0)
		return 0;
	if (write(fd, "x", 1) != 1)
		abort();
	close(fd);
	return 1;
}

void
rd_kafka_DescribeTopics(void *client, const void *topics, const void *options, void *queue)
{
	static void (*real) (void *client, const void *topics, const void *options, void *queue);

	if (real == NULL)
		real = (void (*) (void *, const void *, const void *, void *)) dlsym(RTLD_NEXT, "rd_kafka_DescribeTopics");
	if (real == NULL)
		abort();
	if (!is_lost("burrow lost ids"))
		real(client, topics, options, queue);
}

void
rd_kafka_ListConsumerGroupOffsets(void *client, void **groups, size_t n, const void *options, void *queue)
{
	static void (*real) (void *client, void **groups, size_t n, const void *options, void *queue);

	if (real == NULL)
		real = (void (*) (void *, void **, size_t, const void *, void *)) dlsym(RTLD_NEXT, "rd_kafka_ListConsumerGroupOffsets");
	if (real == NULL)
		abort();
	if (!is_lost("burrow lost questions"))
		real(client, groups, n, options, queue);
}

/* RD_KAFKA_RESP_ERR__TRANSPORT */
#define TRANSPORT		(-195)

int
rd_kafka_metadata(void *client, int all_topics, void *only_topic, const void **metadata, int timeout_ms)
{
	static int	(*real) (void *client, int all_topics, void *only_topic, const void **metadata, int timeout_ms);
	int			is_contact = all_topics == 0 && only_topic == NULL;
	int			result;

	if (real == NULL)
		real = (int (*) (void *, int, void *, const void **, int)) dlsym(RTLD_NEXT, "rd_kafka_metadata");
	if (real == NULL)
		abort();
	if (is_contact && is_lost("burrow no contact"))
		return TRANSPORT;
	result = real(client, all_topics, only_topic, metadata, timeout_ms);
	if (is_contact)
		wait_at_gate("burrow gate contact");
	return result;
}

int
getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
			struct addrinfo **restrict result)
{
	static int	(*real) (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result);

	while (node != NULL && strcmp(node, "hang.example") == 0)
		(void) pause();
	if (real == NULL)
		real = (int (*) (const char *, const char *, const struct addrinfo *, struct addrinfo **)) dlsym(RTLD_NEXT, "getaddrinfo");
	if (real == NULL)
		abort();
	return real(node, service, hints, result);
}

void *
rd_kafka_new(int type, void *conf, char *error, size_t size)
{
	static void *(*real) (int type, void *conf, char *error, size_t size);
	static int	(*set) (void *conf, const char *name, const char *value, char *error, size_t size);

	if (real == NULL)
	{
		real = (void *(*) (int, void *, char *, size_t)) dlsym(RTLD_NEXT, "rd_kafka_new");
		set = (int (*) (void *, const char *, const char *, char *, size_t)) dlsym(RTLD_NEXT, "rd_kafka_conf_set");
	}
	if (real == NULL || set == NULL)
		abort();
	/* RD_KAFKA_PRODUCER, RD_KAFKA_CONF_OK */
	if (type == 0 && access("burrow dead producer", F_OK) == 0 &&
		(set(conf, "bootstrap.servers", "127.0.0.1:1", error, size) != 0 ||
		 set(conf, "message.timeout.ms", "3000", error, size) != 0))
		abort();
	return real(type, conf, error, size);
}

int
gettimeofday(struct timeval *restrict at, void *restrict zone)
{
	static int	(*real) (struct timeval *at, void *zone);
	char		text[32] = "";
	int			before = errno;
	int			pid;
	int			seconds;
	int			fd;

	if (real == NULL)
		real = (int (*) (struct timeval *, void *)) dlsym(RTLD_NEXT, "gettimeofday");
	if (real == NULL)
		abort();
	if (real(at, zone) != 0)
		return -1;
	fd = open("burrow clock", O_RDONLY);
	if (fd >= 0)
	{
		if (read(fd, text, sizeof(text) - 1) > 0 && sscanf(text, "%d %d", &pid, &seconds) == 2 && pid == getpid())
			at->tv_sec += seconds;
		close(fd);
	}
	errno = before;
	return 0;
}

/*
 * While there is a file "burrow no messages", the queues of partitions that wake a consumer seem empty: to the
 * process whose id is in the file, or, if that is 0, to all.  A look at a partition, by another client, has none that wakes.
 */
#define MOST_QUEUES		64

static struct
{
	void	   *queue;
	int			wakes;
}			partition_queues[MOST_QUEUES];

void *
rd_kafka_queue_get_partition(void *client, const char *topic, int partition)
{
	static void *(*real) (void *client, const char *topic, int partition);
	static int	n;
	void	   *queue;

	if (real == NULL)
		real = (void *(*) (void *, const char *, int)) dlsym(RTLD_NEXT, "rd_kafka_queue_get_partition");
	if (real == NULL)
		abort();
	queue = real(client, topic, partition);
	partition_queues[n % MOST_QUEUES].wakes = 0;
	partition_queues[n++ % MOST_QUEUES].queue = queue;
	return queue;
}

void
rd_kafka_queue_io_event_enable(void *queue, int fd, const void *payload, size_t size)
{
	static void (*real) (void *queue, int fd, const void *payload, size_t size);

	if (real == NULL)
		real = (void (*) (void *, int, const void *, size_t)) dlsym(RTLD_NEXT, "rd_kafka_queue_io_event_enable");
	if (real == NULL)
		abort();
	for (int i = 0; i < MOST_QUEUES; i++)
		if (partition_queues[i].queue == queue)
			partition_queues[i].wakes = fd >= 0;
	real(queue, fd, payload, size);
}

static int
is_kept_back(const void *queue)
{
	int			pid;

	for (int i = 0; i < MOST_QUEUES; i++)
	{
		if (partition_queues[i].queue != queue || !partition_queues[i].wakes)
			continue;
		if (access("burrow no messages", F_OK) != 0)
			return 0;
		pid = number_in("burrow no messages");
		return pid == 0 || pid == getpid();
	}
	return 0;
}

void *
rd_kafka_queue_poll(void *queue, int timeout_ms)
{
	static void *(*real) (void *queue, int timeout_ms);

	if (real == NULL)
		real = (void *(*) (void *, int)) dlsym(RTLD_NEXT, "rd_kafka_queue_poll");
	if (real == NULL)
		abort();
	return is_kept_back(queue) ? NULL : real(queue, timeout_ms);
}

/* With a file "burrow nothing fetched" they have no length either, as if nothing had been fetched. */
size_t
rd_kafka_queue_length(void *queue)
{
	static size_t (*real) (void *queue);

	if (real == NULL)
		real = (size_t (*) (void *)) dlsym(RTLD_NEXT, "rd_kafka_queue_length");
	if (real == NULL)
		abort();
	return is_kept_back(queue) && access("burrow nothing fetched", F_OK) == 0 ? 0 : real(queue);
}
