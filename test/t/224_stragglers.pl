# A handler that does not end when its partition is lost, or its consumer is terminated: its
# partition waits for it, within the deadline of a revocation, and all others go on.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', config => { 'group.min.session.timeout.ms' => 1000 });
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, partition int, "offset" bigint, key text, attempt int);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint, key text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE key IN ('slow', 'stubborn') LOOP
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(1);
            EXIT;
        EXCEPTION WHEN query_canceled THEN
            IF key = 'slow' THEN RAISE; END IF;
        END;
    END LOOP;
    INSERT INTO got VALUES (topic, partition, "offset", key, attempt);
END $$;
SQL

my ($holder, $messages);

# A message of partition 0 is in hand and waits; what else there is of all four partitions is done.
sub with_a_straggler
{
	my ($topic, $key, $options) = @_;
	$holder = $node->background_psql('postgres');
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	$kafka->create_topic($topic, 4);
	$kafka->produce($topic, { key => 'before', value => 'x', partition => 0 }, { key => $key, value => 'x', partition => 0 },
		map { { key => 'k', value => 'x', partition => $_ } } 0 .. 3);
	$node->sql(<<"SQL");
SELECT burrow.subscribe('$topic', 'keep', workers => 4, batch_size => 1, commit_interval => '200 ms',
    kafka => '{"heartbeat.interval.ms": 300, "session.timeout.ms": 2000}' $options)
SQL
	$node->wait_for('all but one to be done', "SELECT count(*) = 5 FROM got WHERE topic = '$topic'");
	$messages = 6;
	return;
}

sub terminate_consumer
{
	my ($topic) = @_;
	my ($pid) = $node->pids('consumer', $topic);
	$node->sql("SELECT pg_terminate_backend($pid)");
	$node->wait_for('another consumer', "SELECT consumer_pid <> $pid FROM burrow.subscriptions WHERE subscription = '$topic'");
	return;
}

# Kafka is away for so long that the group has gone on without this member.
sub lose_assignment
{
	my ($topic) = @_;
	my $position = $node->log_position;
	$kafka->suspend;
	$node->wait_for_log_line(qr/subscription "$topic" gives up 4 partitions.*The assignment was lost/s, $position);
	$kafka->continue;
	return;
}

# Messages of the other partitions are handled, one each; of partition 0 none of these keys.
sub others_go_on
{
	my ($topic, $what, @keys) = @_;
	my $keys = join ', ', map { "'$_'" } @keys;
	$kafka->produce($topic, map { { key => 'new', value => 'x', partition => $_ } } 0 .. 3);
	$messages += 4;
	$node->wait_for('the other partitions', "SELECT count(*) = 3 FROM got WHERE topic = '$topic' AND key = 'new' AND partition > 0");
	is($node->sql("SELECT count(*) FROM got WHERE topic = '$topic' AND partition = 0 AND key IN ($keys)"), 0,
		"$what: other partitions go on, and not @keys of its own");
	return;
}

sub check_all
{
	my ($topic, $what) = @_;
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT count(*), count(DISTINCT (partition, \"offset\")), max(attempt) FROM got WHERE topic = '$topic'"),
		"$messages|$messages|1", "$what: each message has taken effect once, at its first attempt");
	is($node->sql("SELECT messages_failed FROM burrow.stats WHERE subscription = '$topic'"), 0, "$what: nothing has failed");
	is($node->sql("SELECT count(*) FROM burrow.why_stuck('$topic')"), 0, "$what: nothing holds it up");
	$node->sql("SELECT burrow.unsubscribe('$topic')");
	return;
}

my %ways = ('terminated' => \&terminate_consumer, 'lost' => \&lose_assignment);
for my $how (sort keys %ways)
{
	# ---- it ends by itself before the deadline
	with_a_straggler("$how-waits", 'slow', q{, shutdown_timeout => '10 min'});
	$ways{$how}->("$how-waits");
	others_go_on("$how-waits", $how, 'slow', 'new');
	is($node->sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"), 1, "$how: it is still in hand, once");
	$holder->quit;
	check_all("$how-waits", $how);

# ---- it does not: it is cancelled, and if that does not help its worker is terminated
	for my $key (qw(slow stubborn))
	{
		my $topic = "$how-$key";
		my $position;
		with_a_straggler($topic, $key, q{, shutdown_timeout => '1 s'});
		my ($old) = split /\n/, $node->sql(q{SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
		$position = $node->log_position;
		$ways{$how}->($topic);
		$node->wait_for_log_line(qr/subscription "$topic": cancelling messages that are still being handled/, $position);
		$node->wait_for('it to be in hand again, of another process or another attempt', <<"SQL");
SELECT count(*) = 1 FROM burrow.partitions WHERE topic = '$topic' AND partition = 0 AND oldest_pending = 1
SQL
		others_go_on($topic, "$how, $key", $key);
		is($node->sql(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}), 1, "$how, $key: it runs again, once");
		ok(!is_running($old), "$how, $key: its worker is gone") if $key eq 'stubborn';
		$holder->quit;
		check_all($topic, "$how, $key");
	}
}

$node->stop;
done_testing();
