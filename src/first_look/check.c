/*
 * check.c
 *	  A connection to a cluster, step by step, as somebody would try it by hand.
 *
 * A step that fails does not end the check while the next may say more: one address that cannot be
 * resolved says nothing of the others.  But where no broker can be spoken to, there is nothing to ask.
 *
 * The classic trap is the last step: the bootstrap addresses are only for the first question, whose
 * answer has the addresses that the brokers give for themselves.
 *
 * Runs in: processes of burrow.check_connection().
 */
#include "postgres.h"

#include "miscadmin.h"

#include "first_look/access_check.h"
#include "first_look/check.h"
#include "first_look/probe.h"
#include "first_look/step.h"

/* All of it, a connection, the first question, and one to a broker. */
#define ALL_SECONDS		60
#define CONNECT_MS		3000
#define SPEAK_SECONDS	10
#define BROKER_MS		5000

#define MOST_BROKERS	1000

static const char *
option(const BurrowVisit *visit, const char *name)
{
	return burrow_server_property(visit->server, name);
}

static bool
is_over(const BurrowVisit *visit)
{
	return GetCurrentTimestamp() >= visit->deadline;
}

/* ---- addresses ---- */

static const char *
connect_hint(const char *reason)
{
	if (strcmp(reason, strerror(ECONNREFUSED)) == 0)
		return "Nothing listens there: see whether the broker runs, and whether this is the port of its listener.";
	if (strcmp(reason, strerror(ETIMEDOUT)) == 0)
		return "Nothing answers: a firewall may be in between, or the address is another machine's.";
	return "This machine has no way to the address: see its routes and firewalls.";
}

static const char *
cause_hint(const BurrowVisit *visit, BurrowKafkaCause cause)
{
	const char *mechanism = option(visit, "sasl.mechanism");

	switch (cause)
	{
		case BURROW_CAUSE_CANNOT_RESOLVE:
		case BURROW_CAUSE_REFUSED:
		case BURROW_CAUSE_UNREACHABLE:
			return "See the rows of the steps \"resolve\" and \"connect\".";
		case BURROW_CAUSE_PROTOCOL:
			return "Compare option security_protocol of the foreign server with the listener of this port.";
		case BURROW_CAUSE_CERTIFICATE_EXPIRED:
			return "The brokers need a new certificate; see also the clock of this machine.";
		case BURROW_CAUSE_CERTIFICATE_NAME:
			return "Use the name that is in the certificate in bootstrap_servers and in the brokers' advertised.listeners.";
		case BURROW_CAUSE_CERTIFICATE_UNTRUSTED:
			return "Give the certificate of the authority that has signed it as option ssl_ca_pem of the foreign server.";
		case BURROW_CAUSE_CLIENT_CERTIFICATE:
			return "Give a certificate that the brokers trust, and its key, in the user mapping.";
		case BURROW_CAUSE_MECHANISM:
			return "Compare option sasl_mechanism of the foreign server with sasl.enabled.mechanisms of the listener.";
		case BURROW_CAUSE_TICKET:
			return "See sasl_kerberos_principal and sasl_kerberos_keytab in the user mapping and sasl_kerberos_service_name of the foreign server; what kinit says of them is in the server's log.";
		case BURROW_CAUSE_AUTHENTICATION:
			if (mechanism != NULL && strncmp(mechanism, "SCRAM-", 6) == 0 && visit->kafka->version_number() < 0x020601ff)
				return psprintf("See user name and password in the user mapping; but Kafka 4 refuses SCRAM from librdkafka before 2.6.1 in the same way, and this is %s.",
								visit->kafka->version());
			return "See user name and password in the user mapping.";
		default:
			return "See the broker's log.";
	}
}

/* ---- what answers there ---- */

static bool
wants_sasl(const BurrowVisit *visit)
{
	const char *protocol = option(visit, "security.protocol");

	return protocol != NULL && pg_strncasecmp(protocol, "sasl", 4) == 0;
}

static const char *
mechanism(const BurrowVisit *visit)
{
	const char *name = option(visit, "sasl.mechanism");

	return name != NULL ? name : option(visit, "sasl.mechanisms");
}

/* By the highest metadata.version that a broker knows (Kafka's MetadataVersion); those with ZooKeeper have none. */
static const char *
release_text(int metadata_version)
{
	static const struct
	{
		int			first;
		const char *release;
	}			releases[] =

	{
		{26, "4.1 or later"}, {22, "4.0"}, {21, "3.9"}, {20, "3.8"}, {15, "3.7"}, {12, "3.6"}, {9, "3.5"}, {8, "3.4"},
		{4, "3.3"}, {3, "3.2"}, {2, "3.1"}, {1, "3.0"}
	};

	for (int i = 0; i < lengthof(releases); i++)
		if (metadata_version >= releases[i].first)
			return psprintf("Kafka %s (metadata.version %d)", releases[i].release, metadata_version);
	return "Kafka, whose version is not told";
}

