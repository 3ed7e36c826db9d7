# A PostgreSQL server with Burrow preloaded, for a TAP test: everything that
# PostgreSQL::Test::Cluster can do, and what is below.

package BurrowTest::Node;

use strict;
use warnings FATAL => 'all';

use Carp;
use POSIX ();
use Test::More ();
use parent -norequire, 'PostgreSQL::Test::Cluster';

# BurrowTest::Node->create($name, kafka => $kafka, wire => N, conf => "text", init => [...], extension => 1, preload => 1,
#	libraries => $folder, gate => 1, install_path => $folder)
#
# A new server that runs.  "kafka" becomes burrow.bootstrap_servers, by that wire of it, if one is given; "conf" is
# added to postgresql.conf; "init" are further arguments of Cluster's init (such
# as allows_streaming => 1); the extension is created in database postgres unless
# extension => 0.  preload => 0 leaves the library out of shared_preload_libraries.  The
# server takes shared libraries out of the folder "libraries" rather than the system's.  "gate": see close_gate.
# "install_path" is the installation that it is of (bin, lib), if not that of all tests.
sub create
{
	my ($class, $name, %options) = @_;
	my $self = $class->prepare($name, %options);
	$self->start;
	$self->sql('CREATE EXTENSION burrow') if $options{extension} // 1;
	return $self;
}

