# Each file of examples/ runs as it stands, and finds what should have come of it, on a
# real Kafka that has its topic.

use BurrowTest;
use File::Basename qw(basename dirname);
use IPC::Run ();

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

my @files = sort glob("$ENV{BURROW_ROOT}/examples/*/*.sql");
is(scalar @files, scalar(() = glob("$ENV{BURROW_ROOT}/examples/*/README.md")), 'each example has one file and says what it is for');
cmp_ok(scalar @files, '>=', 4, 'and there are some');

foreach my $file (@files)
{
	my $example = basename(dirname($file));
	# scripts/demo finds the topics in the same way
	my ($topic) = PostgreSQL::Test::Utils::slurp_file($file) =~ /^SELECT burrow\.subscribe\('([a-z_]*)'/m
		or die "no subscription in $file";
	$kafka->create_topic($topic, 4);
	my ($out, $err) = ('', '');
	IPC::Run::run(['psql', '-X', '-f', $file, $node->connstr('postgres')], '<', \undef, '>', \$out, '2>', \$err);
	is($?, 0, "$example runs") or diag($out . $err . $node->diagnostics);
	unlike($err, qr/WARNING|ERROR/, '... without a complaint');
	is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = '$topic'"), 'running', '... and goes on');
}

$node->stop;
done_testing();
