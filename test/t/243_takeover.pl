# Three servers in one consumer group, and what becomes of a partition when one of them is gone without a last commit: killed, cut
# off from Kafka, or replaced by its standby.  Its successor does again what it had done and Kafka had not acknowledged,
# and nothing else, although the committed offset stands still behind a slow message.

use BurrowTest;
use BurrowTest::Servers;

my $kafka = BurrowTest::Kafka->create('kafka', wires => 3);
my $servers = BurrowTest::Servers->create($kafka, [qw(a b c)], topic => 'shared',
	node => { a => { init => [allows_streaming => 1] }, c => { gate => 1 } },
	options => q{workers => 2, min_workers => 2, batch_size => 1, commit_interval => '200 ms', kafka => '{"heartbeat.interval.ms": 500, "session.timeout.ms": 5000}'},
	handler => q{IF key ~ '^held' THEN PERFORM pg_advisory_xact_lock_shared(1); END IF;});
my %node = map { $_ => $servers->node($_) } qw(a b c);
my $messages = 0;
my %offset;    # of each partition, that comes next
my @names = qw(a b c);

sub produce
{
	my ($partition, @keys) = @_;
	$kafka->produce('shared', map { { key => $_, value => 'x', partition => $partition } } @keys);
	$messages += @keys;
	$offset{$partition} += @keys;
	return;
}

sub hold
{
	my ($node) = @_;
	my $session = $node->background_psql('postgres');
	$session->query_safe('SELECT pg_advisory_lock(1)');
	return $session;
}

sub wait_for_commits { return $kafka->wait_until_committed('group', 'shared', timeout => 90, diagnose => sub { $servers->diagnostics }) }

# Each message is in some table; those that are there twice are these.
sub is_repeated
{
	my ($expected, $what) = @_;
	wait_for_commits();
	my $times = $servers->times;
	is(scalar keys %$times, $messages, "$what: none is missing");
	is(join(' ', sort grep { $times->{$_} > 1 } keys %$times), join(' ', sort @$expected), "$what: twice are " . (@$expected || 'none'));
	return;
}

$kafka->create_topic('shared', 3);
$servers->subscribe(@names);
$servers->wait_for_split(map { $_ => 1 } @names);

# ---- a server dies, and each has done much beyond a message that it has in hand

my %holder = map { $_ => hold($node{$_}) } @names;
produce($_, 'held', map { "k$_" } 1 .. 300) foreach 0 .. 2;
$node{$_}->wait_for('the others of its partition', 'SELECT count(*) = 300 FROM got') foreach @names;
my $acknowledged;
wait_until('Kafka to know what is done beyond the offset',
	sub { $acknowledged = $servers->acknowledged; return 3 == grep { $_->[0] == 0 && @$_ == 2 && "@{ $_->[1] }" eq '1 300' } values %$acknowledged },
	diagnose => sub { return $servers->diagnostics });
pass('the commits say what is done beyond an offset that stands still');
$node{a}->crash;
eval { $holder{a}->quit };
$holder{$_}->quit foreach qw(b c);
wait_for_commits();
$node{a}->start;
$servers->wait_for_split(map { $_ => 1 } @names);
is_repeated([], 'killed');

# ---- one is cut off: when its session is over it gives out nothing more, and ends what workers have in hand

my ($partition) = $servers->partitions('a');
my $first = $offset{$partition};
my $session = hold($node{a});
produce($partition, 'held-1', 'held-2', map { "k$_" } 1 .. 100);
$node{a}->wait_for('two to be in hand, and the others to be here',
	q{SELECT (SELECT count(*) = 2 FROM burrow.workers WHERE state = 'running') AND jobs_queued + inflight = 102 FROM burrow.stats});
