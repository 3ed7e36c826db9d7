/*
 * hang_up.c
 *	  Does a listener hang up on the client as one does that speaks another security protocol?
 *
 * A listener that wants SASL answers the greeting (ApiVersions) of whoever comes, and hangs up at the next request of
 * one who has not said who he is; one that wants TLS hangs up at the greeting itself, and so does, behind TLS, what is no
 * Kafka.  Nobody says why.  librdkafka
 * guesses it, in a text that older versions have and later ones have lost: from 2.12 on there is no more than that
 * all brokers are down.  So it is known here by what was asked and what was answered, which librdkafka tells whoever asks to be called.
 *
 * Once may be a broker that is about to end.  Twice in a row, and nothing else answered in between, is a listener.
 *
 * As in certificate.c the callback decides nothing, keeps numbers, and calls nobody.
 *
 * Runs in: librdkafka's threads; the caller's, that is told.
 * Owns: the numbers.  They are the process's: all its clients go to one cluster, in the same way.
 */
#include <strings.h>

#include "kafka/hang_up.h"

/* Kafka's numbers of requests. */
#define METADATA		3
#define API_VERSIONS	18

static bool is_plaintext;		/* the protocol: with TLS it is no other one that hangs up at the
								 * greeting, and perhaps no Kafka */
static bool greeted;			/* the last that was answered was a greeting */
static unsigned at_greeting;
static unsigned after_greeting;

static void
set(unsigned *number, unsigned value)
{
	__atomic_store_n(number, value, __ATOMIC_RELAXED);
}

/* Also of what was sent and is not answered any more: then err says that the connection is gone. */
static rd_kafka_resp_err_t
on_response(rd_kafka_t *rk, int sockfd, const char *broker, int32_t broker_id, int16_t key, int16_t version,
			int32_t correlation_id, size_t size, int64_t rtt, rd_kafka_resp_err_t err, void *opaque)
{
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		__atomic_store_n(&greeted, key == API_VERSIONS, __ATOMIC_RELAXED);
		set(&at_greeting, 0);
		if (key != API_VERSIONS)
			set(&after_greeting, 0);
	}
	else if (err == RD_KAFKA_RESP_ERR__TRANSPORT && key == API_VERSIONS)
		(void) __atomic_fetch_add(&at_greeting, 1, __ATOMIC_RELAXED);
	/* several requests may have been on their way */
	else if (err == RD_KAFKA_RESP_ERR__TRANSPORT && key == METADATA && __atomic_exchange_n(&greeted, false, __ATOMIC_RELAXED))
		(void) __atomic_fetch_add(&after_greeting, 1, __ATOMIC_RELAXED);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *error, size_t room)
{
	return rd_kafka_interceptor_add_on_response_received(rk, "burrow", on_response, NULL);
}

/* Who speaks SASL is told by the broker what is wrong. */
void
burrow_kafka_watch_hang_ups(rd_kafka_conf_t *conf)
{
	char		protocol[32] = "";
	size_t		room = sizeof(protocol);

	(void) rd_kafka_conf_get(conf, "security.protocol", protocol, &room);
	is_plaintext = strcasecmp(protocol, "plaintext") == 0;
	if (strncasecmp(protocol, "sasl", 4) != 0)
		(void) rd_kafka_conf_interceptor_add_on_new(conf, "burrow", on_new, NULL);
}

unsigned
burrow_kafka_hang_ups(BurrowKafkaHangUp *at)
{
	unsigned	n = __atomic_load_n(&after_greeting, __ATOMIC_RELAXED);

	*at = n > 0 ? BURROW_KAFKA_AFTER_GREETING : is_plaintext ? BURROW_KAFKA_AT_GREETING : BURROW_KAFKA_AT_GREETING_IN_TLS;
	return n > 0 ? n : __atomic_load_n(&at_greeting, __ATOMIC_RELAXED);
}
