/*
 * kafka_cause.c
 *	  Why Kafka does not serve a client: one cause out of what librdkafka says.
 *
 * Runs in: the consumer, and whatever else makes a client.
 */
#include "core/kafka_cause.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/check.h"

/* OpenSSL's X509_V_ERR_..., which are part of its interface. */
#define NOT_YET_VALID			9
#define HAS_EXPIRED				10
#define HOSTNAME_MISMATCH		62
#define IP_ADDRESS_MISMATCH		64

#define DEFAULT_PORT			"9092"

static const struct
{
	const char *name;
	const char *sqlstate;
	const char *words;
}			causes[] =

{
	[BURROW_CAUSE_NO_ANSWER] = {"no_answer", "08006", "Kafka does not answer"},
	[BURROW_CAUSE_CANNOT_RESOLVE] = {"cannot_resolve", "08001", "the name of a Kafka server cannot be resolved"},
	[BURROW_CAUSE_REFUSED] = {"connection_refused", "08001", "nothing listens at the address of a Kafka server"},
	[BURROW_CAUSE_UNREACHABLE] = {"unreachable", "08001", "the address of a Kafka server cannot be reached"},
	[BURROW_CAUSE_ADVERTISED] = {"advertised_address", "08001", "a broker cannot be reached at the address that it advertises"},
	[BURROW_CAUSE_PROTOCOL] = {"security_protocol", "28000", "Kafka's listener speaks another security protocol"},
	[BURROW_CAUSE_TLS] = {"tls_handshake", "08001", "the TLS handshake with Kafka fails"},
	[BURROW_CAUSE_CERTIFICATE_EXPIRED] = {"certificate_expired", "28000", "Kafka's certificate has expired or is not valid yet"},
	[BURROW_CAUSE_CERTIFICATE_NAME] = {"certificate_name", "28000", "Kafka's certificate is for another host name"},
	[BURROW_CAUSE_CERTIFICATE_UNTRUSTED] = {"certificate_untrusted", "28000", "Kafka's certificate is not trusted"},
	[BURROW_CAUSE_CLIENT_CERTIFICATE] = {"client_certificate", "28000", "Kafka does not take the client's certificate"},
	[BURROW_CAUSE_MECHANISM] = {"sasl_mechanism", "28000", "Kafka does not offer the SASL mechanism"},
	[BURROW_CAUSE_TICKET] = {"kerberos_ticket", "28000", "no Kerberos ticket can be had"},
	[BURROW_CAUSE_AUTHENTICATION] = {"authentication", "28000", "Kafka refuses the credentials"},
	[BURROW_CAUSE_TOPIC_DENIED] = {"topic_denied", "28000", "Kafka does not let the client read the topic"},
	[BURROW_CAUSE_GROUP_DENIED] = {"group_denied", "28000", "Kafka does not let the client use the consumer group"},
	[BURROW_CAUSE_CLUSTER_DENIED] = {"cluster_denied", "28000", "Kafka does not let the client do this in the cluster"},
	[BURROW_CAUSE_NO_TOPIC] = {"no_topic", "42704", "Kafka has no such topic"},
	[BURROW_CAUSE_VERSION] = {"version", "0A000", "Kafka's version does not have what the client asks for"},
	[BURROW_CAUSE_INSTANCE_TAKEN] = {"instance_taken", "55006", "another member of the consumer group has the same instance id"},
};

_Static_assert(sizeof(causes) / sizeof(causes[0]) == BURROW_NCAUSES, "each cause has its words");

/* Codes that say all. */
static const struct
{
	const char *error_name;
	BurrowKafkaCause cause;
}			by_code[] =

{
	{"UNKNOWN_TOPIC_OR_PART", BURROW_CAUSE_NO_TOPIC},
	{"_UNKNOWN_TOPIC", BURROW_CAUSE_NO_TOPIC},
	{"TOPIC_AUTHORIZATION_FAILED", BURROW_CAUSE_TOPIC_DENIED},
	{"GROUP_AUTHORIZATION_FAILED", BURROW_CAUSE_GROUP_DENIED},
	{"CLUSTER_AUTHORIZATION_FAILED", BURROW_CAUSE_CLUSTER_DENIED},
	{"SASL_AUTHENTICATION_FAILED", BURROW_CAUSE_AUTHENTICATION},
	{"UNSUPPORTED_SASL_MECHANISM", BURROW_CAUSE_MECHANISM},
	{"ILLEGAL_SASL_STATE", BURROW_CAUSE_PROTOCOL},
	{"SECURITY_DISABLED", BURROW_CAUSE_PROTOCOL},
	{"UNSUPPORTED_VERSION", BURROW_CAUSE_VERSION},
	{"_UNSUPPORTED_FEATURE", BURROW_CAUSE_VERSION},
	{"FENCED_INSTANCE_ID", BURROW_CAUSE_INSTANCE_TAKEN},
	{"UNRELEASED_INSTANCE_ID", BURROW_CAUSE_INSTANCE_TAKEN},
};

