# The cooperative protocol, on a librdkafka that has it without the errors of older versions:
# the one that the tests' Python brings, in place of the system's.  Two servers in one consumer
# group, each with a table of its own: partitions that stay with a server go on through
# each rebalance, those that move are handed over, and together the tables have each
# message once.  And on that librdkafka the eager protocol, which is the default, works as
# on the system's.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', config => { 'group.min.session.timeout.ms' => 1000 });
my $libraries = recent_librdkafka();
my %node = map { $_ => BurrowTest::Node->create($_, kafka => $kafka, libraries => $libraries) } qw(a b);

# Metadata come when a client starts, and not again: librdkafka may lose its assignment when they come in the middle of a
# rebalance (docs/scale-out.md).  And sessions outlast what a busy machine does.
my $members = '"partition.assignment.strategy": "cooperative-sticky", "heartbeat.interval.ms": 300';
my $cooperative = qq{$members, "session.timeout.ms": 30000};

for my $name (qw(a b))
{
	$node{$name}->sql(<<'SQL');
CREATE TABLE got (id bigserial, topic text, partition int, "offset" bigint, key text, attempt int);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint, key text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF key = 'held' THEN
        PERFORM pg_advisory_xact_lock_shared(partition);
    ELSIF key ~ '7$' THEN
        PERFORM pg_sleep(0.02);
    END IF;
    INSERT INTO got (topic, partition, "offset", key, attempt) VALUES (topic, partition, "offset", key, attempt);
END $$;
SQL
}

sub diagnostics { return join "\n", map { $node{$_}->diagnostics } qw(a b) }

sub subscribe
{
	my ($name, $topic, $properties) = @_;
	$node{$name}->sql(<<"SQL");
SELECT burrow.subscribe('$topic', 'keep', consumer_group => 'group-$topic', workers => 6, min_workers => 4, commit_interval => '200 ms',
    kafka => '{$properties}')
SQL
	return;
}

# { partition => epoch } of what a server has.  The epoch counts the assignments: a partition
# that has kept its own was not given up.
sub epochs
{
	my ($name, $topic) = @_;
	return { map { split /\|/ } split /\n/, $node{$name}->sql("SELECT partition, epoch FROM burrow.partitions WHERE topic = '$topic'") };
}

sub wait_for_split
{
	my ($topic, $a, $b) = @_;
	my %epochs;
	wait_until("$a partitions at a and $b at b",
		sub { %epochs = map { $_ => epochs($_, $topic) } qw(a b); return keys %{ $epochs{a} } == $a && keys %{ $epochs{b} } == $b },
		diagnose => \&diagnostics);
	return \%epochs;
}

# A client that has given all up by itself explains what follows.
sub lost
{
	my @lost = map { $node{$_}->log_since(0) =~ /^(.*The assignment was lost)/mg } qw(a b);
	return join "\n", 'lost:', @lost;
}

# Was what both maps name kept?
sub is_kept
{
	my ($before, $after, $expected, $what) = @_;
	my @both = grep { exists $after->{$_} } keys %$before;
	is(scalar(grep { $before->{$_} == $after->{$_} } @both), $expected, "$what: $expected partitions are kept") or diag(lost());
	return;
}

my $messages;

# Do something while messages flow, which these servers have begun to handle.
sub under_load
{
	my ($topic, $names, $do) = @_;
	my $rows = "SELECT count(*) FROM got WHERE topic = '$topic'";
	my %before = map { $_ => $node{$_}->sql($rows) } @$names;
	my $job = $kafka->start_producing($topic, count => 3000, keys => 500, rate => 3000);
	$node{$_}->wait_for("messages at $_", "SELECT ($rows) >= $before{$_} + 100") foreach @$names;
	my $result = $do->();
	$kafka->finish_producing($job);
	$messages += 3000;
	return $result;
}

# All messages of the topic are in the tables; returns the number of rows too many, and who has
# the messages of each partition, in the order of the offsets.
sub check_all
{
	my ($topic, $messages) = @_;
	$kafka->wait_until_committed("group-$topic", $topic, timeout => 90, diagnose => \&diagnostics);
	my (%times, %owners);
	for my $name (qw(a b))
	{
		for my $row (split /\n/, $node{$name}->sql("SELECT partition, \"offset\" FROM got WHERE topic = '$topic'"))
		{
			my ($partition, $offset) = split /\|/, $row;
			$times{$row}++;
			$owners{$partition}[$offset] = $name;
		}
	}
	is(scalar keys %times, $messages, "$topic: all messages are there");
	return scalar(grep { $_ > 1 } values %times), \%owners;
}