my $position = $node{a}->log_position;
$servers->cut('a');
$acknowledged = $servers->acknowledged;
$node{a}->wait_for_log_line(qr/subscription "shared" gives up 1 partitions.*\n.*The assignment was lost/, $position);
wait_until('another one to have done all', sub { return 102 == grep { /^$partition\|(\d+)/ && $1 >= $first } map { $servers->rows($_) } qw(b c) },
	diagnose => sub { return $servers->diagnostics });
$session->quit;
$node{a}->wait_for('its workers to have nothing in hand', q{SELECT count(*) = 0 FROM burrow.workers WHERE state = 'running'});
my $repeated = $servers->may_repeat('a', $acknowledged, $partition);
is(join(' ', sort keys %$repeated), join(' ', sort map { "$partition|$_" } $first, $first + 1), 'cut off: it has done what it had in hand, and no more');
$servers->mend('a');
$servers->wait_for_split(map { $_ => 1 } @names);
is_repeated([keys %$repeated], 'cut off');

# ---- commits are not answered for as long as a session lasts, although the member is one

my $kept_back = $node{c}->data_dir . '/burrow no commits';
my ($last) = $servers->partitions('c');
my $before = $node{c}->sql('SELECT count(*) FROM got');
$position = $node{c}->log_position;
PostgreSQL::Test::Utils::append_to_file("$kept_back.new", '-185'); # librdkafka's for no answer
rename("$kept_back.new", $kept_back) or die "$kept_back: $!";
produce($last, 'k1');
$node{c}->wait_for_log_line(qr/subscription "shared" gives out no messages until Kafka answers its commits\n/, $position);
produce($last, map { "k$_" } 1 .. 5);
$node{c}->wait_for('the messages to be here', 'SELECT jobs_queued = 5 FROM burrow.stats');
is($node{c}->sql('SELECT count(*) FROM got'), $before + 1, 'commits without an answer: no other message is given out');
unlink $kept_back or die "$kept_back: $!";
$node{c}->wait_for('the others to be done', "SELECT count(*) = $before + 6 FROM got");
like($node{c}->log_since($position), qr/subscription "shared" gives out messages again\n/, 'and they are when Kafka answers');
is_repeated([keys %$repeated], 'commits without an answer');

# ---- a synchronous standby takes the place of one that dies under load, when others have taken over

$node{a}->backup('copy');
my $standby = BurrowTest::Node->new('standby');
$standby->init_from_backup($node{a}, 'copy', has_streaming => 1);
$standby->append_conf('postgresql.conf', "burrow.enabled = off\n");
$standby->start;
$node{a}->append_conf('postgresql.conf', "synchronous_standby_names = 'standby'\n");
$node{a}->reload;
$node{a}->wait_for('the standby to be synchronous', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'});
my $rows = $node{a}->sql('SELECT count(*) FROM got');
my $job = $kafka->start_producing('shared', count => 1_000_000, keys => 200, rate => 1000);
$node{a}->wait_for('it to have done some', "SELECT count(*) > $rows + 500 FROM got");
my @partitions = $servers->partitions('a');
$node{a}->crash;
$acknowledged = $servers->acknowledged;
wait_until('the others to have all partitions', sub { return 3 == map { $servers->partitions($_) } qw(b c) });
$standby->promote;
$servers->set_node(a => $standby);
my %may_repeat = (%$repeated, %{ $servers->may_repeat('a', $acknowledged, @partitions) });
$standby->sql($_) foreach 'ALTER SYSTEM SET burrow.enabled = on', 'SELECT pg_reload_conf()';
$servers->wait_for_split(map { $_ => 1 } @names);
$messages += $kafka->stop_producing($job);
wait_for_commits();
my $times = $servers->times;
is(scalar keys %$times, $messages, 'a standby: none is missing');
my @twice = grep { $times->{$_} > 1 } keys %$times;
is(join(' ', grep { !$may_repeat{$_} || $times->{$_} > 2 } @twice), '',
	'a standby: twice are ' . @twice . ' of ' . keys(%may_repeat) . ' that Kafka had not acknowledged');

$servers->node($_)->stop foreach @names;
done_testing();
