/*
 * tls.h
 *	  TLS with a broker, as the client's properties say, for who wants to see how it goes.
 */
#ifndef BURROW_KAFKA_TLS_H
#define BURROW_KAFKA_TLS_H

#include <openssl/ssl.h>

#include "kafka/internal.h"
#include "kafka/visit.h"

/*
 * The client's key and its passphrase as texts (NULL: none), because a client that is there has forgotten them.
 * NULL: text says why.  Nothing is refused: what a client would refuse is told by burrow_kafka_tls_describe().
 */
extern SSL * burrow_kafka_tls_new(const BurrowKafkaClient *c, const char *host, const char *key, const char *passphrase,
								  int sock, char *text, size_t room);
/* After the handshake: what was agreed, what the certificate says, and whether the client would take it. */
extern void burrow_kafka_tls_describe(const BurrowKafkaClient *c, SSL * ssl, const char *host, BurrowKafkaHandshake *result);
extern void burrow_kafka_tls_free(SSL * ssl);

/* Of the properties that list ciphers, curves or signature algorithms: has OpenSSL any of these?  Others are not looked at. */
extern bool burrow_kafka_tls_has(const char *name, const char *value);

/* OpenSSL's last reason, "wrong version number". */
extern const char *burrow_kafka_tls_reason(void);

/* Does the client's property have this value, in upper or lower case? */
extern bool burrow_kafka_tls_is(const BurrowKafkaClient *c, const char *name, const char *value);

#endif							/* BURROW_KAFKA_TLS_H */
