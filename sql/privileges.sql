-- Who may do and see what.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS burrow;
RESET client_min_messages;

CREATE ROLE regress_burrow_a LOGIN;
CREATE ROLE regress_burrow_b LOGIN;
CREATE ROLE regress_burrow_member LOGIN IN ROLE regress_burrow_a;
CREATE ROLE regress_burrow_monitor LOGIN IN ROLE pg_monitor;
CREATE FUNCTION on_message(value jsonb) RETURNS void LANGUAGE sql AS '';

-- The functions are not for everybody.
SET ROLE regress_burrow_a;
SELECT burrow.subscribe('a', 'on_message');
SELECT burrow.alter('a', workers => 2);
SELECT burrow.pause('a');
SELECT burrow.resume('a');
SELECT burrow.seek('a', 'a', 0, 0);
SELECT burrow.seek('a', now());
SELECT burrow.unsubscribe('a');
SELECT burrow.wait_until_caught_up('a');
SELECT burrow.dry_run('a');
-- nor are the tables
SELECT * FROM burrow.subscription;
SELECT * FROM burrow.progress;
SELECT * FROM burrow.pending_seek;
SELECT * FROM burrow.topic_identity;
SELECT nextval('burrow.subscription_subid_seq');
RESET ROLE;

-- EXECUTE is all that is needed.
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO regress_burrow_a, regress_burrow_b, regress_burrow_monitor;
SET ROLE regress_burrow_a;
SELECT burrow.subscribe('a', 'on_message', enabled => false);
SELECT subscription, owner FROM burrow.subscriptions;
SELECT current_user;
SET ROLE regress_burrow_b;
SELECT burrow.subscribe('b', 'on_message', enabled => false, kafka => '{"client.id": "x"}');
SELECT subscription, owner FROM burrow.subscriptions;

-- What another role owns is not touched, and not seen.
SELECT burrow.alter('a', workers => 2);
SELECT burrow.pause('a');
SELECT burrow.resume('a');
SELECT burrow.seek('a', 'a', 0, 0);
SELECT burrow.seek('a', now());
SELECT burrow.unsubscribe('a');
SELECT burrow.wait_until_caught_up('a');
SELECT burrow.dry_run('a');
SELECT burrow.subscribe('a', 'on_message');
SELECT burrow.pause('c');
SELECT subscription FROM burrow.stats;
-- a view does not leak through a cheap function
CREATE FUNCTION pg_temp.leak(text) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''leaked %'', $1; RETURN true; END';
SELECT subscription FROM burrow.subscriptions WHERE pg_temp.leak(subscription);
SELECT subscription FROM burrow.stats WHERE pg_temp.leak(subscription);
DROP FUNCTION pg_temp.leak;
RESET ROLE;

-- A member of the owner is the owner, too.
GRANT EXECUTE ON FUNCTION burrow.alter, burrow.seek(text, text, int, bigint) TO regress_burrow_member;
SET ROLE regress_burrow_member;
SELECT subscription, owner FROM burrow.subscriptions;
SELECT burrow.alter('a', workers => 2);
SELECT burrow.seek('a', 'a', 0, 0);
RESET ROLE;

-- pg_monitor sees all, and changes nothing.
UPDATE burrow.subscription SET error_message = 'message', error_detail = 'the message''s content', error_context = 'context', error_at = now() WHERE name = 'a';
SET ROLE regress_burrow_monitor;
SELECT subscription, owner, error_message, error_detail, error_context FROM burrow.subscriptions ORDER BY 1;
SELECT subscription FROM burrow.stats ORDER BY 1;
SELECT burrow.pause('a');
RESET ROLE;
SET ROLE regress_burrow_a;
SELECT subscription, error_message, error_detail, error_context FROM burrow.subscriptions;
RESET ROLE;
-- superusers see and do all
SELECT subscription, owner FROM burrow.subscriptions ORDER BY 1;
SELECT burrow.alter('a', workers => 3);

-- A property that only a superuser may set
SET ROLE regress_burrow_b;
SELECT burrow.alter('b', kafka => '{"debug": "all"}');
RESET ROLE;
SELECT burrow.alter('b', kafka => '{"debug": "cgrp"}');
-- what he has set stays when the owner changes something else
SET ROLE regress_burrow_b;
SELECT burrow.alter('b', workers => 2);
SELECT kafka FROM burrow.subscriptions;
SELECT burrow.alter('b', kafka => '{"debug": "cgrp"}');
RESET ROLE;

-- A handler that the caller may not execute
REVOKE EXECUTE ON FUNCTION on_message FROM PUBLIC;
SET ROLE regress_burrow_a;
SELECT burrow.subscribe('c', 'on_message', enabled => false);
SELECT burrow.alter('a', handler => 'on_message');
RESET ROLE;
GRANT EXECUTE ON FUNCTION on_message TO PUBLIC;

-- Workers have to be able to connect as the owner.
REVOKE CONNECT ON DATABASE :DBNAME FROM PUBLIC;
SET ROLE regress_burrow_a;
\set VERBOSITY terse
SELECT burrow.subscribe('c', 'on_message', enabled => false);
SELECT burrow.alter('a', workers => 4);
SELECT burrow.resume('a');
\set VERBOSITY default
RESET ROLE;
GRANT CONNECT ON DATABASE :DBNAME TO PUBLIC;

-- In a SECURITY DEFINER function its owner subscribes.
CREATE FUNCTION subscribe_as_b() RETURNS text SECURITY DEFINER LANGUAGE sql AS 'SELECT burrow.subscribe(''d'', ''on_message'', enabled => false)';
ALTER FUNCTION subscribe_as_b OWNER TO regress_burrow_b;
SELECT subscribe_as_b();
SELECT owner FROM burrow.subscriptions WHERE subscription = 'd';

-- An error leaves the caller who he was.
SET ROLE regress_burrow_a;
BEGIN;
SAVEPOINT s;
SELECT burrow.subscribe('a', 'on_message', enabled => false);
ROLLBACK TO s;
SELECT current_user, current_setting('search_path');
ROLLBACK;
RESET ROLE;

SELECT burrow.unsubscribe(subscription) FROM burrow.subscriptions;
DROP FUNCTION subscribe_as_b, on_message;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow FROM regress_burrow_a, regress_burrow_b, regress_burrow_monitor, regress_burrow_member;
DROP ROLE regress_burrow_member, regress_burrow_a, regress_burrow_b, regress_burrow_monitor;
