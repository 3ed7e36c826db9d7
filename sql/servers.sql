-- Foreign servers and user mappings: which options, of which level, whose; and who may use them.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS burrow;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only on

-- What a statement is refused with.
CREATE FUNCTION refusal(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  state text; message text; detail text; hint text;
BEGIN
  BEGIN
    EXECUTE statement;
    RAISE 'not refused' USING errcode = 'XX999';
  EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS state = returned_sqlstate, message = message_text, detail = pg_exception_detail, hint = pg_exception_hint;
  END;
  RETURN NEXT state || ' ' || message;
  IF detail <> '' THEN
    RETURN NEXT '   detail: ' || regexp_replace(detail, 'librdkafka [0-9.]*[0-9]', 'librdkafka n');
  END IF;
  IF hint <> '' THEN
    RETURN NEXT '   hint: ' || hint;
  END IF;
END $$;
CREATE FUNCTION server_refused(options text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT refusal('CREATE SERVER refused FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers ''127.0.0.1:1'', ' || options || ')');
$$;
CREATE FUNCTION mapping_refused(options text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT refusal('CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (' || options || ')');
$$;
CREATE FUNCTION on_message(value jsonb) RETURNS void LANGUAGE sql AS '';

CREATE SERVER plain FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '127.0.0.1:1');
CREATE SERVER scram FOREIGN DATA WRAPPER burrow
  OPTIONS (bootstrap_servers 'a.example:9092, b.example:9092', security_protocol 'SASL_SSL', sasl_mechanism 'SCRAM-SHA-512');

-- The wrapper has servers and mappings, and nothing else.
SELECT refusal($$ALTER FOREIGN DATA WRAPPER burrow OPTIONS (debug 'all')$$);
SELECT refusal($$CREATE FOREIGN TABLE t (value text) SERVER plain$$);
SELECT refusal($$CREATE FOREIGN TABLE t (value text) SERVER plain OPTIONS (topic 'orders')$$);

-- Names, in both spellings.
SELECT server_refused($$security_protocl 'SSL'$$);
SELECT server_refused($$"security.protocol" 'SSL'$$);
SELECT server_refused($$"ssl.ca.pem" ''$$);
SELECT server_refused($$something_else 'x'$$);
SELECT mapping_refused($$sasl_user 'x'$$);
SELECT mapping_refused($$"sasl.password" 'x'$$);
SELECT mapping_refused($$passwrd_required 'x'$$);

-- Levels.
SELECT server_refused($$sasl_username 'x'$$);
SELECT server_refused($$sasl_password 'correct horse'$$);
SELECT server_refused($$ssl_key_pem 'x'$$);
SELECT server_refused($$ssl_certificate_location '/x'$$);
SELECT server_refused($$password_required 'false'$$);
SELECT server_refused($$client_id 'x'$$);
SELECT mapping_refused($$bootstrap_servers 'x:1'$$);
SELECT mapping_refused($$security_protocol 'SSL'$$);
SELECT mapping_refused($$ssl_ca_pem 'x'$$);
SELECT mapping_refused($$ssl_ca_location '/x'$$);
SELECT mapping_refused($$session_timeout_ms '6000'$$);
SELECT mapping_refused($$debug 'all'$$);

-- Every option wherever it does not belong: refused, as what it is, with a hint.
CREATE TABLE option_of (level text, option text);
INSERT INTO option_of
  SELECT 'server', unnest('{bootstrap_servers, metadata_broker_list, security_protocol, sasl_mechanism, sasl_mechanisms, ssl_ca_pem,
    ssl_cipher_suites, ssl_curves_list, ssl_sigalgs_list, ssl_endpoint_identification_algorithm, ssl_ca_location, ssl_crl_location,
    enable_ssl_certificate_verification, debug, sasl_kerberos_service_name}'::text[])
  UNION ALL SELECT 'mapping', unnest('{sasl_username, sasl_password, ssl_certificate_pem, ssl_key_pem, ssl_key_password,
    ssl_certificate_location, ssl_key_location, ssl_keystore_location, ssl_keystore_password, sasl_kerberos_principal,
    sasl_kerberos_keytab, password_required}'::text[])
  UNION ALL SELECT 'subscription', unnest('{client_id, client_rack, group_instance_id, partition_assignment_strategy, session_timeout_ms,
    heartbeat_interval_ms, max_poll_interval_ms, isolation_level, check_crcs, fetch_wait_max_ms, fetch_min_bytes,
    max_partition_fetch_bytes, queued_min_messages, receive_message_max_bytes, socket_timeout_ms, reconnect_backoff_ms,
    topic_metadata_refresh_interval_ms, topic_blacklist, broker_address_family}'::text[])
  UNION ALL SELECT 'nobody', unnest('{group_id, enable_auto_commit, enable_auto_offset_store, auto_offset_reset, enable_partition_eof,
    plugin_library_paths, sasl_kerberos_kinit_cmd, ssl_engine_location, ssl_engine_id, log_queue, offset_store_method, opaque,
    statistics_interval_ms, test_mock_num_brokers, enable_sasl_oauthbearer_unsecure_jwt, sasl_oauthbearer_config, linger_ms}'::text[]);
SELECT o.level || ' as ' || place || ': ' || count(*) || ' options, refused as ' || string_agg(DISTINCT replace(said, o.option, 'x'), ', ')
  || ', with a hint ' || count(*) FILTER (WHERE hinted)
FROM option_of o,
  LATERAL (VALUES
    ('server', format('CREATE SERVER refused FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers ''a:1'', %I ''x'')', o.option)),
    ('mapping', format('CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (%I ''x'')', o.option))) p (place, statement),
  LATERAL (SELECT min(line) FILTER (WHERE line !~ '^ '), bool_or(line ~ '^   hint: ') FROM refusal(p.statement) line) r (said, hinted)
WHERE place <> o.level GROUP BY o.level, place ORDER BY 1;
-- And as a property of a subscription, which may have those that are a superuser's.
SELECT o.level || ' as subscription: ' || count(*) || ' options, ' || string_agg(DISTINCT left(said, 5), ', ') || ', with a hint ' || count(*) FILTER (WHERE hinted)
FROM option_of o,
  LATERAL (SELECT min(line) FILTER (WHERE line !~ '^ '), bool_or(line ~ '^   hint: ')
    FROM refusal(format('SELECT burrow.subscribe(''orders'', ''on_message'', enabled => false, kafka => %L)', jsonb_build_object(replace(o.option, '_', '.'), 'x'))) line) r (said, hinted)
WHERE o.level <> 'subscription' AND o.option !~ 'ssl_[a-z]*_location|keystore|verification|debug|kerberos_[a-jl-z]|keytab|password_required' GROUP BY o.level ORDER BY 1;
DROP TABLE option_of;

-- Nobody's.
SELECT server_refused($$plugin_library_paths 'x'$$);
SELECT server_refused($$group_id 'x'$$);
SELECT server_refused($$enable_auto_commit 'true'$$);
SELECT mapping_refused($$sasl_kerberos_kinit_cmd 'x'$$);
SELECT mapping_refused($$ssl_engine_location 'x'$$);

-- Values.
SELECT refusal($$CREATE SERVER refused FOREIGN DATA WRAPPER burrow$$);
SELECT refusal($$CREATE SERVER refused FOREIGN DATA WRAPPER burrow OPTIONS (security_protocol 'SSL')$$);
SELECT refusal($$CREATE SERVER refused FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '')$$);
SELECT refusal($$CREATE SERVER refused FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers 'a:9092,,b:9092x')$$);
SELECT refusal($$CREATE SERVER refused FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers 'a:99999')$$);
SELECT refusal($$CREATE SERVER refused FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers 'a b:1')$$);
SELECT refusal($$CREATE SERVER refused FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers 'http://a:1')$$);
SELECT refusal($$CREATE SERVER refused FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '[::1')$$);
SELECT refusal($$ALTER SERVER plain OPTIONS (DROP bootstrap_servers)$$);
SELECT server_refused($$security_protocol 'TLS'$$);
SELECT server_refused($$security_protocol 'SASL_SSL'$$);
SELECT server_refused($$security_protocol 'SASL_SSL', sasl_mechanism 'SCRAM'$$);
SELECT server_refused($$ssl_ca_pem 'no certificate'$$);
SELECT server_refused($$ssl_ca_pem E'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'$$);
SELECT server_refused($$ssl_ca_pem E'-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'$$);
SELECT server_refused($$ssl_ca_pem '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'$$);
SELECT server_refused($$ssl_ca_pem '-----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE-----'$$);
SELECT server_refused($$ssl_ca_pem E'  -----BEGIN CERTIFICATE-----\n  AAAA\n  -----END CERTIFICATE-----\n'$$);
SELECT mapping_refused($$ssl_key_pem E'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'$$);
SELECT mapping_refused($$ssl_key_pem E'-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n'$$);
SELECT mapping_refused($$password_required 'perhaps'$$);
SELECT mapping_refused($$sasl_username '', sasl_password 'correct horse'$$);
SELECT mapping_refused($$sasl_username 'x', sasl_password ''$$);
SELECT server_refused($$security_protocol 'SSL', ssl_ca_pem ''$$);
SELECT server_refused($$security_protocol 'SSL', ssl_cipher_suites 'nonsense'$$);
SELECT server_refused($$security_protocol 'SSL', ssl_curves_list 'nonsense'$$);
SELECT server_refused($$metadata_broker_list 'b:1'$$);
SELECT server_refused($$security_protocol 'SASL_SSL', sasl_mechanism 'PLAIN', sasl_mechanisms 'SCRAM-SHA-256'$$);
SELECT mapping_refused($$sasl_kerberos_principal 'reader; true'$$);
SELECT mapping_refused($$sasl_kerberos_keytab '$(true)'$$);

