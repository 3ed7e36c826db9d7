# Another member of the consumer group, an ordinary client, joins and leaves while messages
# flow: nothing is missing, nothing is handled twice, the order is kept.  What is in hand when
# partitions are given up is waited for; what runs beyond the deadline is cancelled, and runs
# again when they are back.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (id bigserial, topic text, partition int, "offset" bigint, key text, attempt int);
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
    INSERT INTO got (topic, partition, "offset", key, attempt) VALUES (topic, partition, "offset", key, attempt);
END $$;
SQL
my $quick = q(kafka => '{"heartbeat.interval.ms": 300, "session.timeout.ms": 6000}', commit_interval => '200 ms');

sub owned { my ($topic) = @_; return $node->sql("SELECT count(*) FROM burrow.partitions WHERE topic = '$topic'") }

my %messages;    # of each topic

# Messages flow at a rate, and a slow machine would see the end of them too early: so here come more
# than are waited for, and half of the partitions may be another member's.
sub wait_for_more
{
	my ($topic, $more) = @_;
	my $rows = $node->sql("SELECT count(*) FROM got WHERE topic = '$topic'");
	$kafka->produce_many($topic, count => 4 * $more, keys => 200);
	$messages{$topic} += 4 * $more;
	return $node->wait_for("$more more rows of $topic", "SELECT count(*) >= $rows + $more FROM got WHERE topic = '$topic'");
}

sub wait_for_all_partitions
{
	my ($topic, $all) = @_;
	return $node->wait_for("all partitions of $topic to be back", "SELECT count(*) = $all FROM burrow.partitions WHERE topic = '$topic'");
}

# ---- one that takes partitions and reads nothing: all messages are Burrow's

$messages{taken} = 20_000;
$kafka->create_topic('taken', 8);
$node->sql("SELECT burrow.subscribe('taken', 'keep', workers => 4, min_workers => 4, $quick)");
my $group = $node->group_of('taken');
$node->wait_for_state('taken', 'running');
my $job = $kafka->start_producing('taken', count => $messages{taken}, keys => 200, rate => $messages{taken} / 12);
for my $round (1 .. 4)
{
	wait_for_more('taken', 500);
	my $member = $kafka->join_group($group, 'taken');
	my $partitions = $kafka->wait_until_assigned($member);
	is(scalar @$partitions, 4, "round $round: the other member has half of the partitions");
	$node->wait_for('the rest to be here', "SELECT count(*) = 4 FROM burrow.partitions WHERE topic = 'taken'");
	is($node->sql("SELECT count(*) FROM burrow.partitions WHERE topic = 'taken' AND partition IN (" . join(',', @$partitions) . ')'),
		0, 'which are not here');
	wait_for_more('taken', 200) if $round < 4;
	$kafka->leave_group($member);
	wait_for_all_partitions('taken', 8);
}
$kafka->finish_producing($job);
$kafka->wait_until_committed($group, 'taken', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT count(*), count(DISTINCT (partition, "offset")) FROM got WHERE topic = 'taken'}), "$messages{taken}|$messages{taken}",
	'each message was handled once');
is($node->sql(<<'SQL'), 0, 'and the order within each key was kept');
SELECT count(*) FROM (SELECT "offset", lag("offset") OVER (PARTITION BY key ORDER BY id) AS before FROM got WHERE topic = 'taken') g WHERE "offset" <= before
SQL
is($node->sql(q{SELECT messages_failed FROM burrow.stats WHERE subscription = 'taken'}), 0, 'no rebalance is a failure of a message');

# ---- one that reads: in strict order the committed offset says all, so together each once

$messages{shared} = 20_000;
$kafka->create_topic('shared', 4);
$node->sql("SELECT burrow.subscribe('shared', 'keep', ordering => 'partition', workers => 4, $quick)");
$group = $node->group_of('shared');
$node->wait_for_state('shared', 'running');
$job = $kafka->start_producing('shared', count => $messages{shared}, keys => 200, rate => $messages{shared} / 12);
my @read;
for my $round (1 .. 4)
{
	wait_for_more('shared', 500);
	my $member = $kafka->join_group($group, 'shared', consume => 1);
	$kafka->wait_until_assigned($member);
	wait_for_more('shared', 500);
	push @read, $kafka->leave_group($member);
	wait_for_all_partitions('shared', 4);
}
$kafka->finish_producing($job);
$kafka->wait_until_committed($group, 'shared', diagnose => sub { $node->diagnostics });
cmp_ok(scalar @read, '>', 100, 'the other member has read ' . @read . ' messages');
my %times;
$times{"$_->[0]|$_->[1]"}++ foreach @read;
$times{$_}++ foreach split /\n/, $node->sql(q{SELECT partition, "offset" FROM got WHERE topic = 'shared'});
is(scalar keys %times, $messages{shared}, 'together they have all messages');
is(scalar(grep { $_ != 1 } values %times), 0, 'and none twice');
$node->sql(q{SELECT burrow.unsubscribe('taken'); SELECT burrow.unsubscribe('shared')});

