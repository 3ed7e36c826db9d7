# A static member that comes back while its place in the group is kept is given the partitions that it
# had, whatever it asks for: so it must not come back as the same member when it would consume others.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

$node->sql(<<'SQL');
CREATE TABLE got (topic text, partition int, "offset" bigint);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint) RETURNS void LANGUAGE sql AS
  'INSERT INTO got VALUES (topic, partition, "offset")';
SQL

my $short = q(kafka => '{"heartbeat.interval.ms": 300, "session.timeout.ms": 6000}');

sub member
{
	my @members = $kafka->group_members($node->group_of('sub'));
	return @members == 1 ? $members[0]{instance_id} : '';
}

sub partitions { return $node->sql(q{SELECT string_agg(topic || partition, ' ' ORDER BY topic, partition) FROM burrow.partitions}) }

sub wait_for_partitions
{
	my ($expected) = @_;
	wait_until("the partitions $expected", sub { return partitions() eq $expected }, diagnose => sub { return $node->diagnostics });
	return;
}

sub kill_consumer
{
	$node->sql(q{SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions});
	return;
}

# ---- another topic
$kafka->create_topic($_, 2) foreach qw(one two);
$node->sql("SELECT burrow.subscribe('one', 'keep', subscription => 'sub', $short)");
wait_for_partitions('one0 one1');
$node->sql(q{SELECT burrow.alter('sub', topic => 'two')});
wait_for_partitions('two0 two1');
$kafka->produce('two', map { { partition => $_, value => 'x' } } 0 .. 1);
$node->wait_for('the messages of the other topic', q{SELECT count(*) = 2 FROM got WHERE topic = 'two'});

# ---- the same ones: the place is kept
my $member = member();
my $position = $node->log_position;
kill_consumer();
$node->wait_for_log_line(qr/subscription "sub" is assigned 2 partitions/, $position);
is(member(), $member, 'who comes back for the same partitions is the same member');

# ---- partitions that the group has not heard of when the consumer comes back
$kafka->add_partitions('two', 3);
kill_consumer();
wait_for_partitions('two0 two1 two2');
isnt(member(), $member, 'who comes back for others is another');
$kafka->produce('two', { partition => 2, value => 'x' });
$node->wait_for('the message of the new partition', q{SELECT count(*) = 1 FROM got WHERE partition = 2});

# ---- another topic of a regular expression
$node->sql(q{SELECT burrow.alter('sub', topic => '^t')});
wait_for_partitions('two0 two1 two2');
$kafka->create_topic('three', 1);
kill_consumer();
wait_for_partitions('three0 two0 two1 two2');

# ---- another group: nobody waits for the place in the old one
my $old = $node->group_of('sub');
$node->sql(q{SELECT burrow.alter('sub', consumer_group => 'another')});
wait_until('the old group to be empty', sub { return !$kafka->group_members($old) }, diagnose => sub { return $node->diagnostics });
wait_for_partitions('three0 two0 two1 two2');
is($node->sql(q{SELECT count(*), count(DISTINCT (topic, partition, "offset")) FROM got}), '3|3', 'each message once');

# ---- the consumer runs on, and its session times out while Kafka is away, which keeps the place for so long again
$position = $node->log_position;
$node->sql(q{SELECT burrow.alter('sub', kafka => '{"heartbeat.interval.ms": 300, "session.timeout.ms": 15000}')});
$node->wait_for_log_line(qr/subscription "sub" is assigned 4 partitions\n[^\n]*DETAIL:  Topic "three" partition 0; topic "two" partition 0-2\.\n/, $position);
$kafka->add_partitions('two', 4);
$kafka->kill;
$node->wait_for_log_line(qr/subscription "sub" gives up 4 partitions\n[^\n]*DETAIL:  Topic "three" partition 0; topic "two" partition 0-2\. The assignment was lost: /, $position, timeout => 60);
$kafka->start;
wait_for_partitions('three0 two0 two1 two2 two3');

$node->stop;
done_testing();
