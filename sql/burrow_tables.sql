/*
 * burrow_tables.sql
 *	  What holds something, and what that needs: types, tables, their triggers, the foreign data wrapper.
 *	  It comes before burrow.sql in CREATE EXTENSION's script.
 *
 * An update alters it, by update/<version>.sql, and must end where this file does: test/t/014_update.pl compares.
 * So a new column is the last of its table, and a new table the last of those that pg_dump takes along.
 *
 * Everything is in schema burrow, which CREATE EXTENSION makes.
 */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION burrow" to load this file. \quit

-- A schema that was there before must be the installing role's, and empty.
CREATE FUNCTION burrow._check_schema() RETURNS void
LANGUAGE C
AS 'MODULE_PATHNAME', 'burrow_sql_check_schema';
SELECT burrow._check_schema();
DROP FUNCTION burrow._check_schema();

GRANT USAGE ON SCHEMA burrow TO PUBLIC;

-- ---------------------------------------------------------------- messages

CREATE TYPE burrow.header AS (
	name text,
	value bytea
);
COMMENT ON TYPE burrow.header IS 'a header of a Kafka message';

CREATE TYPE burrow.message AS (
	topic text,
	partition int,
	"offset" bigint,
	key bytea,
	value bytea,
	headers burrow.header[],
	"timestamp" timestamptz,
	attempt int
);
COMMENT ON TYPE burrow.message IS 'a Kafka message, as a handler gets it';

-- ---------------------------------------------------------------- tables

CREATE SEQUENCE burrow.subscription_subid_seq AS int;
COMMENT ON SEQUENCE burrow.subscription_subid_seq IS 'numbers of subscriptions';

-- A role, by OID and by name: each row of a dump arrives in a cluster that lacks the role, with the name alone.
CREATE TYPE burrow._role;
CREATE FUNCTION burrow._role_in(cstring) RETURNS burrow._role
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_role_in';
CREATE FUNCTION burrow._role_out(burrow._role) RETURNS cstring
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_role_out';
CREATE TYPE burrow._role (INPUT = burrow._role_in, OUTPUT = burrow._role_out, INTERNALLENGTH = 68, ALIGNMENT = int4);
CREATE FUNCTION burrow._role_of(role oid) RETURNS burrow._role
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_role_of';
CREATE FUNCTION burrow._role_oid(role burrow._role) RETURNS oid
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_role_oid';
CREATE FUNCTION burrow._role_missing(role burrow._role) RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_role_missing';
COMMENT ON TYPE burrow._role IS 'for internal use: a role, also one that this cluster lacks';
COMMENT ON FUNCTION burrow._role_in IS 'for internal use: a role by its name';
COMMENT ON FUNCTION burrow._role_out IS 'for internal use: the name of a role, as it is now';
COMMENT ON FUNCTION burrow._role_of IS 'for internal use: a role by its OID';
COMMENT ON FUNCTION burrow._role_oid IS 'for internal use: OID of a role; 0: this cluster had none of that name';
COMMENT ON FUNCTION burrow._role_missing IS 'for internal use: says that an owner does not exist; NULL: it does';

