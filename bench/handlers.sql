-- What the benchmarks' messages are handled by, and what handles the same messages
-- without Burrow.  A value is {"n": number, "key": number, "seq": number, "pad": "xx..."}.

CREATE TABLE sink (key text, n bigint, seq bigint, pad text);
CREATE TABLE messages (n bigint PRIMARY KEY, key text, value text);

CREATE FUNCTION on_row(key text, value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sink VALUES (key, (value->>'n')::bigint, (value->>'seq')::bigint, value->>'pad');
END $$;

CREATE FUNCTION on_nothing(key text, value text) RETURNS void LANGUAGE sql AS '';

CREATE FUNCTION on_io(key text, value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_sleep(0.05);
	INSERT INTO sink VALUES (key, (value->>'n')::bigint, (value->>'seq')::bigint, value->>'pad');
END $$;

CREATE FUNCTION on_bulk(messages burrow.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sink
	SELECT convert_from(m.key, 'UTF8'), (v.value->>'n')::bigint, (v.value->>'seq')::bigint, v.value->>'pad'
	FROM unnest(messages) m, LATERAL (SELECT convert_from(m.value, 'UTF8')::jsonb AS value OFFSET 0) v;
END $$;

CREATE FUNCTION on_fields(key text[], value jsonb[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sink
	SELECT m.key, (m.value->>'n')::bigint, (m.value->>'seq')::bigint, m.value->>'pad'
	FROM unnest(on_fields.key, on_fields.value) AS m (key, value);
END $$;

-- The same with values that the statement has to parse.
CREATE FUNCTION on_texts(key text[], value text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sink
	SELECT m.key, (v.value->>'n')::bigint, (v.value->>'seq')::bigint, v.value->>'pad'
	FROM unnest(on_texts.key, on_texts.value) AS m (key, value), LATERAL (SELECT m.value::jsonb AS value OFFSET 0) v;
END $$;

-- Leaves when it was called, in microseconds since 1970.
CREATE FUNCTION on_when(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sink (seq) VALUES (extract(epoch FROM clock_timestamp()) * 1000000);
END $$;

-- The same, with the partition.
CREATE FUNCTION on_arrival(partition int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sink (n, seq) VALUES (partition, extract(epoch FROM clock_timestamp()) * 1000000);
END $$;

-- Waits at the message whose key is "stuck" until advisory lock 2 is free.
CREATE FUNCTION on_stuck(key text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF key = 'stuck' THEN
		PERFORM pg_advisory_xact_lock_shared(2);
	ELSE
		PERFORM on_row(key, value::jsonb);
	END IF;
END $$;

-- Call on_row() for every "sessions"th part of the messages, committing each "chunk".
-- Messages come in blocks through arrays: a cursor that lives on over a COMMIT would
-- first be read to its end.
CREATE PROCEDURE loop_row(session bigint, sessions bigint, chunk int) LANGUAGE plpgsql AS $$
DECLARE
	total bigint := (SELECT count(*) FROM messages);
	next bigint := total * session / sessions;
	last bigint := total * (session + 1) / sessions;
	keys text[];
	contents text[];
	pending int := 0;
BEGIN
	WHILE next < last LOOP
		SELECT array_agg(m.key ORDER BY m.n), array_agg(m.value ORDER BY m.n) INTO keys, contents
		FROM messages m WHERE m.n >= next AND m.n < least(next + 1000, last);
		FOR i IN 1 .. cardinality(keys) LOOP
			PERFORM on_row(keys[i], contents[i]::jsonb);
			pending := pending + 1;
			IF pending = chunk THEN
				COMMIT;
				pending := 0;
			END IF;
		END LOOP;
		next := next + 1000;
	END LOOP;
	COMMIT;
END $$;

-- Call on_io() so often, a transaction each.
CREATE PROCEDURE loop_io(calls int) LANGUAGE plpgsql AS $$
DECLARE
	content jsonb := jsonb_build_object('n', 1, 'key', 1, 'seq', 1, 'pad', repeat('x', 100));
BEGIN
	FOR i IN 1 .. calls LOOP
		PERFORM on_io('key-' || i, content);
		COMMIT;
	END LOOP;
END $$;

-- Call on_bulk() for a "sessions"th part of as many messages as there are, always with the same chunk.
CREATE PROCEDURE loop_bulk(sessions bigint, chunk int) LANGUAGE plpgsql AS $$
DECLARE
	calls bigint := (SELECT count(*) FROM messages) / sessions / chunk;
	content burrow.message[] := (
		SELECT array_agg(ROW('bench', 0, m.n, m.key::bytea, m.value::bytea, NULL, now(), 1)::burrow.message)
		FROM messages m WHERE m.n < chunk
	);
BEGIN
	FOR i IN 1 .. calls LOOP
		PERFORM on_bulk(content);
		COMMIT;
	END LOOP;
END $$;

-- The same with on_fields(), or on_texts().
CREATE PROCEDURE loop_fields(sessions bigint, chunk int, parse boolean) LANGUAGE plpgsql AS $$
DECLARE
	calls bigint := (SELECT count(*) FROM messages) / sessions / chunk;
	keys text[];
	texts text[];
	contents jsonb[];
BEGIN
	SELECT array_agg(m.key ORDER BY m.n), array_agg(m.value ORDER BY m.n), array_agg(m.value::jsonb ORDER BY m.n)
	INTO keys, texts, contents FROM messages m WHERE m.n < chunk;
	FOR i IN 1 .. calls LOOP
		IF parse THEN
			PERFORM on_texts(keys, texts);
		ELSE
			PERFORM on_fields(keys, contents);
		END IF;
		COMMIT;
	END LOOP;
END $$;
