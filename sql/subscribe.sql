-- A subscription's life in the catalog.  There is no broker; most are not enabled, so
-- that nothing happens at its own time.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS burrow;
RESET client_min_messages;

CREATE FUNCTION on_message(value jsonb) RETURNS void LANGUAGE sql AS '';
CREATE SCHEMA "Other";
CREATE FUNCTION "Other"."On" (key text, value text) RETURNS int LANGUAGE sql AS 'SELECT 1';

-- The two arguments that are needed are enough.
SELECT burrow.subscribe('orders', 'on_message');
SELECT subscription, topic, handler, owner = current_user::regrole AS mine,
  consumer_group ~ ('^burrow\.[0-9a-f]{8}\.' || current_database() || '\.orders$') AS own_group
FROM burrow.subscriptions;
SELECT burrow.unsubscribe('orders');

-- Rolled back, nothing happened.
BEGIN;
SELECT burrow.subscribe('orders', 'on_message', enabled => false);
SELECT subscription, state FROM burrow.subscriptions;
ROLLBACK;
SELECT subscription, state FROM burrow.subscriptions;

-- Savepoints, too.
BEGIN;
SELECT burrow.subscribe('kept', 'on_message', enabled => false);
SAVEPOINT s;
SELECT burrow.subscribe('lost', 'on_message', enabled => false);
ROLLBACK TO s;
COMMIT;
SELECT subscription, state FROM burrow.subscriptions;
SELECT burrow.unsubscribe('kept');

-- Names: what Kafka allows in no group, and what is too long, is replaced in the group.
SELECT burrow.subscribe('orders', 'on_message', 'Two words, "quoted"', enabled => false);
SELECT burrow.subscribe('^orders-(eu|us)$', '"Other"."On"', enabled => false);
SELECT burrow.subscribe(repeat('t', 249), 'on_message', enabled => false);
SELECT left(subscription, 20) AS subscription, left(topic, 20) AS topic, length(subscription) AS length, handler,
  regexp_replace(left(consumer_group, 60), '(?<=[.-])[0-9a-f]{8}(?=\.|$)', 'xxxxxxxx', 'g') AS consumer_group, length(consumer_group) AS group_length
FROM burrow.subscriptions ORDER BY 1;

-- Two names that look alike in a group have different groups.
SELECT burrow.subscribe('orders', 'on_message', 'a b', enabled => false), burrow.subscribe('orders', 'on_message', 'a_b', enabled => false),
  burrow.subscribe('orders', 'on_message', 'a/b', enabled => false);
SELECT count(DISTINCT consumer_group), count(DISTINCT uuid) FROM burrow.subscriptions WHERE subscription ~ '^a.b$';
SELECT burrow.unsubscribe(subscription) FROM burrow.subscriptions;

-- Pause and resume, as far as the catalog goes.
SELECT burrow.subscribe('orders', 'on_message', enabled => false);
SELECT state FROM burrow.subscriptions;
SELECT burrow.pause('orders');
BEGIN;
SELECT burrow.alter('orders', enabled => true);
SELECT status FROM burrow.subscription;
SELECT burrow.pause('orders');
SELECT burrow.pause('orders');
SELECT status FROM burrow.subscription;
-- enabled does not end a pause
SELECT burrow.alter('orders', enabled => true);
SELECT status FROM burrow.subscription;
SELECT burrow.alter('orders', enabled => false);
SELECT status FROM burrow.subscription;
SELECT burrow.resume('orders');
SELECT status FROM burrow.subscription;
ROLLBACK;

-- A halt shows its error, and resume ends both.
UPDATE burrow.subscription SET status = 'halted', error_topic = 'orders', error_partition = 1, error_offset = 42, error_sqlstate = '22P02',
  error_message = 'message', error_detail = 'detail', error_hint = 'hint', error_context = 'context', error_at = '2024-01-01 00:00 UTC';