-- Keys whose text asks for more work than a backend may do, in each of the ways to ask for it; none of them is a key.
CREATE FUNCTION der(tag text, VARIADIC contents text[]) RETURNS text LANGUAGE sql AS $$
  SELECT tag || CASE WHEN n < 128 THEN '' ELSE '81' END || lpad(to_hex(n), 2, '0') || c
  FROM array_to_string(contents, '') AS c, LATERAL (SELECT length(c) / 2) AS l (n);
$$;
CREATE FUNCTION sealed(VARIADIC way text[]) RETURNS text LANGUAGE sql AS $$
  SELECT E'-----BEGIN ENCRYPTED PRIVATE KEY-----\n' ||
    encode(decode(der('30', der('30', VARIADIC way), der('04', repeat('00', 32))), 'hex'), 'base64') || E'\n-----END ENCRYPTED PRIVATE KEY-----\n';
$$;
CREATE FUNCTION pbes2(kdf text, VARIADIC parameters text[]) RETURNS text LANGUAGE sql AS $$
  SELECT sealed('06092a864886f70d01050d', der('30', der('30', kdf, der('30', VARIADIC parameters)),
    der('30', '060960864801650304012a', der('04', repeat('00', 16)))));
$$;
CREATE FUNCTION pbkdf2(iterations text) RETURNS text LANGUAGE sql AS $$
  SELECT pbes2('06092a864886f70d01050c', der('04', repeat('00', 8)), der('02', iterations), '300c06082a864886f70d02090500');
