-- Exactly once, and rows that a handler writes to other servers.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS burrow;
RESET client_min_messages;
CREATE FUNCTION keep(value text) RETURNS void LANGUAGE sql AS '';

SELECT burrow.subscribe('neither', 'keep', enabled => false);

-- Citus, whose library is not loaded here: refused, while it is there.
SELECT DISTINCT citus_commit FROM burrow.subscriptions;
SET allow_system_table_mods = on;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
  SELECT 90001, 'citus', oid, 'pg_catalog'::regnamespace, false, '1.0' FROM pg_roles WHERE rolname = current_user;
RESET allow_system_table_mods;
CREATE FUNCTION citus_member() RETURNS void LANGUAGE sql AS '';
ALTER EXTENSION citus ADD FUNCTION citus_member();
SELECT DISTINCT citus_commit FROM burrow.subscriptions;
SELECT burrow.subscribe('refused', 'keep', enabled => false);
SELECT burrow.alter('neither', workers => 2);
SELECT burrow.resume('neither');
SELECT cause, next_statement FROM burrow.why_stuck('neither') ORDER BY 1;
SELECT burrow.alter('neither', delivery => 'at_least_once');
SELECT burrow.subscribe('allowed', 'keep', enabled => false, delivery => 'at_least_once');
DROP EXTENSION citus;
SELECT DISTINCT citus_commit FROM burrow.subscriptions;
SELECT burrow.alter('neither', delivery => 'exactly_once');

-- postgres_fdw and dblink: a warning, where exactly once is promised.  They are PostgreSQL's own, but not every installation
-- has them; what is expected then is in other_nodes_1.out.
SELECT count(*) = 2 AS has_both FROM pg_available_extensions WHERE name IN ('postgres_fdw', 'dblink') \gset
\if :has_both
CREATE EXTENSION postgres_fdw;
SELECT burrow.subscribe('wrapper', 'keep', enabled => false);
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
SELECT burrow.subscribe('server', 'keep', enabled => false);
SELECT burrow.subscribe('at_least_once', 'keep', enabled => false, delivery => 'at_least_once');
DROP EXTENSION postgres_fdw CASCADE;
CREATE EXTENSION dblink;
SELECT burrow.subscribe('dblink', 'keep', enabled => false);
DROP EXTENSION dblink;
\endif

SELECT count(burrow.unsubscribe(subscription)) FROM burrow.subscriptions;
DROP FUNCTION keep(text);
