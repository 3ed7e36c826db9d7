-- All that the system catalogs say of extension burrow, a fact a line: two databases where it is the same are equal.
-- OIDs are left out, also out of the names of what PostgreSQL makes by itself.
WITH member AS (
	SELECT d.classid, d.objid
	FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'burrow'
), class AS (
	-- with indexes, and the tables that hold long values
	SELECT c.*, format('%s %s', c.relkind, regexp_replace(c.oid::regclass::text, '\d{5,}', 'N')) AS name
	FROM pg_class c
	WHERE c.oid IN (SELECT objid FROM member WHERE classid = 'pg_class'::regclass)
		OR c.oid IN (SELECT i.indexrelid FROM pg_index i JOIN member m ON m.objid = i.indrelid AND m.classid = 'pg_class'::regclass)
		OR c.oid IN (SELECT t.reltoastrelid FROM pg_class t JOIN member m ON m.objid = t.oid AND m.classid = 'pg_class'::regclass)
), routine AS (
	SELECT p.* FROM pg_proc p JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
), type AS (
	SELECT t.* FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'burrow'
), described AS (
	SELECT d.classid, d.objid, d.objsubid, pg_describe_object(d.classid, d.objid, d.objsubid) AS name
	FROM (SELECT classid, objid, 0 AS objsubid FROM member
		UNION SELECT 'pg_class'::regclass, oid, 0 FROM class
		UNION SELECT 'pg_constraint'::regclass, oid, 0 FROM pg_constraint WHERE conrelid IN (SELECT oid FROM class)
		UNION SELECT 'pg_trigger'::regclass, oid, 0 FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM class) AND NOT tgisinternal
		UNION SELECT 'pg_class'::regclass, a.attrelid, a.attnum FROM pg_attribute a JOIN class c ON c.oid = a.attrelid
			WHERE a.attnum > 0 AND NOT a.attisdropped) d
), fact (kind, fact) AS (
	SELECT 'extension', concat_ws(' ', e.extversion, e.extowner::regrole, e.extnamespace::regnamespace, e.extrelocatable,
			(SELECT array_agg(c::regclass ORDER BY n) FROM unnest(e.extconfig) WITH ORDINALITY u (c, n)), e.extcondition)
	FROM pg_extension e WHERE e.extname = 'burrow'
	UNION ALL SELECT 'member', pg_describe_object(classid, objid, 0) FROM member
	UNION ALL SELECT 'class', concat_ws(' ', name, relowner::regrole, reloftype, relpersistence, relreplident, reloptions, relrowsecurity,
			relforcerowsecurity, relhasrules, relhastriggers, relhassubclass, relnatts, relchecks, relacl)
		FROM class
	UNION ALL SELECT 'column', concat_ws(' ', c.name, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
			coalesce(a.attstattarget::text, 'default'), a.attlen, a.attbyval, a.attalign, a.attstorage, a.attcompression, a.atthasmissing,
			a.attidentity, a.attgenerated, a.attcollation::regcollation, a.attacl, pg_get_expr(d.adbin, d.adrelid))
		FROM class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE a.attnum > 0
	UNION ALL SELECT 'constraint', concat_ws(' ', c.name, k.conname, pg_get_constraintdef(k.oid), k.convalidated, k.conislocal, k.coninhcount)
		FROM class c JOIN pg_constraint k ON k.conrelid = c.oid
	UNION ALL SELECT 'index', concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisprimary, i.indisvalid, i.indisclustered, i.indisreplident)
		FROM class c JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relname !~ '^pg_toast'
	UNION ALL SELECT 'sequence', concat_ws(' ', c.name, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle)
		FROM class c JOIN pg_sequence s ON s.seqrelid = c.oid
	UNION ALL SELECT 'trigger', concat_ws(' ', c.name, t.tgenabled, pg_get_triggerdef(t.oid))
		FROM class c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal
	UNION ALL SELECT 'policy', concat_ws(' ', c.name, p.polname, p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid))
		FROM class c JOIN pg_policy p ON p.polrelid = c.oid
	UNION ALL SELECT 'view', concat_ws(' ', c.name, pg_get_viewdef(c.oid)) FROM class c WHERE c.relkind = 'v'
	UNION ALL SELECT 'function', concat_ws(' ', pg_get_functiondef(p.oid), p.proowner::regrole, p.procost, p.prorows, p.proacl) FROM routine p
	UNION ALL SELECT 'type', concat_ws(' ', t.typname, t.typowner::regrole, t.typlen, t.typbyval, t.typtype, t.typcategory, t.typispreferred, t.typisdefined,
			t.typdelim, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typalign, t.typstorage, t.typnotnull, t.typcollation::regcollation, t.typacl)
		FROM type t
	UNION ALL SELECT 'cast', concat_ws(' ', castsource::regtype, casttarget::regtype, castfunc::regproc, castcontext, castmethod)
		FROM pg_cast WHERE casttarget IN (SELECT oid FROM type)
	UNION ALL SELECT 'wrapper', concat_ws(' ', fdwname, fdwowner::regrole, fdwhandler::regproc, fdwvalidator::regproc, fdwacl, fdwoptions)
		FROM pg_foreign_data_wrapper
	UNION ALL SELECT 'event trigger', concat_ws(' ', evtname, evtevent, evtfoid::regproc, evtenabled) FROM pg_event_trigger
	UNION ALL SELECT 'schema', concat_ws(' ', nspname, nspowner::regrole, nspacl) FROM pg_namespace WHERE nspname = 'burrow'
	UNION ALL SELECT 'comment', concat_ws(' ', o.name, d.description)
		FROM described o JOIN pg_description d ON d.classoid = o.classid AND d.objoid = o.objid AND d.objsubid = o.objsubid
	UNION ALL SELECT 'initial privileges', concat_ws(' ', pg_describe_object(classoid, objoid, objsubid), privtype, initprivs)
		FROM pg_init_privs WHERE (classoid, objoid) IN (SELECT classid, objid FROM described)
	UNION ALL SELECT 'dependency', concat_ws(' ', o.name, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), d.deptype)
		FROM described o JOIN pg_depend d ON d.classid = o.classid AND d.objid = o.objid AND d.objsubid = o.objsubid
	UNION ALL SELECT 'shared dependency', concat_ws(' ', o.name, pg_describe_object(d.refclassid, d.refobjid, 0), d.deptype)
		FROM described o JOIN pg_shdepend d ON d.classid = o.classid AND d.objid = o.objid AND d.objsubid = o.objsubid
		WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT kind, regexp_replace(fact, '\m(pg_toast_|RI_ConstraintTrigger_[ac]_)\d+', '\1N', 'g') FROM fact ORDER BY 1, 2;
