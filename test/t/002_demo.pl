# scripts/demo: two at a time, one of them against a real Kafka and left running; again in
# a folder that is kept; ended by Ctrl-C.  Nothing is said on the error channel, and nothing
# is left behind.  A real Prometheus with the files of examples/with-metrics asks the one that is left running, and the
# example's dashboard has its data there.

use BurrowTest;
use BurrowTest::Dashboard;
use BurrowTest::Prometheus;
use IPC::Run ();

my $demo = "$ENV{BURROW_ROOT}/scripts/demo";
my $kept = "$ENV{TESTDATADIR}/demo";
my $kafka = BurrowTest::Kafka->create('kafka');
$kafka->create_topic($_, 4) foreach qw(orders deposits);
# what is in the topic already is not the demo's
$kafka->produce_many('orders', count => 10);

my $port = PostgreSQL::Test::Cluster::get_free_port();

# Compiled in half the time: how fast it then is is not what is looked at.
sub start_demo
{
	my ($folder, $work, @arguments) = @_;
	my $run = { out => '', err => '' };
	$run->{handle} = IPC::Run::start([$demo, @arguments], '<', \undef, '>', \$run->{out}, '2>', \$run->{err}, init => sub {
			chdir $folder or die "cannot go to $folder: $!";
			delete $ENV{BURROW_WORK};
			$ENV{COPT} = '-O0 -g0';
			$ENV{BURROW_WORK} = $work if defined $work;
	});
	return $run;
}

sub finish
{
	my ($run, $what) = @_;
	$run->{handle}->finish;
	is($run->{handle}->result(0), 0, "$what ends well") or diag($run->{out});
	is($run->{err}, '', '... and says nothing on the error channel');
	return;
}

# one that is left running with our Kafka, and one with a broker of its own, at the same time
my $ours = start_demo('/', undef, '--bootstrap', $kafka->bootstrap, '--messages', 500, '--keep', '--metrics', "127.0.0.1:$port");
my $own = start_demo('/tmp', $kept, '--messages', 500);
finish($own, 'a demo with a broker of its own');
finish($ours, 'a demo with a real Kafka, left running,');
like($own->{out}, qr/500 messages went from Kafka.*scripts\/demo --keep.*examples\//s, 'it says what to try next');
is_deeply([processes_of($kept)], [], 'and has ended its server and its broker');

# what --keep prints is true
my ($folder) = $ours->{out} =~ /go on running, in (\S+?)\.$/m or die "no folder in: $ours->{out}";
my ($connect) = $ours->{out} =~ /^Connect:\n +(.*)$/m;
my ($produce) = $ours->{out} =~ /^Produce.*:\n +(.*)$/m;
my ($stop) = $ours->{out} =~ /^End it:\n +(.*)$/m;
my $query = "$connect -XAtc";
is(`$query 'SELECT count(*) FROM orders'`, "500\n", 'the printed command connects');
is(system($produce), 0, 'the printed command produces');
wait_until('the message to have its row', sub { return `$query "SELECT count(*) FROM orders WHERE customer = 'me'"` eq "1\n" });
is(`$query "SELECT burrow.wait_until_caught_up('orders', '1 min')"`, "t\n", 'and Kafka knows');

# examples/with-metrics, as it stands but for the address
my $example = "$ENV{BURROW_ROOT}/examples/with-metrics";
my %file = map { $_ => PostgreSQL::Test::Utils::slurp_file("$example/$_") } qw(prometheus.yml burrow.rules.yml);
$file{'prometheus.yml'} =~ s/localhost:9187/127.0.0.1:$port/ or die 'no target';
$file{'prometheus.yml'} =~ s/_interval: 15s/_interval: 1s/g;
my $prometheus = BurrowTest::Prometheus->start($file{'prometheus.yml'}, files => \%file);
is(system("$connect -Xq -f $example/with_metrics.sql >'$ENV{TESTDATADIR}/with_metrics'"), 0, 'the example runs');
my %seen = (orders => 501, deposits => 95);
foreach my $subscription (sort keys %seen)
{
	ok(
		wait_until("Prometheus to see $subscription", sub { $prometheus->query(qq{pgburrow_messages_processed_total{subscription="$subscription",outcome="handled"} == $seen{$subscription}}) }),
		"Prometheus sees what was handled of $subscription");
}
is(scalar $prometheus->query('up{job="burrow"} == 1'), 1, 'it asks the demo\'s server');
is_deeply([grep { $_->{state} eq 'firing' && $_->{labels}{alertname} ne 'BurrowDeadLetters' } @{ $prometheus->ask('alerts')->{alerts} }], [], 'and has no alarm but for the dead letters');
my $dashboard = BurrowTest::Dashboard->read("$example/burrow.dashboard.json");
my %all = $dashboard->everything('1m');
foreach my $query (map { $dashboard->filled_in($_->{expr}, \%all) } map { @{ $_->{targets} } } @{ $dashboard->{json}{panels} })
{
# alerts need not fire, and ratios of what has not happened lately are NaN or nothing; 603 has a run in which all is a number
	my $answer = sub { return scalar @{ $prometheus->ask('query', query => $query)->{result} } };
	ok($query =~ /ALERTS|> 0/ ? defined $answer->() : wait_until("the demo's data for $query", $answer), "the dashboard's data: $query");
}

is(`cd / && $stop`, "ended the demo in $folder\n", 'the printed command ends it');
ok(!-e $folder, 'the folder is gone');
is_deeply([processes_of($folder)], [], 'and so are the processes');
isnt(system("$stop >'$ENV{TESTDATADIR}/twice' 2>&1"), 0, 'there is nothing to end twice');

# once more, in the folder of the one before
finish(start_demo('/', $kept, '--messages', 200), 'a second run in the same folder');
is_deeply([processes_of($kept)], [], 'and has ended its server and its broker');

# Ctrl-C while messages flow
my $interrupted = start_demo('/', $kept, '--messages', 20_000);
wait_until('messages to flow', sub { $interrupted->{handle}->pump_nb; return $interrupted->{out} =~ /messages_processed/ });
$interrupted->{handle}->signal('INT');
$interrupted->{handle}->finish;
is($interrupted->{handle}->full_result(0) >> 8, 130, 'Ctrl-C ends it');
is_deeply([processes_of($kept)], [], 'and its server and its broker');

# what cannot work is told before anything is built
my $mistaken = start_demo('/', undef, '--bootstrap', $kafka->bootstrap, '--topic', 'nobodys');
$mistaken->{handle}->finish;
is($mistaken->{handle}->result(0), 1, 'a topic that is not there is refused');
like($mistaken->{err}, qr/there is no topic "nobodys" at/, 'by name');
unlike($mistaken->{out}, qr/Building/, 'at once');

done_testing();
