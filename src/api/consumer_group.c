/*
 * consumer_group.c
 *	  May a subscription be in a consumer group?
 *
 * Members of a group share its messages and its position.  So a role that could join another
 * role's group would take its messages, and move its position past them: they would be lost, and
 * nobody would be told.  What one role does with its own subscriptions is its own business, but
 * not by mistake: it has to say join_group.
 *
 * The catalog knows the subscriptions of this database, shmem/groups.c those of all; both are
 * asked, because the second knows nothing before discovery has looked at the databases.
 *
 * Runs in: backends, and workers whose handler subscribes.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"

#include "api/consumer_group.h"
#include "catalog/names.h"
#include "compat.h"
#include "shmem/groups.h"

/* Longest wait for discovery, after the server has started. */
#define KNOWN_TIMEOUT_MS	10000

static BurrowGroupWish
wish_of(const BurrowSubscription *sub)
{
	return (BurrowGroupWish) {
		.dboid = MyDatabaseId,
			.subid = sub->subid,
			.owner = sub->owner,
			.joins = sub->join_group,
			.group = sub->consumer_group
	};
}

/* No word of whose it is or what it is called: that is not for everybody to know. */
static void pg_attribute_noreturn()
refuse_others(const char *group)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("consumer group \"%s\" is used by a subscription of another role", group),
			 errdetail("The members of a group share its messages and its position."),
			 errhint("Name another group: consumer_group => '...'. Only subscriptions of one role can be in the same one.")));
	pg_unreachable();
}

static void pg_attribute_noreturn()
refuse_shared(const char *group, const char *where)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("consumer group \"%s\" is used by %s", group, where),
			 errdetail("Each of the two would get a part of the messages."),
			 errhint("If that is meant, use join_group => true. Otherwise name another group: consumer_group => '...'.")));
	pg_unreachable();
}

/* Those of this database, with uncommitted changes of this transaction. */
static void
check_here(const BurrowSubscription *sub)
{
	ListCell   *cell;

	foreach(cell, burrow_subscription_list_group(sub->consumer_group))
	{
		const BurrowSubscription *other = lfirst(cell);

		if (other->subid == sub->subid || !burrow_subscription_at_home(other))
			continue;
		if (other->owner != sub->owner)
			refuse_others(sub->consumer_group);
		if (!other->join_group && !sub->join_group)
			refuse_shared(sub->consumer_group, psprintf("subscription \"%s\"", other->name));
	}
}

/* Those of the server. */
static void
judge(const BurrowSubscription *sub, BurrowGroupAnswer answer, const BurrowGroupHolder *with)
{
	const char *database;

	switch (answer)
	{
		case BURROW_GROUP_FREE:
			return;
		case BURROW_GROUP_OTHER_OWNER:
			refuse_others(sub->consumer_group);
		case BURROW_GROUP_SAME_OWNER:
			database = get_database_name(with->dboid);
			refuse_shared(sub->consumer_group,
						  with->dboid != MyDatabaseId && database != NULL ?
						  psprintf("a subscription in database \"%s\"", database) : "another subscription");
		case BURROW_GROUP_NO_ROOM:
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("too many subscriptions"),
					 errdetail("This server has room for %d subscriptions, disabled ones among them.",
							   burrow_groups_room()),
					 errhint("Unsubscribe some, or raise burrow.max_subscriptions and restart the server.")));
			break;
		case BURROW_GROUP_MANY_CHANGES:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many changes of consumer groups in open transactions of role \"%s\"",
							GetUserNameFromId(sub->owner, true)),
					 errdetail("%d groups that were given up again are kept for a rollback to a savepoint.",
							   BURROW_GROUP_CHANGES_MAX),
					 errhint("Commit, or release savepoints, in between.")));
	}
}

void
burrow_consumer_group_check(const BurrowSubscription *sub)
{
	BurrowGroupWish wish = wish_of(sub);
	BurrowGroupHolder with;

	check_here(sub);
	judge(sub, burrow_groups_check(&wish, &with), &with);
}

/* A default group is not asked about: nobody else can have chosen it. */
static void
check_choice(const BurrowSubscription *sub, bool chosen)
{
	const char *database = get_database_name(MyDatabaseId);
	const char *group = sub->consumer_group;
	Oid			unknown;

	if (strcmp(group, burrow_name_default_group(GetSystemIdentifier(), database, sub->name)) == 0)
		return;
	if (!burrow_groups_wait_known(KNOWN_TIMEOUT_MS, &unknown))
	{
		const char *name = OidIsValid(unknown) ? get_database_name(unknown) : NULL;

		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot tell whether consumer group \"%s\" is used by another role", group),
				 name != NULL ?
				 errdetail("Since the server has started, Burrow has not been able to read the subscriptions of database \"%s\".", name) :
				 errdetail("Since the server has started, Burrow has not been able to read the subscriptions of all databases."),
				 errhint("Try again; the server's log says if something is in the way. The default group can be used meanwhile.")));
	}
	if (chosen && burrow_name_is_group_of_other_database(GetSystemIdentifier(), database, group) &&
		!burrow_groups_is_held_by(sub->owner, group))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("consumer group \"%s\" is reserved for a subscription of another database", group),
				 errdetail("Default groups of this server begin with \"burrow.\", its number, and the database."),
				 errhint("Name another group.")));
}

void
burrow_consumer_group_take(const BurrowSubscription *sub, bool chosen)
{
	BurrowGroupWish wish = wish_of(sub);
	BurrowGroupHolder with;

	check_choice(sub, chosen);
	check_here(sub);
	judge(sub, burrow_groups_take(&wish, &with), &with);
}

/* ---------------------------------------------------------------- members */

/* The property's value, in the text of the option "kafka"; NULL: it is not set. */
static const char *
kafka_property(const char *kafka, const char *name)
{
	BurrowKafkaProperty *properties;
	int			n = kafka == NULL ? 0 : burrow_kafka_properties_parse(kafka, &properties);

	for (int i = 0; i < n; i++)
		if (strcmp(properties[i].name, name) == 0)
			return properties[i].value;
	return NULL;
}

/* By themselves no two are: see instance_id() in runtime/kafka_client.c. */
void
burrow_consumer_group_check_member(const BurrowSubscription *sub)
{
	const char *member = kafka_property(sub->values[BURROW_OPTION_KAFKA], "group.instance.id");
	ListCell   *lc;

	if (member == NULL)
		return;
	foreach(lc, burrow_subscription_list_group(sub->consumer_group))
	{
		const BurrowSubscription *other = lfirst(lc);
		const char *others = kafka_property(other->values[BURROW_OPTION_KAFKA], "group.instance.id");

		if (other->subid == sub->subid || others == NULL || strcmp(others, member) != 0)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("Kafka property \"%s\" has the value of another subscription in consumer group \"%s\"",
						"group.instance.id", sub->consumer_group),
				 errdetail("Kafka takes the two for one member, and each would throw out the other."),
				 errhint("Leave it out: each subscription is a member of its own then.  Or give them different values, or different groups.")));
	}
}
