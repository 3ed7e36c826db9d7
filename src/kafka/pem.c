/*
 * pem.c
 *	  Certificates and keys that were given as text: are they what they should be?
 *
 * rd_kafka_new() would find out, but a backend must not call it.  librdkafka parses such a text
 * as well where it is set as a certificate object, which starts no thread and opens no file; so
 * each is set once in a configuration that is thrown away.  Whether the key fits the certificate
 * is seen when the client is made.
 *
 * Runs in: backends that check properties.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

static const struct
{
	const char *name;
	rd_kafka_cert_type_t type;
	const char *what;
}			texts[] =

{
	{"ssl.ca.pem", RD_KAFKA_CERT_CA, "certificate"},
	{"ssl.certificate.pem", RD_KAFKA_CERT_PUBLIC_KEY, "certificate"},
	{"ssl.key.pem", RD_KAFKA_CERT_PRIVATE_KEY, "private key"},
};

/* The value, as it is; NULL: it has none, or out of memory.  The caller's to free. */
static char *
value_of(const BurrowKafkaConf *conf, const char *name)
{
	size_t		size = 0;
	char	   *value;

	if (rd_kafka_conf_get(conf->rk, name, NULL, &size) != RD_KAFKA_CONF_OK || size == 0)
		return NULL;
	value = malloc(size);
	if (value != NULL && rd_kafka_conf_get(conf->rk, name, value, &size) != RD_KAFKA_CONF_OK)
	{
		free(value);
		value = NULL;
	}
	return value;
}

/* In words: OpenSSL's are for those who know it. */
static void
explain(const char *text, const char *what, bool passphrase, char *error)
{
	bool		encrypted = strstr(text, "ENCRYPTED") != NULL;

	if (strstr(text, "-----BEGIN ") == NULL)
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "it is not in PEM format: there is no line \"-----BEGIN ...-----\"");
	else if (strcmp(what, "certificate") == 0 && strstr(text, "CERTIFICATE-----") == NULL)
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "there is no certificate in it");
	else if (strcmp(what, "certificate") != 0 && strstr(text, "PRIVATE KEY-----") == NULL)
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "there is no private key in it");
	else if (encrypted && !passphrase)
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "the key is encrypted, and no passphrase is given");
	else if (encrypted)
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "the passphrase does not open the key");
	else
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "the %s is damaged", what);
}

bool
burrow_kafka_conf_check_pem(const BurrowKafkaConf *conf, const char **name, char *error)
{
	rd_kafka_conf_t *scratch = rd_kafka_conf_new();
	char	   *passphrase = value_of(conf, "ssl.key.password");
	bool		fine = true;
	char		why[BURROW_KAFKA_TEXT_MAX];

	if (passphrase != NULL)
		(void) rd_kafka_conf_set(scratch, "ssl.key.password", passphrase, NULL, 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && fine; i++)
	{
		char	   *text = value_of(conf, texts[i].name);

		if (text == NULL)
			continue;
		*name = texts[i].name;
		fine = rd_kafka_conf_set_ssl_cert(scratch, texts[i].type, RD_KAFKA_CERT_ENC_PEM, text, strlen(text),
										  why, sizeof(why)) == RD_KAFKA_CONF_OK;
		if (!fine)
			explain(text, texts[i].what, passphrase != NULL, error);
		memset(text, 0, strlen(text));
		free(text);
	}
	if (passphrase != NULL)
		memset(passphrase, 0, strlen(passphrase));
	free(passphrase);
	rd_kafka_conf_destroy(scratch);
	return fine;
}
