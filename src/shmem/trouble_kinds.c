/*
 * trouble_kinds.c
 *	  What a subscription can wait for: the kinds' names and words.
 *
 * Runs in: every process.
 */
#include "postgres.h"

#include "shmem/trouble_kinds.h"

#define WAITS	"the subscription waits for something in this database"

#define OF_SUBSCRIPTION(columns) "SELECT " columns " FROM burrow.subscriptions WHERE subscription = %s;"
#define LAST_ERROR	OF_SUBSCRIPTION("last_error")
#define MEMORY_SETTINGS \
	"SELECT name, setting FROM pg_settings WHERE name IN ('dynamic_shared_memory_type', 'burrow.worker_queue_size');"
#define OF_SERVER \
	"SELECT s.server, current_setting('burrow.default_server') AS default_server, f.srvname, f.srvoptions " \
	"FROM burrow.subscriptions s LEFT JOIN pg_foreign_server f ON f.srvname = s.server WHERE s.subscription = %s;"

const BurrowTroubleKindInfo burrow_trouble_kinds[] = {
	[BURROW_TROUBLE_KAFKA] = {"kafka", LAST_ERROR, "Kafka does not answer"},
	[BURROW_TROUBLE_TOPIC] = {"topic", LAST_ERROR, "Kafka has no such topic"},
	[BURROW_TROUBLE_MEMBER] = {"member", LAST_ERROR, "the consumer group does not let the consumer join"},
	[BURROW_TROUBLE_START] = {"start", LAST_ERROR, "Kafka does not say where to start"},
	[BURROW_TROUBLE_COMMIT] = {"commit", LAST_ERROR, "Kafka does not take the offsets"},
	[BURROW_TROUBLE_SEEK] = {"seek", LAST_ERROR, "Kafka does not say what the topic holds"},
	[BURROW_TROUBLE_SERVER_MISSING] = {"server_missing", OF_SERVER, "there is no foreign server to connect to"},
	[BURROW_TROUBLE_SERVER_DENIED] = {"server_denied", LAST_ERROR, "the owner may not use the foreign server"},
	[BURROW_TROUBLE_SERVER_CREDENTIALS] = {"server_credentials", "SELECT * FROM pg_user_mappings ORDER BY srvname, usename;", "the owner has no credentials for the foreign server"},
	[BURROW_TROUBLE_RIGHTS] = {"rights", LAST_ERROR, "the owner lacks a right that the workers need"},
	[BURROW_TROUBLE_RETRY] = {"retry", LAST_ERROR, "messages wait for their retry", .in_part = true},
	[BURROW_TROUBLE_ENVIRONMENT] = {"environment", LAST_ERROR, "the server is not well: every message fails"},
	[BURROW_TROUBLE_MEMORY] = {"memory", MEMORY_SETTINGS, "no dynamic shared memory can be had for messages"},
	[BURROW_TROUBLE_POOL_MEMORY] = {"pool_memory", MEMORY_SETTINGS, "no dynamic shared memory can be had for another worker", .in_part = true},
	[BURROW_TROUBLE_WORKERS] = {"workers", LAST_ERROR, "workers end before they can work", .in_part = true},
	[BURROW_TROUBLE_CONSUMER] = {"consumer", OF_SUBSCRIPTION("state, consumer_pid, last_error"), "the consumer ended unexpectedly, and is started again"},
	[BURROW_TROUBLE_DEAD_LETTER_TOPIC] = {"dead_letter_topic", OF_SUBSCRIPTION("dead_letter_topic, last_error"), "Kafka does not take the dead letters"},
	[BURROW_TROUBLE_STALLED] = {"stalled", "SELECT topic, partition, processed, end_offset, lag FROM burrow.partitions WHERE subscription = %s;", "messages are there and do not come, and nothing says why"},
	[BURROW_TROUBLE_LOAD] = {"load", LAST_ERROR, WAITS, "read the subscription"},
	[BURROW_TROUBLE_FIND_SERVER] = {"find_server", LAST_ERROR, WAITS, "look for the Kafka cluster"},
	[BURROW_TROUBLE_HALT] = {"halt", LAST_ERROR, WAITS, "record that the subscription halts"},
	[BURROW_TROUBLE_KEEP_CLUSTER] = {"keep_cluster", LAST_ERROR, WAITS, "keep the id of the Kafka cluster"},
	[BURROW_TROUBLE_KEEP_UNTAGGED] = {"keep_untagged", LAST_ERROR, WAITS, "keep that Kafka takes no metadata"},
	[BURROW_TROUBLE_READ_POSITIONS] = {"read_positions", LAST_ERROR, WAITS, "read positions"},
	[BURROW_TROUBLE_STORE_POSITIONS] = {"store_positions", LAST_ERROR, WAITS, "store positions"},
	[BURROW_TROUBLE_STORE_SEEK] = {"store_seek", LAST_ERROR, WAITS, "store the offsets of a seek"},
	[BURROW_TROUBLE_REMOVE_SEEK] = {"remove_seek", LAST_ERROR, WAITS, "remove a seek that is done"},
	[BURROW_TROUBLE_SKIP] = {"skip", LAST_ERROR, WAITS, "skip what cannot be read"},
	[BURROW_TROUBLE_WRITE_LETTERS] = {"write_dead_letters", LAST_ERROR, WAITS, "write dead letters"},
	[BURROW_TROUBLE_READ_LETTERS] = {"read_dead_letters", LAST_ERROR, WAITS, "read dead letters"},
	[BURROW_TROUBLE_FIND_LETTERS] = {"find_dead_letters", LAST_ERROR, WAITS, "read dead letters"},
	[BURROW_TROUBLE_MARK_LETTERS] = {"mark_dead_letters", LAST_ERROR, WAITS, "mark dead letters as produced"},
	[BURROW_TROUBLE_ASK_RIGHTS] = {"ask_rights", LAST_ERROR, WAITS, "ask for the owner's rights"},
};

StaticAssertDecl(lengthof(burrow_trouble_kinds) == BURROW_NTROUBLES, "each kind has its words");
