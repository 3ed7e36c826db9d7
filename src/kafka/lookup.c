/*
 * lookup.c
 *	  Addresses of a host's name, in a time that is bounded.
 *
 * getaddrinfo() takes as long as the resolver likes and cannot be interrupted, so a thread of its own calls it, and
 * whoever has asked waits for so long.  A thread that is left behind frees what it has when the resolver lets it go.
 *
 * It calls the resolver and nothing else, and blocks all signals, so that PostgreSQL's handlers stay on the one thread that
 * knows PostgreSQL.
 *
 * Runs in: processes of a first look at a cluster.
 * Owns: the lookup, by whoever is the last to let go.
 * Locking: lookup->lock.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kafka/internal.h"
#include "kafka/lookup.h"

struct BurrowKafkaLookup
{
	char		host[256];
	char		port[16];
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool		is_over;
	bool		is_left;		/* nobody waits for it any more */
	int			error;			/* getaddrinfo()'s */
	struct addrinfo *found;
};

static void
destroy(BurrowKafkaLookup *lookup)
{
	if (lookup->found != NULL)
		freeaddrinfo(lookup->found);
	pthread_mutex_destroy(&lookup->lock);
	pthread_cond_destroy(&lookup->answered);
	free(lookup);
}

static void *
lookup_main(void *arg)
{
	BurrowKafkaLookup *lookup = arg;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int			error = getaddrinfo(lookup->host, lookup->port, &hints, &found);
	bool		is_left;

	pthread_mutex_lock(&lookup->lock);
	lookup->error = error;
	lookup->found = error == 0 ? found : NULL;
	lookup->is_over = true;
	is_left = lookup->is_left;
	pthread_cond_signal(&lookup->answered);
	pthread_mutex_unlock(&lookup->lock);
	if (is_left)
		destroy(lookup);
	return NULL;
}

static int
start_thread(BurrowKafkaLookup *lookup)
{
	sigset_t	all;
	sigset_t	before;
	pthread_t	thread;
	int			code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&thread, NULL, lookup_main, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code == 0)
		pthread_detach(thread);
	return code;
}

BurrowKafkaLookup *
burrow_kafka_look_up(const char *host, const char *port, char *error)
{
	BurrowKafkaLookup *lookup = calloc(1, sizeof(BurrowKafkaLookup));
	pthread_condattr_t monotonic;
	int			code;

	if (lookup == NULL)
	{
		(void) burrow_kafka_no_memory(error);
		return NULL;
	}
	burrow_kafka_text_copy(lookup->host, sizeof(lookup->host), host);
	burrow_kafka_text_copy(lookup->port, sizeof(lookup->port), port);
	pthread_mutex_init(&lookup->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&lookup->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
	code = start_thread(lookup);
	if (code == 0)
		return lookup;
	snprintf(error, BURROW_KAFKA_TEXT_MAX, "could not start a thread: %s", strerror(code));
	destroy(lookup);
	return NULL;
}

static bool
wait_for(BurrowKafkaLookup *lookup, int timeout_ms)
{
	struct timespec until;
	int			code = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long) (timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000)
	{
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!lookup->is_over && code == 0)
		code = pthread_cond_timedwait(&lookup->answered, &lookup->lock, &until);
	return lookup->is_over;
}

static int
copy(const BurrowKafkaLookup *lookup, BurrowKafkaAddress *addresses, int room)
{
	int			n = 0;

	for (struct addrinfo *a = lookup->found; a != NULL && n < room; a = a->ai_next)
	{
		BurrowKafkaAddress *address = &addresses[n];

		if (a->ai_addrlen > sizeof(address->address))
			continue;
		memcpy(&address->address, a->ai_addr, a->ai_addrlen);
		address->length = a->ai_addrlen;
		if (getnameinfo(a->ai_addr, a->ai_addrlen, address->text, sizeof(address->text), NULL, 0, NI_NUMERICHOST) != 0)
			burrow_kafka_text_copy(address->text, sizeof(address->text), "?");
		n++;
	}
	return n;
}

int
burrow_kafka_looked_up(BurrowKafkaLookup *lookup, int timeout_ms, BurrowKafkaAddress *addresses, int room, char *error)
{
	int			n = -1;

	pthread_mutex_lock(&lookup->lock);
	if (wait_for(lookup, timeout_ms))
	{
		n = copy(lookup, addresses, room);
		if (n == 0)
			burrow_kafka_text_copy(error, BURROW_KAFKA_TEXT_MAX, gai_strerror(lookup->error));
	}
	pthread_mutex_unlock(&lookup->lock);
	return n;
}

void
burrow_kafka_leave_lookup(BurrowKafkaLookup *lookup)
{
	bool		is_over;

	pthread_mutex_lock(&lookup->lock);
	lookup->is_left = true;
	is_over = lookup->is_over;
	pthread_mutex_unlock(&lookup->lock);
	if (is_over)
		destroy(lookup);
}
