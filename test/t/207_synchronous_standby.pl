# A synchronous standby that is gone: messages are handled on, and Kafka's offset stays at
# what the standby has confirmed, at the level of the subscription's synchronous_commit.
# Nothing blocks but what asks for it: a worker under synchronous_commit = on.  When the
# standby is back, Kafka's offset follows.

use BurrowTest;
use Time::HiRes qw(time);

my $kafka = BurrowTest::Kafka->create('kafka');
my $primary = BurrowTest::Node->create('primary', kafka => $kafka, init => [allows_streaming => 1]);
$primary->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL
$primary->backup('copy');
my $standby = BurrowTest::Node->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;
$primary->append_conf('postgresql.conf', "synchronous_standby_names = 'standby'\n");
$primary->reload;
$primary->wait_for('the standby to be synchronous', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'});

# this test's own sessions do not wait for the standby
sub change { my ($sql) = @_; return $primary->sql("SET synchronous_commit = local; $sql") }

my (%group, %sent);

sub produce
{
	my ($topic, $count) = @_;
	$kafka->produce_many($topic, count => $count, keys => 20, first => $sent{$topic} // 0);
	$sent{$topic} += $count;
	return;
}

# as the table has it
sub wait_for_all
{
	my ($topic) = @_;
	return $primary->wait_for("all of $topic to be handled", "SELECT count(*) = $sent{$topic} FROM got WHERE topic = '$topic'");
}

# as the group has it
sub is_committed
{
	my ($topic, $expected, $description) = @_;
	is($kafka->committed($group{$topic}, $topic)->{0}, $expected, $description);
	return;
}

# the levels, with a name for each
my %level = (off => 'off', written => 'remote_write', applied => 'remote_apply', here => 'local');
for my $topic (sort keys %level)
{
	$kafka->create_topic($topic, 1);
	change(<<"SQL");
SELECT burrow.subscribe('$topic', 'keep', workers => 2, synchronous_commit => '$level{$topic}',
    commit_interval => '100 ms', shutdown_timeout => '2 s', kafka => '{"session.timeout.ms": 6000}')
SQL
	$group{$topic} = $primary->group_of($topic);
	produce($topic, 100);
}
for my $topic (sort keys %level)
{
	$kafka->wait_until_committed($group{$topic}, $topic, diagnose => sub { $primary->diagnostics });
	is_committed($topic, 100, "$topic: with the standby there, all is committed");
	$primary->wait_for("nothing to hold up $topic", "SELECT count(*) = 0 FROM burrow.why_stuck('$topic')");
}

# ---- the standby has it and does not apply it

$standby->sql('SELECT pg_wal_replay_pause()');
$standby->wait_for('replay to be paused', q{SELECT pg_get_wal_replay_pause_state() = 'paused'});
produce($_, 50) foreach qw(off written);
$kafka->wait_until_committed($group{$_}, $_, diagnose => sub { $primary->diagnostics }) foreach qw(off written);
pass('what is flushed on the standby and not applied is enough for off and remote_write');
produce('applied', 50);
my $stuck = q{SELECT count(*) > 0 FROM burrow.why_stuck('%s') WHERE cause = '%s' AND since < clock_timestamp() - interval '1 s'};
my $commit_waits = "a worker''s commit waits for a synchronous standby to confirm it";
$primary->wait_for('why_stuck() to say that a worker waits', sprintf($stuck, 'applied', $commit_waits));
is_committed('applied', 100, 'not so for remote_apply');
$standby->sql('SELECT pg_wal_replay_resume()');
$kafka->wait_until_committed($group{applied}, 'applied', diagnose => sub { $primary->diagnostics });
pass('until it is applied');

# ---- the standby is gone

$standby->stop('fast');
produce($_, 200) foreach qw(off here);
produce($_, 10) foreach qw(written applied);
wait_for_all('off');
my $offset_waits = "Kafka''s offset waits for a synchronous standby to confirm what is done";
$primary->wait_for('why_stuck() to say so', sprintf($stuck, 'off', $offset_waits));
is($primary->sql(q{SELECT state FROM burrow.subscriptions WHERE subscription = 'off'}), 'running', 'off: it goes on');
my $statement = $primary->sql(q{SELECT next_statement FROM burrow.why_stuck('off')});
like($statement, qr/pg_stat_replication/, 'with where to look next');
is($primary->sql($statement), '', 'which shows that it is not there');
is_committed('off', 150, 'off: nothing beyond what the standby has confirmed is committed');
is($primary->sql(q{SELECT processed, committed FROM burrow.partitions WHERE topic = 'off'}), '350|150', 'as the views show');
$kafka->wait_until_committed($group{here}, 'here', diagnose => sub { $primary->diagnostics });
is_committed('here', 300, 'local: no standby is asked');
for my $topic (qw(written applied))
{
	$primary->wait_for("why_stuck() to say that a worker of $topic waits", sprintf($stuck, $topic, $commit_waits));
	is($primary->sql("SELECT count(*) FROM got WHERE topic = '$topic'"), 150, "$topic: what is not confirmed is not seen");
	is_committed($topic, 150, "$topic: nor committed");
}

# the consumer takes part in all that goes on
for my $topic (qw(off written))
{
	my $began = time;
	change("SELECT burrow.pause('$topic')");
	$primary->wait_for_state($topic, 'paused');
	my $took = time - $began;
	# of shutdown_timeout, and what the last commit may wait
	cmp_ok($took, '<', 6 * slow_by(), sprintf('%s: a pause takes its time and no more: %.1f s', $topic, $took));
	change("SELECT burrow.resume('$topic')");
	$primary->wait_for_state($topic, 'running');
}
is_committed('off', 150, 'and the last commit has not moved it either');
produce('off', 100);
wait_for_all('off');
is_committed('off', 150, 'after the pause the same');
my $began = time;
$primary->stop('fast');
cmp_ok(time - $began, '<', 5 * slow_by(), 'a fast stop takes no longer than it may');
is_committed('off', 150, 'nor does it commit');
$primary->start;
$primary->wait_for_state('off', 'running');
produce('off', 100);
wait_for_all('off');
is_committed('off', 150, 'nor a start without the standby');

# ---- the standby is back

$standby->start;
for my $topic (sort keys %level)
{
	$kafka->wait_until_committed($group{$topic}, $topic, diagnose => sub { $primary->diagnostics });
	is_committed($topic, $sent{$topic}, "$topic: the standby is back, and Kafka's offset follows");
	is($primary->sql("SELECT count(*), count(DISTINCT \"offset\") FROM got WHERE topic = '$topic'"), "$sent{$topic}|$sent{$topic}",
		"$topic: each message was handled once");
	$primary->wait_for("nothing to hold up $topic", "SELECT count(*) = 0 FROM burrow.why_stuck('$topic')");
}

$primary->stop;
$standby->stop;
done_testing();
