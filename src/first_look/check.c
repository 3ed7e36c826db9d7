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

static void
check_endpoint(const BurrowEndpoint *endpoint)
{
	BurrowReach reach;

	burrow_probe_run(endpoint, CONNECT_MS, &reach);
	if (reach.n == 0)
	{
		burrow_step_report("resolve", endpoint->host, false, reach.unresolved,
						   "Correct the name in bootstrap_servers, or the name service of the database server's machine.");
		return;
	}
	for (int i = 0; i < reach.n; i++)
		burrow_step_report("resolve", endpoint->host, true, reach.addresses[i], NULL);
	for (int i = 0; i < reach.n; i++)
		burrow_step_report("connect", psprintf("%s port %s", reach.addresses[i], endpoint->port), reach.refused[i] == NULL,
						   reach.refused[i], reach.refused[i] != NULL ? connect_hint(reach.refused[i]) : NULL);
}

static void
check_bootstrap(const BurrowVisit *visit)
{
	const char *list = option(visit, "bootstrap.servers");
	BurrowEndpoint endpoint;

	list = list != NULL ? list : option(visit, "metadata.broker.list");
	while (list != NULL && !is_over(visit) && burrow_probe_next_endpoint(&list, &endpoint))
		check_endpoint(&endpoint);
}

/* ---- the first question ---- */

static const char *
cause_hint(const BurrowVisit *visit)
{
	const char *mechanism = option(visit, "sasl.mechanism");

	switch (visit->cause)
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
		case BURROW_CAUSE_AUTHENTICATION:
			if (mechanism != NULL && strncmp(mechanism, "SCRAM-", 6) == 0 && visit->kafka->version_number() < 0x020601ff)
				return psprintf("See user name and password in the user mapping; but Kafka 4 refuses SCRAM from librdkafka before 2.6.1 in the same way, and this is %s.",
								visit->kafka->version());
			return "See user name and password in the user mapping.";
		default:
			return "See the broker's log.";
	}
}

static const char *
protocol_text(const BurrowVisit *visit)
{
	const char *protocol = option(visit, "security.protocol");
	const char *mechanism = option(visit, "sasl.mechanism");

	mechanism = mechanism != NULL ? mechanism : option(visit, "sasl.mechanisms");
	protocol = protocol != NULL ? protocol : "PLAINTEXT";
	return mechanism != NULL ? psprintf("%s, %s", protocol, mechanism) : protocol;
}

/* Their number; -1: nobody answers, which is told. */
static int
ask_for_brokers(BurrowVisit *visit, BurrowKafkaBroker *brokers)
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
						   cause_hint(visit));
		return -1;
	}
	burrow_step_report("authenticate", protocol_text(visit), true, psprintf("librdkafka %s", visit->kafka->version()), NULL);
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
	BurrowReach reach;
	bool		connected = false;

	strlcpy(endpoint.host, broker->host, sizeof(endpoint.host));
	snprintf(endpoint.port, sizeof(endpoint.port), "%d", broker->port);
	burrow_probe_run(&endpoint, CONNECT_MS, &reach);
	for (int i = 0; i < reach.n; i++)
		connected |= reach.refused[i] == NULL;
	visit->text[0] = '\0';
	if (reach.n == 0)
		burrow_step_report("broker", subject, false, psprintf("the advertised name cannot be resolved: %s", reach.unresolved), ADVERTISED_HINT);
	else if (!connected)
		burrow_step_report("broker", subject, false, psprintf("the advertised address cannot be reached: %s", reach.refused[0]), ADVERTISED_HINT);
	else if (!visit->kafka->visit->broker_answers(visit->client, broker->id, BROKER_MS, visit->text))
		burrow_step_report("broker", subject, false, visit->text[0] != '\0' ? visit->text : "it does not answer",
						   "The address can be connected to, but no Kafka answers there as this client: see the broker's log, and whether the port is that of another listener.");
	else
		burrow_step_report("broker", subject, true, NULL, NULL);
}

void
burrow_check_run(BurrowVisit *visit, int32 subid)
{
	BurrowKafkaBroker *brokers = palloc(sizeof(BurrowKafkaBroker) * MOST_BROKERS);
	int			n;

	visit->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ALL_SECONDS * 1000);
	check_bootstrap(visit);
	n = ask_for_brokers(visit, brokers);
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
