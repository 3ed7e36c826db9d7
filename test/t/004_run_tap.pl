# test/run_tap: files side by side, each with a block of output of its own; those that say
# so run alone, after the others; nothing that fails is lost in the count.

use BurrowTest;
use IPC::Run ();

my $folder = "$ENV{TESTDATADIR}/run_tap";
system('rm', '-rf', $folder);
mkdir $folder or die "cannot make $folder: $!";
PostgreSQL::Test::Utils::append_to_file("$folder/$_->[0].pl", $_->[1]) foreach
	# each of the two ends only when the other has begun
	['first', "use BurrowTest; open(my \$f, '>', '$folder/first'); wait_until('the second', sub { -e '$folder/second' }); ok(1, 'a'); ok(1, 'b'); open(\$f, '>', '$folder/first ended'); done_testing();\n"],
	['second', "use BurrowTest; open(my \$f, '>', '$folder/second'); wait_until('the first', sub { -e '$folder/first' }); is(1, 2, 'c'); diag('what the second says'); open(\$f, '>', '$folder/second ended'); done_testing();\n"],
	['third', "use BurrowTest; ok(1, 'd'); die 'an early end';\n"],
	['alone', "# Alone: it wants to.\nuse BurrowTest; ok(-e '$folder/first ended' && -e '$folder/second ended', 'e'); is(BurrowTest::slow_by(), 1, 'f'); done_testing();\n"],
	['patient', "use BurrowTest; open(my \$f, '>', '$folder/patient'); wait_until('nothing', sub { 0 });\n"];

my @run_tap = ("$ENV{BURROW_ROOT}/test/run_tap", '-j', 2);
my ($out, $err) = ('', '');
{
	local %ENV = (%ENV, BURROW_TIMINGS => "$folder/timings", BURROW_TEST_SLOWDOWN => 1, BURROW_TAP_TIMEOUT => 120);
	IPC::Run::run([@run_tap, map { "$folder/$_.pl" } qw(alone first second third)], '<', \undef, '>', \$out, '2>', \$err);
}
is($? >> 8, 1, 'the status says that something failed');
like($out, qr/^first +ok \(2 passed, 0 failed/m, 'one has passed');
like($out, qr/not ok 1 - c\n(?:(?!first|third|alone).*\n)*second +FAILED \(0 passed, 1 failed/, 'what failed stands together');
like($out, qr/what the second says/, 'with what it says on the error channel');
like($out, qr/^third +FAILED \(1 passed, 1 failed, .*ended with status/m, 'an early end is a failure');
like($out, qr/third.*^alone +ok \(2 passed, 0 failed/ms, 'what runs alone runs at the end');
like($out, qr/\n5 passed, 2 failed\n\z/, 'the last line counts all');
is($err, '', 'and nothing is said elsewhere');
my $timings = PostgreSQL::Test::Utils::slurp_file("$folder/timings");
like($timings, qr{^ +\d+\.\d s  \Q$folder\E/$_\.pl$}m, "the timings have $_") foreach qw(alone first second third);

# who ends it ends the tests
my $run = IPC::Run::start([@run_tap, "$folder/patient.pl", "$folder/first.pl"], '<', \undef, '>', \$out, '2>', \$err);
wait_until('the test to wait', sub { -e "$folder/patient" });
$run->signal('TERM');
$run->finish;
is($run->full_result(0) >> 8, 130, 'a signal ends it');
is_deeply([processes_of("$folder/patient.pl")], [], 'and the tests');

done_testing();
