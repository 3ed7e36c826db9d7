/*
 * out_of_reach.c
 *	  Which broker cannot be connected to at the address that Kafka has told for it?
 *
 * librdkafka writes one text for it, and then none for half a minute, though it tries on; where the text is missed, or
 * belongs to a time before Kafka's last answer, nothing is left but that all brokers are down, and that is said of those
 * that Kafka has told alone: the bootstrap addresses, where the answers come from, are not counted (seen with 2.8 and
 * later).  So it is known here by what becomes of each attempt to connect: one that ends without having come to
 * a handshake or a greeting has reached nobody.
 *
 * As in hang_up.c the callback decides nothing and calls nobody.  A broker has a thread of its own, which tells
 * of all that becomes of it, so what the last step was is the thread's.
 *
 * Runs in: librdkafka's threads; the caller's, that is told.
 * Owns: the number and the last broker, under a lock that is held for a few assignments.  They are the process's: all its
 * clients go to one cluster.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "kafka/out_of_reach.h"

/* As long as a name in the name service may be, and what is written beside it. */
#define BROKER_ROOM		300

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned failed;
static char last[BROKER_ROOM];

/* Of this thread's broker: it is being connected to, and no more is known. */
static _Thread_local bool is_connecting;

static rd_kafka_resp_err_t
on_state(rd_kafka_t *rk, int32_t id, const char *protocol, const char *name, int port, const char *state, void *opaque)
{
	/* bootstrap addresses have no id; a coordinator's other handle has no address */
	if (id < 0 || port == 0)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	if (is_connecting && strcmp(state, "DOWN") == 0)
	{
		pthread_mutex_lock(&lock);
		failed++;
		snprintf(last, sizeof(last), "%s:%d/%d", name, port, id);
		pthread_mutex_unlock(&lock);
	}
	is_connecting = strcmp(state, "CONNECT") == 0;
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *error, size_t room)
{
	return rd_kafka_interceptor_add_on_broker_state_change(rk, "burrow reach", on_state, NULL);
}

void
burrow_kafka_watch_reach(rd_kafka_conf_t *conf)
{
	(void) rd_kafka_conf_interceptor_add_on_new(conf, "burrow reach", on_new, NULL);
}

unsigned
burrow_kafka_out_of_reach(char *broker, size_t room)
{
	unsigned	n;

	pthread_mutex_lock(&lock);
	n = failed;
	snprintf(broker, room, "%s", last);
	pthread_mutex_unlock(&lock);
	return n;
}