# The same, but not started and without the extension.
sub prepare
{
	my ($class, $name, %options) = @_;
	my $self = $class->new($name, defined $options{install_path} ? (install_path => $options{install_path}) : ());
	$self->{libraries} = $options{libraries};
	$self->{gate} = BurrowTest::gate_library() if $options{gate};
	{
		my $run = \&PostgreSQL::Test::Utils::system_or_bail;
		no warnings 'redefine';
		local *PostgreSQL::Test::Utils::system_or_bail = sub {
			my (@command) = @_;
			return $command[0] eq 'initdb' ? $self->_init_once(sub { $run->(@command) }) : $run->(@command);
		};
		$self->init(extra => ['--encoding=UTF8', '--locale=C'], @{ $options{init} // [] });
	}
	$self->configure(%options);
	return $self;
}

# What initdb makes is made once for all tests of a run (in BURROW_CLUSTERS), and copied: it takes a second
# of CPU time.  A test's second server has another, for no two that meet may have the same system identifier.
my $servers = 0;

sub _init_once
{
	my ($self, $init) = @_;
	my $data = $self->data_dir;
	my $folder = $ENV{BURROW_CLUSTERS};
	return $init->() if !defined $folder;
	my $made = "$folder/" . ++$servers;
	if (!-d $made)
	{
		$init->();
		# as a whole, or another test has done so meanwhile
		system('cp', '-R', '-p', $data, "$made.$$") == 0 or croak "cannot copy $data";
		rename("$made.$$", $made) or system('rm', '-rf', "$made.$$");
		return;
	}
	system('cp', '-R', '-p', $made, $data) == 0 or croak "cannot copy $made";
	return;
}

# With the libraries that the server is to take.
sub _environment
{
	my ($self) = @_;
	return (%ENV, defined $self->{libraries} ? (LD_LIBRARY_PATH => $self->{libraries}) : (),
		defined $self->{gate} ? (LD_PRELOAD => $self->{gate}) : ());
}

sub start
{
	my ($self, @arguments) = @_;
	local %ENV = $self->_environment;
	return $self->SUPER::start(@arguments);
}

sub restart
{
	my ($self, @arguments) = @_;
	local %ENV = $self->_environment;
	return $self->SUPER::restart(@arguments);
}

# Settings that every server here gets.  Kill -9 takes nothing that was written
# back from the kernel, so fsync stays off as Cluster.pm has it; what a crash
# loses is what was not yet written, and that is the same without fsync.
sub configure
{
	my ($self, %options) = @_;
	my $preload = ($options{preload} // 1) ? "shared_preload_libraries = 'burrow'" : '';
	my $kafka = $options{kafka};
	my $bootstrap = !$kafka ? '' :
		"burrow.bootstrap_servers = '" . (defined $options{wire} ? $kafka->wire_bootstrap($options{wire}) : $kafka->bootstrap) . "'";
	$self->append_conf('postgresql.conf', <<"END");
$preload
$bootstrap
restart_after_crash = on
log_statement = none
log_line_prefix = '%m [%p] %b %d '
max_worker_processes = 40
max_connections = 60
shared_buffers = 64MB
autovacuum_naptime = 5s
END
	$self->append_conf('postgresql.conf', $options{conf}) if defined $options{conf};
	return;
}

# ---------------------------------------------------------------- SQL

# Run SQL and return its output; an error ends the test.
# $node->sql($sql, $database)
sub sql
{
	my ($self, $sql, $database) = @_;
	return $self->safe_psql($database // 'postgres', $sql);
}

# Run SQL that has to fail and return the whole error text.
sub sql_error
{
	my ($self, $sql, $database) = @_;
	my ($status, $out, $err) = $self->psql($database // 'postgres', $sql, extra_params => ['-v', 'VERBOSITY=verbose']);
	croak "this did not fail: $sql\n$out" if $status == 0;
	return $err;
}

# Run SQL as a role and return what it answers, or the whole error text.
sub answer_to
{
	my ($self, $role, $sql, $database) = @_;
	my ($status, $out, $err) = $self->psql($database // 'postgres', $sql, extra_params => ['-U', $role, '-v', 'VERBOSITY=verbose']);
	return $status == 0 ? $out : $err;
}

# Wait until a query returns true: $node->wait_for($description, $sql or sub, timeout => s, database => name)
#
# When it does not, the test ends with a picture of what Burrow and the server
# were doing.  A query that cannot be run (the server restarts) counts as false.  One session asks
# as long as it lives: a psql and a backend for each look took more of the processors than what is
# tested.  It has ended when this returns.
sub wait_for
{
	my ($self, $description, $condition, %options) = @_;
	my $database = delete $options{database} // 'postgres';
	my ($session, $last) = (undef, '');
	my $check = ref $condition ? $condition : sub {
		$session = undef if $session && !$session->is_open;
		my $answer = eval {
			$session //= BurrowTest::Session->open($self, $database);
			$session->query($condition);
		};
		$last = $answer // $@;
		return defined $answer && $answer eq 't';
	};
	$options{pause} //= 0.1 if !ref $condition;
	return BurrowTest::wait_until($description, $check, %options,
		diagnose => sub {
			return (ref $condition ? '' : "last answer to $condition: $last\n") . $self->diagnostics($database);
		});
}

# Wait until a subscription is in a state (running, halted, paused, ...).
sub wait_for_state
{
	my ($self, $subscription, $state, %options) = @_;
	return $self->wait_for("subscription $subscription to be $state",
		"SELECT state = '$state' FROM burrow.subscriptions WHERE subscription = '$subscription'", %options);
}

# What is going on, as text for a test's output.
sub diagnostics
{
	my ($self, $database) = @_;
	my $text = '';
	for my $query (
		'TABLE burrow.subscriptions',
		'TABLE burrow.stats',
		'TABLE burrow.partitions',
		'TABLE burrow.workers',
		'SELECT pid, backend_type, datname, state, wait_event_type, wait_event, left(query, 100) AS query FROM pg_stat_activity WHERE pid <> pg_backend_pid()')
	{
		my ($status, $out, $err) = $self->psql($database // 'postgres', $query, extra_params => ['-x', '--no-align', '-P', 'tuples_only=off'], timeout => 20, timed_out => \my $late);
		$text .= "--- $query:\n" . ($out // '') . ($err // '') . "\n";
	}
	return $text . "--- server log:\n" . $self->log_tail(60);
}

# With librdkafka 2.3 or later a topic is known by its id: one that was made anew is recognised by that, before anything else.
# Which one the server has is known when it has had a consumer.
sub knows_topic_ids
{
	my ($self) = @_;
	my ($minor) = $self->sql('SELECT burrow.metrics()') =~ /librdkafka="2\.(\d+)/ or croak 'no version of librdkafka is shown';
	return $minor >= 3;
}

# From close_gate() on, the next answer of Kafka's to a question of that kind is not given to the process that has
# asked before open_gate(); wait_at_gate() waits until there is one.  Of a node with gate => 1.  Kinds: offsets (ends,
# times, what a log holds; the default), contact (the member's, whether there is a broker); one gate at a time.
sub close_gate
{
	my ($self, $kind) = @_;
	$self->{gate_file} = $self->data_dir . '/burrow gate ' . ($kind // 'offsets');
	POSIX::mkfifo($self->{gate_file}, oct 600) or croak "cannot make $self->{gate_file}: $!";
	return;
}

sub wait_at_gate
{
	my ($self) = @_;
	# returns when there is a reader
	open($self->{gate_writer}, '>', $self->{gate_file}) or croak "cannot open $self->{gate_file}: $!";
	return;
}

sub open_gate
{
	my ($self) = @_;
	unlink $self->{gate_file};
	close $self->{gate_writer};
	return;
}

sub log_tail
{
	my ($self, $lines) = @_;
	return `tail -n @{[ $lines // 60 ]} '@{[ $self->logfile ]}'`;
}

# The server log from a position on; $node->log_position gives one.
sub log_position { my ($self) = @_; return -s $self->logfile // 0 }

sub log_since
{
	my ($self, $position) = @_;
	return PostgreSQL::Test::Utils::slurp_file($self->logfile, $position // 0);
}

sub wait_for_log_line
{
	my ($self, $pattern, $position, %options) = @_;
	return $self->wait_for("log line $pattern", sub { return $self->log_since($position) =~ $pattern }, %options);
}

# ---------------------------------------------------------------- processes

# The pids of Burrow's processes: $node->pids('worker', $subscription).  The kind is
# launcher, consumer or worker; all kinds when it is left out.
sub pids
{
	my ($self, $kind, $subscription) = @_;
	my $type = defined $kind ? "burrow $kind" : 'burrow';
	my $query = "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE '$type%'";
	if (defined $subscription)
	{
		my $table = $kind eq 'worker' ? 'burrow.workers' : 'burrow.subscriptions';
		my $column = $kind eq 'worker' ? 'pid' : 'consumer_pid';
		$query = "SELECT $column FROM $table WHERE subscription = '$subscription' AND $column IS NOT NULL";
	}
	return split /\n/, $self->sql("$query ORDER BY 1");
}

sub postmaster_pid
{
	my ($self) = @_;
	my ($pid) = split /\n/, PostgreSQL::Test::Utils::slurp_file($self->data_dir . '/postmaster.pid');
	return $pid;
}

# kill -9 the postmaster and wait until all of the server is gone.
sub crash
{
	my ($self) = @_;
	my $postmaster = $self->postmaster_pid;
	my @children = BurrowTest::child_pids($postmaster);
	$self->kill9;
	BurrowTest::wait_gone($_) foreach $postmaster, @children;
	return;
}

# The process that comes by this place next is killed, and so the server restarts; see
# src/runtime/crash_point.h.  wait_for_crash() waits for both.
sub arm_crash_point
{
	my ($self, $point) = @_;
	$self->{crash_point} = { name => $point, file => $self->data_dir . "/burrow crash: $point", position => $self->log_position };
	PostgreSQL::Test::Utils::append_to_file($self->{crash_point}{file}, '');
	return;
}

sub wait_for_crash
{
	my ($self) = @_;
	my $point = delete $self->{crash_point};
	$self->wait_for("the crash at \"$point->{name}\"", sub { return !-e $point->{file} });
	# before the server knows of it, it would answer as if nothing had happened
	$self->wait_for_log_line(qr/terminated by signal 9/, $point->{position});
	$self->wait_for('the server to be back', 'SELECT NOT pg_is_in_recovery()');
	return;
}

# The consumer group of a subscription.
sub group_of
{
	my ($self, $subscription, $database) = @_;
	return $self->sql("SELECT consumer_group FROM burrow.subscriptions WHERE subscription = '$subscription'", $database);
}

1;