/* What is wrong with it, as if librdkafka had met it. */
static BurrowKafkaCause
cause_of(const BurrowKafkaHandshake *hands)
{
	BurrowKafkaSymptom symptom = {
		.error_name = "_SSL",
		.text = !hands->tls || hands->tls_done ? hands->text : hands->tls_text,
		.certificate_error = hands->certificate_error,
	};
	BurrowKafkaCause cause;

	if (hands->certificate_error != 0)
		symptom.text = "certificate verify failed";
	cause = burrow_kafka_cause(&symptom);
	if (cause != BURROW_CAUSE_TLS)
		return cause;

	/*
	 * in TLS 1.3 a client's certificate is looked at after the handshake, and not always is it
	 * said
	 */
	return hands->tls_done ? BURROW_CAUSE_CLIENT_CERTIFICATE : BURROW_CAUSE_PROTOCOL;
}

static void
report_tls(const BurrowVisit *visit, const char *subject, const BurrowKafkaHandshake *hands)
{
	bool		ok = hands->tls_done && hands->certificate_error == 0;

	burrow_step_report("tls", subject, ok,
					   hands->certificate_error == 0 ? hands->tls_text :
					   psprintf("%s: %s", burrow_kafka_cause_words(cause_of(hands)), hands->tls_text),
					   ok ? NULL : cause_hint(visit, cause_of(hands)));
}

/* Whether it is the kind of listener that the options are for. */
static void
report_kafka(const BurrowVisit *visit, const char *subject, const BurrowKafkaHandshake *hands)
{
	const char *name = mechanism(visit);
	const char *reason = NULL;
	BurrowKafkaCause cause = BURROW_CAUSE_PROTOCOL;

	if (!hands->greeted)
	{
		reason = hands->text;
		cause = cause_of(hands);
	}
	else if (hands->sasl == 1 && !wants_sasl(visit))
		reason = psprintf("the listener wants SASL: %s", hands->mechanisms);
	else if (hands->sasl == 0 && wants_sasl(visit))
		reason = "the listener does not take SASL";
	else if (hands->sasl == 1 && name != NULL && strstr(psprintf(", %s,", hands->mechanisms), psprintf(", %s,", name)) == NULL)
	{
		reason = psprintf("the listener does not offer %s: %s", name, hands->mechanisms);
		cause = BURROW_CAUSE_MECHANISM;
	}
	if (reason != NULL)
		burrow_step_report("kafka", subject, false, reason, cause_hint(visit, cause));
	else
		burrow_step_report("kafka", subject, true, release_text(hands->metadata_version), NULL);
}

/* Keeps the subject of the certificate that was shown. */
static void
check_address(const BurrowVisit *visit, const BurrowReached *reached, const char *port, const char **certificate)
{
	const char *subject = psprintf("%s port %s", reached->address, port);
	const BurrowKafkaHandshake *hands = &reached->hands;

	burrow_step_report("connect", subject, reached->refused == NULL, reached->refused,
					   reached->refused != NULL ? connect_hint(reached->refused) : NULL);
	if (reached->refused != NULL)
		return;
	if (hands->tls)
		report_tls(visit, subject, hands);
	if (!hands->tls || (hands->tls_done && hands->certificate_error == 0))
		report_kafka(visit, subject, hands);
	if (hands->client[0] != '\0')
		*certificate = hands->client;
}

static void
check_endpoint(const BurrowVisit *visit, const BurrowEndpoint *endpoint, const char **certificate)
{
	BurrowReach *reach = palloc(sizeof(BurrowReach));

	burrow_probe_run(visit, endpoint, CONNECT_MS, reach);
	if (reach->n == 0)
		burrow_step_report("resolve", endpoint->host, false, reach->unresolved,
						   "Correct the name in bootstrap_servers, or the name service of the database server's machine.");
	for (int i = 0; i < reach->n; i++)
		burrow_step_report("resolve", endpoint->host, true, reach->addresses[i].address, NULL);
	for (int i = 0; i < reach->n; i++)
		check_address(visit, &reach->addresses[i], endpoint->port, certificate);
}

/* Returns the subject of the client's certificate that was shown; NULL: none was. */
static const char *
check_bootstrap(const BurrowVisit *visit)
{
	const char *list = option(visit, "bootstrap.servers");
	const char *certificate = NULL;
	BurrowEndpoint endpoint;

	list = list != NULL ? list : option(visit, "metadata.broker.list");
	while (list != NULL && !is_over(visit) && burrow_probe_next_endpoint(&list, &endpoint))
		check_endpoint(visit, &endpoint, &certificate);
	return certificate;
}

/* ---- the first question ---- */

static const char *
protocol_text(const BurrowVisit *visit)
{
	const char *protocol = option(visit, "security.protocol");

	protocol = protocol != NULL ? protocol : "PLAINTEXT";
	return mechanism(visit) != NULL ? psprintf("%s, %s", protocol, mechanism(visit)) : protocol;
}

