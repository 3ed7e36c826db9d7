-- What a subscription does, as Prometheus sees it.  This file needs no Prometheus: burrow.metrics() returns the text
-- that the exporter serves (README.md here says how to have that).
-- The topic "deposits" has to be there; the demo's broker has it.

\set ON_ERROR_STOP on
CREATE EXTENSION IF NOT EXISTS burrow;

CREATE TABLE deposits (id text PRIMARY KEY, amount numeric CHECK (amount > 0));

CREATE FUNCTION on_deposit(key text, value jsonb) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO deposits VALUES (key, (value->>'amount')::numeric) ON CONFLICT (id) DO NOTHING;
$$;

SELECT burrow.subscribe('deposits', 'on_deposit', on_failure => 'dead_letter');

-- somebody else's part: 100 messages, of which 5 violate the constraint
SELECT current_setting('burrow.bootstrap_servers') AS bootstrap \gset
\setenv BOOTSTRAP :bootstrap
SELECT format('deposit-%s=%s', n, jsonb_build_object('amount', CASE WHEN n % 20 = 0 THEN -1 ELSE n END))
FROM generate_series(1, 100) n \g (format=unaligned tuples_only=on) | kcat -P -b "$BOOTSTRAP" -t deposits -K =

SELECT burrow.wait_until_caught_up('deposits', '1 min');

-- a few of its lines
SELECT line FROM regexp_split_to_table(burrow.metrics(), E'\n') line
WHERE line ~ '^pgburrow_(messages_processed|handler_failures|consumer_lag|subscription_state).*"deposits"' AND line !~ '} 0$';

-- what should have come of it
DO $$
BEGIN
    ASSERT (SELECT count(*) = 95 FROM deposits), 'each good message has its row';
    ASSERT strpos(burrow.metrics(), format('pgburrow_messages_processed_total{database="%s",subscription="deposits",outcome="dead_lettered"} 5', current_database())) > 0,
        'and the metrics show the others';
END $$;

-- to take it away again:
--   SELECT burrow.unsubscribe('deposits'); DROP FUNCTION on_deposit; DROP TABLE deposits;
