# Consumers that run with hostile values of Kafka's properties: as small and as large as burrow.subscribe() takes them, several
# together, generated from BURROW_TEST_SEED (15).  Whether such a consumer is of use is its owner's matter; no process crashes, and each
# subscription can be stopped.

use BurrowTest;

my $seed = $ENV{BURROW_TEST_SEED} // 15;
my $rounds = $ENV{BURROW_TEST_ROUNDS} // 5;
my $at_once = 8;
srand($seed);
note("seed $seed");

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "max_worker_processes = 24\nburrow.max_subscriptions_per_role = -1");
$kafka->create_topic('topic', 2);
$kafka->produce('topic', map { { partition => $_ % 2, key => "k$_", value => 'x' x 1000 } } 1 .. 20);
$node->sql(<<'SQL');
CREATE ROLE app LOGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO app;
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'SELECT';
SQL

# What each property takes at its two ends, of these.
my @integers = qw(-2147483648 -1 0 1 2 10 100 1000 6000 45000 300000 1000000 86400000 1000000000 2147483647);
my @integer_properties = qw(session.timeout.ms heartbeat.interval.ms max.poll.interval.ms fetch.wait.max.ms fetch.queue.backoff.ms fetch.message.max.bytes
	fetch.max.bytes fetch.min.bytes fetch.error.backoff.ms max.partition.fetch.bytes queued.min.messages queued.max.messages.kbytes message.max.bytes
	receive.message.max.bytes socket.timeout.ms socket.connection.setup.timeout.ms connections.max.idle.ms reconnect.backoff.ms reconnect.backoff.max.ms
	retry.backoff.ms retry.backoff.max.ms topic.metadata.refresh.interval.ms metadata.max.age.ms broker.address.ttl);
my %words = (
	'client.id' => ['', 'a' x 1000, '%s%n'], 'client.rack' => ['', 'a' x 1000], 'client.dns.lookup' => ['resolve_canonical_bootstrap_servers_only'],
	'group.instance.id' => ['same'], 'partition.assignment.strategy' => ['roundrobin', 'range'], 'isolation.level' => ['read_uncommitted'],
	'check.crcs' => ['true'], 'socket.keepalive.enable' => ['true'], 'socket.nagle.disable' => ['true'], 'topic.blacklist' => ['^topic$', '^' . '(a|b)*' x 30],
	'broker.address.family' => ['v4', 'v6']);

# The properties, as pairs of a name and a value, of those lists that burrow.subscribe() takes.
sub accepted
{
	my @sets = @_;
	my $values = join ', ', map { my $json = to_json($_); "($json)" } @sets;
	my @answers = split /\n/, $node->sql(<<"SQL");
SET ROLE app;
SET client_min_messages = error;
CREATE FUNCTION pg_temp.takes(kafka text) RETURNS boolean LANGUAGE plpgsql AS \$\$
BEGIN
	PERFORM burrow.subscribe('topic', 'h', enabled => false, kafka => kafka::jsonb);
	RAISE EXCEPTION USING ERRCODE = 'ZZ999';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE = 'ZZ999';
END \$\$;
SELECT pg_temp.takes(kafka) FROM (VALUES $values) v (kafka);
SQL
	return map { $answers[$_] eq 't' ? ($sets[$_]) : () } 0 .. $#sets;
}

sub to_json
{
	my ($set) = @_;
	my $json = join ', ', map { sprintf '"%s": "%s"', $_, $set->{$_} } sort keys %$set;
	return "'{$json}'";
}

my @ends;
my @taken = accepted(map { my $name = $_; map { { $name => $_ } } @integers } @integer_properties);
foreach my $name (@integer_properties)
{
	my @values = map { values %$_ } grep { exists $_->{$name} } @taken;
	push @ends, map { { $name => $_ } } @values[0, -1] if @values;
}
push @ends, accepted(map { my $name = $_; map { { $name => $_ } } @{ $words{$name} } } sort keys %words);
cmp_ok(scalar @ends, '>', 40, scalar(@ends) . ' values are taken');

# Each by itself is too many; a few together, in which each comes up.
my @sets;
while (@sets < $rounds * $at_once)
{
	my %set = map { %{ $ends[int rand @ends] } } 1 .. 1 + int rand 4;
	%set = (%set, %{ $ends[@sets % @ends] });
	push @sets, accepted(\%set);
}

foreach my $round (1 .. $rounds)
{
	my @now = splice @sets, 0, $at_once;
	note(to_json($_)) foreach @now;
	$node->sql('SET ROLE app; SET client_min_messages = error;' .
			join('', map { my $json = to_json($now[$_]); "SELECT burrow.subscribe('topic', 'h', 's$_', workers => 1, shutdown_timeout => '1 s', kafka => $json);" } 0 .. $#now));
	# each reads, or says why it cannot, or has had time for that
	$node->wait_for('what becomes of them', q{SELECT bool_and(coalesce(s.state <> 'starting' OR s.last_error IS NOT NULL OR clock_timestamp() - a.backend_start > interval '2 s', false))
		FROM burrow.subscriptions s LEFT JOIN pg_stat_activity a ON a.pid = s.consumer_pid});
	$node->sql(q{SELECT burrow.unsubscribe(name) FROM burrow.subscription});
	$node->wait_for("round $round to end", q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type IN ('burrow consumer', 'burrow worker')});
	pass("round $round: all of them can be stopped");
}

is($node->sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'burrow launcher'}), '1', 'the server runs');
unlike($node->log_since(0), qr/terminated by signal|PANIC/, 'without a crash');

# and what is asked for with nothing is handled
$node->sql(q{SELECT burrow.subscribe('topic', 'h')});
$node->wait_for('the messages', q{SELECT messages_processed = 20 FROM burrow.stats});
pass('and a plain subscription is as it was');

$node->stop;
done_testing();
