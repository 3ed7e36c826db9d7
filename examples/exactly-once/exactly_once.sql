-- Sums that must not count a message twice, while the processes that count are terminated.
-- The topic "transfers" has to be there (see README.md here).

\set ON_ERROR_STOP on
CREATE EXTENSION IF NOT EXISTS burrow;

CREATE TABLE accounts (id text PRIMARY KEY, balance bigint, transfers bigint);

-- run twice for the same message, this would be wrong
CREATE FUNCTION on_transfer(key text, value jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts VALUES (key, (value->>'amount')::bigint, 1)
    ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + EXCLUDED.balance, transfers = accounts.transfers + 1;
    PERFORM pg_sleep(0.001);
END $$;

-- the default: which messages are done is written in the transaction that does them
SELECT burrow.subscribe('transfers', 'on_transfer', delivery => 'exactly_once', max_retries => 20);

SELECT current_setting('burrow.bootstrap_servers') AS bootstrap \gset
\setenv BOOTSTRAP :bootstrap
SELECT format('account%s=%s', n % 50, jsonb_build_object('amount', n))
FROM generate_series(1, 2000) n \g (format=unaligned tuples_only=on) | kcat -P -b "$BOOTSTRAP" -t transfers -K =

-- when the first rows are there, the consumer and all workers are terminated; and then the workers once more
DO $$
DECLARE
    seen bigint := 0;
BEGIN
    FOR round IN 1 .. 2 LOOP
        FOR n IN 1 .. 3000 LOOP
            EXIT WHEN (SELECT sum(transfers) FROM accounts) > seen + 100;
            PERFORM pg_sleep(0.01);
        END LOOP;
        seen := (SELECT sum(transfers) FROM accounts);
        PERFORM pg_terminate_backend(pid) FROM burrow.workers WHERE subscription = 'transfers';
        PERFORM pg_terminate_backend(consumer_pid) FROM burrow.subscriptions WHERE subscription = 'transfers' AND round = 1;
        RAISE NOTICE 'terminated after % transfers', seen;
    END LOOP;
END $$;

SELECT burrow.wait_until_caught_up('transfers', '2 min');
SELECT sum(transfers) AS transfers, sum(balance) AS "sum", sum(balance) = 2000 * 2001 / 2 AS "is right" FROM accounts;

-- what should have come of it
DO $$
BEGIN
    ASSERT (SELECT sum(transfers) = 2000 AND sum(balance) = 2000 * 2001 / 2 FROM accounts), 'each message counts once';
END $$;

-- to take it away again:
--   SELECT burrow.unsubscribe('transfers'); DROP FUNCTION on_transfer; DROP TABLE accounts;
