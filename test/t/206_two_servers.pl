# Two servers in one consumer group, each with a table of its own.  Partitions move from one
# to the other and back while messages flow, by clean hand-overs of every kind: together
# the tables have each message once.  Keys differ in speed, so at each hand-over much is done
# beyond the head; the commit carries it to the next owner.

use BurrowTest;

my $messages = $ENV{BURROW_TEST_MESSAGES} // 60_000;
my $kafka = BurrowTest::Kafka->create('kafka');
my %node = map { $_ => BurrowTest::Node->create($_, kafka => $kafka) } qw(a b);
$kafka->create_topic('shared', 8);

sub subscribe
{
	my ($name) = @_;
	$node{$name}->sql(<<'SQL');
SELECT burrow.subscribe('shared', 'keep', consumer_group => 'both', workers => 4, min_workers => 4, commit_interval => '200 ms',
    kafka => '{"heartbeat.interval.ms": 300, "session.timeout.ms": 6000}')
SQL
	return;
}

for my $name (qw(a b))
{
	$node{$name}->sql(<<'SQL');
CREATE TABLE got (id bigserial, partition int, "offset" bigint);
CREATE FUNCTION keep(partition int, "offset" bigint, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF key ~ '7$' THEN
        PERFORM pg_sleep(0.04);
    END IF;
    INSERT INTO got (partition, "offset") VALUES (partition, "offset");
END $$;
SQL
	subscribe($name);
}

sub owned
{
	my ($name) = @_;
	return $node{$name}->sql('SELECT count(*) FROM burrow.partitions');
}

sub wait_for_split
{
	my ($a, $b) = @_;
	wait_until("$a partitions at a and $b at b", sub { return owned('a') == $a && owned('b') == $b },
		diagnose => sub { return join "\n", map { $node{$_}->diagnostics } qw(a b) });
	return;
}

# Some more messages are handled here than there were.  They flow at a rate, and a slow machine would
# see the end of them too early: so here come more, of which half may be the other's.
sub wait_for_more
{
	my ($name, $more) = @_;
	my $rows = $node{$name}->sql('SELECT count(*) FROM got');
	$kafka->produce_many('shared', count => 4 * $more, keys => 500);
	$messages += 4 * $more;
	return $node{$name}->wait_for("$more more rows at $name", "SELECT count(*) >= $rows + $more FROM got");
}

# How a server gives up its partitions, and gets them back.
my %away = (
	'pause and resume' => [
		sub { $node{ $_[0] }->sql(q{SELECT burrow.pause('shared')}); $node{ $_[0] }->wait_for_state('shared', 'paused') },
		sub { $node{ $_[0] }->sql(q{SELECT burrow.resume('shared')}) },
	],
	'unsubscribe and subscribe' => [
		sub { $node{ $_[0] }->sql(q{SELECT burrow.unsubscribe('shared')}) },
		sub { subscribe($_[0]) },
	],
	'stop and start' => [sub { $node{ $_[0] }->stop('fast') }, sub { $node{ $_[0] }->start }],
);

wait_for_split(4, 4);
my $job = $kafka->start_producing('shared', count => $messages, keys => 500, rate => $messages / 12);
for my $how (sort keys %away)
{
	my ($go, $return) = @{ $away{$how} };
	for my $name (qw(a b))
	{
		my $other = $name eq 'a' ? 'b' : 'a';
		wait_for_more($name, 200);
		$go->($name);
		$node{$other}->wait_for("all partitions to be at $other", 'SELECT count(*) = 8 FROM burrow.partitions', timeout => 30);
		wait_for_more($other, 200);
		$return->($name);
		wait_for_split(4, 4);
	}
}
$kafka->finish_producing($job);
$kafka->wait_until_committed('both', 'shared', timeout => 90,
	diagnose => sub { return join "\n", map { $node{$_}->diagnostics } qw(a b) });

my (%owners, %times);
for my $name (qw(a b))
{
	for my $row (split /\n/, $node{$name}->sql('SELECT partition, "offset" FROM got'))
	{
		my ($partition, $offset) = split /\|/, $row;
		$times{$row}++;
		$owners{$partition}[$offset] = $name;
	}
}
is(scalar keys %times, $messages, 'together they have all messages');
my @twice = grep { $times{$_} > 1 } keys %times;
is(scalar @twice, 0, 'and none twice') or diag(join ' ', (sort @twice)[0 .. ($#twice < 40 ? $#twice : 40)]);
my $moved = grep { join('', map { $_ // '' } @{ $owners{$_} }) =~ /ab+a+b|ba+b+a/ } keys %owners;
cmp_ok($moved, '>', 0, "$moved partitions have moved there and back and there again");

$node{$_}->stop foreach qw(a b);
done_testing();