static bool
has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

/* ---- the address that a text of librdkafka's begins with ---- */

typedef struct Address
{
	const char *text;			/* "host:port" */
	size_t		length;
	bool		is_told;		/* by Kafka, not by the client's properties */
} Address;

static bool
all_digits(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return length > 0;
}

/*
 * "host:port/bootstrap: ...", "sasl_ssl://host:port/1: ...", "GroupCoordinator: host:port: ...", "host:port:Connect
 * to": false if it is none of these.
 */
static bool
read_address(const char *text, Address *address)
{
	static const char coordinator[] = "GroupCoordinator: ";
	const char *end = strstr(text, ": ");
	const char *scheme;
	const char *slash;

	address->is_told = strncmp(text, coordinator, sizeof(coordinator) - 1) == 0;
	if (address->is_told)
	{
		text += sizeof(coordinator) - 1;
		end = strstr(text, ": ");
	}
	if (end == NULL)
		return false;
	scheme = strstr(text, "://");
	if (scheme != NULL && scheme < end)
		text = scheme + 3;
	slash = memchr(text, '/', (size_t) (end - text));
	if (slash == NULL && !address->is_told)
		return false;
	if (slash != NULL)
	{
		address->is_told = address->is_told || all_digits(slash + 1, (size_t) (end - slash - 1));
		end = slash;
	}
	address->text = text;
	address->length = (size_t) (end - text);
	return memchr(text, ' ', address->length) == NULL && memchr(text, ':', address->length) != NULL;
}

/* Host names are the same in both cases. */
static bool
same_text(const char *a, const char *b, size_t length)
{
	for (size_t i = 0; i < length; i++)
	{
		char		x = a[i] >= 'A' && a[i] <= 'Z' ? (char) (a[i] + 'a' - 'A') : a[i];
		char		y = b[i] >= 'A' && b[i] <= 'Z' ? (char) (b[i] + 'a' - 'A') : b[i];

		if (x != y)
			return false;
	}
	return true;
}

/* One of bootstrap.servers: "host", "host:port", "sasl_ssl://host:port". */
static bool
is_same(const char *server, size_t length, const Address *address)
{
	for (size_t i = 0; i + 3 <= length; i++)
		if (memcmp(server + i, "://", 3) == 0)
		{
			server += i + 3;
			length -= i + 3;
			break;
		}
	if (length == address->length && same_text(server, address->text, length))
		return true;
	return memchr(server, ':', length) == NULL && address->length == length + sizeof(":" DEFAULT_PORT) - 1 &&
		same_text(server, address->text, length) &&
		strncmp(address->text + length, ":" DEFAULT_PORT, sizeof(":" DEFAULT_PORT) - 1) == 0;
}

static bool
is_bootstrap(const Address *address, const char *servers)
{
	while (*servers != '\0')
	{
		size_t		length;

		servers += strspn(servers, ", \t");
		length = strcspn(servers, ", \t");
		if (length > 0 && is_same(servers, length, address))
			return true;
		servers += length;
	}
	return false;
}

/* Has Kafka told this address, and nobody here? */
static bool
is_advertised(const BurrowKafkaSymptom *symptom)
{
	Address		address;

	return symptom->bootstrap_servers != NULL && read_address(symptom->text, &address) && address.is_told &&
		!is_bootstrap(&address, symptom->bootstrap_servers);
}

/* ---- connections ---- */

static bool
says(const char *text, int error)
{
	return has(text, strerror(error));
}

static BurrowKafkaCause
of_certificate(int error)
{
	if (error == HAS_EXPIRED || error == NOT_YET_VALID)
		return BURROW_CAUSE_CERTIFICATE_EXPIRED;
	if (error >= HOSTNAME_MISMATCH && error <= IP_ADDRESS_MISMATCH)
		return BURROW_CAUSE_CERTIFICATE_NAME;
	return BURROW_CAUSE_CERTIFICATE_UNTRUSTED;
}