sub is_order_kept
{
	my ($topic) = @_;
	is($node{$_}->sql(<<"SQL"), 0, "$topic: in order within each key at $_") foreach qw(a b);
SELECT count(*) FROM (SELECT "offset", lag("offset") OVER (PARTITION BY partition, key ORDER BY id) AS before FROM got WHERE topic = '$topic') g WHERE "offset" <= before
SQL
	return;
}

# ---- one server alone: the default protocol, and the cooperative one

for my $how (['eager', ''], ['alone', $cooperative])
{
	my ($topic, $properties) = @$how;
	my $position = $node{a}->log_position;
	$kafka->create_topic($topic, 4);
	$kafka->produce_many($topic, count => 5000, keys => 100);
	subscribe('a', $topic, $properties);
	my ($twice) = check_all($topic, 5000);
	is($twice, 0, "$topic: none twice");
	is_order_kept($topic);
	is_deeply($kafka->committed_by_kafka("group-$topic", $topic), $kafka->end_offsets_by_kafka($topic), "$topic: the committed offsets are the end offsets");
	is($kafka->group("group-$topic")->{assignor}, $topic eq 'eager' ? 'range' : 'cooperative-sticky', "$topic: by the protocol that was meant");
	my ($major, $minor) = $node{a}->log_since($position) =~ /librdkafka (\d+)\.(\d+)/;
	cmp_ok($major * 1000 + $minor, '>=', 2010, "librdkafka $major.$minor is in use");
	$node{a}->sql("SELECT burrow.unsubscribe('$topic')");
}

# ---- a second server comes and goes while messages flow

$messages = 0;
$kafka->create_topic('shared', 8);
subscribe('a', 'shared', $cooperative);
my $all = wait_for_split('shared', 8, 0);
my $split = under_load('shared', ['a'], sub { subscribe('b', 'shared', $cooperative); return wait_for_split('shared', 4, 4) });
is_kept($all->{a}, $split->{a}, 4, 'the second server comes');

# who leaves keeps nothing, the other one what it has
for my $name (qw(b a))
{
	my $other = $name eq 'a' ? 'b' : 'a';
	$all = under_load('shared', [qw(a b)], sub {
			$node{$name}->sql(q{SELECT burrow.pause('shared')});
			return wait_for_split('shared', $name eq 'a' ? (0, 8) : (8, 0));
	});
	is_kept($split->{$other}, $all->{$other}, 4, "$name leaves");
	$split = under_load('shared', [$other], sub {
			$node{$name}->sql(q{SELECT burrow.resume('shared')});
			return wait_for_split('shared', 4, 4);
	});
	is_kept($all->{$other}, $split->{$other}, 4, "$name comes back");
}

# a static member that is back soon has its partitions again, and the other one does not notice
my $partitions = join ',', sort keys %{ $split->{b} };
my $back = under_load('shared', [qw(a b)], sub {
		$node{b}->stop('fast');
		$node{b}->start;
		return wait_for_split('shared', 4, 4);
});
is(join(',', sort keys %{ $back->{b} }), $partitions, 'after a restart: the same partitions');
is_deeply($back->{a}, $split->{a}, 'and no rebalance of the other server');

# partitions are added: now their clients look again and again, but seldom enough that a rebalance is over before the next time
foreach my $name (qw(a b))
{
	my $position = $node{$name}->log_position;
	$node{$name}->sql(qq(SELECT burrow.alter('shared', kafka => '{$cooperative, "topic.metadata.refresh.interval.ms": 3000}')));
	$node{$name}->wait_for_log_line(qr/subscription "shared" is assigned 4 partitions/, $position);
}
$back = wait_for_split('shared', 4, 4);
my $more = under_load('shared', [qw(a b)], sub { $kafka->add_partitions('shared', 10); return wait_for_split('shared', 5, 5) });
is_kept($back->{$_}, $more->{$_}, 4, "two partitions more, one for $_") foreach qw(a b);
my $now = $node{a}->sql('SELECT clock_timestamp()');
$kafka->produce('shared', map { { key => 'new', value => 'x', partition => $_ } } 0 .. 9);