-- No foreign keys to system catalogs: a role or function may be dropped while a
-- subscription names it, and the subscription then says so in its state.
CREATE TABLE burrow.subscription (
	subid int PRIMARY KEY DEFAULT pg_catalog.nextval('burrow.subscription_subid_seq'),
	name text NOT NULL UNIQUE,
	owner burrow._role NOT NULL,
	system_identifier bigint NOT NULL,
	dboid oid NOT NULL,
	topic text NOT NULL,
	handler text NOT NULL,
	handler_owner burrow._role NOT NULL,
	consumer_group text NOT NULL,
	uuid uuid NOT NULL,
	cluster_id text,
	status text NOT NULL CHECK (status IN ('enabled', 'paused', 'halted', 'disabled')),
	options text[] NOT NULL,
	seek_time timestamptz,
	error_topic text,
	error_partition int,
	error_offset bigint,
	error_sqlstate text,
	error_message text,
	error_detail text,
	error_hint text,
	error_context text,
	error_at timestamptz,
	join_group boolean NOT NULL DEFAULT false,
	commits_untagged boolean NOT NULL DEFAULT false,
	error_public_message text,
	error_next_statement text
);
CREATE INDEX subscription_group ON burrow.subscription (consumer_group);
ALTER SEQUENCE burrow.subscription_subid_seq OWNED BY burrow.subscription.subid;
COMMENT ON INDEX burrow.subscription_group IS 'who is in a consumer group';
COMMENT ON TABLE burrow.subscription IS 'subscriptions of this database; changed by Burrow''s functions only';
COMMENT ON COLUMN burrow.subscription.owner IS 'role that the handler runs as';
COMMENT ON COLUMN burrow.subscription.system_identifier IS 'server where the subscription runs: a copy elsewhere does not start by itself';
COMMENT ON COLUMN burrow.subscription.dboid IS 'database where the subscription runs';
COMMENT ON COLUMN burrow.subscription.topic IS 'topic, or a regular expression that begins with ^';
COMMENT ON COLUMN burrow.subscription.handler IS 'schema-qualified signature of the function that is called';
COMMENT ON COLUMN burrow.subscription.handler_owner IS 'owner of the handler when it was looked up';
COMMENT ON COLUMN burrow.subscription.join_group IS 'other subscriptions of its owner may be in the consumer group';
COMMENT ON COLUMN burrow.subscription.uuid IS 'tells in Kafka''s commits which subscription made them';
COMMENT ON COLUMN burrow.subscription.cluster_id IS 'Kafka''s id of the cluster whose offsets the positions are; NULL: not known yet';
COMMENT ON COLUMN burrow.subscription.commits_untagged IS 'Kafka takes no metadata with commits: those without are ours, too';
COMMENT ON COLUMN burrow.subscription.status IS 'what is wanted; the state is in burrow.subscriptions';
COMMENT ON COLUMN burrow.subscription.options IS 'all options, as name=value; see burrow.options()';
COMMENT ON COLUMN burrow.subscription.seek_time IS 'time that all partitions are to be moved to by burrow.seek(); NULL: it was done';
COMMENT ON COLUMN burrow.subscription.error_public_message IS 'what others than the owner see of error_message; NULL: all of it, and error_hint';
COMMENT ON COLUMN burrow.subscription.error_next_statement IS 'ends the halt, given its cause; burrow.why_stuck() shows it';
COMMENT ON COLUMN burrow.subscription.error_at IS 'when the error halted the subscription that the other error_ columns describe';

-- Rows are updated all the time and never indexed anew: room for HOT updates.
CREATE TABLE burrow.progress (
	subid int NOT NULL REFERENCES burrow.subscription ON DELETE CASCADE,
	topic text NOT NULL,
	partition int NOT NULL,
	lane int NOT NULL,
	low bigint NOT NULL,
	done bytea NOT NULL DEFAULT '',
	seen_offset bigint,
	seen_time timestamptz,
	PRIMARY KEY (subid, topic, partition, lane)
) WITH (fillfactor = 20);
COMMENT ON TABLE burrow.progress IS 'how far each partition is handled; changed by Burrow only';
COMMENT ON COLUMN burrow.progress.lane IS 'number of the worker that writes the row; -1: the consumer';
COMMENT ON COLUMN burrow.progress.low IS 'all messages below this offset are handled';
COMMENT ON COLUMN burrow.progress.done IS 'runs of offsets that are handled beyond low, encoded; see burrow.offset_runs()';
COMMENT ON COLUMN burrow.progress.seen_offset IS 'a message that was read';
COMMENT ON COLUMN burrow.progress.seen_time IS 'and its timestamp: another one tells that the topic was made anew';

