# The server's log as jsonlog and csvlog have it: a subscription's life, each event a line, with
# who writes it, the SQLSTATE and the context in their fields, and the same in both.

use BurrowTest;
use JSON::PP ();

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => <<'END');
logging_collector = on
log_destination = 'csvlog,jsonlog'
log_filename = 'server.log'
END
$node->sql(<<'SQL');
CREATE FUNCTION h(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value <> 'ok' THEN RAISE EXCEPTION E'line one\n"line", two' USING ERRCODE = 'BW001', DETAIL = 'a detail', HINT = 'a hint'; END IF;
END $$;
SQL

# One that has all that the formats have to quote in its name.
my $name = 'a "name", ü';
my $trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
$kafka->create_topic('t', 1);
$kafka->produce('t', { value => 'ok' }, { value => 'fail', headers => [['traceparent', $trace]] }, { value => 'ok' });
$node->sql(qq{SELECT burrow.subscribe('t', 'h', '$name', on_failure => 'skip', max_retries => 0, commit_interval => '100 ms')});
$kafka->wait_until_committed($node->group_of($name), 't', diagnose => sub { $node->diagnostics });
$node->sql("SELECT burrow.pause('$name')");
$node->wait_for_state($name, 'paused');
$node->sql("SELECT burrow.alter('$name', on_failure => 'halt')");
$node->sql("SELECT burrow.resume('$name')");
$node->wait_for_state($name, 'running');
$kafka->produce('t', { value => 'fail' });
$node->wait_for_state($name, 'halted');
$node->wait_for('its consumer to be gone', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'burrow consumer')});
$node->sql("SELECT burrow.unsubscribe('$name')");

# The collector writes behind the processes.
$node->sql(q{DO $$ BEGIN RAISE LOG 'the end'; END $$});
my $folder = $node->data_dir . '/log';
wait_until('the logs to be written', sub { return 2 == grep { PostgreSQL::Test::Utils::slurp_file("$folder/server.$_") =~ /the end/ } qw(csv json) });

# Each line by itself is JSON; PostgreSQL reads the other by the table that its documentation has for it.
my @json = map { JSON::PP::decode_json($_) } split /\n/, PostgreSQL::Test::Utils::slurp_file("$folder/server.json");
$node->sql(<<"SQL");
CREATE TABLE log (log_time text, user_name text, database_name text, pid int, connection_from text, session_id text,
    session_line_num bigint, command_tag text, session_start_time text, virtual_transaction_id text, transaction_id bigint,
    error_severity text, state_code text, message text, detail text, hint text, internal_query text, internal_query_pos int, context text,
    query text, query_pos int, location text, application_name text, backend_type text, leader_pid int, query_id bigint);
COPY log FROM '$folder/server.csv' WITH CSV;
SQL
my @csv = @{ JSON::PP::decode_json($node->sql('SELECT json_agg(l) FROM log l')) };

# What is of Burrow, in the order in which it was written; no SQLSTATE is written as none, or as 00000.
sub ours
{
	my (@lines) = @_;
	return [map {
			my $line = $_;
			+{ map { my $value = $line->{$_}; (!defined $value || "$_$value" eq 'state_code00000' ? () : ($_ => "$value")) }
					qw(pid error_severity state_code message detail hint context backend_type) }
	} grep { $_->{message} =~ /subscription "/ || $_->{backend_type} eq 'burrow worker' } @lines];
}
my @ours = @{ ours(@json) };
is_deeply(ours(@csv), \@ours, 'csvlog has what jsonlog has');

# As PostgreSQL gives texts: what is in quotation marks is not doubled.
my $subscription = qq{subscription "a "name", \x{fc}"};
my $handler = qr/^PL\/pgSQL function h\(text\) line 3 at RAISE\n/;
sub failure
{
	my ($offset, $traceparent) = @_;
	return ['burrow worker', 'ERROR', qr/^line one\n"line", two$/, state_code => 'BW001', detail => 'a detail', hint => 'a hint',
		context => qr/$handler${traceparent}handling message from topic "t" partition 0 offset $offset for \Q$subscription\E$/];
}
my @started = (['burrow consumer', 'LOG', "consumer for $subscription has started"], ['burrow consumer', 'LOG', "$subscription is assigned 1 partitions", detail => 'Topic "t" partition 0.']);
my @expected = (
	['client backend', 'LOG', "$subscription: subscribe by role"],
	@started,
	failure(1, "traceparent $trace\n"),
	['burrow consumer', 'LOG', qq{$subscription skips topic "t" partition 0 offset 1 after 1 attempts}, detail => 'BW001: the handler failed (SQLSTATE BW001)', context => "traceparent $trace"],
	['client backend', 'LOG', "$subscription: pause by role"],
	['client backend', 'LOG', "$subscription: alter by role"],
	['client backend', 'LOG', "$subscription: resume by role"],
	@started,
	failure(3, ''),
	['burrow consumer', 'LOG', qq{$subscription is halted at topic "t" partition 0 offset 3}, detail => 'BW001: the handler failed (SQLSTATE BW001)', hint => 'Correct the cause, then call burrow.resume().'],
	['client backend', 'LOG', "$subscription: unsubscribe by role"]);
is(scalar @ours, scalar @expected, 'each event is a line, and nothing else is') or diag(join "\n", map { "$_->{backend_type} $_->{message}" } @ours);
for my $i (0 .. $#expected)
{
	my ($type, $severity, $message, %fields) = @{ $expected[$i] };
	my $line = $ours[$i] // {};
	$message = qr/^\Q$message\E/ if !ref $message;
	my @wrong = grep { my $wanted = $fields{$_}; my $got = $line->{$_} // ''; ref $wanted ? $got !~ $wanted : $got ne $wanted } sort keys %fields;
	ok(@wrong == 0 && ($line->{backend_type} // '') eq $type && ($line->{error_severity} // '') eq $severity && ($line->{message} // '') =~ $message,
		"line $i: $type, $severity: " . ($line->{message} // '')) or diag(JSON::PP->new->pretty->encode($line), "wrong: @wrong");
}

$node->stop;
done_testing();
