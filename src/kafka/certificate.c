/*
 * certificate.c
 *	  Why a broker's certificate was refused, which no text of librdkafka's says, and a certificate's times as text.
 *
 * It says "certificate verify failed", and OpenSSL's reason is told only to who asks to be called for each
 * certificate.  This is the one callback that is set: it decides nothing (what OpenSSL has refused stays
 * refused, and what it took is taken), keeps a number, and calls nobody.
 *
 * Runs in: librdkafka's threads; the text of a time: whatever reads certificates.
 * Owns: the number.  It is the process's: all its clients go to one cluster, and the error that they tell of
 * comes right after it.
 */
#include <stdio.h>

#include <openssl/bio.h>

#include "kafka/certificate.h"

static int	last_error;

static int
verify(rd_kafka_t *rk, const char *broker_name, int32_t broker_id, int *x509_error, int depth,
	   const char *buf, size_t size, char *errstr, size_t errstr_size, void *opaque)
{
	if (*x509_error == 0)
		return 1;
	__atomic_store_n(&last_error, *x509_error, __ATOMIC_RELAXED);
	snprintf(errstr, errstr_size, "OpenSSL's error %d at depth %d", *x509_error, depth);
	return 0;
}

/* A librdkafka without TLS has nothing to be told of. */
void
burrow_kafka_watch_certificates(rd_kafka_conf_t *conf)
{
	(void) rd_kafka_conf_set_ssl_cert_verify_cb(conf, verify);
}

int
burrow_kafka_certificate_error(void)
{
	return __atomic_load_n(&last_error, __ATOMIC_RELAXED);
}

void
burrow_kafka_print_certificate_time(const ASN1_TIME * time, char *text, size_t room)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	int			len = bio != NULL && ASN1_TIME_print(bio, time) == 1 ? BIO_read(bio, text, (int) room - 1) : 0;

	text[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}
