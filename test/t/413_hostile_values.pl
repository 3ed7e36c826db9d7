# Every Kafka property that a role may set, and every SQL function, with hostile values: no crash, no error that cannot
# happen (class XX), no call of more than a second, no memory that stays.  Generated from BURROW_TEST_SEED (15), as many
# of each as BURROW_TEST_CALLS says (10,000).  Each call is rolled back; nothing of it reaches Kafka.
#
# Functions that ask Kafka get a hundredth of them: what is asked for is not there, and each call that gets so far is cancelled
# after a moment, which must not take a second either.

use BurrowTest;

my $seed = $ENV{BURROW_TEST_SEED} // 15;
my $calls = $ENV{BURROW_TEST_CALLS} // 10_000;
srand($seed);
note("seed $seed");

# no broker is needed
my $node = BurrowTest::Node->create('main', conf => "burrow.bootstrap_servers = 'localhost:1'\nburrow.audit_retention = 0");
$node->sql(<<'SQL');
CREATE ROLE app LOGIN;
CREATE ROLE other LOGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO app, other;
ALTER ROLE app SET log_min_messages = 'panic';
GRANT CREATE ON SCHEMA public TO app;
CREATE FUNCTION memory(what text) RETURNS text LANGUAGE sql SECURITY DEFINER
AS $$SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM what || ':\s+(\d+)')$$;
SET ROLE app;
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'SELECT';
SELECT burrow.subscribe('mine', 'h', enabled => false);
CREATE TABLE bad (sqlstate text, message text, ms float8, call text);
-- 57014 is counted by its time: a call that asks Kafka is cancelled, and no other takes so long.  A ceiling (53400) is as good an error as any; how long those of burrow.reject() and of
-- PostgreSQL's own types are is not ours.  burrow._options() takes what it is given for a stored row, and XX001 is what it says of one
CREATE FUNCTION attack(call text, longest float8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	begun timestamptz := clock_timestamp();
	state text := '00000';
	told text;
	ms float8;
BEGIN
	BEGIN
		EXECUTE call;
		RAISE EXCEPTION USING ERRCODE = 'ZZ999';
	EXCEPTION WHEN query_canceled OR OTHERS THEN
		state := SQLSTATE;
		told := SQLERRM;
	END;
	ms := extract(epoch FROM clock_timestamp() - begun) * 1000;
	IF (state LIKE 'XX%' AND NOT (state = 'XX001' AND call LIKE '%burrow._options(%')) OR state IN ('53100', '53200', '53300') OR state LIKE '58%' OR ms > longest OR (octet_length(told) > 1000 AND state NOT IN ('BR001', '22P02')) THEN
		INSERT INTO bad VALUES (state, left(told, 200), ms, left(call, 1000));
	END IF;
END $$;
RESET ROLE;
SET ROLE other;
SELECT burrow.subscribe('theirs', 'h', enabled => false);
SQL
my $before = $node->sql('SELECT s FROM burrow.subscription s ORDER BY subid');

#
# Values.
#
sub one_of { return $_[int rand @_] }

sub long_text
{
	my $piece = one_of('a', '(', '[', '{"a":', '1', '9', 'a,', '%s%n', "\\\\", "'", '"', 'é', '🐹', "\t", "\x01", 'a b ', '^a*', '(a|', '.*', '$');
	return $piece x one_of(1, 2, 10, 100, 255, 256, 1000, 10_000, 100_000 / length $piece);
}

sub number
{
	return one_of(0, 1, -1, 2, 7, 64, 127, 128, 255, 256, 1000, 65535, 65536, 2147483647, 2147483648, -2147483648, -2147483649,
		4294967295, '9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809', '1' x 100, '1e3', '1e308', '1e-5',
		'0.5', '-0.5', int(rand(2**31)));
}

sub text
{
	return one_of('', ' ', 'mine', 'theirs', 'true', 'false', 'null', 'NaN', 'Infinity', 'h', 'mine,theirs', '*', '.', '..', '^', '^.*', '^mine', '0x7fffffff',
		'earliest', 'key', 'halt', '1 d', '64MB', '-1kB', '1e400', '{}', '[]', '{"0": 1}', '{"0": -1}', '{"99999999999": 1}', '22', '{22,23}', 'public.h(text)', 'h(text, text)', 'h(',
		'pg_catalog.pg_terminate_backend', 'burrow.reject', "a\nb", "\x7f", number(), long_text(), long_text());
}

sub json_string { my $s = shift; $s =~ s/([\\"\x00-\x1f])/sprintf('\\u%04x', ord $1)/ge; return qq{"$s"} }

sub json_value
{
	return one_of(number(), json_string(number()), json_string(text()), json_string(text()), 'true', 'false', 'null', '[]', '{}', '[1]', '{"a": 1}',
		'[' x 50 . ']' x 50, '1e1000', '1e-1000', '-1e1000');
}

sub literal { my $s = shift; $s =~ s/'/''/g; return "'$s'" }

my %of_type = (
	text => sub { return literal(text()) },
	name => sub { return literal(text()) },
	cstring => sub { return literal(text()) },
	boolean => sub { return one_of('true', 'false') },
	integer => sub { return '(' . one_of(0, 1, -1, 2147483647, '-2147483648', int(rand(1000))) . ')::int' },
	bigint => sub { return "('" . one_of(0, 1, -1, 1000, 2147483648, '9223372036854775807', '-9223372036854775808', int(rand(100_000))) . "')::bigint" },
	oid => sub { return one_of(0, 1, 10, 4294967295, int(rand(20000))) . '::oid' },
	interval => sub { return literal(one_of('0', '1 us', '-1 us', '1 s', '-1 s', '10 ms', '1 day', '178000000 years', '-178000000 years', '2147483647 months', '-2147483648 days', '1 month -30 days', '100000000 hours')) . '::interval' },
	'timestamp with time zone' => sub { return literal(one_of('infinity', '-infinity', '4713-01-01 BC', '294276-12-31', '1970-01-01 00:00+00', '1969-12-31 23:59:59.999+00', '2026-11-30', '2262-04-12')) . '::timestamptz' },
	'text[]' => sub { return one_of(q('{}'), q(array_fill(''::text, ARRAY[10000])), q(ARRAY[NULL]::text[]), q('{{a,b},{c,d}}'), q('[5:6]={a,b}'), q(array_fill('workers=1'::text, ARRAY[3, 1000])),
			'ARRAY[' . join(',', map { literal(text()) } 1 .. one_of(1, 5)) . ']::text[]', 'ARRAY[' . join(',', map { literal(one_of(qw(workers batch_size kafka start_from permanent_errors no)) . '=' . text()) } 1 .. 3) . ']') },
	bytea => sub { return one_of(q('\x'), q('\x00'), q('\xff'), q('\xffffffffffffffffff01'), q('\x8080808080808080808080'), q(decode(repeat('ff', 100000), 'hex')), q(decode(repeat('01', 100000), 'hex')),
			q('\x) . join('', map { sprintf '%02x', rand 256 } 1 .. one_of(1, 3, 10, 100)) . q(')) },
	jsonb => sub { return literal(one_of(json_value(), '{' . join(',', map { json_string(text()) . ':' . json_value() } 1 .. one_of(1, 3)) . '}', '{' . join(',', map { qq{"a$_": $_} } 1 .. 1000) . '}')) . '::jsonb' },
);

#
# Properties.  Whatever else librdkafka has is refused, or unknown, which these names show.
#
my @properties = qw(client.id client.rack client.dns.lookup group.instance.id group.protocol group.remote.assignor partition.assignment.strategy
	session.timeout.ms heartbeat.interval.ms max.poll.interval.ms isolation.level check.crcs fetch.wait.max.ms fetch.queue.backoff.ms fetch.message.max.bytes
	fetch.max.bytes fetch.min.bytes fetch.error.backoff.ms max.partition.fetch.bytes queued.min.messages queued.max.messages.kbytes message.max.bytes
	receive.message.max.bytes socket.timeout.ms socket.connection.setup.timeout.ms socket.keepalive.enable socket.nagle.disable connections.max.idle.ms
	reconnect.backoff.ms reconnect.backoff.max.ms retry.backoff.ms retry.backoff.max.ms topic.metadata.refresh.interval.ms metadata.max.age.ms
	metadata.recovery.strategy topic.blacklist broker.address.ttl broker.address.family);
my @refused = qw(plugin.library.paths ssl.engine.location sasl.kerberos.kinit.cmd debug ssl.ca.location bootstrap.servers security.protocol sasl.password
	enable.auto.commit auto.offset.reset log_cb opaque enable.idempotence);

sub property_call
{
	my %set = map { one_of(@properties) => json_value() } 1 .. one_of(1, 1, 1, 2, 5);
	$set{ one_of(one_of(@refused), text()) } = json_value() if rand() < 0.1;
	my $json = literal('{' . join(', ', map { json_string($_) . ': ' . $set{$_} } sort keys %set) . '}');
	return "SELECT burrow.alter('mine', kafka => $json)" if rand() < 0.3;
	return "SELECT burrow.subscribe('topic', 'h', enabled => false, kafka => $json)";
}

#
# Functions, by their arguments' types; those with many by name, a few at a time.  All that there are, but for those of
# triggers, which cannot be called.
#
my %functions;
foreach (split /\n/, $node->sql(<<'SQL'))
SELECT p.oid::regproc, p.oid, a.n, p.proargnames[a.n], format_type(a.type, NULL)
FROM pg_proc p LEFT JOIN LATERAL unnest(p.proargtypes) WITH ORDINALITY a (type, n) ON true
WHERE p.pronamespace = 'burrow'::regnamespace AND p.prorettype <> 'trigger'::regtype
ORDER BY p.oid, a.n
SQL
{
	my ($name, $oid, $n, $argument, $type) = split /\|/;
	$functions{$oid}{name} = $name;
	push @{ $functions{$oid}{arguments} }, [$argument, $type] if $n;
}
my @found = map { $functions{$_} } sort { $a <=> $b } keys %functions;
my %asks_kafka = map { ("burrow.$_" => 1) } qw(check_connection dry_run peek topics);
my @functions = grep { !$asks_kafka{ $_->{name} } } @found;
my @asking = grep { $asks_kafka{ $_->{name} } } @found;
cmp_ok(scalar @functions, '>', 20, 'the functions were found');
is(scalar @asking, scalar keys %asks_kafka, 'and those that ask Kafka');

sub value_of
{
	my ($type) = @_;
	return "NULL::$type" if rand() < 0.1 && $type ne 'cstring';
	# types of Burrow's own are made of text
	return exists $of_type{$type} ? $of_type{$type}->() : $of_type{text}->() . "::$type";
}

sub call_of
{
	my $f = one_of(@_);
	my @arguments = @{ $f->{arguments} // [] };
	if (@arguments > 10)
	{
		my %chosen = map { $_->[0] => value_of($_->[1]) } map { one_of(@arguments) } 1 .. one_of(1, 2, 3);
		%chosen = (topic => q('topic'), handler => q('h'), enabled => 'false', %chosen) if $f->{name} =~ /subscribe/;
		%chosen = (subscription => q('mine'), %chosen) if $f->{name} =~ /alter/;
		return "SELECT $f->{name}(" . join(', ', map { qq{"$_" => $chosen{$_}} } sort keys %chosen) . ')';
	}
	my @values = map { value_of($_->[1]) } @arguments;
	# so that more than the name is looked at
	$values[0] = one_of(q('mine'), q('theirs')) if @arguments && ($arguments[0][0] // '') eq 'subscription' && rand() < 0.7;
	# what is asked for is looked at by another process
	$values[0] = one_of(q('topic'), q('^t'), q('^(a|b)*c$')) if $f->{name} eq 'burrow.peek' && rand() < 0.5;
	# one that runs is waited for
	$values[1] = q('0') if $f->{name} =~ /wait_until_caught_up/ && rand() < 0.5;
	return "SELECT * FROM $f->{name}(" . join(', ', @values) . ') r';
}

#
# Each kind in a session of its own.
#
my $longest = 1000 * BurrowTest::slow_by();
foreach my $kind (['Kafka properties', \&property_call, 1], ['SQL functions', sub { call_of(@functions) }, 1],
	['functions that ask Kafka', sub { call_of(@asking) }, 100, '100ms'])
{
	my ($name, $generate, $part, $timeout) = @$kind;
	my $n = int($calls / $part);
	my $file = $node->basedir . '/calls.sql';
	open(my $out, '>:encoding(UTF-8)', $file) or die "cannot write $file: $!";
	print $out "SET statement_timeout = '@{[ $timeout // '60s' ]}'; SET client_min_messages = 'error';\n";
	for my $i (1 .. $n)
	{
		my $call = literal($generate->());
		# what libraries load and caches keep is there after the first ones
		print $out "SELECT memory('VmRSS') AS first \\gset\n" if $i == int($n / 4);
		print $out "SELECT attack($call, $longest);\n";
	}
	print $out "SELECT memory('VmRSS') AS last, memory('VmHWM') AS most \\gset\n";
	print $out "\\echo memory :first :last :most\n";
	close $out or die "cannot write $file: $!";
	my ($output, $errors) = PostgreSQL::Test::Utils::run_command(['psql', '-XAtq', '-U', 'app', '-d', $node->connstr('postgres'), '-f', $file]);
	is($errors, '', "$name: each call has ended, and the session has not");
	is($node->sql(q{SELECT * FROM bad ORDER BY ms DESC LIMIT 20}), '', "$name: no error that cannot happen, and no call of more than a second");
	my ($first, $last, $most) = $output =~ /memory (\d+) (\d+) (\d+)/;
	memory_below($last - $first, 20_000, "$name: no memory stays (kB; $first, then $last, $most at most)");
	memory_below($most, 300_000, "$name: nor is there ever much (kB)");
	$node->sql('TRUNCATE bad');
}

$node->wait_for('no process to be left of a call', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type IN ('burrow dry run', 'burrow first look')});
is($node->sql('SELECT s FROM burrow.subscription s ORDER BY subid'), $before, 'nothing has changed');
is($node->sql('SELECT count(*) FROM pg_stat_activity WHERE backend_type = \'burrow launcher\''), '1', 'and the server runs');
unlike($node->log_since(0), qr/terminated by signal|PANIC/, 'without a crash');

$node->stop;
done_testing();
