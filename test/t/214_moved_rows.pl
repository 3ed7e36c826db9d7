# The rows of burrow.progress move into another file (VACUUM FULL, CLUSTER, pg_repack) in the
# middle of a chunk of several transactions, after a progress merge that has the chunks before it: what the
# chunk did before the move must stay in its row.
#
# The handler brings this about by itself, so that it happens in each run: it sees the merge, and
# by the number of chunks given, which is its own; the other worker is stuck.

use BurrowTest;

my $messages = 4000;
my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got ("offset" bigint);
CREATE TABLE before_move ("offset" bigint, chunk bigint, merged bytea);
CREATE TABLE moved (chunk bigint);
CREATE TABLE after_move (chunk bigint);
CREATE FUNCTION move_rows("offset" bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this_merge bytea := (SELECT done FROM burrow.progress WHERE lane = -1);
    this_chunk bigint := (SELECT chunks FROM burrow.stats);
BEGIN
    IF length(this_merge) = 0 THEN
        RETURN;
    ELSIF EXISTS (SELECT FROM moved) THEN
        -- the next chunk's first message is committed, its second one waits
        IF this_chunk > (SELECT chunk FROM moved) THEN
            IF EXISTS (SELECT FROM after_move) THEN
                PERFORM pg_advisory_xact_lock_shared(1);
            END IF;
            INSERT INTO after_move VALUES (this_chunk);
        END IF;
    ELSIF EXISTS (SELECT FROM before_move WHERE chunk = this_chunk AND merged = this_merge) THEN
        CLUSTER burrow.progress USING progress_pkey;
        INSERT INTO moved VALUES (this_chunk);
    ELSE
        INSERT INTO before_move VALUES ("offset", this_chunk, this_merge);
    END IF;
END $$;
CREATE FUNCTION keep("offset" bigint, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got VALUES ("offset");
    IF key = 'stuck' THEN
        PERFORM pg_advisory_xact_lock_shared(1);
    ELSE
        PERFORM move_rows("offset");
    END IF;
END $$;
SQL
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');

# every other message waits behind the first: so each one that is done is a run of its own
$kafka->create_topic('moving', 1);
$kafka->produce('moving', map { { key => $_ % 2 ? "k$_" : 'stuck', value => 'x' } } 0 .. $messages - 1);
$node->sql(q{SELECT burrow.subscribe('moving', 'keep', workers => 2, min_workers => 2, batch_size => 1, batch_time => '1 s', commit_interval => '200 ms')});
$node->wait_for('both workers to wait', q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}, timeout => 90);
is($node->sql('SELECT count(*) FROM moved'), '1', 'the rows were moved in the middle of a chunk, after a progress merge');
is($node->sql('SELECT count(*) > 0 FROM before_move JOIN moved USING (chunk)'), 't', 'and after a transaction of that chunk');
is($node->sql('SELECT count(*) FROM after_move'), '1', 'the next chunk has had a transaction');
is($node->sql(<<'SQL'), '', 'all that is done is in the rows');
SELECT string_agg("offset"::text, ' ' ORDER BY "offset") FROM got
WHERE NOT "offset" <@ (SELECT range_agg(burrow.offset_runs(done, low)) FROM burrow.progress)
SQL

$node->sql('CHECKPOINT');
# the lock goes with the server
$node->crash;
$node->start;
eval { $holder->quit };
$kafka->wait_until_committed($node->group_of('moving'), 'moving', timeout => 120, diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*), count(DISTINCT "offset") FROM got'), "$messages|$messages", 'after a crash nothing is missing, nothing twice');

$node->stop;
done_testing();