-- Not columns of burrow.progress, whose rows are written with each transaction.
CREATE TABLE burrow.topic_identity (
	subid int NOT NULL REFERENCES burrow.subscription ON DELETE CASCADE,
	topic text NOT NULL,
	partition int NOT NULL,
	topic_id text NOT NULL,
	PRIMARY KEY (subid, topic, partition)
);
COMMENT ON TABLE burrow.topic_identity IS 'which topic the positions in burrow.progress are of: the id changes when a topic is made anew';
COMMENT ON COLUMN burrow.topic_identity.topic_id IS 'Kafka''s id of the topic, as kafka-topics --describe shows it';

CREATE TABLE burrow.pending_seek (
	subid int NOT NULL REFERENCES burrow.subscription ON DELETE CASCADE,
	topic text NOT NULL,
	partition int NOT NULL,
	"offset" bigint NOT NULL,
	PRIMARY KEY (subid, topic, partition)
);
COMMENT ON TABLE burrow.pending_seek IS 'where partitions are to be moved by burrow.seek(); a row goes away when it was done';
COMMENT ON COLUMN burrow.pending_seek."offset" IS 'next offset to be handled';

CREATE TABLE burrow.dead_letter (
	subid int NOT NULL REFERENCES burrow.subscription ON DELETE CASCADE,
	topic text NOT NULL,
	partition int NOT NULL,
	"offset" bigint NOT NULL,
	key bytea,
	value bytea,
	headers burrow.header[] NOT NULL,
	"timestamp" timestamptz,
	attempts int NOT NULL,
	sqlstate text,
	message text,
	detail text,
	hint text,
	context text,
	first_failed_at timestamptz NOT NULL,
	last_failed_at timestamptz NOT NULL,
	retry_asked_at timestamptz,
	produced_at timestamptz,
	raw_header_names bytea[],
	PRIMARY KEY (subid, topic, partition, "offset")
);

-- A function and not a column, so that a restore on another machine brings it up to date.
CREATE FUNCTION burrow._key_order(key bytea) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_key_order';
COMMENT ON FUNCTION burrow._key_order IS 'for internal use: the number that stands for a message''s key';

CREATE INDEX dead_letter_key ON burrow.dead_letter (subid, topic, partition, burrow._key_order(key), "offset")
	WHERE key IS NOT NULL;
CREATE INDEX dead_letter_retry ON burrow.dead_letter (subid) WHERE retry_asked_at IS NOT NULL;
CREATE INDEX dead_letter_unproduced ON burrow.dead_letter (subid, topic, partition, "offset")
	WHERE produced_at IS NULL AND sqlstate IS NOT NULL;
COMMENT ON TABLE burrow.dead_letter IS 'messages whose attempts are used up; changed by Burrow only';
COMMENT ON INDEX burrow.dead_letter_key IS 'dead letters of a key, in their order';
COMMENT ON INDEX burrow.dead_letter_retry IS 'dead letters that are to be tried again';
COMMENT ON INDEX burrow.dead_letter_unproduced IS 'dead letters that are not known to be in the dead-letter topic';
COMMENT ON COLUMN burrow.dead_letter.raw_header_names IS 'names of the headers as the message has them; NULL: those in headers, which are text, are the same';
COMMENT ON COLUMN burrow.dead_letter.attempts IS 'how often the handler was called for the message';
COMMENT ON COLUMN burrow.dead_letter.sqlstate IS 'of the last error; NULL: the message was parked, and not handled yet';
COMMENT ON COLUMN burrow.dead_letter.first_failed_at IS 'when it failed first, or was parked';
COMMENT ON COLUMN burrow.dead_letter.last_failed_at IS 'when it failed last, or was parked';
COMMENT ON COLUMN burrow.dead_letter.retry_asked_at IS 'when burrow.retry_dead_letters() was called for it; NULL: not, or it has failed since';
COMMENT ON COLUMN burrow.dead_letter.produced_at IS 'when it was known to be in the dead-letter topic; NULL: not, or there is none';

