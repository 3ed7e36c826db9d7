# Messages that a busy worker has not begun are taken back: behind one that does not end,
# whose handler is left alone, they are run by another worker.  How often the handler was
# called for it is counted by a sequence, which no rollback takes back.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE SEQUENCE calls;
CREATE TABLE got (id bigserial, topic text, "offset" bigint, key text, value text, xid bigint DEFAULT txid_current());
-- a message "stuck" waits while somebody holds the lock
CREATE FUNCTION keep(topic text, "offset" bigint, key text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'stuck' THEN
        PERFORM nextval('calls');
        PERFORM pg_advisory_xact_lock_shared(1);
    ELSIF value = 'slow' THEN
        PERFORM pg_sleep(0.02);
    END IF;
    INSERT INTO got (topic, "offset", key, value) VALUES (topic, "offset", key, value);
END $$;
CREATE FUNCTION keep_all(messages burrow.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep(m.topic, m."offset", convert_from(m.key, 'UTF8'), convert_from(m.value, 'UTF8')) FROM unnest(messages) m;
END $$;
SQL
my $holder = $node->background_psql('postgres');

sub in_order
{
	my ($topic) = @_;
	is($node->sql(qq{SELECT count(*) FROM (SELECT "offset", lag("offset") OVER (PARTITION BY key ORDER BY id) AS before
		FROM got WHERE topic = '$topic') s WHERE before > "offset"}), '0', "$topic: the order of each key is kept");
	return;
}

# 2,000 messages of 50 keys, the stuck one and one behind it in its order, 2,000 more.  A
# transaction is of so many messages at most, so chunks are of many transactions.
for my $case (['single', 'keep', 'exactly_once', 1], ['least', 'keep', 'at_least_once', 1],
	['arrays', 'keep_all', 'exactly_once', 5])
{
	my ($topic, $handler, $delivery, $batch_size) = @$case;
	my @others = map { { key => 'k' . $_ % 50, value => "v$_" } } 1 .. 2000;
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	$node->sql('ALTER SEQUENCE calls RESTART');
	$kafka->create_topic($topic, 1);
	$kafka->produce($topic, @others, (map { { key => 'a', value => $_ } } 'stuck', 'after'), @others);
	$node->sql(qq{SELECT burrow.subscribe('$topic', '$handler', workers => 2, batch_size => $batch_size,
		delivery => '$delivery', commit_interval => '200 ms')});
	# those of an array share its fate, and those of their keys wait behind them
	my $waiting = $batch_size == 1 ? 0 : $batch_size * 41;
	$node->wait_for("$topic: the others", qq{SELECT count(*) >= 4000 - $waiting FROM got WHERE topic = '$topic'});
	is($node->sql(q{SELECT count(*) FROM pg_locks WHERE NOT granted}), '1', "$topic: while the stuck one is waiting");
	$node->wait_for("$topic: with nothing else in its worker's hands",
		qq{SELECT inflight <= $batch_size FROM burrow.stats WHERE subscription = '$topic'});

	$holder->query_safe('SELECT pg_advisory_unlock(1)');
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
	is($node->sql(qq{SELECT count(*), count(DISTINCT "offset"), count(DISTINCT xid) >= 4002 / $batch_size FROM got WHERE topic = '$topic'}),
		'4002|4002|t', "$topic: then each is handled once");
	is($node->sql('SELECT last_value FROM calls'), '1', "$topic: the stuck one was called once");
	is($node->sql(qq{SELECT messages_processed, messages_failed, messages_retried FROM burrow.stats WHERE subscription = '$topic'}),
		'4002|0|0', "$topic: nobody has failed");
	in_order($topic);
	$node->sql("SELECT burrow.unsubscribe('$topic')");
}

# A message that fails for good, in a chunk with one that does not end, while another worker
# becomes idle: what is not begun comes back, the failure halts, and what waits behind it in its
# order is not run.  Both workers are kept busy until what their next chunks are made of is there;
# batch_time is long, because the time in which they are goes into what a message is thought to take.
$node->sql(q{CREATE FUNCTION refuse(topic text, "offset" bigint, key text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'fail' THEN
        RAISE EXCEPTION 'refused';
    ELSIF value LIKE 'hold %' THEN
        PERFORM pg_advisory_xact_lock_shared(split_part(value, ' ', 2)::int);
    END IF;
    PERFORM keep(topic, "offset", key, value);
END $$});
my $queued = q{SELECT jobs_queued FROM burrow.stats WHERE subscription = 'halting'};
my @quick = map { { key => "k$_", value => 'quick' } } 1 .. 150;
$holder->query_safe("SELECT pg_advisory_lock($_)") for 1 .. 3;
$kafka->create_topic('halting', 1);
$kafka->produce('halting', @quick);
$node->sql(q{SELECT burrow.subscribe('halting', 'refuse', workers => 2, min_workers => 2, batch_size => 1, batch_time => '8 s', max_retries => 0)});
$node->wait_for('halting: quick ones', q{SELECT count(*) = 150 FROM got WHERE topic = 'halting'});
$kafka->produce('halting', map { { key => $_, value => $_ } } 'hold 2', 'hold 3');
$node->wait_for('halting: both workers to be busy', 'SELECT count(*) = 2 FROM pg_locks WHERE NOT granted');
$kafka->produce('halting', (map { { key => 'a', value => $_ } } 'before', 'fail'), { key => 'b', value => 'stuck' }, @quick);
$node->wait_for('halting: the next chunk', "SELECT ($queued) = 153");
$holder->query_safe('SELECT pg_advisory_unlock(2)');
$node->wait_for('halting: the stuck one', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND objid = 1});
my $left = $node->sql($queued);
$kafka->produce('halting', { key => 'a', value => 'after' });
$node->wait_for('halting: the one behind', "SELECT ($queued) = $left + 1");
$holder->query_safe('SELECT pg_advisory_unlock(3)');
$node->wait_for('halting: nothing else to be in hand',
	q{SELECT inflight = 1 AND jobs_queued = 0 FROM burrow.stats WHERE subscription = 'halting'});
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$node->wait_for_state('halting', 'halted');
is($node->sql(q{SELECT string_agg(value, ' ' ORDER BY "offset") FROM got WHERE topic = 'halting' AND key IN ('a', 'b')}),
	'before stuck', 'halting: nothing behind the one that failed has run');
is($node->sql(q{SELECT error_offset FROM burrow.subscriptions WHERE subscription = 'halting'}), '153', 'halting: at that one');
$node->sql(q{SELECT burrow.unsubscribe('halting')});

# Slow messages come several at a time while there are enough of them, each in a
# transaction of its own, and both workers have something to do until the end.
$kafka->create_topic('slow', 1);
$kafka->produce('slow', map { { key => "k$_", value => 'slow' } } 1 .. 200);
$node->sql(q{SELECT burrow.subscribe('slow', 'keep', workers => 2, min_workers => 2, commit_interval => '200 ms')});
$kafka->wait_until_committed($node->group_of('slow'), 'slow', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT count(*), count(DISTINCT "offset"), count(DISTINCT xid) FROM got WHERE topic = 'slow'}), '200|200|200',
	'slow: each is handled once, in a transaction of its own');
my $chunks = $node->sql(q{SELECT chunks FROM burrow.stats WHERE subscription = 'slow'});
cmp_ok($chunks, '<', 100, "slow: in $chunks chunks");

$holder->quit;
$node->stop;
done_testing();