$$;
CREATE FUNCTION key_refused(key text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT mapping_refused(format('ssl_key_pem %L, ssl_key_password ''x''', key));
$$;
SELECT key_refused(pbkdf2('2000'));
SELECT key_refused(pbkdf2('00989681'));
SELECT key_refused(replace(pbkdf2('00989681'), 'ENCRYPTED ', ''));
-- together
SELECT key_refused(pbkdf2('5b8d80') || pbkdf2('5b8d80'));
SELECT key_refused(pbes2('06092a864886f70d01050d', '0500'));
-- scrypt, 2^20 x 8 x 2
SELECT key_refused(pbes2('06092b06010401da47040b', der('04', repeat('00', 8)), '0203100000', '020108', '020102'));
-- PKCS #12
SELECT key_refused(sealed('060a2a864886f70d010c0103', der('30', der('04', repeat('00', 8)), '020401000000')));
-- what was looked at is all that there is
SELECT key_refused(E'-----BEGIN PRIVATE KEY-----\n=\n-----END PRIVATE KEY-----\n' || pbkdf2('00989681'));
SELECT key_refused(repeat('x', 1024 * 1024 + 1));
SELECT server_refused(format('ssl_ca_pem %L', repeat('x', 1024 * 1024 + 1)));

-- What lowers the security is a superuser's, and is said.
CREATE SERVER careless FOREIGN DATA WRAPPER burrow
  OPTIONS (bootstrap_servers '127.0.0.1:1', security_protocol 'SSL', ssl_endpoint_identification_algorithm 'none', enable_ssl_certificate_verification 'false');
DROP SERVER careless;

CREATE ROLE regress_burrow_owner;
CREATE ROLE regress_burrow_admin;
GRANT USAGE ON FOREIGN DATA WRAPPER burrow TO regress_burrow_admin;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO regress_burrow_owner;
ALTER ROLE regress_burrow_owner LOGIN;
SET ROLE regress_burrow_admin;
SELECT server_refused($$ssl_ca_location '/etc/passwd'$$);
SELECT server_refused($$debug 'all'$$);
SELECT server_refused($$enable_ssl_certificate_verification 'true'$$);
SELECT server_refused($$ssl_endpoint_identification_algorithm 'none'$$);
SELECT server_refused($$security_protocol 'SASL_SSL', sasl_mechanism 'GSSAPI'$$);
SELECT server_refused($$sasl_oauthbearer_token_endpoint_url 'http://127.0.0.1/'$$);
CREATE SERVER own FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '127.0.0.1:1', security_protocol 'SASL_PLAINTEXT', sasl_mechanism 'PLAIN');
SELECT refusal($$CREATE USER MAPPING FOR PUBLIC SERVER own OPTIONS (password_required 'false')$$);
SELECT refusal($$CREATE USER MAPPING FOR PUBLIC SERVER own OPTIONS (ssl_key_location '/etc/passwd')$$);
SELECT refusal($$CREATE USER MAPPING FOR PUBLIC SERVER own OPTIONS (sasl_kerberos_keytab '/etc/krb5.keytab')$$);
RESET ROLE;

