-- What CREATE EXTENSION makes, and what it leaves behind.

CREATE EXTENSION burrow;

SELECT nspname, extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'burrow';

-- Every object has a comment.
SELECT pg_describe_object(classid, objid, 0) AS without_comment
FROM pg_depend d
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'burrow')
  AND obj_description(objid, classid::regclass::name) IS NULL
  -- types that come with a table
  AND NOT EXISTS (SELECT FROM pg_type t WHERE classid = 'pg_type'::regclass AND t.oid = objid AND typrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'v')))
  -- from 17 on, array types are members too
  AND NOT EXISTS (SELECT FROM pg_type t WHERE classid = 'pg_type'::regclass AND t.oid = objid AND typcategory = 'A')
ORDER BY 1;

-- Every table has a primary key.
SELECT c.oid::regclass AS without_primary_key
FROM pg_class c
WHERE relnamespace = 'burrow'::regnamespace AND relkind = 'r'
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p');

-- pg_dump takes these along.
SELECT c.oid::regclass AS dumped FROM pg_class c, pg_extension WHERE extname = 'burrow' AND c.oid = ANY (extconfig) ORDER BY c.relname;

-- The views are for everybody, the tables for nobody, and they are safe to look through.
SELECT c.oid::regclass AS relation, relkind,
  has_table_privilege('pg_signal_backend', c.oid, 'SELECT') AS everybody_reads,
  has_table_privilege('pg_signal_backend', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') AS everybody_writes,
  reloptions
FROM pg_class c
WHERE relnamespace = 'burrow'::regnamespace AND relkind IN ('r', 'v')
ORDER BY relkind, c.oid::regclass::text;

-- Functions that everybody may execute.
SELECT proname AS for_everybody
FROM pg_proc
WHERE pronamespace = 'burrow'::regnamespace AND has_function_privilege('pg_signal_backend', oid, 'EXECUTE')
ORDER BY 1;

-- The views answer when nothing is there.
SELECT count(*) FROM burrow.subscriptions;
SELECT count(*) FROM burrow.stats;
SELECT count(*) FROM burrow.history;
SELECT count(*) FROM burrow.partitions;
SELECT count(*) FROM burrow.workers;

-- It can be dropped, and made again.
DROP EXTENSION burrow;
SELECT count(*) FROM pg_class WHERE relnamespace = 'burrow'::regnamespace;
CREATE EXTENSION burrow;
