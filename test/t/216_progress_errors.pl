# Progress cannot be written: that is no message's fault, and ends no process.  An index on an
# expression, which its function may refuse to compute, stands for a full disk, damaged data, and
# whatever else may happen there.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => 'log_min_messages = debug1');
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint, attempt int);
CREATE FUNCTION keep(topic text, "offset" bigint, attempt int) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2, $3)';
CREATE TABLE broken (sqlstate text, consumer boolean);
CREATE SEQUENCE refused;
CREATE FUNCTION check_broken(lane int, low bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    state text := (SELECT b.sqlstate FROM public.broken b WHERE b.consumer = (lane < 0));
BEGIN
    IF state IS NOT NULL AND (state <> '40001' OR nextval('public.refused') <= 5) THEN
        RAISE EXCEPTION 'error %', state USING ERRCODE = state;
    END IF;
    RETURN low;
END $$;
CREATE INDEX ON burrow.progress (check_broken(lane, low));
SQL

my $number = 0;

# A topic of 400 messages, half of them there before the trouble begins, and a subscription.
sub begin
{
	my (%options) = @_;
	my $name = 'topic-' . ++$number;
	$kafka->create_topic($name, 1);
	$kafka->produce($name, map { { key => "k$_", value => 'x' } } 1 .. 200);
	$node->sql("SELECT burrow.subscribe('$name', 'keep', workers => 2, min_workers => 2, on_failure => 'dead_letter', max_retries => 1, commit_interval => '100 ms')");
	$kafka->wait_until_committed($node->group_of($name), $name, diagnose => sub { $node->diagnostics });
	$node->sql("INSERT INTO broken VALUES ('$options{state}', $options{consumer})");
	my $position = $node->log_position;
	$kafka->produce($name, map { { key => "k$_", value => 'x' } } 1 .. 200) if $options{produce} // 1;
	return ($name, $position);
}

sub processes
{
	my ($name) = @_;
	return join ' ', $node->pids('consumer', $name), $node->pids('worker', $name);
}

sub check_end
{
	my ($name, $what) = @_;
	$kafka->wait_until_committed($node->group_of($name), $name, timeout => 60, diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT count(*), count(DISTINCT \"offset\") FROM got WHERE topic = '$name'"), '400|400', "$what: each message has taken effect, once");
	is($node->sql("SELECT count(*) FROM burrow.dead_letters WHERE subscription = '$name'"), '0', "$what: there is no dead letter");
	$node->wait_for_state($name, 'running');
	is($node->sql("SELECT count(*) FROM burrow.why_stuck('$name')"), '0', "$what: nothing is stuck any more");
	$node->sql("SELECT burrow.pause('$name')");
	return;
}

#
# All that waits: with backoff, and shown.
#
for my $state (qw(53100 58030 XX000 42703 55P03))
{
	my ($name, $position) = begin(state => $state, consumer => 'false');
	my $before = processes($name);
	$node->wait_for_state($name, 'retrying');
	is($node->sql("SELECT last_error FROM burrow.subscriptions WHERE subscription = '$name'"),
		"could not write the progress of topic \"$name\" partition 0: error $state", "$state: the state says why");
	like($node->sql("SELECT cause, error FROM burrow.why_stuck('$name')"), qr/every message fails\|could not write the progress .*: error $state$/, "$state: and so does why_stuck");
	my $tries = sub { my $n = () = $node->log_since($position) =~ /burrow worker  *ERROR:  error $state/g; return $n }; # autovacuum meets it, too
	$node->wait_for('a few tries', sub { $tries->() >= 3 });
	cmp_ok($tries->(), '<=', 4, "$state: there are few tries"); # of two workers at once, then one by one
	my $warnings = () = $node->log_since($position) =~ /WARNING:  subscription "$name" is waiting/g;
	is($warnings, 1, "$state: the log has one warning");
	$node->sql('DELETE FROM broken');
	check_end($name, $state);
	is($node->sql("SELECT max(attempt) FROM got WHERE topic = '$name'"), '1', "$state: no attempt was counted");
	unlike($node->log_since($position) =~ s/.*terminating background worker.*//r, qr/exited with exit code 1/, "$state: no process has ended by an error");
}

#
# Damaged data halts.
#
{
	my ($name, $position) = begin(state => 'XX001', consumer => 'false');
	$node->wait_for_state($name, 'halted');
	like($node->sql("SELECT error, next_statement FROM burrow.why_stuck('$name')"), qr/^could not write the progress of topic "$name" partition 0: error XX001\|SELECT burrow.resume\('$name'\);$/, 'XX001: it halts');
	$node->sql("DELETE FROM broken; SELECT burrow.resume('$name')");
	check_end($name, 'XX001');
}

#
# A conflict is the transaction's.
#
{
	my ($name, $position) = begin(state => '40001', consumer => 'false');
	my $before = processes($name);
	check_end($name, '40001');
	cmp_ok($node->sql('SELECT last_value FROM refused'), '>', 5, '40001: there were some');
	like($node->log_since($position), qr/transaction of \d+ messages was rolled back: error 40001/, '40001: the size of chunks hears of it');
	unlike($node->log_since($position), qr/is waiting/, '40001: nothing else waits');
	$node->sql('DELETE FROM broken');
}

#
# The consumer's own rows.
#
for my $state (qw(53100 XX000))
{
	my ($name, $position) = begin(state => $state, consumer => 'true');
	my $before = processes($name);
	$node->wait_for_state($name, 'retrying');
	$node->wait_for('all to be handled', "SELECT count(*) = 400 FROM got WHERE topic = '$name'");
	is($node->sql("SELECT last_error FROM burrow.subscriptions WHERE subscription = '$name'"), "could not store positions: error $state", "$state of the consumer's: the state says why");
	is($node->sql("SELECT cause, error FROM burrow.why_stuck('$name')"), "the subscription waits for something in this database|could not store positions: error $state", "$state of the consumer's: and why_stuck");
	like($node->sql($node->sql("SELECT next_statement FROM burrow.why_stuck('$name')")), qr/^could not store positions: error $state$/, 'the statement shows it');
	my $tries = sub { my $n = () = $node->log_since($position) =~ /subscription "$name".*: could not store positions: error $state/g; return $n };
	$node->wait_for('a few tries', sub { $tries->() >= 3 });
	my $warnings = () = $node->log_since($position) =~ /WARNING:  subscription "$name" is waiting/g;
	is($warnings, 1, "$state of the consumer's: the log has one warning");
	is(processes($name), $before, "$state of the consumer's: no process has ended");
	$node->sql('DELETE FROM broken');
	check_end($name, "$state of the consumer's");
}
{
	my ($name, $position) = begin(state => 'XX001', consumer => 'true');
	$node->wait_for_state($name, 'halted');
	is($node->sql("SELECT error FROM burrow.why_stuck('$name')"), 'could not store positions: error XX001', "XX001 of the consumer's: it halts");
	$node->sql("DELETE FROM broken; SELECT burrow.resume('$name')");
	check_end($name, "XX001 of the consumer's");
}

#
# SERIALIZABLE, with workers that are in each other's way.
#
$node->sql(<<'SQL');
CREATE TABLE sums (id int PRIMARY KEY, n bigint NOT NULL);
INSERT INTO sums SELECT i, 0 FROM generate_series(1, 10) i;
CREATE FUNCTION add_up(topic text, "offset" bigint, attempt int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO got VALUES ($1, $2, $3);
    UPDATE sums SET n = n + 1 + 0 * (SELECT sum(n) FROM sums) WHERE id = 1 + $2 % 10;
$$;
ALTER ROLE postgres SET default_transaction_isolation = 'serializable';
SQL
$kafka->create_topic('serial', 1);
$kafka->produce_many('serial', count => 2000, keys => 0);
my $position = $node->log_position;
$node->sql(q{SELECT burrow.subscribe('serial', 'add_up', workers => 4, min_workers => 4, on_failure => 'halt', max_retries => 1000, retry_backoff => '1 ms', retry_backoff_max => '10 ms', commit_interval => '100 ms')});
$kafka->wait_until_committed($node->group_of('serial'), 'serial', timeout => 120, diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT sum(n), (SELECT count(DISTINCT "offset") FROM got WHERE topic = 'serial') FROM sums}), '2000|2000', 'serializable: each message has taken effect, once');
unlike($node->log_since($position), qr/exited with exit code 1/, 'serializable: no process has ended by an error');

$node->stop;
done_testing();
