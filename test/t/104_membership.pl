# The group membership does not depend on messages being handled: neither a pool that is
# full for longer than max.poll.interval.ms nor an idle subscription loses it.  And a topic
# written by transactions, aborted ones among them, is consumed to its very end.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, value text);
CREATE TABLE gate ();
CREATE FUNCTION keep(topic text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF topic = 'full' THEN
        LOCK TABLE gate IN ACCESS SHARE MODE;
    END IF;
    INSERT INTO got VALUES (topic, value);
END $$;
SQL
my $kafka_options = q({"max.poll.interval.ms": 6000, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500});

$kafka->create_topic($_, 2) foreach qw(full idle);
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE gate');
$kafka->produce_many('full', count => 5000, keys => 100);
$node->sql("SELECT burrow.subscribe('$_', 'keep', max_inflight => 100, workers => 2, batch_size => 50, kafka => '$kafka_options')") foreach qw(full idle);

my %group = map { $_ => $node->group_of($_) } qw(full idle);
$node->wait_for_state($_, 'running') foreach qw(full idle);
$node->wait_for('both workers to be blocked', "SELECT count(*) = 2 FROM burrow.workers WHERE subscription = 'full' AND state = 'running'");
my %member = map { $_ => ($kafka->group_members($group{$_}))[0]{member_id} } qw(full idle);
my $rebalances = $node->sql("SELECT string_agg(epoch::text, ',' ORDER BY topic, partition) FROM burrow.partitions");

# three times max.poll.interval.ms, as the server's clock has it
$node->sql('CREATE TABLE began AS SELECT clock_timestamp() AS at');
$node->wait_for('three times max.poll.interval.ms', "SELECT clock_timestamp() > at + '18 s' FROM began", timeout => 40);

for my $name (qw(full idle))
{
	my @members = $kafka->group_members($group{$name});
	is(scalar @members, 1, "$name: one member");
	is($members[0]{member_id}, $member{$name}, "$name: the same as before");
	is(scalar @{ $members[0]{partitions} }, 2, "$name: with both partitions");
}
is($node->sql("SELECT string_agg(epoch::text, ',' ORDER BY topic, partition) FROM burrow.partitions"), $rebalances, 'and no rebalance');
is($node->sql("SELECT string_agg(state, ',') FROM burrow.subscriptions"), 'running,running', 'both are running');
is($node->sql('SELECT count(*) FROM got'), '0', 'nothing was handled meanwhile');

$holder->query_safe('COMMIT');
$holder->quit;
$kafka->wait_until_committed($group{full}, 'full', diagnose => sub { $node->diagnostics });
is($node->sql("SELECT count(*) FROM got WHERE topic = 'full'"), '5000', 'when the lock goes, the full one goes on');
$kafka->produce('idle', { key => 'a', value => 'late' });
$node->wait_for('the message for the idle one', "SELECT count(*) = 1 FROM got WHERE topic = 'idle'");

# ---- transactions

$kafka->create_topic('transactional', 1);
$kafka->produce_transactions('transactional',
	{ transaction => 'begin' }, (map { { key => "k$_", value => "a$_" } } 1 .. 10), { transaction => 'commit' },
	{ transaction => 'begin' }, (map { { key => "k$_", value => "b$_" } } 1 .. 10), { transaction => 'abort' },
	{ transaction => 'begin' }, (map { { key => "k$_", value => "c$_" } } 1 .. 10), { transaction => 'commit' },
	{ transaction => 'begin' }, (map { { key => "k$_", value => "d$_" } } 1 .. 10), { transaction => 'abort' });
$node->sql("SELECT burrow.subscribe('transactional', 'keep', commit_interval => '200 ms')");
my $group = $node->group_of('transactional');
$kafka->wait_until_committed($group, 'transactional', diagnose => sub { $node->diagnostics });
is_deeply($kafka->committed_by_kafka($group, 'transactional'), { 0 => 44 }, 'committed is the end, behind the last marker');
is($node->sql("SELECT string_agg(DISTINCT left(value, 1), '') FROM got WHERE topic = 'transactional'"), 'ac', 'only committed messages');
is($node->sql("SELECT count(*) FROM got WHERE topic = 'transactional'"), '20', 'all of them');
is($node->sql("SELECT burrow.wait_until_caught_up('transactional')"), 't', 'caught up');
is($node->sql("SELECT lag FROM burrow.stats WHERE subscription = 'transactional'"), '0', 'lag 0');

$node->stop;
done_testing();
