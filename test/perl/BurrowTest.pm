# What every TAP test of Burrow starts with.
#
#	use BurrowTest;                       # strict, warnings and Test::More come along
#
#	my $kafka = BurrowTest::Kafka->create('kafka');
#	my $node  = BurrowTest::Node->create('main', kafka => $kafka);
#	$kafka->create_topic('orders', 4);
#	$kafka->produce('orders', { key => 'a', value => '{}' });
#	$node->wait_for('the row to be there', 'SELECT count(*) = 1 FROM got');
#
# See BurrowTest/Kafka.pm and BurrowTest/Node.pm for what the two can do.  Here
# are the functions that belong to neither.  Nothing in a test sleeps: it waits
# for a condition, with a bound and a description of what it waits for.

package BurrowTest;

use strict;
use warnings FATAL => 'all';

use Carp;
use Cwd qw(abs_path);
use Errno ();
use Exporter ();
use File::Basename qw(basename dirname);
use File::Glob ();
use Test::More ();
use Time::HiRes qw(sleep time);

# Cluster.pm's END block, which stops the servers, is to run after ours.
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();

our $DEFAULT_TIMEOUT = 60;

our @EXPORT = qw(wait_until kill9 is_running wait_gone child_pids processes_of cpu_seconds resident_kb memory_below slow_by recent_librdkafka);

# A test that is told to end cleans up as one that fails does.
$SIG{$_} = sub { die "the test was ended by a signal\n" } foreach qw(TERM INT HUP);

# strict and warnings for the test, and Test::More's functions.
sub import
{
	my ($class) = @_;
	strict->import;
	warnings->import(FATAL => 'all');
	BurrowTest->export_to_level(1, $class, @EXPORT);
	Test::More->export_to_level(1, 'Test::More', @Test::More::EXPORT);
	return;
}

our @ISA = ('Exporter');

require BurrowTest::Kafka;
require BurrowTest::Node;
require BurrowTest::Session;

# wait_until($description, $condition, timeout => seconds, diagnose => sub, pause => seconds)
#
# Call $condition until it is true and return what it returned.  When the time
# is up, print what "diagnose" returns and die with the description.  Between two calls
# there is a pause, which grows up to "pause" (0.2).
sub wait_until
{
	my ($description, $condition, %options) = @_;
	my $limit = ($options{timeout} // $DEFAULT_TIMEOUT) * ($ENV{BURROW_SANITIZER} ? 2 : 1);
	my $deadline = time + $limit;
	my $longest = $options{pause} // 0.2;
	my $pause = 0.02;

	for (; ;)
	{
		my $result = $condition->();
		return $result if $result;
		last if time > $deadline;
		sleep $pause;
		$pause = $pause * 1.5 if $pause < $longest;
	}
	Test::More::diag($options{diagnose}->()) if $options{diagnose};
	croak "waited $limit s in vain for $description";
}

# Is this process alive?  One that is dead and not yet reaped counts as alive:
# its pid is still taken, and PostgreSQL looks at no more than that.
sub is_running
{
	my ($pid) = @_;
	return kill(0, $pid) || $!{EPERM};
}

sub wait_gone
{
	my ($pid, $timeout) = @_;
	wait_until("process $pid to be gone", sub { !is_running($pid) }, timeout => $timeout);
	return;
}

# Kill a process of the system under test at once, and wait until its pid is gone.
sub kill9
{
	my ($pid) = @_;
	kill('KILL', $pid) or croak "cannot kill process $pid: $!";
	wait_gone($pid);
	return;
}

sub _slurp
{
	my ($path) = @_;
	open(my $file, '<', $path) or return;
	local $/;
	return <$file>;
}

# The pids of a process's children.
sub child_pids
{
	my ($parent) = @_;
	return grep {
		my $stat = _slurp("/proc/$_/stat") // '';
		$stat =~ /.*\) \S (\d+)/ && $1 == $parent;
	} map { m{/proc/(\d+)$} ? $1 : () } glob('/proc/[0-9]*');
}

# The pids of processes whose command names this file or folder.
sub processes_of
{
	my ($path) = @_;
	return grep { index(_slurp("/proc/$_/cmdline") // '', $path) >= 0 } map { m{/proc/(\d+)$} ? $1 : () } glob('/proc/[0-9]*');
}

# CPU time of a process, or of one of its threads, in seconds.
sub cpu_seconds
{
	my ($pid, $thread) = @_;
	my $stat = _slurp(defined $thread ? "/proc/$pid/task/$thread/stat" : "/proc/$pid/stat") // croak "no process $pid";
	my @field = split ' ', ($stat =~ s/.*\) //r);
	return ($field[11] + $field[12]) / 100;
}

# Memory of a process that is its own, in kB: shared buffers do not count.
sub resident_kb
{
	my ($pid) = @_;
	my $status = _slurp("/proc/$pid/status") // croak "no process $pid";
	return $status =~ /^RssAnon:\s+(\d+) kB/m ? $1 : 0;
}

# A check of a limit on memory.  The sanitizer for addresses keeps much for itself, so with it there is no such check, and the
# test says so.
sub memory_below
{
	my ($kb, $limit, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return Test::More::cmp_ok($kb, '<', $limit, $name) unless ($ENV{BURROW_SANITIZER} // '') =~ /address/;
	Test::More->builder->skip("the sanitizer for addresses takes memory itself ($kb kB were seen): $name");
	return 1;
}

# A path for something that this test makes: others that run at the same time have their own.
sub _own
{
	my ($name) = @_;
	return "$PostgreSQL::Test::Utils::tmp_check/" . (basename($0) =~ s/\.[^.]+$//r) . "_$name";
}

# A folder that holds, under the name that Burrow's library asks for, the librdkafka of the
# tests' Python: it is more recent than that of many systems.
sub recent_librdkafka
{
	my $python = $ENV{BURROW_PYTHON} // croak 'BURROW_PYTHON is not set: run scripts/test tap';
	my $where = dirname($python) . '/../lib/python3*/site-packages/confluent_kafka.libs/librdkafka-*.so.1';
	my @found = File::Glob::bsd_glob($where);
	croak "one librdkafka is wanted at $where, there are " . @found if @found != 1;
	my $folder = _own('librdkafka');
	mkdir $folder;
	unlink "$folder/librdkafka.so.1";
	symlink(abs_path($found[0]), "$folder/librdkafka.so.1") or croak "cannot link $folder/librdkafka.so.1: $!";
	return $folder;
}

# Builds gate.c; returns the library's path.
sub gate_library
{
	my $source = abs_path(dirname(__FILE__) . '/../kafka/gate.c');
	my $library = _own('gate.so');
	system('cc', '-std=gnu11', '-O1', '-Wall', '-Werror', '-fPIC', '-shared', '-o', $library, $source, '-ldl') == 0
		or croak "cannot build $source";
	return abs_path($library);
}

# Builds a module of test/modules/ for the server; returns the library's path.
sub server_module
{
	my ($name) = @_;
	my $source = abs_path(dirname(__FILE__) . "/../modules/$name.c");
	my $library = _own("$name.so");
	my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
	chomp(my $headers = `$pg_config --includedir-server`);
	system('cc', '-std=gnu11', '-O1', '-Wall', '-Werror', "-I$headers", '-fPIC', '-shared', '-o', $library, $source) == 0
		or croak "cannot build $source";
	return abs_path($library);
}

# Limits on time that a test checks are stretched by this on a slow machine.
sub slow_by
{
	return $ENV{BURROW_TEST_SLOWDOWN} || 1;
}

1;