/* A handshake that has failed.  An alert is the other side's answer to what it was shown. */
static BurrowKafkaCause
of_handshake(const BurrowKafkaSymptom *symptom)
{
	const char *text = symptom->text;

	if (has(text, "certificate verify failed") || has(text, "Failed to verify broker certificate"))
		return of_certificate(symptom->certificate_error);
	if (has(text, "alert") && (has(text, "certificate") || has(text, "unknown ca") || has(text, "access denied")))
		return BURROW_CAUSE_CLIENT_CERTIFICATE;
	if (has(text, "wrong version number") || has(text, "PLAINTEXT broker listener"))
		return BURROW_CAUSE_PROTOCOL;
	return BURROW_CAUSE_TLS;
}

static BurrowKafkaCause
of_connection(const BurrowKafkaSymptom *symptom)
{
	const char *text = symptom->text;

	/* since TLS 1.3 a client has finished its handshake when the broker looks at its certificate */
	if (has(text, "SSL handshake failed") || has(text, "SSL alert number") || has(text, "certificate verify failed"))
		return of_handshake(symptom);
	if (has(text, "security.protocol"))
		return BURROW_CAUSE_PROTOCOL;	/* librdkafka's guess: it was cut off when it first spoke */
	/* the second is said where the system refuses at once: there is no route */
	if (!has(text, "Connect to ") && !has(text, "Failed to connect to ") && !has(text, "timed out in state CONNECT"))
		return BURROW_CAUSE_NO_ANSWER;	/* it was there */
	if (is_advertised(symptom))
		return BURROW_CAUSE_ADVERTISED;
	return has(text, "Connection refused") || says(text, ECONNREFUSED) ? BURROW_CAUSE_REFUSED : BURROW_CAUSE_UNREACHABLE;
}

BurrowKafkaCause
burrow_kafka_cause(const BurrowKafkaSymptom *symptom)
{
	BurrowKafkaSymptom s = *symptom;

	if (s.error_name == NULL)
		return BURROW_CAUSE_NO_ANSWER;
	if (s.text == NULL)
		s.text = "";
	for (size_t i = 0; i < sizeof(by_code) / sizeof(by_code[0]); i++)
		if (strcmp(by_code[i].error_name, s.error_name) == 0)
			return by_code[i].cause;
	if (strcmp(s.error_name, "_FATAL") == 0 && has(s.text, "fenced"))
		return BURROW_CAUSE_INSTANCE_TAKEN;
	if (strcmp(s.error_name, "_AUTHENTICATION") == 0 && has(s.text, "GSSAPI Error"))
		return BURROW_CAUSE_TICKET; /* the broker was not asked */
	if (strcmp(s.error_name, "_AUTHENTICATION") == 0)
		return has(s.text, "mechanism handshake failed") ? BURROW_CAUSE_MECHANISM : BURROW_CAUSE_AUTHENTICATION;
	if (strcmp(s.error_name, "_SSL") == 0)
		return of_handshake(&s);
	if (strcmp(s.error_name, "_RESOLVE") == 0)
		return is_advertised(&s) ? BURROW_CAUSE_ADVERTISED : BURROW_CAUSE_CANNOT_RESOLVE;
	if (strcmp(s.error_name, "_TRANSPORT") == 0)
		return of_connection(&s);
	return BURROW_CAUSE_NO_ANSWER;
}

/* ---- what belongs to a cause ---- */

const char *
burrow_kafka_cause_name(BurrowKafkaCause cause)
{
	BURROW_CHECK(cause < BURROW_NCAUSES);
	return causes[cause].name;
}

const char *
burrow_kafka_cause_sqlstate(BurrowKafkaCause cause)
{
	BURROW_CHECK(cause < BURROW_NCAUSES);
	return causes[cause].sqlstate;
}

const char *
burrow_kafka_cause_words(BurrowKafkaCause cause)
{
	BURROW_CHECK(cause < BURROW_NCAUSES);
	return causes[cause].words;
}

bool
burrow_kafka_cause_is_refusal(BurrowKafkaCause cause)
{
	return cause >= BURROW_CAUSE_CERTIFICATE_EXPIRED && cause <= BURROW_CAUSE_CLUSTER_DENIED;
}

bool
burrow_kafka_cause_says_more(BurrowKafkaCause cause, BurrowKafkaCause than)
{
	return cause != BURROW_CAUSE_NO_ANSWER && (than == BURROW_CAUSE_NO_ANSWER ||
											   (burrow_kafka_cause_is_refusal(cause) && !burrow_kafka_cause_is_refusal(than)));
}
