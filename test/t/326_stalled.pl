# Messages that are there and do not come, and nobody says why: state "stalled", and a new client, once.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, gate => 1, conf => "burrow.stalled_after = 0\n");
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION h(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (topic, "offset")';
SQL

# The queues of partitions seem empty to this process; 0: to all.
my $file = $node->data_dir . '/burrow no messages';
sub keep_back
{
	my ($pid) = @_;
	PostgreSQL::Test::Utils::append_to_file("$file.new", $pid);
	rename("$file.new", $file) or die "$file: $!";
	return;
}

# Seconds; 0: never.  A machine that is busy may need longer than the tests' few to join a group.
sub stalls_after
{
	my ($seconds) = @_;
	$node->sql($_) foreach "ALTER SYSTEM SET burrow.stalled_after = $seconds", 'SELECT pg_reload_conf()';
	$node->wait_for('the setting', "SELECT setting = '$seconds' FROM pg_settings WHERE name = 'burrow.stalled_after'");
	return;
}

sub subscribe
{
	my ($topic) = @_;
	$kafka->create_topic($topic, 1);
	$node->sql(qq{SELECT burrow.subscribe('$topic', 'h', commit_interval => '100 ms', kafka => '{"session.timeout.ms": 6000}')});
	return;
}

sub produce
{
	my ($topic) = @_;
	$kafka->produce($topic, map { { key => "k$_", value => 'x' } } 1 .. 10);
	return;
}

sub all_of
{
	my ($topic, $n, $description) = @_;
	$node->wait_for("$n rows", "SELECT count(*) >= $n FROM got WHERE topic = '$topic'");
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
	is($node->sql(qq{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = '$topic'}), "$n|$n", $description);
	return;
}

sub renewed { my ($topic) = @_; return $node->sql("SELECT clients_renewed FROM burrow.stats WHERE subscription = '$topic'") }

#
# One client does not give them out any more: the next one does.
#
subscribe('once');
produce('once');
all_of('once', 10, 'all is well');
my ($old) = $node->pids('consumer', 'once');
my $position = $node->log_position;
keep_back($old);
stalls_after(3);
produce('once');
all_of('once', 20, 'a new client gets what the old one has not given out, each message once');
isnt(($node->pids('consumer', 'once'))[0], $old, 'it is another process');
is(renewed('once'), 1, 'and is counted');
like($node->log_since($position), qr/WARNING:  subscription "once" is waiting: topic "once" partition 0 offset 10 is there and does not come: librdkafka has fetched it, and does not give it out\n.*LOG:  subscription "once" starts anew with a new Kafka client\n/s,
	'the log says what, why, and what is done');
$node->wait_for_state('once', 'running');
unlink $file or die "$file: $!";
stalls_after(0);

#
# No client does: it is made anew once, and the state says so until they come.
#
subscribe('always');
produce('always');
all_of('always', 10, 'all is well');
$position = $node->log_position;
keep_back(0);
stalls_after(3);
produce('always');
$node->wait_for_log_line(qr/consumer for subscription "always" has started/, $position);
$node->wait_for('it to stall again', q{SELECT state = 'stalled' AND error LIKE 'topic "always"%' FROM burrow.subscriptions s, burrow.why_stuck('always') WHERE s.subscription = 'always'});
($old) = $node->pids('consumer', 'always');
$node->sql('CREATE TABLE began AS SELECT clock_timestamp() AS at');
$node->wait_for('more than twice as long', "SELECT clock_timestamp() > at + '7 s' FROM began");
is(join(' ', renewed('always'), $node->pids('consumer', 'always')), "1 $old", 'another one is not made, as the first has not helped');
is($node->sql(q{SELECT cause, error FROM burrow.why_stuck('always')}),
	'messages are there and do not come, and nothing says why|topic "always" partition 0 offset 10 is there and does not come: librdkafka has fetched it, and does not give it out',
	'why_stuck has it');
is($node->sql($node->sql(q{SELECT next_statement FROM burrow.why_stuck('always')})), 'always|0|10|20|10', 'its statement shows the partitions');
is($node->sql(q{SELECT kind FROM burrow._troubles() t JOIN burrow.subscription s USING (subid) WHERE s.name = 'always'}), 'stalled', 'by its kind');
like($node->sql('SELECT burrow.metrics()'), qr/^pgburrow_subscription_state\{[^}]*subscription="always",state="stalled"\} 1$/m, 'and so have the metrics');

# Where the queue has nothing the cause is another one.
my $nothing = $node->data_dir . '/burrow nothing fetched';
PostgreSQL::Test::Utils::append_to_file($nothing, '');
$node->wait_for('the other cause', q{SELECT error = 'topic "always" partition 0 offset 10 is there and does not come: librdkafka does not fetch it' FROM burrow.why_stuck('always')});
pass('a client that does not fetch is told apart from a queue that does not give out');
my $elsewhere = $node->data_dir . '/burrow no offsets';
PostgreSQL::Test::Utils::append_to_file("$elsewhere.new", '6'); # not the leader
rename("$elsewhere.new", $elsewhere) or die "$elsewhere: $!";
$node->wait_for('the cause that comes before it',
	q{SELECT error = 'topic "always" partition 0 offset 10 is there and does not come: the broker that leads it does not serve it (Broker: Not leader for partition)' FROM burrow.why_stuck('always')});
pass('so is a broker that does not serve what it leads');
unlink $elsewhere or die "$elsewhere: $!";
$node->wait_for('that to be over', q{SELECT error LIKE '%: librdkafka does not fetch it' FROM burrow.why_stuck('always')});
unlink $nothing or die "$nothing: $!";

# A wake-up that was lost needs no new client: the queue is looked at without one.
unlink $file or die "$file: $!";
all_of('always', 20, 'when they come, each is handled once');
$node->wait_for_state('always', 'running');
is(join(' ', renewed('always'), $node->pids('consumer', 'always')), "1 $old", 'by the same client');
like($node->log_since($position), qr/LOG:  subscription "always" goes on\n/, 'the log says that it is over');

#
# A group that gives no assignment: another member does not answer at a rebalance.
#
$kafka->create_topic('group', 1);
my $member = $kafka->join_group('group', 'group', session_ms => 60000);
$kafka->wait_until_assigned($member);
my $pid = $member->{run}{KIDS}[0]{PID};
kill('STOP', $pid) or die "$pid: $!";
$position = $node->log_position;
$node->sql(q{SELECT burrow.subscribe('group', 'h', consumer_group => 'group')});
$node->wait_for_log_line(qr/WARNING:  subscription "group" is waiting: consumer group "group" has given no assignment for \d+ s\n/, $position);
pass('a group that gives no assignment is told of');
kill('CONT', $pid) or die "$pid: $!";
$kafka->leave_group($member);
$node->wait_for_state('group', 'running');
is(renewed('group'), 1, 'it came with a new client');

$node->stop;
done_testing();
