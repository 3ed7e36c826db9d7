# Three servers in one consumer group under load, and faults drawn at random: clean ones, after which a server's partitions go by a
# last commit, and others: servers and consumers are killed, cut off from Kafka, or replaced by a standby.  Together the
# tables have all messages.  Twice are only those of docs/scale-out.md's bound, which is computed for each fault from
# what Kafka had acknowledged: what a server had done by then, or by the end of its session, and no commit had told.
#
# BURROW_TEST_FAULTS (60, say), BURROW_TEST_MESSAGES (300,000) and BURROW_TEST_SEED make a run longer, or the same again.  One
# with promotions of standbys has 11 faults at least.  On a busy machine sessions need longer (BURROW_TEST_SESSION_MS): those
# that end by themselves are faults that nobody counts, and are told of.
#
# Alone: kills at random, under load, and sessions that must not end by themselves.

use BurrowTest;
use BurrowTest::Servers;
use List::Util qw(shuffle sum min);
use Time::HiRes qw(time);

my $seed = $ENV{BURROW_TEST_SEED} // int time;
my $faults = $ENV{BURROW_TEST_FAULTS} // 4;
my $messages = $ENV{BURROW_TEST_MESSAGES} // 12_000;
my $rate = 500;
my $session_ms = $ENV{BURROW_TEST_SESSION_MS} // 5000;
srand($seed);
note("seed $seed (BURROW_TEST_SEED), $faults faults, $messages messages");

my @names = qw(a b c);
my $kafka = BurrowTest::Kafka->create('kafka', wires => 3);
my $servers = BurrowTest::Servers->create($kafka, \@names, topic => 'shared',
	node => { map { $_ => { init => [allows_streaming => 1] } } @names },
	options => qq(workers => 4, min_workers => 4, commit_interval => '500 ms', kafka => '{"heartbeat.interval.ms": 500, "session.timeout.ms": $session_ms}'),
	handler => q{IF key ~ '7$' THEN PERFORM pg_sleep(0.04); END IF;});
my $ALL = 8;
$kafka->create_topic('shared', $ALL);
$servers->subscribe(@names);

sub node { return $servers->node($_[0]) }
sub diagnose { return (diagnose => sub { return $servers->diagnostics }) }
sub others { my ($name) = @_; return grep { $_ ne $name } @names }

sub wait_for_all_three
{
	wait_until('all partitions to be spread over three servers', sub {
			my @have = map { scalar $servers->partitions($_) } @names;
			return min(@have) >= 2 && sum(@have) == $ALL;
	}, timeout => 120, diagnose());
	return;
}

sub wait_for_others
{
	my ($name) = @_;
	wait_until("the others to have what $name had", sub { return $ALL == map { $servers->partitions($_) } others($name) }, timeout => 120, diagnose());
	return;
}

# ---- what may be there twice

my %may_repeat;    # how many times more than once
my $bound = 0;

# What the server did until then and Kafka had not acknowledged.
sub count_on
{
	my ($name, $acknowledged, $until, $began, @partitions) = @_;
	my $repeated = $servers->may_repeat($name, $acknowledged, @partitions);
	my %late = map { $_ => 1 } $servers->rows($name, "at > to_timestamp($until)");
	my @all = grep { !$late{$_} } keys %$repeated;
	$may_repeat{$_}++ foreach @all;
	$bound += @all;
	my $oldest = @all ? node($name)->sql("SELECT round(extract(epoch FROM to_timestamp($began) - min(at))::numeric, 2) FROM got WHERE (partition, \"offset\") IN ("
			. join(',', map { '(' . tr/|/,/r . ')' } @all) . ')') : 0;
	note(sprintf('    %d done and not acknowledged, from %s s before on', scalar @all, $oldest));
	return;
}