my ($twice, $owners) = check_all('shared', $messages + 10);
is($twice, 0, 'shared: none twice') or diag(lost());
is_order_kept('shared');
my $moved = grep { join('', map { $_ // '' } @{ $owners->{$_} }) =~ /ab+a|ba+b/ } keys %$owners;
cmp_ok($moved, '>', 0, "$moved partitions have moved there and back");

# ---- an assignment that is not answered yet when the group is left

$node{b}->sql(q{SELECT burrow.pause('shared')});
wait_for_split('shared', 10, 0);
my $holder = $node{b}->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE burrow.progress');
my $position = $node{b}->log_position;
$node{b}->sql(q{SELECT burrow.resume('shared')});
$node{b}->wait_for_log_line(qr/subscription "shared" is waiting: could not read positions: .*lock timeout/, $position);
wait_for_split('shared', 5, 0);
$node{b}->sql(q{SELECT burrow.pause('shared')});
$node{b}->wait_for_state('shared', 'paused');
is(scalar $kafka->group_members('group-shared'), 1, 'who leaves before its assignment is answered has left');
unlike($node{b}->log_since($position), qr/librdkafka: ASSIGN/, 'without a complaint of librdkafka');
$holder->query_safe('ROLLBACK');
$holder->quit;
wait_for_split('shared', 10, 0);

# ---- the first assignment of one that comes is empty: a seek waits for the next

my $new = q{SELECT count(*) FROM got WHERE topic = 'shared' AND key = 'new'};
my $before = $node{b}->sql($new);
$node{b}->sql("SELECT burrow.seek('shared', '$now'); SELECT burrow.resume('shared')");
wait_for_split('shared', 5, 5);
$node{b}->wait_for('the messages since that time', "SELECT ($new) = $before + 5");
$node{$_}->sql(q{SELECT burrow.unsubscribe('shared')}) foreach qw(a b);

# ---- in hand while others are given up: only those that go are waited for

$kafka->create_topic('held', 4);
$kafka->produce('held', map { { key => 'held', value => 'x', partition => $_ } } 0 .. 3);
$holder = $node{a}->background_psql('postgres');
$holder->query_safe("SELECT pg_advisory_lock($_)") foreach 0 .. 3;
subscribe('a', 'held', $cooperative);
my $running = q{SELECT string_agg(partition::text, ',' ORDER BY partition) FROM burrow.workers WHERE subscription = 'held' AND state = 'running'};
$node{a}->wait_for('all four messages to be in hand', "SELECT ($running) = '0,1,2,3'");
$position = $node{a}->log_position;
subscribe('b', 'held', $cooperative);
$node{a}->wait_for_log_line(qr/subscription "held" gives up 2 partitions/, $position);
my $identifier = $node{a}->sql('SELECT system_identifier FROM pg_control_system()');
my ($member) = grep { $_->{instance_id} =~ /\Q$identifier\E/ } $kafka->group_members('group-held');
my %kept = map { $_->[1] => 1 } @{ $member->{partitions} };
is(scalar keys %kept, 2, 'two partitions stay');
$holder->query_safe("SELECT pg_advisory_unlock($_)") foreach grep { !$kept{$_} } 0 .. 3;
wait_for_split('held', 2, 2);
is($node{a}->sql($running), join(',', sort keys %kept), 'their messages are still in hand, those of the others have moved');
$holder->query_safe("SELECT pg_advisory_unlock($_)") foreach keys %kept;
$holder->quit;
($twice) = check_all('held', 4);
is($twice, 0, 'held: none twice');
is($node{a}->sql(q{SELECT count(*), max(attempt) FROM got WHERE topic = 'held'}), '4|1', 'all were handled where they were in hand, at the first attempt');

# ---- all members of a group need the same protocol

$node{b}->sql(q{SELECT burrow.unsubscribe('held')});
subscribe('b', 'held', '"heartbeat.interval.ms": 300');
$node{b}->wait_for('the refusal', q{SELECT state = 'retrying' AND last_error ~* 'protocol' FROM burrow.subscriptions WHERE subscription = 'held'});
$node{a}->sql(q{SELECT burrow.unsubscribe('held')});
wait_for_split('held', 0, 4);
$node{b}->wait_for_state('held', 'running');
$node{b}->sql(q{SELECT burrow.unsubscribe('held')});

# ---- one that is cut off, and one that is killed: the other one takes over what it had

$messages = 0;
$kafka->create_topic('killed', 8);
subscribe($_, 'killed', qq{$members, "session.timeout.ms": 3000}) foreach qw(a b);
wait_for_split('killed', 4, 4);
my ($consumer) = $node{a}->pids('consumer', 'killed');
under_load('killed', [qw(a b)], sub {
		kill STOP => $consumer;
		wait_until('b to have all partitions', sub { keys %{ epochs('b', 'killed') } == 8 }, diagnose => \&diagnostics);
});
$position = $node{a}->log_position;
under_load('killed', ['b'], sub {
		kill CONT => $consumer;
		$node{a}->wait_for_log_line(qr/gives up 4 partitions.*?The assignment was lost/s, $position);
		wait_for_split('killed', 4, 4);
});
under_load('killed', [qw(a b)], sub {
		$node{b}->crash;
		wait_until('a to have all partitions', sub { keys %{ epochs('a', 'killed') } == 8 }, diagnose => sub { $node{a}->diagnostics });
});
under_load('killed', ['a'], sub { $node{b}->start; wait_for_split('killed', 4, 4) });
check_all('killed', $messages);

$node{$_}->stop foreach qw(a b);
done_testing();
