/*
 * cause_statement.c
 *	  What to run next, where Kafka does not serve a subscription.
 *
 * The cause is in Kafka, in what the server says of it, or between the two, and only a person knows which side is
 * right.  So the statement shows what there is to be compared: what fails when one connects step by step, who the
 * client is, or what was asked for.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "catalog/cause_statement.h"

/* How far one comes, and what to do. */
static char *
try_server(const BurrowSubscription *sub)
{
	return psprintf("SELECT * FROM burrow.check_connection(%s);",
					sub->server == NULL || sub->server->name == NULL ? "" : quote_literal_cstr(sub->server->name));
}

/* As whom the client comes: the values are for those who may see them. */
static char *
show_mapping(const BurrowSubscription *sub)
{
	if (sub->server == NULL || sub->server->name == NULL)
		return try_server(sub);
	return psprintf("SELECT usename, umoptions FROM pg_user_mappings WHERE srvname = %s;",
					quote_literal_cstr(sub->server->name));
}

static char *
show_subscription(const BurrowSubscription *sub, const char *columns)
{
	return psprintf("SELECT %s, last_error FROM burrow.subscriptions WHERE subscription = %s;",
					columns, quote_literal_cstr(sub->name));
}

char *
burrow_cause_statement(const BurrowSubscription *sub, BurrowKafkaCause cause)
{
	switch (cause)
	{
		case BURROW_CAUSE_NO_ANSWER:
		case BURROW_CAUSE_CANNOT_RESOLVE:
		case BURROW_CAUSE_REFUSED:
		case BURROW_CAUSE_UNREACHABLE:
		case BURROW_CAUSE_ADVERTISED:
		case BURROW_CAUSE_PROTOCOL:
		case BURROW_CAUSE_TLS:
		case BURROW_CAUSE_CERTIFICATE_EXPIRED:
		case BURROW_CAUSE_CERTIFICATE_NAME:
		case BURROW_CAUSE_CERTIFICATE_UNTRUSTED:
		case BURROW_CAUSE_MECHANISM:
			return try_server(sub);
		case BURROW_CAUSE_CLIENT_CERTIFICATE:
		case BURROW_CAUSE_TICKET:
		case BURROW_CAUSE_AUTHENTICATION:
			return show_mapping(sub);
		case BURROW_CAUSE_TOPIC_DENIED:
			return show_subscription(sub, "topic");
		case BURROW_CAUSE_GROUP_DENIED:
			return show_subscription(sub, "consumer_group");
		case BURROW_CAUSE_CLUSTER_DENIED:
			return show_subscription(sub, "topic, consumer_group");
		case BURROW_CAUSE_NO_TOPIC:
			return show_subscription(sub, "topic");
		case BURROW_CAUSE_VERSION:
		case BURROW_CAUSE_INSTANCE_TAKEN:
			return show_subscription(sub, "consumer_group, kafka");
	}
	return try_server(sub);
}
