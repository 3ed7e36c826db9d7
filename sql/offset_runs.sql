-- What burrow.progress.done means: offsets beyond low, as runs.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS burrow;
RESET client_min_messages;

SELECT burrow.offset_runs('');
SELECT burrow.offset_runs('', 5);
-- each run: the distance, and the length less one; the distance of a later run less two
SELECT burrow.offset_runs('\x0000');
SELECT burrow.offset_runs('\x0302', 100);
SELECT burrow.offset_runs('\x03020000', 100);
SELECT burrow.offset_runs('\x0302000005ff01', 100);
-- up to the last offset that there is
SELECT burrow.offset_runs('\x0000', 9223372036854775807);
SELECT burrow.offset_runs('\x0000', 9223372036854775806);
-- as a set it can be asked
SELECT burrow.offset_runs('\x03020000', 100) @> 105::bigint AS has_105, burrow.offset_runs('\x03020000', 100) @> 106::bigint AS has_106;
SELECT burrow.offset_runs(NULL), burrow.offset_runs('', NULL);

-- bytes that are none
SELECT burrow.offset_runs('\x00');
SELECT burrow.offset_runs('\xffff', 7);
SELECT burrow.offset_runs('\x80000000');
SELECT burrow.offset_runs('\xffffffffffffffffffff0000');
SELECT burrow.offset_runs('\x0100', 9223372036854775807);
SELECT burrow.offset_runs('', -1);
