# 10,000 hostile HTTP requests, and 500 connections at once: the server does not notice, the exporter's memory is
# bounded, its answers are right afterwards, and the log has no word of it.
#
# BURROW_TEST_SEED (18) and BURROW_TEST_CALLS (10,000) may be set.

use BurrowTest;
use BurrowTest::Metrics;
use FindBin;
use HTTP::Tiny;
use JSON::PP qw(decode_json);

my $seed = $ENV{BURROW_TEST_SEED} // 18;
my $calls = $ENV{BURROW_TEST_CALLS} // 10_000;
my $kafka = BurrowTest::Kafka->create('kafka');
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "burrow.metrics_listen = '127.0.0.1:$port'");

$kafka->create_topic('orders', 2);
$node->sql(<<'END');
CREATE TABLE got (n int);
CREATE FUNCTION h(value jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ((value->>''n'')::int)';
SELECT burrow.subscribe('orders', 'h');
END
$kafka->produce_many('orders', count => 100, keys => 10);
$node->wait_for('the first rows', 'SELECT count(*) = 100 FROM got');

sub exporter { return (grep { (BurrowTest::_slurp("/proc/$_/cmdline") // '') =~ /burrow exporter/ } child_pids($node->postmaster_pid))[0] }
my $http = HTTP::Tiny->new(timeout => 60);
my $pid = exporter();
my @consumers = $node->pids('consumer', 'orders');
is($http->get("http://127.0.0.1:$port/$_")->{status}, 200, "before: /$_") foreach ('', 'metrics', '-/healthy');
my $kb = resident_kb($pid);
my $log = $node->log_position;

my $producer = $kafka->start_producing('orders', count => 2000, keys => 10, first => 100, rate => 200);
my ($out, $err) = ('', '');
ok(IPC::Run::run([$ENV{BURROW_PYTHON}, "$FindBin::Bin/../metrics/hostile_requests.py", $port, $calls, $seed], '>', \$out, '2>', \$err), 'all of them are sent') or diag($err);
my $said = decode_json($out);
note($out);
cmp_ok($said->{requests}, '>=', 0.99 * $calls, "$said->{requests} requests");
is($said->{connections}, 500, 'and 500 connections at once');
ok($said->{answered_in_the_crowd}, 'in which somebody else is answered');
cmp_ok($said->{statuses}{$_} // 0, '>', 0, "some were answered with $_") foreach qw(200 400 404 405);
is_deeply([grep { !/^(100|200|400|404|405|413|414|431|501|503|505)$/ } keys %{ $said->{statuses} }], [], 'none with something strange');
cmp_ok($said->{healthy} // 0, '>', 10 * ($said->{unhealthy} // 0), 'who asks for its health meanwhile gets an answer');

is(exporter(), $pid, 'it is the same process');
# 128 connections of 16 kB, an answer for each, and what malloc() keeps of them
my $grown = resident_kb($pid) - $kb;
memory_below($grown, 16 * 1024, "it has grown by $grown kB");
is_deeply([grep { /burrow exporter|WARNING|ERROR|FATAL|PANIC/ } split /\n/, $node->log_since($log)], [], 'the log has no word of it');

$kafka->finish_producing($producer);
$node->wait_for('all messages', 'SELECT count(*) = 2100 FROM got');
is_deeply([$node->pids('consumer', 'orders')], \@consumers, 'by the same consumer');
is($node->sql(q{SELECT burrow.wait_until_caught_up('orders')}), 't', 'which has caught up');
my $answer = $http->get("http://127.0.0.1:$port/metrics");
is($answer->{status}, 200, 'metrics');
is(BurrowTest::Metrics->parse($answer->{content}, 'prometheus')->of('orders', 'messages_processed_total', 'outcome="handled"'), 2100, 'are right');
like($http->get("http://127.0.0.1:$port/")->{content}, qr{\A<!DOCTYPE html>.*</html>\n\z}s, 'and so is the page');
is($http->get("http://127.0.0.1:$port/-/ready")->{content}, "ok\n", 'ready');
done_testing();
