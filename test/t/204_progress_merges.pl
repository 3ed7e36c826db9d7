# One message that does not end, and many others that pass it: the rows of burrow.progress
# stay small, the rate stays, and a crash takes nothing back that was done.  The same in
# at_least_once mode, where what is done beyond the head has to fit into a commit.

use BurrowTest;
use Time::HiRes qw(time);

my $messages = $ENV{BURROW_TEST_MESSAGES} // 100_000;
my ($bytes, $size) = (65_536, 220);
my $pending = int($bytes / $size) + 2; # at most: values alone, the one that passes the limit, the stuck one
my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE INDEX ON got ("offset");
CREATE FUNCTION keep(topic text, "offset" bigint, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF key = 'stuck' THEN
        PERFORM pg_advisory_xact_lock_shared(1);
    END IF;
    INSERT INTO got VALUES (topic, "offset");
END $$;
SQL
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');

$kafka->create_topic('passing', 1);
$kafka->produce('passing', { key => 'stuck', value => 'x' });
$node->sql("SELECT burrow.subscribe('passing', 'keep', workers => 4, min_workers => 4, batch_size => 20, max_inflight_bytes => $bytes, \"window\" => 1000000, commit_interval => '200 ms')");
$node->wait_for('the message to be in hand', q{SELECT count(*) = 1 FROM burrow.workers WHERE state = 'running'});
$kafka->produce_many('passing', count => $messages, keys => 50, size => $size);
$node->wait_for('the first tenth', "SELECT count(*) >= $messages / 10 FROM got", timeout => 60);
my $largest = 0;
$node->wait_for('all that pass', sub {
		my ($count, $size) = split /\|/, $node->sql(q{SELECT (SELECT count(*) FROM got), (SELECT max(length(done)) FROM burrow.progress)});
		$largest = $size if $size > $largest;
		return $count == $messages;
}, timeout => 120);
cmp_ok($largest, '<', 2000, "no row of progress was longer than 2000 bytes ($largest)");
# The last progress merge may have been made while much was pending: before each of its runs, one message at least.
my $runs = $node->sql('SELECT count(*) FROM burrow.progress, unnest(burrow.offset_runs(done, low)) WHERE lane = -1');
cmp_ok($runs, '>=', 1, 'there was a progress merge');
cmp_ok($runs, '<=', $pending, "it is as small as what can be pending ($runs runs)");
is($node->sql('SELECT range_agg(burrow.offset_runs(done, low)) FROM burrow.progress'), '{[1,' . ($messages + 1) . ')}',
	'together the rows have all that passed');
is($node->sql('SELECT processed FROM burrow.partitions'), 0, 'the head stands still');

$node->sql('CHECKPOINT');
# the lock goes with the server
$node->crash;
$node->start;
eval { $holder->quit };
$kafka->wait_until_committed($node->group_of('passing'), 'passing', timeout => 120, diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*), count(DISTINCT "offset") FROM got'), ($messages + 1) . '|' . ($messages + 1),
	'after a crash the stuck message runs again, and no other');
$node->sql("SELECT burrow.unsubscribe('passing')");

# ---- messages that are skipped pass it too: what the consumer resolves itself has a row

$holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
$node->sql(<<'SQL');
CREATE FUNCTION keep_even(topic text, "offset" bigint, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF key <> 'stuck' AND "offset" % 2 = 1 THEN
        PERFORM burrow.reject('odd');
    END IF;
    PERFORM keep(topic, "offset", key);
END $$;
SQL
$kafka->create_topic('skipping', 1);
$kafka->produce('skipping', map { { key => $_ == 0 ? 'stuck' : "k$_", value => 'x' } } 0 .. 3999);
$node->sql("SELECT burrow.subscribe('skipping', 'keep_even', on_failure => 'skip', max_consecutive_errors => 1000000, workers => 2, commit_interval => '200 ms')");
$largest = 0;
$node->wait_for('all that pass', sub {
		my ($inflight, $skipped, $size) = split /\|/, $node->sql(q{SELECT inflight, messages_skipped, (SELECT coalesce(max(length(done)), 0) FROM burrow.progress) FROM burrow.stats WHERE subscription = 'skipping'});
		$largest = $size if $size > $largest;
		return $inflight == 1 && $skipped == 2000;
}, timeout => 120);
cmp_ok($largest, '<', 2000, "with every other message skipped, no row was longer than 2000 bytes ($largest)");
$holder->quit;
$kafka->wait_until_committed($node->group_of('skipping'), 'skipping', timeout => 60, diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = 'skipping'}), '2000|2000', 'and each of the others is there once');
$node->sql("SELECT burrow.unsubscribe('skipping')");

# ---- at least once: every other message is stuck, so each one that is done is a run

$holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
$node->sql('TRUNCATE got');
$kafka->create_topic('runs', 1);
$kafka->produce('runs', map { { key => $_ % 2 ? "k$_" : 'stuck', value => 'x' } } 0 .. 9999);
$node->sql("SELECT burrow.subscribe('runs', 'keep', delivery => 'at_least_once', workers => 2, batch_size => 1, max_inflight => 150, commit_interval => '100 ms')");
my $group = $node->group_of('runs');
$node->wait_for('the partition to be full', 'SELECT window_full FROM burrow.partitions', timeout => 90);
$node->wait_for('what was taken to be done', q{SELECT jobs_queued < 5000 AND inflight = 1 FROM burrow.stats});
my $done = $node->sql('SELECT count(*) FROM got');
cmp_ok($done, '<', 1600, "no more messages are taken when the metadata has no room ($done of 5000 are done)");
# two bytes for each run, as base64, after mode and UUID
my ($expected, $length);
wait_until('all of it to be in a commit', sub {
		$done = $node->sql('SELECT count(*) FROM got');
		$expected = 50 + 4 * int((2 * $done + 2) / 3);
		$length = length($kafka->committed_metadata($group, 'runs')->{0});
		return $length == $expected;
}, diagnose => sub { return "$done done, $expected bytes expected, $length there" });
cmp_ok($expected, '<=', 4096, "of $expected bytes, which the broker takes");
$node->sql('CHECKPOINT');
# the lock goes with the server
$node->crash;
$node->start;
eval { $holder->quit };
$kafka->wait_until_committed($group, 'runs', timeout => 120, diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(DISTINCT "offset") FROM got'), 10000, 'after a crash nothing is missing');
is($node->sql('SELECT count(*) FROM got'), 10000, 'and what the commit said was done is not run again');

$node->stop;
done_testing();
