-- Which functions can be handlers, and what is said of those that cannot.
-- Nothing runs here: the subscriptions are made disabled, and are gone at once.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS burrow;
RESET client_min_messages;
CREATE SCHEMA handlers;
SET search_path = handlers, public;

-- what is stored for the handler, or the error
CREATE FUNCTION look_up(handler text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    name text;
    result text;
    detail text;
    hint text;
BEGIN
    name := burrow.subscribe('topic', handler, 'handler test', enabled => false);
    SELECT s.handler INTO result FROM burrow.subscriptions s WHERE s.subscription = name;
    PERFORM burrow.unsubscribe(name);
    -- 17 prints json without its schema
    RETURN regexp_replace(result, 'pg_catalog\.json\M', 'json', 'g');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    IF hint LIKE 'A handler takes one argument of type burrow.message or%' THEN
        hint := '(what fits)';
    END IF;
    RETURN concat_ws(chr(10), sqlstate || ' ' || sqlerrm, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on

--
-- every form
--
CREATE FUNCTION takes_message(burrow.message) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION takes_named_message(value burrow.message) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION takes_array(m burrow.message[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION takes_bytea(bytea) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION takes_text(payload text) RETURNS text LANGUAGE sql AS 'SELECT payload';
CREATE FUNCTION takes_json(json) RETURNS record LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION takes_jsonb("any name" jsonb) RETURNS void LANGUAGE sql STRICT AS '';
CREATE FUNCTION takes_all(attempt int, "timestamp" timestamptz, headers burrow.header[], value jsonb, key bytea,
    "offset" bigint, partition int, topic text) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION takes_some(key json, headers jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION takes_key(key text) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION takes_attempt(attempt int) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION "Odd (name"("timestamp" timestamptz) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION is_definer(value bytea) RETURNS void LANGUAGE sql SECURITY DEFINER SET work_mem = '1MB' AS '';
SELECT look_up(h) FROM unnest(ARRAY['takes_message', 'takes_named_message', 'takes_array', 'takes_bytea', 'takes_text',
    'takes_json', 'takes_jsonb', 'takes_all', 'takes_some', 'takes_key', 'takes_attempt', '"Odd (name"', 'is_definer']) h;

-- written in other ways
SELECT look_up(h) FROM unnest(ARRAY['handlers.takes_text', ' Takes_Text ', 'takes_text(text)', 'takes_text ( pg_catalog.text )',
    'handlers."takes_text"(text)', '"Odd (name"(timestamptz)', 'takes_array(burrow.message[])']) h;

--
-- arrays of fields
--
CREATE FUNCTION arrays_all(attempt int[], "timestamp" timestamptz[], headers jsonb[], value jsonb[], key bytea[],
    "offset" bigint[], partition int[], topic text[]) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION arrays_some(key json[], value text[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION arrays_value(bytea[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION arrays_named_value(documents jsonb[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION arrays_key(key text[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION arrays_headers(headers jsonb[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION one_headers(headers burrow.header[]) RETURNS void LANGUAGE sql AS '';
SELECT look_up(h) FROM unnest(ARRAY['arrays_all', 'arrays_some', 'arrays_value', 'arrays_named_value', 'arrays_key', 'arrays_headers',
    'one_headers']) h;
-- all of them or none, and each of its field's types
CREATE DOMAIN texts AS text[];
CREATE FUNCTION mixed(key text[], value jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION mixed_too("offset" bigint, value jsonb[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION arrays_of_headers(key text[], headers burrow.header[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION int_offsets(key text[], "offset" int[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION domain_array(key texts) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION other_array(int[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION no_field(key text[], n int[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION arrays_and_messages(m burrow.message[], key text[]) RETURNS void LANGUAGE sql AS '';
SELECT look_up(h) FROM unnest(ARRAY['mixed', 'mixed_too', 'arrays_of_headers', 'int_offsets', 'domain_array', 'other_array', 'no_field',
    'arrays_and_messages']) h;

--
-- overloads: a bare name means the only one that fits
--
CREATE FUNCTION one_fits(jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION one_fits(int) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION one_fits(jsonb, int) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION upper(jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION two_fit(jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION two_fit(value text, key text) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION none_fits(value int) RETURNS void LANGUAGE sql AS '';
CREATE PROCEDURE none_fits(value text) LANGUAGE sql AS '';
SELECT look_up('one_fits');
SELECT look_up('upper');
SELECT look_up('two_fit');
SELECT look_up('two_fit(text,text)');
SELECT look_up('none_fits');
SELECT look_up('one_fits(int)');

-- the first schema of the search path hides the same arguments in the next
CREATE FUNCTION public.takes_text(payload text) RETURNS text LANGUAGE sql AS 'SELECT payload';
SELECT look_up('takes_text');
SELECT look_up('public.takes_text');
DROP FUNCTION public.takes_text(text);

--
-- there is no such function
--
SELECT burrow.subscribe('topic', 'missing');
SELECT look_up(h) FROM unnest(ARRAY['missing', 'no_schema.missing', 'missing(text)', 'takes_text(int)', 'takes_text(no_type)',
    'takes_text(', 'a.b.c.d', '-', '1259', '']) h;

--
-- arguments that do not fit
--
CREATE DOMAIN a_domain AS text;
CREATE FUNCTION no_argument() RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION varchar_value(value varchar) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION domain_value(value a_domain) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION only_varchar(varchar) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION only_xml(document xml) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION bigint_partition(partition bigint) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION int_offset("offset" int, value text) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION text_headers(value text, headers text) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION local_timestamp("timestamp" timestamp) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION int_key(key int) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION jsonb_topic(topic jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION misspelt(key text, valeu jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION no_names(text, jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION one_name(key text, jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION with_default(value text, verbose boolean DEFAULT false) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION message_and_more(m burrow.message, attempt int) RETURNS void LANGUAGE sql AS '';
SELECT look_up(h) FROM unnest(ARRAY['no_argument', 'varchar_value', 'domain_value', 'only_varchar', 'only_xml', 'bigint_partition',
    'int_offset', 'text_headers', 'local_timestamp', 'int_key', 'jsonb_topic', 'misspelt', 'no_names', 'one_name', 'with_default',
    'message_and_more']) h;

--
-- functions of a kind that cannot be called with a message
--
CREATE PROCEDURE a_procedure(value text) LANGUAGE sql AS '';
CREATE AGGREGATE an_aggregate(text) (sfunc = textcat, stype = text);
CREATE FUNCTION a_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION an_event_trigger() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION returns_set(value text) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION returns_table(value text) RETURNS TABLE (a int) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION has_out(value text, OUT a int) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION has_inout(INOUT value text) LANGUAGE sql AS 'SELECT value';
CREATE FUNCTION is_variadic(VARIADIC value text[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION is_polymorphic(value anyelement) RETURNS void LANGUAGE sql AS '';
SELECT look_up(h) FROM unnest(ARRAY['a_procedure', 'an_aggregate', 'row_number', 'a_trigger', 'an_event_trigger', 'returns_set',
    'returns_table', 'has_out', 'has_inout', 'is_variadic', 'is_polymorphic', 'initcap', 'jsonb_in', 'plpgsql_call_handler']) h;

--
-- privileges of whoever subscribes
--
CREATE ROLE regress_handler_user;
GRANT USAGE ON SCHEMA handlers TO regress_handler_user;
GRANT EXECUTE ON FUNCTION burrow.subscribe TO regress_handler_user;
CREATE SCHEMA hidden;
CREATE FUNCTION hidden.f(text) RETURNS void LANGUAGE sql AS '';
REVOKE EXECUTE ON FUNCTION takes_text FROM PUBLIC;
SET ROLE regress_handler_user;
SELECT look_up('takes_text');
SELECT look_up('hidden.f');
RESET ROLE;

-- burrow.alter() looks at its handler in the same way, and the old one stays
SELECT burrow.subscribe('topic', 'takes_text', enabled => false);
SELECT burrow.alter('topic', handler => 'misspelt');
SELECT handler FROM burrow.subscriptions WHERE subscription = 'topic';
SELECT burrow.alter('topic', handler => 'takes_array');
SELECT handler FROM burrow.subscriptions WHERE subscription = 'topic';
SELECT burrow.unsubscribe('topic');

\pset format aligned
\pset tuples_only off
REVOKE ALL ON FUNCTION burrow.subscribe FROM regress_handler_user;
SET client_min_messages = warning;
DROP SCHEMA handlers, hidden CASCADE;
DROP ROLE regress_handler_user;