# A fault that begins like this, and takes until "end" has returned; what comes then is told apart from it.
sub unclean
{
	my ($name, $begin, $end, $return) = @_;
	my @partitions = $servers->partitions($name);
	my $began = time;
	$begin->();
	# nobody else has its partitions before its session is over
	my $acknowledged = $servers->acknowledged;
	my $until = $end->();
	$return->();
	count_on($name, $acknowledged, $until // time, $began, @partitions);
	return;
}

sub dies
{
	my ($name, $how, $is_late) = @_;
	my $dead;
	unclean($name, sub { $how->(); $dead = time; }, sub { wait_for_others($name) if $is_late; return $dead }, sub { node($name)->start });
	return;
}

sub is_cut_off
{
	my ($name, $wait) = @_;
	unclean($name, sub { $servers->cut($name) },
		sub {
			$wait->();
			node($name)->wait_for('its workers to have nothing in hand', q{SELECT count(*) = 0 FROM burrow.workers WHERE state = 'running'})
				if !$servers->partitions($name);
			return time;
		},
		sub { $servers->mend($name) });
	return;
}

my $standbys = 0;

sub is_replaced
{
	my ($name, $is_late) = @_;
	my $standby = BurrowTest::Node->new('standby' . ++$standbys);
	node($name)->backup("copy$standbys");
	$standby->init_from_backup(node($name), "copy$standbys", has_streaming => 1);
	$standby->append_conf('postgresql.conf', "synchronous_standby_names = ''\n");
	$standby->append_conf('postgresql.auto.conf', "burrow.enabled = off\n");
	$standby->start;
	node($name)->append_conf('postgresql.conf', "synchronous_standby_names = '" . $standby->name . "'\n");
	node($name)->reload;
	node($name)->wait_for('the standby to be synchronous', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'});
	my $dead;
	unclean($name, sub { node($name)->crash; $dead = time },
		sub {
			wait_for_others($name) if $is_late;
			$standby->promote;
			$servers->set_node($name => $standby);
			return $dead;
		},
		sub { $standby->sql($_) foreach 'ALTER SYSTEM SET burrow.enabled = on', 'SELECT pg_reload_conf()' });
	return;
}

my %clean = (
	'paused' => sub {
		my ($name) = @_;
		node($name)->sql(q{SELECT burrow.pause('shared')});
		wait_for_others($name);
		node($name)->sql(q{SELECT burrow.resume('shared')});
	},
	'unsubscribed' => sub {
		my ($name) = @_;
		node($name)->sql(q{SELECT burrow.unsubscribe('shared')});
		wait_for_others($name);
		$servers->subscribe($name);
	},
	'stopped' => sub {
		my ($name) = @_;
		node($name)->stop('fast');
		wait_for_others($name) if rand 2 < 1;
		node($name)->start;
	},
);
my %unclean = (
	'consumer killed' => sub {
		my ($name) = @_;
		my ($pid) = node($name)->pids('consumer', 'shared');
		unclean($name, sub { kill9($pid) }, sub { return time }, sub { node($name)->wait_for('the server to be back', 'SELECT NOT pg_is_in_recovery()') });
	},
	'killed, back at once' => sub { my ($name) = @_; dies($name, sub { node($name)->crash }, 0) },
	'killed' => sub { my ($name) = @_; dies($name, sub { node($name)->crash }, 1) },
	'stopped at once' => sub { my ($name) = @_; dies($name, sub { node($name)->stop('immediate') }, rand 2 < 1) },
	'cut off briefly' => sub {
		my ($name) = @_;
		my $until = time + 1;
		is_cut_off($name, sub { wait_until('the end of it', sub { return time > $until }) });
	},
	'cut off' => sub { my ($name) = @_; is_cut_off($name, sub { wait_for_others($name) }) },
);
my %replaced = (
	'replaced by its standby at once' => sub { is_replaced($_[0], 0) },
	'replaced by its standby' => sub { is_replaced($_[0], 1) },
);
my %fault = (%clean, %unclean, %replaced);

# ---- the run

my @draw;
if ($faults < keys %fault)
{
	@draw = shuffle('killed', 'cut off', (shuffle(sort keys %clean))[0 .. 1]);
	push @draw, shuffle(grep { !/^(?:killed|cut off)$/ } sort keys %unclean);
	splice(@draw, $faults);
}
wait_for_all_three();
my $job = $kafka->start_producing('shared', count => $messages, keys => 500, rate => $rate);
my %count;
my $began = time;
for my $number (1 .. $faults)
{
	@draw = shuffle(sort keys %fault) if !@draw;
	my $what = shift @draw;
	my $name = $names[rand @names];
	my $rows = node($name)->sql('SELECT count(*) FROM got');
	wait_until("$name to do more, or all to be done",
		sub { return node($name)->sql('SELECT count(*) FROM got') > $rows + 100 || sum(values %{ $kafka->committed('group', 'shared') }) == $messages },
		diagnose());
	note("fault $number: $name is $what");
	$count{$what}++;
	$fault{$what}->($name);
	wait_for_all_three();
}
my $took = time - $began;
$kafka->finish_producing($job);
$kafka->wait_until_committed('group', 'shared', timeout => 300, diagnose());
note(sprintf('%d faults in %.0f s: %s', $faults, $took, join ', ', map { "$_ $count{$_}" } sort keys %count));
my $lost = sum(map { scalar(() = node($_)->log_since(0) =~ /The assignment was lost/g) } @names);
note("assignments that were lost: $lost") if $lost != ($count{'cut off'} // 0);

my $times = $servers->times;
is(scalar keys %$times, $messages, 'none is missing');
for my $name (@names)
{
	is(node($name)->sql('SELECT count(*) - count(DISTINCT (partition, "offset")) FROM got'), 0, "in the database of $name each is once");
}
my @twice = grep { $times->{$_} > 1 } keys %$times;
my @beyond = grep { $times->{$_} > 1 + ($may_repeat{$_} // 0) } @twice;
is(join(' ', @beyond), '', @twice . " are more than once, of the $bound that may be");

$servers->node($_)->stop foreach @names;
done_testing();