-- An option that only a superuser may set keeps others from changing the object.
ALTER SERVER own OPTIONS (ADD debug 'security');
SET ROLE regress_burrow_admin;
SELECT refusal($$ALTER SERVER own OPTIONS (SET bootstrap_servers 'elsewhere.example:9092')$$);
RESET ROLE;
ALTER SERVER own OPTIONS (DROP debug);

-- Who may use it: USAGE, a mapping, credentials.
CREATE FUNCTION subscribe_refused(server text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT refusal('SELECT burrow.subscribe(''orders'', ''on_message'', enabled => false, server => ' || quote_literal(server) || ')');
$$;
CREATE FOREIGN DATA WRAPPER others;
CREATE SERVER files FOREIGN DATA WRAPPER others;
SELECT subscribe_refused('nowhere');
SELECT subscribe_refused('files');
SET ROLE regress_burrow_owner;
SELECT subscribe_refused('own');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER own, plain TO regress_burrow_owner;
SET ROLE regress_burrow_owner;
SELECT subscribe_refused('plain');
SELECT subscribe_refused('own');
CREATE USER MAPPING FOR regress_burrow_owner SERVER own OPTIONS (sasl_username 'burrow');
SELECT subscribe_refused('own');
SELECT refusal($$ALTER USER MAPPING FOR regress_burrow_owner SERVER own OPTIONS (ADD password_required 'false')$$);
RESET ROLE;
-- without a password there would be nothing to send, whoever says that it is not needed
ALTER USER MAPPING FOR regress_burrow_owner SERVER own OPTIONS (ADD password_required 'false');
SET ROLE regress_burrow_owner;
SELECT subscribe_refused('own');
RESET ROLE;
ALTER USER MAPPING FOR regress_burrow_owner SERVER own OPTIONS (DROP password_required, ADD sasl_password 'correct horse');
SET ROLE regress_burrow_owner;
SELECT burrow.subscribe('orders', 'on_message', enabled => false, server => 'own');
RESET ROLE;
CREATE USER MAPPING FOR PUBLIC SERVER plain;
SET ROLE regress_burrow_owner;
SELECT burrow.alter('orders', server => 'plain');
SELECT server FROM burrow.subscriptions WHERE subscription = 'orders';
SELECT refusal($$SELECT burrow.alter('orders', server => 'scram')$$);
-- as little as the subscription's own properties
SELECT refusal($$SELECT burrow.alter('orders', kafka => '{"sasl.password": "x"}')$$);
-- '' is none
SELECT burrow.alter('orders', server => '');
SELECT server IS NULL FROM burrow.subscriptions WHERE subscription = 'orders';
RESET ROLE;

-- The default of a database.
SELECT refusal($$SET ROLE regress_burrow_owner; SET burrow.default_server = 'plain'$$);
ALTER DATABASE burrow_regress SET burrow.default_server = 'nowhere';
SELECT refusal($$SELECT burrow.subscribe('more', 'on_message', enabled => false)$$);
ALTER DATABASE burrow_regress SET burrow.default_server = 'plain';
SELECT burrow.subscribe('more', 'on_message', enabled => false);
ALTER DATABASE burrow_regress RESET burrow.default_server;
SELECT burrow.unsubscribe('more'), burrow.unsubscribe('orders');

SET client_min_messages = warning;
DROP SERVER files, own, plain, scram CASCADE;
DROP FOREIGN DATA WRAPPER others;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow FROM regress_burrow_owner;
REVOKE USAGE ON FOREIGN DATA WRAPPER burrow FROM regress_burrow_admin;
DROP ROLE regress_burrow_owner, regress_burrow_admin;
DROP FUNCTION on_message, refusal, server_refused, mapping_refused, subscribe_refused;
