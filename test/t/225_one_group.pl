# Several subscriptions of one server in one consumer group, of one database and of two: each is a member
# of its own, they share the partitions, and together they handle each message once.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
my %database = ('first' => 'postgres', 'se cond' => 'postgres', 'se_cond' => 'postgres', 'third' => 'other');
my @names = sort keys %database;
$node->sql('CREATE DATABASE other');
$node->sql('CREATE EXTENSION burrow', 'other');
$kafka->create_topic('shared', 8);
for my $name (qw(postgres other))
{
	$node->sql(<<'SQL', $name);
CREATE TABLE got (topic text, partition int, "offset" bigint);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint) RETURNS void LANGUAGE sql AS
  'INSERT INTO got VALUES (topic, partition, "offset")';
SQL
}

sub subscribe
{
	my ($name, $kafka_properties) = @_;
	$node->sql(<<"SQL", $database{$name});
SELECT burrow.subscribe('shared', 'keep', subscription => '$name', consumer_group => 'one', join_group => true, commit_interval => '200 ms',
    kafka => '{"heartbeat.interval.ms": 300, "session.timeout.ms": 6000}')
SQL
	return;
}

sub diagnose { return join "\n", map { $node->diagnostics($_) } qw(postgres other) }

sub owned
{
	my ($name) = @_;
	return $node->sql("SELECT count(*) FROM burrow.partitions WHERE subscription = '$name'", $database{$name});
}

sub wait_for_split
{
	my ($what, %wanted) = @_;
	wait_until("the split of $what", sub { return !grep { owned($_) != $wanted{$_} } keys %wanted }, diagnose => \&diagnose);
	return;
}

my $messages = 0;

sub check_once
{
	my ($what) = @_;
	$kafka->produce('shared', map { { partition => $_ % 8, value => 'x' } } 0 .. 79);
	$messages += 80;
	$kafka->wait_until_committed('one', 'shared', diagnose => \&diagnose);
	my %times;
	$times{$_}++ foreach map { split /\n/, $node->sql('SELECT partition, "offset" FROM got', $_) } qw(postgres other);
	is(scalar keys %times, $messages, "$what: all messages are handled");
	is(scalar(grep { $_ != 1 } values %times), 0, "$what: each once");
	return;
}

subscribe($_) foreach @names;
wait_for_split('four', map { $_ => 2 } @names);
check_once('four members');
my @ids = sort map { $_->{instance_id} } $kafka->group_members('one');
my $identifier = $node->sql('SELECT system_identifier FROM pg_control_system()');
is(scalar(grep { /^burrow\.\Q$identifier\E\.\d+\.\d+\.(?:first|se_cond|third)\.[0-9a-f]{8}$/ } @ids), 4,
	'the id of each member names the server, the database and the subscription');
is(scalar keys %{ { map { $_ => 1 } @ids } }, 4, 'and no two are the same');
$node->sql(q{SELECT burrow.pause('first')});
$node->wait_for_state('first', 'paused');
wait_until('the others to have its partitions',
	sub { my $n = 0; $n += owned($_) foreach @names; return owned('first') == 0 && $n == 8 }, diagnose => \&diagnose);
check_once('one is paused');
$node->sql(q{SELECT burrow.resume('first')});
wait_for_split('four again', map { $_ => 2 } @names);
check_once('it is back');
$node->restart;
wait_for_split('four after a restart', map { $_ => 2 } @names);
check_once('after a restart');
unlike($node->log_since(0), qr/fenced|FENCED/, 'no member has fenced another');

# ---- what cannot work is refused: one member twice, by name
my $same = q(kafka => '{"group.instance.id": "me"}');
$node->sql("SELECT burrow.subscribe('shared', 'keep', subscription => 'me', consumer_group => 'named', join_group => true, $same)");
like($node->sql_error("SELECT burrow.subscribe('shared', 'keep', subscription => 'me too', consumer_group => 'named', join_group => true, $same)"),
	qr/22023.*"group\.instance\.id" has the value of another subscription in consumer group "named".*takes the two for one member/s,
	'the same member twice is refused');
is($node->sql("SELECT burrow.subscribe('shared', 'keep', subscription => 'me too', consumer_group => 'elsewhere', $same)"), 'me too',
	'in another group it is another member');
like($node->sql_error(q{SELECT burrow.alter('me too', consumer_group => 'named')}), qr/22023.*"group\.instance\.id" has the value/s,
	'and is refused when the group changes');
$node->sql(q{SELECT burrow.alter('me', batch_size => 7)});

# ---- what another server, or another database, has, nobody here knows: the two throw each other out, and say so.  The
# statement shows what is the same; when that is corrected, both are members
$node->sql(q{SELECT burrow.unsubscribe(s) FROM unnest('{first, "se cond", se_cond, me too}'::text[]) s});
$node->sql(q{SELECT burrow.alter('me', kafka => '{"group.instance.id": "me", "heartbeat.interval.ms": 300, "session.timeout.ms": 6000}')});
my $twin = q{SELECT burrow.subscribe('shared', 'keep', subscription => 'twin', consumer_group => 'named', join_group => true,
	kafka => '{"group.instance.id": "me", "heartbeat.interval.ms": 300, "session.timeout.ms": 6000}')};
$node->sql($twin, 'other');
my $stuck = q{cause = 'another member of the consumer group has the same instance id' AND error ~ 'fenced' AND since <= clock_timestamp()};
my %in = (me => 'postgres', twin => 'other');
for my $name (sort keys %in)
{
	my $statement = '';
	$node->wait_for("$name to be thrown out", sub {
			$statement = $node->sql("SELECT next_statement FROM burrow.why_stuck('$name') WHERE $stuck", $in{$name});
			return $statement ne '';
	});
	like($node->sql($statement, $in{$name}), qr/^named\|.*"group\.instance\.id": ?"me".*\|.*fenced/, "$name: another has its name; next: $statement");
}
$node->sql(q{SELECT burrow.alter('twin', kafka => '{"heartbeat.interval.ms": 300, "session.timeout.ms": 6000}')}, 'other');
foreach my $name (sort keys %in)
{
	$node->wait_for("$name to have its share", "SELECT count(*) = 4 FROM burrow.partitions WHERE subscription = '$name'", database => $in{$name}, timeout => 90);
	$node->wait_for("nothing to hold up $name", "SELECT count(*) = 0 FROM burrow.why_stuck('$name')", database => $in{$name});
}

$node->stop;
done_testing();
