# group.protocol=consumer, on a librdkafka and a Kafka that have it.  The sessions of this group's members last
# for ten minutes: whatever waits for one of them to time out does not come to an end here.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create(
	'kafka',
	release => 4,
	formatted => 1,
	config => {
		'group.consumer.max.session.timeout.ms' => 600000,
		'group.consumer.session.timeout.ms' => 600000,
		'group.consumer.min.heartbeat.interval.ms' => 300,
		'group.consumer.heartbeat.interval.ms' => 300,
	});
my $node = BurrowTest::Node->create('main', kafka => $kafka, libraries => recent_librdkafka());
my $protocol = '"group.protocol": "consumer"';
my $produced = 0;

$node->sql(<<'SQL');
CREATE TABLE got (topic text, partition int, "offset" bigint, value int, subscription text);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint, value jsonb) RETURNS void LANGUAGE sql
AS 'INSERT INTO got VALUES ($1, $2, $3, (value->>''n'')::int, current_setting(''application_name''))';
SQL
$kafka->create_topic('orders', 4);

sub produce
{
	$kafka->produce('orders', map { { partition => $_ % 4, value => '{"n": ' . ($produced + $_) . '}' } } 1 .. 40);
	$produced += 40;
	return;
}

sub all_are_handled
{
	my ($what) = @_;
	produce();
	$node->wait_for($what, "SELECT count(*) = $produced FROM got");
	is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got'), "$produced|$produced", "$what: each message once");
	return;
}

sub partitions_of { my ($name) = @_; return "(SELECT count(*) FROM burrow.partitions WHERE subscription = '$name')" }

# ---- by itself
$node->sql("SELECT burrow.subscribe('orders', 'keep', 'a', consumer_group => 'shared', kafka => '{$protocol}')");
all_are_handled('one member');
is_deeply([map { $_->{instance_id} } $kafka->group_members('shared')], [undef], 'it is not a static member');

# ---- two share, and each hand-over is at once
$node->sql("SELECT burrow.subscribe('orders', 'keep', 'b', consumer_group => 'shared', join_group => true, kafka => '{$protocol}')");
$node->wait_for('two to share', 'SELECT ' . partitions_of('a') . ' = 2 AND ' . partitions_of('b') . ' = 2');
all_are_handled('two members');

$node->sql("SELECT burrow.pause('a')");
$node->wait_for('b to have all', 'SELECT ' . partitions_of('b') . ' = 4');
all_are_handled('one is paused');

$node->sql("SELECT burrow.resume('a')");
$node->wait_for('two to share again', 'SELECT ' . partitions_of('a') . ' = 2 AND ' . partitions_of('b') . ' = 2');
$node->sql("SELECT burrow.alter('a', queue_memory => '8 MB')");
all_are_handled('the consumer was restarted');

$node->sql("SELECT burrow.unsubscribe('b')");
$node->wait_for('a to have all', 'SELECT ' . partitions_of('a') . ' = 4');
all_are_handled('the other is unsubscribed');

my ($consumer) = $node->pids('consumer', 'a');
$node->sql("SELECT pg_terminate_backend($consumer)");
wait_gone($consumer);
all_are_handled('the consumer was terminated');

$node->stop;
$node->start;
all_are_handled('the server was restarted');
$kafka->add_partitions('orders', 6);
$node->wait_for('the new partitions', 'SELECT ' . partitions_of('a') . ' = 6');

# ---- after a crash Kafka keeps the partitions until the session has timed out, and no longer than that
$kafka->create_topic('crash', 2);
$kafka->tool('org.apache.kafka.tools.ConfigCommand', '--bootstrap-server', $kafka->bootstrap, '--alter', '--entity-type', 'groups',
	'--entity-name', $_, '--add-config', 'consumer.session.timeout.ms=45000') foreach qw(dynamic static);
$node->sql("SELECT burrow.subscribe('crash', 'keep', 'dynamic', consumer_group => 'dynamic', kafka => '{$protocol}')");
$node->sql(qq{SELECT burrow.subscribe('crash', 'keep', 'static', consumer_group => 'static', kafka => '{$protocol, "group.instance.id": "mine"}')});
$node->sql("SELECT burrow.unsubscribe('a')");
$kafka->produce('crash', map { { partition => $_ % 2, value => '{"n": 0}' } } 1 .. 10);
$node->wait_for('both to be there', q{SELECT count(*) = 20 FROM got WHERE topic = 'crash'});
my $log = $node->log_position;
my $crashed = time;
$node->crash;
$node->start;
$kafka->produce('crash', map { { partition => $_ % 2, value => '{"n": 0}' } } 1 .. 10);
$node->wait_for('them to go on', q{SELECT count(*) = 40 FROM got WHERE topic = 'crash'}, timeout => 120);
note 'both go on after ' . (time - $crashed) . ' s';
like($node->log_since($log), qr/subscription "static": .*UNRELEASED|Instance ID is still used|still used by another member/i, 'Kafka holds the place of a static one');
like($node->log_since($log), qr/HINT: .*Kafka keeps a static member's place until/, 'the log says for how long, and what to do');
my @delays = $node->log_since($log) =~ /consumer of subscription "static" has ended, it will be started again in (\d+) s/g;
cmp_ok(scalar @delays, '>', 3, 'it is tried again and again');
is(join(',', grep { $_ != 1 } @delays), '', 'after a second each time');

# ---- where the brokers do not offer it
my $older = BurrowTest::Kafka->create('older', release => 4);
$older->create_topic('orders', 1);
$node->append_conf('postgresql.conf', "burrow.bootstrap_servers = '" . $older->bootstrap . "'");
$log = $node->log_position;
$node->sql('SELECT burrow.unsubscribe(subscription) FROM burrow.subscriptions');
$node->reload;
$node->sql("SELECT burrow.subscribe('orders', 'keep', 'refused', kafka => '{$protocol}')");
$node->wait_for_log_line(qr/HINT: .*These brokers do not offer "group\.protocol" "consumer"/, $log);
my $statement = '';
$node->wait_for('the cause', sub {
		$statement = $node->sql(q{SELECT next_statement FROM burrow.why_stuck('refused') WHERE cause = 'Kafka''s version does not have what the client asks for' AND error IS NOT NULL AND since <= clock_timestamp()});
		return $statement ne '';
});
like($node->sql($statement), qr/"group\.protocol": ?"consumer"/, "the statement shows what was asked for: $statement");
# but in the moments when it does
$node->wait_for_state('refused', 'retrying');
$node->sql(q{SELECT burrow.alter('refused', kafka => '{}')});
$node->wait_for_state('refused', 'running');
$node->wait_for('nothing to hold it up', q{SELECT count(*) = 0 FROM burrow.why_stuck('refused')});

$node->stop;
done_testing();