# ---- in hand when partitions are given up

my $holder;

# A subscription with a message of each partition in hand that waits, and others done.
sub with_slow_messages
{
	my ($topic, $key, $options) = @_;
	$holder = $node->background_psql('postgres');
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	$kafka->create_topic($topic, 2);
	$kafka->produce($topic, (map { { key => "k$_", value => 'x', partition => $_ % 2 } } 0 .. 9),
		map { { key => $key, value => 'x', partition => $_ } } 0, 1);
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', workers => 2, batch_size => 1, $quick $options)");
	$group = $node->group_of($topic);
	$node->wait_for('both slow messages to be in hand',
		"SELECT count(*) = 10 FROM got WHERE topic = '$topic' HAVING (SELECT count(*) = 2 FROM burrow.workers WHERE subscription = '$topic' AND state = 'running' AND \"offset\" = 5)");
	return;
}

with_slow_messages('waited', 'slow', '');
my $position = $node->log_position;
my $member = $kafka->join_group($group, 'waited');
$node->wait_for_log_line(qr/subscription "waited" gives up 2 partitions/, $position);
$kafka->produce('waited', { key => 'new', value => 'x', partition => 0 }, { key => 'new', value => 'x', partition => 1 });
ok(!$kafka->partitions_of($member), 'while messages are in hand, the other member has no partition');
is($node->sql(q{SELECT count(*) FROM got WHERE topic = 'waited'}), 10, 'and no other message is begun');
$holder->quit;
$kafka->wait_until_assigned($member);
is($node->sql(q{SELECT count(*) FROM got WHERE topic = 'waited' AND key = 'slow'}), 2, 'they end');
my ($theirs) = @{ $kafka->partitions_of($member) };
is($kafka->committed($group, 'waited')->{$theirs}, 6, 'and are in the final commit of what was given up');
$kafka->leave_group($member);
$kafka->wait_until_committed($group, 'waited', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT count(*), count(DISTINCT (partition, "offset")), max(attempt) FROM got WHERE topic = 'waited'}), '14|14|1', 'all messages once');
$node->sql(q{SELECT burrow.unsubscribe('waited')});

# "stubborn" does not let itself be cancelled: its worker is terminated
for my $key (qw(slow stubborn))
{
	with_slow_messages("cancelled-$key", $key, q{, shutdown_timeout => '1 s'});
	$position = $node->log_position;
	$member = $kafka->join_group($group, "cancelled-$key");
	$theirs = $kafka->wait_until_assigned($member)->[0];
	like($node->log_since($position), qr/subscription "cancelled-$key": cancelling messages that are still being handled/,
		"$key: beyond the deadline they are cancelled");
	is($node->sql("SELECT count(*) FROM got WHERE topic = 'cancelled-$key'"), 10, "$key: and have no effect");
	is($kafka->committed($group, "cancelled-$key")->{$theirs}, 5, "$key: what was done before is committed");
	$node->wait_for('the one of the partition that is still here to run again',
		"SELECT count(*) = 1 FROM burrow.workers WHERE subscription = 'cancelled-$key' AND state = 'running' AND \"offset\" = 5");
	$kafka->leave_group($member);
	$holder->quit;
	$kafka->wait_until_committed($group, "cancelled-$key", diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT count(*), count(DISTINCT (partition, \"offset\")), max(attempt) FROM got WHERE topic = 'cancelled-$key'"), '12|12|1',
		"$key: they run again, once in effect, and the cancelled run is no attempt");
	is($node->sql("SELECT messages_failed FROM burrow.stats WHERE subscription = 'cancelled-$key'"), 0, "$key: nor a failure");
	$node->sql("SELECT burrow.unsubscribe('cancelled-$key')");
}

# ---- the other protocol, which older versions of librdkafka have with errors that lose assignments

my ($version) = $node->log_since(0) =~ /librdkafka (\d+[\d.]*\d)/;
my $cooperative = q{SELECT burrow.subscribe('taken', 'keep', subscription => 'cooperative', kafka => '{"partition.assignment.strategy": "cooperative-sticky"}')};
if ($version =~ /^(?:0|1|2\.\d)\./)
{
	like($node->sql_error($cooperative), qr/22023.*"cooperative-sticky" needs librdkafka 2\.10 or later, this is \Q$version\E/s,
		"librdkafka $version: the cooperative protocol is refused");
}
else
{
	is($node->sql($cooperative), 'cooperative', "librdkafka $version: the cooperative protocol is allowed");
}

$node->stop;
done_testing();
