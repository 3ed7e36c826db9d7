/*
 * update/0.1.0.sql
 *	  What 0.2.0 has differently in what an update does not simply replace.
 */

-- Their columns or arguments are others, or they name a column whose type is another.
DROP VIEW burrow.subscriptions, burrow.partitions, burrow.workers, burrow.stats, burrow.dead_letters;
DROP FUNCTION burrow._subscription_slots, burrow._partition_slots, burrow._worker_slots, burrow._options,
	burrow.subscribe, burrow.alter;

-- ---------------------------------------------------------------- tables

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

ALTER TABLE burrow.subscription
	ALTER owner TYPE burrow._role USING burrow._role_of(owner),
	ALTER handler_owner TYPE burrow._role USING burrow._role_of(handler_owner),
	ADD join_group boolean NOT NULL DEFAULT false,
	ADD commits_untagged boolean NOT NULL DEFAULT false,
	ADD error_public_message text,
	ADD error_next_statement text;
CREATE INDEX subscription_group ON burrow.subscription (consumer_group);
COMMENT ON INDEX burrow.subscription_group IS 'who is in a consumer group';
COMMENT ON COLUMN burrow.subscription.join_group IS 'other subscriptions of its owner may be in the consumer group';
COMMENT ON COLUMN burrow.subscription.commits_untagged IS 'Kafka takes no metadata with commits: those without are ours, too';
COMMENT ON COLUMN burrow.subscription.error_public_message IS 'what others than the owner see of error_message; NULL: all of it, and error_hint';
COMMENT ON COLUMN burrow.subscription.error_next_statement IS 'ends the halt, given its cause; burrow.why_stuck() shows it';

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
SELECT pg_catalog.pg_extension_config_dump('burrow.topic_identity', '');

ALTER TABLE burrow.dead_letter ADD raw_header_names bytea[];
COMMENT ON COLUMN burrow.dead_letter.raw_header_names IS 'names of the headers as the message has them; NULL: those in headers, which are text, are the same';

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

-- An error that may quote a message is for its owner alone.
UPDATE burrow.subscription SET error_public_message = format('the message could not be handled (SQLSTATE %s)', error_sqlstate)
	WHERE error_message IS NOT NULL AND error_topic IS NOT NULL;

-- The trigger has not seen the rows that are there.  It follows one that comes to another server, as after pg_upgrade.
UPDATE burrow.subscription SET system_identifier = system_identifier # 1;
UPDATE burrow.subscription SET system_identifier = system_identifier # 1;

