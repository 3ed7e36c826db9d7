-- Messages of a topic become rows of a table: the least that Burrow takes.
-- The topic "signups" has to be there; the demo's broker has it (see README.md here).

\set ON_ERROR_STOP on
CREATE EXTENSION IF NOT EXISTS burrow;

CREATE TABLE signups (email text PRIMARY KEY, name text, at timestamptz);

-- what is called for each message: arguments are recognised by their names
CREATE FUNCTION on_signup(key text, value jsonb, "timestamp" timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO signups VALUES (key, value->>'name', "timestamp")
    ON CONFLICT (email) DO UPDATE SET name = EXCLUDED.name, at = EXCLUDED.at;
END $$;

SELECT burrow.subscribe('signups', 'on_signup');

-- somebody else's part: 100 messages, produced with kcat
SELECT current_setting('burrow.bootstrap_servers') AS bootstrap \gset
\setenv BOOTSTRAP :bootstrap
SELECT format('user%s@example.com=%s', n, jsonb_build_object('name', 'User ' || n))
FROM generate_series(1, 100) n \g (format=unaligned tuples_only=on) | kcat -P -b "$BOOTSTRAP" -t signups -K =

SELECT burrow.wait_until_caught_up('signups', '1 min');
SELECT count(*), min(email), max(at) <= now() AS "in the past" FROM signups;

-- what should have come of it
DO $$
BEGIN
    ASSERT (SELECT count(*) = 100 FROM signups), 'each message has its row';
END $$;

-- to take it away again:
--   SELECT burrow.unsubscribe('signups'); DROP FUNCTION on_signup; DROP TABLE signups;
