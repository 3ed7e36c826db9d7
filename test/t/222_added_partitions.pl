# Partitions are added to a topic while it is consumed, and members come and go before the clients
# know of them.  With Kafka's and librdkafka's own settings: how often metadata is asked for has its default.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my %node = map { $_ => BurrowTest::Node->create($_, kafka => $kafka) } qw(a b);
for my $name (qw(a b))
{
	$node{$name}->sql(<<'SQL');
CREATE TABLE got (topic text, partition int, "offset" bigint);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint) RETURNS void LANGUAGE sql AS
  'INSERT INTO got VALUES (topic, partition, "offset")';
SQL
}

sub diagnose { return join "\n", map { $node{$_}->diagnostics } qw(a b) }

sub subscribe
{
	my ($name, $topic) = @_;
	$node{$name}->sql(<<"SQL");
SELECT burrow.subscribe('$topic', 'keep', consumer_group => 'both.$topic', commit_interval => '200 ms',
    kafka => '{"heartbeat.interval.ms": 300, "session.timeout.ms": 6000}')
SQL
	return;
}

sub owned
{
	my ($name, $topic) = @_;
	return $node{$name}->sql("SELECT count(*) FROM burrow.partitions WHERE topic = '$topic'");
}

sub wait_for_split
{
	my ($topic, $a, $b) = @_;
	wait_until("$a partitions at a and $b at b", sub { return owned('a', $topic) == $a && owned('b', $topic) == $b }, diagnose => \&diagnose);
	return;
}

sub produce_to_all
{
	my ($topic, $partitions) = @_;
	$kafka->produce($topic, map { { partition => $_, value => 'x' } } 0 .. $partitions - 1);
	return;
}

# Each message of all partitions is there once, at one of the two.
sub check_once
{
	my ($topic, $messages, $what) = @_;
	$kafka->wait_until_committed("both.$topic", $topic, diagnose => \&diagnose);
	my %times;
	for my $name (qw(a b))
	{
		$times{$_}++ foreach split /\n/, $node{$name}->sql("SELECT partition, \"offset\" FROM got WHERE topic = '$topic'");
	}
	is(scalar keys %times, $messages, "$what: all messages are handled");
	is(scalar(grep { $_ != 1 } values %times), 0, "$what: each once");
	return;
}

# ---- one server pauses, and the other gets all partitions, also those of which it has not heard
$kafka->create_topic('grows', 4);
subscribe($_, 'grows') foreach qw(a b);
wait_for_split('grows', 2, 2);
produce_to_all('grows', 4);
check_once('grows', 4, 'four partitions');

$kafka->add_partitions('grows', 6);
produce_to_all('grows', 6);
$node{b}->sql(q{SELECT burrow.pause('grows')});
$node{b}->wait_for_state('grows', 'paused');
wait_for_split('grows', 6, 0);
check_once('grows', 10, 'two more, and one server less');
is($node{a}->sql(q{SELECT count(*) FROM burrow.why_stuck('grows')}), 0, 'nothing holds it up');

$node{b}->sql(q{SELECT burrow.resume('grows')});
wait_for_split('grows', 3, 3);
produce_to_all('grows', 6);
check_once('grows', 16, 'the other server is back');

# ---- partitions come while a rebalance is under way, again and again
my $partitions = 6;
my $messages = 16;
for my $round (1 .. 3)
{
	my $name = $round % 2 ? 'b' : 'a';
	my $other = $round % 2 ? 'a' : 'b';
	$node{$name}->sql(q{SELECT burrow.pause('grows')});
	$partitions += 2;
	$kafka->add_partitions('grows', $partitions);
	produce_to_all('grows', $partitions);
	$messages += $partitions;
	$node{$name}->sql(q{SELECT burrow.resume('grows')});
# whoever leads the group may not know of them yet: a member that comes anew does
	$node{$other}->sql(q{SELECT burrow.pause('grows')});
	$node{$other}->wait_for_state('grows', 'paused');
	$node{$other}->sql(q{SELECT burrow.resume('grows')});
	wait_until("all $partitions partitions to be assigned", sub { return owned('a', 'grows') + owned('b', 'grows') == $partitions },
		diagnose => \&diagnose);
	check_once('grows', $messages, "round $round");
}

# ---- a server alone: it starts anew, and knows
$kafka->create_topic('alone', 1);
$node{a}->sql(q{SELECT burrow.subscribe('alone', 'keep', start_from => 'latest', consumer_group => 'both.alone')});
$node{a}->wait_for('the first partition', "SELECT count(*) = 1 FROM burrow.partitions WHERE topic = 'alone' AND committed = 0");
$kafka->add_partitions('alone', 3);
$kafka->produce('alone', { partition => 2, value => 'early' });
$node{a}->sql(q{SELECT burrow.pause('alone')});
$node{a}->wait_for_state('alone', 'paused');
$node{a}->sql(q{SELECT burrow.resume('alone')});
check_once('alone', 1, 'a partition that was added is read from its beginning');

$node{$_}->stop foreach qw(a b);
done_testing();
