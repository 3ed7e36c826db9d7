-- What the benchmarks' messages are handled by, and what handles the same messages
-- without Burrow.  A value is {"n": number, "key": number, "seq": number, "pad": "xx..."}.

CREATE TABLE sink (key text, n bigint, seq bigint, pad text);
CREATE TABLE messages (n bigint PRIMARY KEY, key text, value text);

CREATE FUNCTION on_row(key text, value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sink VALUES (key, (value->>'n')::bigint, (value->>'seq')::bigint, value->>'pad');
END $$;

CREATE FUNCTION on_io(key text, value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_sleep(0.05);
	INSERT INTO sink VALUES (key, (value->>'n')::bigint, (value->>'seq')::bigint, value->>'pad');
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
