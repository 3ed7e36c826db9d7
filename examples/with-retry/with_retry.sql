-- Messages that fail are tried again; what never succeeds becomes a dead letter, which is
-- handled when its cause is mended.  The topic "payments" has to be there (see README.md here).

\set ON_ERROR_STOP on
CREATE EXTENSION IF NOT EXISTS burrow;

CREATE TABLE payments (id int PRIMARY KEY, payer text, amount numeric, attempts int);

CREATE FUNCTION on_payment(key text, value jsonb, attempt int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT value ? 'amount' THEN
        PERFORM burrow.reject('a payment without an amount');   -- no other attempt would help
    END IF;
    IF (value->>'id')::int % 10 = 0 AND attempt < 3 THEN        -- stands for what is away for a moment
        RAISE EXCEPTION 'the bank does not answer';
    END IF;
    INSERT INTO payments VALUES ((value->>'id')::int, key, (value->>'amount')::numeric, attempt);
END $$;

SELECT burrow.subscribe('payments', 'on_payment',
    max_retries => 5, retry_strategy => 'exponential', retry_backoff => '100 ms',
    on_failure => 'dead_letter', max_consecutive_errors => 50);

-- 100 messages; two of them have no amount
SELECT current_setting('burrow.bootstrap_servers') AS bootstrap \gset
\setenv BOOTSTRAP :bootstrap
SELECT format('payer%s=%s', n % 20, jsonb_strip_nulls(jsonb_build_object('id', n, 'amount', CASE WHEN n NOT IN (33, 66) THEN n * 10 END)))
FROM generate_series(1, 100) n \g (format=unaligned tuples_only=on) | kcat -P -b "$BOOTSTRAP" -t payments -K =

SELECT burrow.wait_until_caught_up('payments', '1 min');
SELECT attempts, count(*) FROM payments GROUP BY attempts ORDER BY attempts;
SELECT convert_from(value, 'UTF8') AS value, attempts, message FROM burrow.dead_letters WHERE subscription = 'payments' ORDER BY 1;

-- the remedy, and what waits for it
CREATE OR REPLACE FUNCTION on_payment(key text, value jsonb, attempt int) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO payments VALUES ((value->>'id')::int, key, coalesce((value->>'amount')::numeric, 0), attempt)
$$;
SELECT burrow.retry_dead_letters('payments') AS "letters tried again";
DO $$
BEGIN
    FOR n IN 1 .. 600 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM burrow.dead_letters WHERE subscription = 'payments');
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;
SELECT count(*) AS payments, (SELECT count(*) FROM burrow.dead_letters WHERE subscription = 'payments') AS "dead letters" FROM payments;

-- what should have come of it
DO $$
BEGIN
    ASSERT (SELECT count(*) = 100 FROM payments), 'each message has its row';
    ASSERT (SELECT count(*) = 10 FROM payments WHERE attempts = 3), 'those that failed twice were tried a third time';
END $$;

-- to take it away again:
--   SELECT burrow.unsubscribe('payments'); DROP FUNCTION on_payment; DROP TABLE payments;
