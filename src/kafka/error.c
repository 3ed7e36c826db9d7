/*
 * error.c
 *	  librdkafka's errors: which kind one is of, and its text, with the secrets taken out.
 *
 * Runs in: the consumer, and backends that check properties.
 */
#include <stdio.h>
#include <string.h>

#include "kafka/certificate.h"
#include "kafka/internal.h"

/* Of a list of brokers that is looked through. */
#define BURROW_KAFKA_SERVERS_MAX	4096

/* What it does in SCRAM is taken by Kafka 4, too. */
#define VERSION_SCRAM	0x02060100

/* Authentication or authorization refused. */
bool
burrow_kafka_is_refusal(rd_kafka_resp_err_t code)
{
	switch (code)
	{
		case RD_KAFKA_RESP_ERR__AUTHENTICATION:
		case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
		case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
		case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
		case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
			return true;
		default:
			return false;
	}
}

/* An answer that is too large ends the connection; librdkafka has a text for it, but no code. */
bool
burrow_kafka_is_too_large(rd_kafka_resp_err_t code, const char *text)
{
	return code == RD_KAFKA_RESP_ERR__BAD_MSG && text != NULL && strstr(text, "receive.message.max.bytes") != NULL;
}

static BurrowKafkaCause
cause_of(const BurrowKafkaClient *c, const char *error_name, const char *text)
{
	char		servers[BURROW_KAFKA_SERVERS_MAX];
	size_t		room = sizeof(servers);
	BurrowKafkaSymptom symptom = {
		.error_name = error_name,
		.text = text,
		.certificate_error = burrow_kafka_certificate_error(),
	};

	/* a list that is longer is not compared with, rather than half of it */
	if (rd_kafka_conf_get(rd_kafka_conf(c->rk), "bootstrap.servers", servers, &room) == RD_KAFKA_CONF_OK && room <= sizeof(servers))
		symptom.bootstrap_servers = servers;
	return burrow_kafka_cause(&symptom);
}

/*
 * Older versions repeat the client's nonce in SCRAM, which Kafka 3 lets pass.  Kafka 4 refuses it with the words of a
 * wrong password, which somebody would look for in vain.
 */
static void
add_version(BurrowKafkaEvent *event)
{
	size_t		len = strlen(event->text);

	if (event->cause == BURROW_CAUSE_AUTHENTICATION && strstr(event->text, "SCRAM") != NULL && rd_kafka_version() < VERSION_SCRAM)
		snprintf(event->text + len, sizeof(event->text) - len,
				 "; but Kafka 4 refuses SCRAM from librdkafka before 2.6.1 in the same way, and this is %s", rd_kafka_version_str());
}

void
burrow_kafka_fill_error(BurrowKafkaClient *c, BurrowKafkaEvent *event, rd_kafka_resp_err_t code,
						const char *text)
{
	event->error = code;
	event->error_name = NULL;
	event->cause = BURROW_CAUSE_NO_ANSWER;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	event->error_name = rd_kafka_err2name(code);
	event->cause = cause_of(c, event->error_name, text);
	burrow_kafka_redact(&c->conf->secrets, text, event->text, sizeof(event->text));
	add_version(event);
}

/* Returns false, for "return burrow_kafka_no_memory(error)". */
bool
burrow_kafka_no_memory(char *error)
{
	snprintf(error, BURROW_KAFKA_TEXT_MAX, "out of memory");
	return false;
}

/* Writes what librdkafka's code means; returns false, for "return burrow_kafka_fail(...)". */
bool
burrow_kafka_fail(rd_kafka_resp_err_t code, char *error)
{
	burrow_kafka_text_copy(error, BURROW_KAFKA_TEXT_MAX, rd_kafka_err2str(code));
	return false;
}

/* Writes what an error object says and frees it; true if there was none. */
bool
burrow_kafka_fail_error(const BurrowKafkaClient *c, rd_kafka_error_t *why, char *error)
{
	if (why == NULL)
		return true;
	burrow_kafka_redact(&c->conf->secrets, rd_kafka_error_string(why), error,
						BURROW_KAFKA_TEXT_MAX);
	rd_kafka_error_destroy(why);
	return false;
}
