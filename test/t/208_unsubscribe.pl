# unsubscribe while messages are in hand and commits are under way: its processes end, the
# group is left, nothing is written to burrow.progress any more; and what a new subscription
# of the same group goes on with is neither missing nor handled twice.  Then a broker that
# takes no commits with runs: the runs are dropped, and nothing else.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, partition int, "offset" bigint);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF key = 'stuck' THEN
        PERFORM pg_advisory_xact_lock_shared(1);
    ELSIF key ~ '7$' THEN
        PERFORM pg_sleep(0.02);
    END IF;
    INSERT INTO got VALUES (topic, partition, "offset");
END $$;
SQL

# ---- unsubscribe

# more than all rounds take, however long these are
$kafka->create_topic('race', 4);
my $job = $kafka->start_producing('race', count => 1_000_000, keys => 200, rate => 3000);
for my $round (1 .. 8)
{
	my $rows = $node->sql('SELECT count(*) FROM got');
	$node->sql(q{SELECT burrow.subscribe('race', 'keep', consumer_group => 'race', workers => 4, min_workers => 4,
		commit_interval => '1 ms', commit_batch_size => 1)});
	$node->wait_for('more rows', "SELECT count(*) > $rows + 100 FROM got");
	$node->wait_for('messages to be in hand and commits to be under way',
		q{SELECT inflight > 0 AND offsets_committed > 0 AND (SELECT count(*) FROM burrow.workers WHERE state = 'running') > 0 FROM burrow.stats});
	$node->sql(q{SELECT burrow.unsubscribe('race')});
	$node->wait_for('its processes to end', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type IN ('burrow consumer', 'burrow worker')});
	is($node->sql('SELECT count(*) FROM burrow.progress'), 0, "round $round: nothing is in burrow.progress");
	wait_until('the group to be empty', sub { return !$kafka->group_members('race') }, timeout => 5);
}
my $messages = $kafka->stop_producing($job);
$node->sql(q{SELECT burrow.subscribe('race', 'keep', consumer_group => 'race', workers => 4, commit_interval => '100 ms')});
# the longer the rounds have taken, the more there are, and handlers take longer than the producer
$kafka->wait_until_committed('race', 'race', timeout => 240, diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got'), "$messages|$messages",
	'the next subscription goes on where the last one was: nothing missing, nothing twice');
$node->sql(q{SELECT burrow.unsubscribe('race')});
$node->stop;

# ---- a small offset.metadata.max.bytes

# mode and UUID fit into this, and a few runs
$kafka = BurrowTest::Kafka->create('small', config => { 'offset.metadata.max.bytes' => 100 });
$node->adjust_conf('postgresql.conf', 'burrow.bootstrap_servers', "'" . $kafka->bootstrap . "'");
$node->start;
for my $delivery (qw(at_least_once exactly_once))
{
	my $holder = $node->background_psql('postgres');
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	my $topic = $delivery =~ tr/_/-/r;
	$kafka->create_topic($topic, 2);
	# every other message of partition 0 is stuck: each that is done is a run
	$kafka->produce($topic, (map { { key => $_ % 2 ? "k$_" : 'stuck', value => 'x', partition => 0 } } 0 .. 199),
		map { { key => "k$_", value => 'x', partition => 1 } } 0 .. 99);
	my $position = $node->log_position;
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', delivery => '$delivery', workers => 2, batch_size => 1, commit_interval => '100 ms')");
	my $group = $node->group_of($topic);
	$node->wait_for("$topic: all that is not stuck", "SELECT count(*) = 200 FROM got WHERE topic = '$topic'");
	if ($delivery eq 'at_least_once')
	{
		$node->wait_for_log_line(qr/tells in its commits less of what is done beyond their offsets/, $position);
	}
	wait_until("$topic: the offset of the other partition", sub { return ($kafka->committed($group, $topic)->{1} // 0) == 100 });
	$kafka->produce($topic, map { { key => "k$_", value => 'x', partition => $_ % 2 } } 0 .. 99);
	$node->wait_for("$topic: later messages of both", "SELECT count(*) = 300 FROM got WHERE topic = '$topic'");
	wait_until("$topic: their offset", sub { return $kafka->committed($group, $topic)->{1} == 150 });
	if ($delivery eq 'exactly_once')
	{
		# the last commit tells the next owner
		$node->sql("SELECT burrow.alter('$topic', shutdown_timeout => '100 ms'); SELECT burrow.pause('$topic')");
		$node->wait_for_state($topic, 'paused');
		like($node->log_since($position), qr/tells in its commits less of what is done beyond their offsets/, "$topic: the last commit was too large");
		$node->sql("SELECT burrow.resume('$topic')");
		$node->wait_for_state($topic, 'running');
	}
	my $metadata = $kafka->committed_metadata($group, $topic)->{0};
	like($metadata, qr/^burrow\/1 (?:eo|alo) [0-9a-f-]{36} \S+$/, "$topic: the commit carries mode, UUID, and runs");
	cmp_ok(length $metadata, '<=', 100, "$topic: as many as there is room for");
	$node->wait_for_state($topic, 'running');
	$holder->quit;
	$kafka->wait_until_committed($group, $topic, diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT count(*), count(DISTINCT (partition, \"offset\")) FROM got WHERE topic = '$topic'"), '400|400', "$topic: each message once");
	$node->sql("SELECT burrow.unsubscribe('$topic')");
}

$node->stop;
done_testing();