SELECT last_error, last_error_at = '2024-01-01 00:00 UTC' AS at, error_topic, error_partition, error_offset, error_sqlstate, error_message, error_detail, error_hint, error_context
FROM burrow.subscriptions;
SELECT burrow.pause('orders');
SELECT status FROM burrow.subscription;
BEGIN;
SELECT burrow.resume('orders');
SELECT status, num_nulls(error_topic, error_partition, error_offset, error_sqlstate, error_message, error_detail, error_hint, error_context, error_at) FROM burrow.subscription;
ROLLBACK;
-- so does disabling it and enabling it again
BEGIN;
SELECT burrow.alter('orders', enabled => false);
SELECT burrow.alter('orders', enabled => true);
SELECT status, num_nulls(error_topic, error_partition, error_offset, error_sqlstate, error_message, error_detail, error_hint, error_context, error_at) FROM burrow.subscription;
ROLLBACK;

-- alter leaves what it is not told to change.
UPDATE burrow.subscription SET status = 'disabled';
CREATE TEMP TABLE before AS TABLE burrow.subscription;
SELECT burrow.alter('orders');
SELECT burrow.alter('orders', workers => 7, topic => '^orders', handler => '"Other"."On"', kafka => '{"client.id": "x"}', start_from => 'latest');
SELECT topic, handler, workers, batch_size, start_from, kafka FROM burrow.subscriptions;
SELECT b.uuid = s.uuid AS same_uuid, b.consumer_group = s.consumer_group AS same_group FROM before b JOIN burrow.subscription s USING (subid);
-- another group draws another UUID, the same group does not
SELECT burrow.alter('orders', consumer_group => consumer_group) FROM before;
SELECT b.uuid = s.uuid AS same_uuid FROM before b JOIN burrow.subscription s USING (subid);
SELECT burrow.alter('orders', consumer_group => 'another');
SELECT b.uuid = s.uuid AS same_uuid, s.consumer_group FROM before b JOIN burrow.subscription s USING (subid);
-- the properties are replaced as a whole
SELECT burrow.alter('orders', kafka => '{}');
SELECT kafka FROM burrow.subscriptions;

-- A copy of the database does not run by itself; resume makes it one of this database.
UPDATE burrow.subscription SET status = 'enabled', system_identifier = system_identifier + 1;
SELECT state FROM burrow.subscriptions;
UPDATE burrow.subscription SET system_identifier = system_identifier - 1, dboid = 1;
SELECT state FROM burrow.subscriptions;
BEGIN;
SELECT burrow.resume('orders');
SELECT b.dboid = s.dboid AS here, b.system_identifier = s.system_identifier AS this_server FROM before b JOIN burrow.subscription s USING (subid);
ROLLBACK;

-- Progress goes with its subscription.
INSERT INTO burrow.progress SELECT subid, 'orders', 0, -1, 42 FROM burrow.subscription;
SELECT burrow.unsubscribe('orders');
SELECT count(*) FROM burrow.progress;

-- It works from inside a function, and as whoever the function runs as.
DO $$ BEGIN PERFORM burrow.subscribe('orders', 'on_message', enabled => false); END $$;
SELECT subscription FROM burrow.subscriptions;
SELECT burrow.unsubscribe('orders');

-- Publications that take Burrow's tables along
SET client_min_messages = error;
CREATE PUBLICATION everything FOR ALL TABLES;
RESET client_min_messages;
SELECT burrow.subscribe('orders', 'on_message', enabled => false);
DROP PUBLICATION everything;
SELECT burrow.unsubscribe('orders');

-- The search path of the caller is his own again, and is not used for Burrow's tables.
CREATE TABLE subscription (name text);
CREATE FUNCTION pg_temp.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql AS 'BEGIN RAISE ''not me''; END';
SET search_path = public, pg_catalog;
SELECT burrow.subscribe('orders', 'on_message', enabled => false);
SHOW search_path;
SELECT burrow.unsubscribe('orders');
RESET search_path;

DROP TABLE subscription;
DROP FUNCTION on_message;
DROP SCHEMA "Other" CASCADE;
