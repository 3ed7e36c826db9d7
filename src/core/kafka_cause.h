/*
 * kafka_cause.h
 *	  Why Kafka does not serve a client: one cause out of what librdkafka says.
 *
 * librdkafka gives an error's code, and a text for people.  The code alone says too little: nearly all that
 * goes wrong with a connection is _TRANSPORT.  So the text counts too, as little of it as does:
 * the address that it begins with, how librdkafka's own sentences begin, and OpenSSL's reasons, which are
 * translated nowhere.  What the system says of a socket is translated, and is compared with what it
 * says here.  Which certificate's fault it was is in no text: kafka/certificate.c is told that by OpenSSL.
 *
 * A cause has a name, an SQLSTATE, and words for people.  Each event of a client's has its own (kafka/event.h).  To add
 * one: the enum here, the table in kafka_cause.c, and a case in test/unit/test_kafka_cause.py, with the text as
 * librdkafka writes it.
 */
#ifndef BURROW_CORE_KAFKA_CAUSE_H
#define BURROW_CORE_KAFKA_CAUSE_H

#include <stdbool.h>

typedef enum BurrowKafkaCause
{
	BURROW_CAUSE_NO_ANSWER = 0, /* and nothing is known that says more */
	BURROW_CAUSE_CANNOT_RESOLVE,	/* no address for a name of bootstrap_servers */
	BURROW_CAUSE_REFUSED,		/* nothing listens at an address of bootstrap_servers */
	BURROW_CAUSE_UNREACHABLE,	/* no connection to it for another reason */
	BURROW_CAUSE_ADVERTISED,	/* no connection to the address that a broker gives for itself */
	BURROW_CAUSE_PROTOCOL,		/* the listener speaks another security protocol */
	BURROW_CAUSE_TLS,			/* the handshake fails, and no certificate is known to be at fault */
	BURROW_CAUSE_CERTIFICATE_EXPIRED,	/* the broker's, or not valid yet */
	BURROW_CAUSE_CERTIFICATE_NAME,	/* it is for another host */
	BURROW_CAUSE_CERTIFICATE_UNTRUSTED, /* no authority that is known has signed it */
	BURROW_CAUSE_CLIENT_CERTIFICATE,	/* the broker does not take the client's */
	BURROW_CAUSE_MECHANISM,		/* the broker does not offer this SASL mechanism */
	BURROW_CAUSE_TICKET,		/* Kerberos has none for the client, or for this broker */
	BURROW_CAUSE_AUTHENTICATION,	/* it does not take the credentials */
	BURROW_CAUSE_TOPIC_DENIED,	/* an ACL is missing */
	BURROW_CAUSE_GROUP_DENIED,
	BURROW_CAUSE_CLUSTER_DENIED,
	BURROW_CAUSE_NO_TOPIC,
	BURROW_CAUSE_VERSION,		/* the brokers are too old for what is asked */
	BURROW_CAUSE_INSTANCE_TAKEN,	/* another member has the instance id */
} BurrowKafkaCause;

#define BURROW_NCAUSES	(BURROW_CAUSE_INSTANCE_TAKEN + 1)

typedef struct BurrowKafkaSymptom
{
	const char *error_name;		/* of librdkafka's code: "_TRANSPORT"; NULL: none */
	const char *text;			/* librdkafka's; NULL: none */
	int			certificate_error;	/* X509_V_ERR_... of the last certificate that was refused; 0:
									 * not known */
	const char *bootstrap_servers;	/* as librdkafka has them; NULL: not known */
} BurrowKafkaSymptom;

extern BurrowKafkaCause burrow_kafka_cause(const BurrowKafkaSymptom *symptom);

/* "certificate_expired", "28000", "the broker's certificate has expired".  All of them last for ever. */
extern const char *burrow_kafka_cause_name(BurrowKafkaCause cause);
extern const char *burrow_kafka_cause_sqlstate(BurrowKafkaCause cause);
extern const char *burrow_kafka_cause_words(BurrowKafkaCause cause);

/* Has the client been told no, or said it, to a broker that it has reached?  That the protocol is another one is a guess. */
extern bool burrow_kafka_cause_is_refusal(BurrowKafkaCause cause);
/* How much it says of why there is no connection: what says more is not covered up by what says less. */
extern bool burrow_kafka_cause_says_more(BurrowKafkaCause cause, BurrowKafkaCause than);

#endif							/* BURROW_CORE_KAFKA_CAUSE_H */