/* The name that the client has sent, and what it is a name of; NULL: none. */
static const char *
sent_name(const BurrowVisit *visit, const char *certificate)
{
	static const struct
	{
		const char *mechanism;	/* NULL: those that have a user name */
		const char *property;
		const char *kind;
	}			names[] =

	{
		{"GSSAPI", "sasl.kerberos.principal", "principal"},
		{"OAUTHBEARER", "sasl.oauthbearer.client.id", "client id"},
		{"OAUTHBEARER", "sasl.oauthbearer.client.credentials.client.id", "client id"},
		{NULL, "sasl.username", "user"},
	};
	const char *by = mechanism(visit) != NULL ? mechanism(visit) : "";

	for (int i = 0; i < lengthof(names) && wants_sasl(visit); i++)
		if ((names[i].mechanism == NULL || pg_strcasecmp(names[i].mechanism, by) == 0) && option(visit, names[i].property) != NULL)
			return psprintf("by %s as %s \"%s\"", by, names[i].kind, option(visit, names[i].property));
	return certificate != NULL && !wants_sasl(visit) ? psprintf("by TLS as certificate \"%s\"", certificate) : NULL;
}

/* As whom the client has come.  Which principal that is, the brokers decide by rules of their own, and tell nobody. */
static const char *
identity(const BurrowVisit *visit, const char *certificate)
{
	const char *name = sent_name(visit, certificate);

	return name != NULL ? psprintf("%s, as sent (brokers may have rules that make another principal of it)", name) : "as nobody in particular";
}

/* Their number; -1: nobody answers, which is told. */
static int
ask_for_brokers(BurrowVisit *visit, BurrowKafkaBroker *brokers, const char *certificate)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SPEAK_SECONDS * 1000);
	int			n;

	visit->text[0] = '\0';
	while ((n = visit->kafka->visit->brokers(visit->client, brokers, MOST_BROKERS, BURROW_VISIT_ASK_MS, visit->text)) < 0)
	{
		if (burrow_visit_wait(visit, until))
			continue;
		burrow_step_report("authenticate", protocol_text(visit), false,
						   visit->connection_text[0] == '\0' ? burrow_visit_reason(visit) :
						   psprintf("%s: %s", burrow_visit_reason(visit), visit->connection_text),
						   cause_hint(visit, visit->cause));
		return -1;
	}
	burrow_step_report("authenticate", protocol_text(visit), true,
					   psprintf("%s, with librdkafka %s", identity(visit, certificate), visit->kafka->version()), NULL);
	return n;
}

/* ---- what the answer says ---- */

static void
check_cluster(const BurrowVisit *visit)
{
	char	   *id = visit->kafka->cluster_id(visit->client, BURROW_VISIT_ASK_MS);

	burrow_step_report("cluster", id, id != NULL, id == NULL ? "no id was told" : NULL,
					   id == NULL ? "Kafka has ids since 0.10.1." : NULL);
	if (id != NULL)
		visit->kafka->free_text(id);
}

#define ADVERTISED_HINT "Clients go to the address that the broker has in advertised.listeners: it must be one that this machine reaches."

/* One row: the first thing that goes wrong. */
static void
check_broker(BurrowVisit *visit, const BurrowKafkaBroker *broker)
{
	const char *subject = psprintf("%d at %s:%d", broker->id, broker->host, broker->port);
	BurrowEndpoint endpoint;
	BurrowReach *reach = palloc(sizeof(BurrowReach));
	const BurrowReached *reached = NULL;

	strlcpy(endpoint.host, broker->host, sizeof(endpoint.host));
	snprintf(endpoint.port, sizeof(endpoint.port), "%d", broker->port);
	burrow_probe_run(visit, &endpoint, CONNECT_MS, reach);
	for (int i = 0; i < reach->n && reached == NULL; i++)
		reached = reach->addresses[i].refused == NULL ? &reach->addresses[i] : NULL;
	visit->text[0] = '\0';
	if (reach->n == 0)
		burrow_step_report("broker", subject, false, psprintf("the advertised name cannot be resolved: %s", reach->unresolved), ADVERTISED_HINT);
	else if (reached == NULL)
		burrow_step_report("broker", subject, false, psprintf("the advertised address cannot be reached: %s", reach->addresses[0].refused), ADVERTISED_HINT);
	else if (!visit->kafka->visit->broker_answers(visit->client, broker->id, BROKER_MS, visit->text))
		burrow_step_report("broker", subject, false, visit->text[0] != '\0' ? visit->text : "it does not answer",
						   "The address can be connected to, but no Kafka answers there as this client: see the broker's log, and whether the port is that of another listener.");
	else
		burrow_step_report("broker", subject, true, release_text(reached->hands.metadata_version), NULL);
	pfree(reach);
}

void
burrow_check_run(BurrowVisit *visit, int32 subid)
{
	BurrowKafkaBroker *brokers = palloc(sizeof(BurrowKafkaBroker) * MOST_BROKERS);
	const char *certificate;
	int			n;

	visit->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ALL_SECONDS * 1000);
	certificate = check_bootstrap(visit);
	n = ask_for_brokers(visit, brokers, certificate);
	if (n < 0)
		return;
	check_cluster(visit);
	for (int i = 0; i < n && !is_over(visit); i++)
		check_broker(visit, &brokers[i]);
	if (subid != 0 && !is_over(visit))
		burrow_access_check_run(visit, subid);
	if (is_over(visit))
		ereport(WARNING,
				(errmsg("the check was ended after %d s", ALL_SECONDS)));
}