-- What was done to subscriptions.  An owner's number means something in this cluster only, so a dump leaves the rows out.
-- The id is not out of a sequence, which others could set.
CREATE TABLE burrow.audit_entry (
	id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
	at timestamptz NOT NULL,
	action text NOT NULL,
	subid int NOT NULL,
	subscription text NOT NULL,
	owner oid NOT NULL,
	role text NOT NULL,
	session_role text NOT NULL,
	details jsonb NOT NULL
);
CREATE INDEX audit_entry_at ON burrow.audit_entry (at);
COMMENT ON TABLE burrow.audit_entry IS 'who has changed which subscription; see the view burrow.audit';
COMMENT ON INDEX burrow.audit_entry_at IS 'the oldest entries, which are removed first';
COMMENT ON COLUMN burrow.audit_entry.owner IS 'of the subscription, at that time: may see the entry';
COMMENT ON COLUMN burrow.audit_entry.role IS 'that has called the function';
COMMENT ON COLUMN burrow.audit_entry.session_role IS 'that has logged in';
COMMENT ON COLUMN burrow.audit_entry.details IS 'what was asked for, or has changed; long values are cut';

SELECT pg_catalog.pg_extension_config_dump('burrow.subscription', '');
SELECT pg_catalog.pg_extension_config_dump('burrow.subscription_subid_seq', '');
SELECT pg_catalog.pg_extension_config_dump('burrow.progress', '');
SELECT pg_catalog.pg_extension_config_dump('burrow.pending_seek', '');
SELECT pg_catalog.pg_extension_config_dump('burrow.dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('burrow.topic_identity', '');

-- ---------------------------------------------------------------- Kafka clusters

CREATE FUNCTION burrow._validator(options text[], catalog oid) RETURNS void
LANGUAGE C STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_validator';
COMMENT ON FUNCTION burrow._validator IS 'internal: checks the options of foreign servers and user mappings';

-- It has no handler: there is nothing to select from.
CREATE FOREIGN DATA WRAPPER burrow VALIDATOR burrow._validator;
COMMENT ON FOREIGN DATA WRAPPER burrow IS 'Kafka clusters (foreign servers) and credentials for them (user mappings)';

-- ---------------------------------------------------------------- sizes

-- A size, as a number of bytes or as pg_size_bytes() reads it.  It is text, and stays as it
-- was written until the option is known: the error names it then.
CREATE TYPE burrow.byte_size;
CREATE FUNCTION burrow._byte_size_in(cstring) RETURNS burrow.byte_size
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE
AS 'textin';
COMMENT ON FUNCTION burrow._byte_size_in IS 'internal: input of burrow.byte_size';

CREATE FUNCTION burrow._byte_size_out(burrow.byte_size) RETURNS cstring
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE
AS 'textout';
COMMENT ON FUNCTION burrow._byte_size_out IS 'internal: output of burrow.byte_size';

CREATE TYPE burrow.byte_size (INPUT = burrow._byte_size_in, OUTPUT = burrow._byte_size_out, LIKE = pg_catalog.text);
COMMENT ON TYPE burrow.byte_size IS 'a size: a number of bytes, or a number and a unit (64 MB)';

CREATE CAST (text AS burrow.byte_size) WITHOUT FUNCTION AS IMPLICIT;
COMMENT ON CAST (text AS burrow.byte_size) IS 'a number and a unit';
CREATE CAST (smallint AS burrow.byte_size) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (smallint AS burrow.byte_size) IS 'a number of bytes';
CREATE CAST (integer AS burrow.byte_size) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (integer AS burrow.byte_size) IS 'a number of bytes';
CREATE CAST (bigint AS burrow.byte_size) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (bigint AS burrow.byte_size) IS 'a number of bytes';
CREATE CAST (numeric AS burrow.byte_size) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (numeric AS burrow.byte_size) IS 'a number of bytes';

-- ---------------------------------------------------------------- protection of the tables

-- Privileges on all tables (pg_read_all_data, pg_write_all_data) are not meant for what is in these: whoever
-- writes burrow.subscription has functions run as other roles, and dead letters are their owners' alone.  Row
-- security without a policy shows no row to anybody but the owner of the tables, as which the views and Burrow's
-- functions read; the trigger holds for roles with BYPASSRLS, too.  Each table has both, and a test looks; they are
-- spelled out, because a loop would be PL/pgSQL, which a database need not have.
CREATE FUNCTION burrow._guard() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'burrow_sql_guard';
COMMENT ON FUNCTION burrow._guard IS 'for internal use: keeps everybody but Burrow from writing its tables';

ALTER TABLE burrow.subscription ENABLE ROW LEVEL SECURITY;
ALTER TABLE burrow.progress ENABLE ROW LEVEL SECURITY;
ALTER TABLE burrow.topic_identity ENABLE ROW LEVEL SECURITY;
ALTER TABLE burrow.pending_seek ENABLE ROW LEVEL SECURITY;
ALTER TABLE burrow.dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE burrow.audit_entry ENABLE ROW LEVEL SECURITY;

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON burrow.subscription
	FOR EACH STATEMENT EXECUTE FUNCTION burrow._guard();
ALTER TABLE burrow.subscription ENABLE ALWAYS TRIGGER guard;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON burrow.progress
	FOR EACH STATEMENT EXECUTE FUNCTION burrow._guard();
ALTER TABLE burrow.progress ENABLE ALWAYS TRIGGER guard;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON burrow.topic_identity
	FOR EACH STATEMENT EXECUTE FUNCTION burrow._guard();
ALTER TABLE burrow.topic_identity ENABLE ALWAYS TRIGGER guard;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON burrow.pending_seek
	FOR EACH STATEMENT EXECUTE FUNCTION burrow._guard();
ALTER TABLE burrow.pending_seek ENABLE ALWAYS TRIGGER guard;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON burrow.dead_letter
	FOR EACH STATEMENT EXECUTE FUNCTION burrow._guard();
ALTER TABLE burrow.dead_letter ENABLE ALWAYS TRIGGER guard;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON burrow.audit_entry
	FOR EACH STATEMENT EXECUTE FUNCTION burrow._guard();
ALTER TABLE burrow.audit_entry ENABLE ALWAYS TRIGGER guard;

-- Roles that own subscriptions are known to DROP ROLE, however a row came or went.
CREATE FUNCTION burrow._keep_owner() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'burrow_sql_keep_owner';
COMMENT ON FUNCTION burrow._keep_owner IS 'for internal use: keeps pg_shdepend up to date with the owners of subscriptions';
CREATE TRIGGER keep_owner AFTER INSERT OR UPDATE OR DELETE ON burrow.subscription
	FOR EACH ROW EXECUTE FUNCTION burrow._keep_owner();
ALTER TABLE burrow.subscription ENABLE ALWAYS TRIGGER keep_owner;
CREATE TRIGGER keep_owners AFTER TRUNCATE ON burrow.subscription
	FOR EACH STATEMENT EXECUTE FUNCTION burrow._keep_owner();
ALTER TABLE burrow.subscription ENABLE ALWAYS TRIGGER keep_owners;

-- ANALYZE copies values into pg_statistic, which pg_read_all_data reads; no plan needs these columns'.
ALTER TABLE burrow.dead_letter
	ALTER key SET STATISTICS 0,
	ALTER value SET STATISTICS 0,
	ALTER headers SET STATISTICS 0,
	ALTER raw_header_names SET STATISTICS 0,
	ALTER message SET STATISTICS 0,
	ALTER detail SET STATISTICS 0,
	ALTER hint SET STATISTICS 0,
	ALTER context SET STATISTICS 0;
ALTER INDEX burrow.dead_letter_key ALTER COLUMN 4 SET STATISTICS 0;
ALTER TABLE burrow.subscription
	ALTER error_message SET STATISTICS 0,
	ALTER error_detail SET STATISTICS 0,
	ALTER error_hint SET STATISTICS 0,
	ALTER error_context SET STATISTICS 0;
