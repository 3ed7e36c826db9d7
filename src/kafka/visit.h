/*
 * visit.h
 *	  What only a look at a cluster asks of the Kafka side: a part of kafka.h's table.
 */
#ifndef BURROW_KAFKA_VISIT_H
#define BURROW_KAFKA_VISIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct BurrowKafkaClient;
struct BurrowKafkaPartition;

typedef struct BurrowKafkaBroker
{
	int32_t		id;
	int			port;
	char		host[256];		/* as the broker advertises it */
} BurrowKafkaBroker;

/* One of a host's. */
typedef struct BurrowKafkaAddress
{
	struct sockaddr_storage address;
	socklen_t	length;
	char		text[64];		/* "127.0.0.1" */
} BurrowKafkaAddress;

typedef struct BurrowKafkaLookup BurrowKafkaLookup; /* of a host's addresses, under way */

/* What is found by speaking to a listener, without any credentials but a client's certificate. */
typedef struct BurrowKafkaHandshake
{
	/* TLS, where the client's security protocol has it */
	bool		tls;
	char		tls_text[768];	/* "TLSv1.3, certificate of CN=..., ...", or why there is none */
	bool		tls_done;		/* the handshake has come to its end */
	int			certificate_error;	/* X509_V_ERR_...; 0: the certificate is good, or not asked
									 * for */
	char		client[160];	/* subject of the client's own, that it shows; "": it has none */

	/* Kafka's greeting, if there is TLS or none was to be */
	bool		greeted;
	char		text[256];		/* why not */
	int			metadata_version;	/* the highest that the broker knows; 0: it does not say */
	int			sasl;			/* 1: the listener takes it, 0: not, -1: not known */
	char		mechanisms[256];	/* of SASL, "PLAIN, SCRAM-SHA-256" */
} BurrowKafkaHandshake;

/* All wait up to timeout_ms, and say in error (of BURROW_KAFKA_TEXT_MAX bytes) why not. */
typedef struct BurrowKafkaVisitFunctions
{
	/* Reads an open queue's partition from this offset on, without a group; does not wait. */
	bool		(*start_reading) (struct BurrowKafkaPartition *p, int64_t offset, char *error);
	/*
	 * Those that the cluster has, as many as there is room for, and their number; -1: it does not
	 * say.
	 */
	int			(*brokers) (struct BurrowKafkaClient *c, BurrowKafkaBroker *brokers, int room,
							int timeout_ms, char *error);
	/* Does it answer, at the address that it advertises?  That it may not tell is an answer. */
	bool		(*broker_answers) (struct BurrowKafkaClient *c, int32_t id, int timeout_ms, char *error);
	/*
	 * What message.timestamp.type is of each topic: 'C' (CreateTime), 'L' (LogAppendTime), or 0:
	 * it is not told.  False: of none.
	 */
	bool		(*timestamp_types) (struct BurrowKafkaClient *c, const char *const *topics, int n,
									int timeout_ms, char *types, char *error);
	/* An end to a partition's reading; its queue is closed. */
	void		(*stop_reading) (struct BurrowKafkaPartition *p);

	/*
	 * Addresses of a name: begin, ask until it is no longer -1 (0: none, and why), and leave it.
	 * NULL: error.
	 */
	BurrowKafkaLookup *(*look_up) (const char *host, const char *port, char *error);
	int			(*looked_up) (BurrowKafkaLookup *lookup, int timeout_ms, BurrowKafkaAddress *addresses,
							  int room, char *error);
	void		(*leave_lookup) (BurrowKafkaLookup *lookup);

	/*
	 * Speaks to the listener at the other end of a non-blocking socket, as far as it can be done
	 * without credentials.  The host is what its certificate is to name.  The key of the client's
	 * certificate as text, and its passphrase: a client that is there has forgotten them; NULL:
	 * none.
	 */
	void		(*shake_hands) (struct BurrowKafkaClient *c, int sock, const char *host, const char *key,
								const char *passphrase, int timeout_ms, BurrowKafkaHandshake *result);
} BurrowKafkaVisitFunctions;

/* For functions.c; others find it in the table. */
extern const BurrowKafkaVisitFunctions burrow_kafka_visit_functions;

#endif							/* BURROW_KAFKA_VISIT_H */
