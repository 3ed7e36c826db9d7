/*
 * update/begin.sql
 *	  How each of ALTER EXTENSION UPDATE's scripts begins.  After it come update/<version>.sql, for each version on
 *	  the way, burrow.sql, and update/end.sql.
 *
 * PL/pgSQL is for errors that say what to do; a database that lacks it needs it for as long as the update takes.
 */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION burrow UPDATE" to load this file. \quit

-- An older library has not the functions that are made here.  It is known by a setting that it lacks; where the library is not
-- preloaded, there is no setting at all, and the functions come from the file.
DO $$
DECLARE
	owner name := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'burrow.subscription'::regclass);
BEGIN
	IF current_setting('burrow.enabled', true) IS NOT NULL AND current_setting('burrow.stalled_after', true) IS NULL THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'the server runs the library of an older version of Burrow',
			HINT = 'Restart the server, and use ALTER EXTENSION burrow UPDATE again.';
	END IF;
	-- what is made belongs to whoever makes it
	IF owner <> current_user THEN
		RAISE insufficient_privilege USING
			MESSAGE = format('Burrow''s tables belong to role "%s", which must update the extension', owner),
			HINT = format('Use SET ROLE %I, and ALTER EXTENSION burrow UPDATE again.', owner);
	END IF;
END
$$;

CREATE FUNCTION burrow._outside_script(statement text) RETURNS void
LANGUAGE C STRICT
AS 'MODULE_PATHNAME', 'burrow_sql_outside_script';

-- What the administrator has granted and revoked is put aside until the end: of what is dropped it would be
-- lost, and of the rest it would count as the extension's own, which pg_dump leaves out.
CREATE TABLE burrow._privilege AS
WITH object (target, columns, acl, initial) AS (
	SELECT 'FUNCTION ' || CASE WHEN count(*) OVER (PARTITION BY p.proname) = 1 THEN format('burrow.%I', p.proname)
			ELSE p.oid::regprocedure::text END,
		'', coalesce(p.proacl, acldefault('f', p.proowner)), coalesce(i.initprivs, acldefault('f', p.proowner))
	FROM pg_proc p LEFT JOIN pg_init_privs i ON i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid AND i.objsubid = 0
	WHERE p.pronamespace = 'burrow'::regnamespace
	UNION ALL
	SELECT format('burrow.%I', c.relname),
		'', coalesce(c.relacl, acldefault('r', c.relowner)), coalesce(i.initprivs, acldefault('r', c.relowner))
	FROM pg_class c LEFT JOIN pg_init_privs i ON i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = 0
	WHERE c.relnamespace = 'burrow'::regnamespace AND c.relkind = 'v'
	UNION ALL
	SELECT format('burrow.%I', c.relname), format(' (%I)', a.attname), a.attacl, NULL::aclitem[]
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'burrow'::regnamespace AND c.relkind = 'v' AND a.attacl IS NOT NULL
), item (given, target, privilege, grantee, grantable) AS (
	(SELECT true, o.target, e.privilege_type || o.columns, e.grantee, e.is_grantable FROM object o, aclexplode(o.acl) e
	EXCEPT
	SELECT true, o.target, e.privilege_type || o.columns, e.grantee, e.is_grantable FROM object o, aclexplode(o.initial) e)
	UNION ALL
	(SELECT false, o.target, e.privilege_type || o.columns, e.grantee, e.is_grantable FROM object o, aclexplode(o.initial) e
	EXCEPT
	SELECT false, o.target, e.privilege_type || o.columns, e.grantee, e.is_grantable FROM object o, aclexplode(o.acl) e)
)
SELECT i.given,
	format('GRANT %s ON %s TO %s%s', i.privilege, i.target, r.name, CASE WHEN i.grantable THEN ' WITH GRANT OPTION' END) AS to_grant,
	format('REVOKE %s ON %s FROM %s CASCADE', i.privilege, i.target, r.name) AS to_revoke
FROM item i JOIN (
	SELECT 0::oid, 'PUBLIC'
	UNION ALL
	SELECT oid, quote_ident(rolname) FROM pg_roles
) r (oid, name) ON r.oid = i.grantee;

SELECT burrow._outside_script(CASE WHEN given THEN to_revoke ELSE to_grant END) FROM burrow._privilege;

