# Who asks the exporter all the time sees counters that only grow and histograms that add up, while workers, consumers and the
# exporter itself end and start again; and in the end what the tables hold.

use BurrowTest;
use BurrowTest::Metrics;
use BurrowTest::Prometheus;
use JSON::PP ();

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $url = "http://127.0.0.1:$port/metrics";
my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "burrow.metrics_listen = '127.0.0.1:$port'");

$kafka->create_topic('orders', 4);
$node->sql(<<'END');
CREATE TABLE got (n int);
-- of a hundred, one is no good, and one fails once
CREATE FUNCTION on_order(value jsonb, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (value->>'n')::int % 100 = 0 THEN
        PERFORM 1 / 0;
    ELSIF (value->>'n')::int % 100 = 1 AND attempt = 1 THEN
        RAISE 'not yet';
    END IF;
    PERFORM pg_sleep(0.001);
    INSERT INTO got VALUES ((value->>'n')::int);
END $$;
SELECT burrow.subscribe('orders', 'on_order', workers => 4, on_failure => 'dead_letter', max_consecutive_errors => 1000, retry_backoff => '1 ms');
END
$node->wait_for_state('orders', 'running');

# the scraper, in a program of its own
my $file = PostgreSQL::Test::Utils::tempdir() . '/answers';
my $program = "$ENV{BURROW_ROOT}/test/metrics/scrape.py";
my $scraper = BurrowTest::Prometheus->run_beside($ENV{BURROW_PYTHON}, $program, $url, 0.05, $file);
sub answers { return scalar(() = (BurrowTest::_slurp($file) // '') =~ /"text"/g) }
wait_until('answers', sub { answers() > 2 });
my $producing = $kafka->start_producing('orders', count => 1_000_000, keys => 200, rate => 1000);

# Everything but the server ends, and is there again, while messages are handled.
sub handled_more
{
	my $before = $node->sql('SELECT count(*) FROM got');
	$node->wait_for('more to be handled', "SELECT count(*) > $before + 200 FROM got");
	my $asked = answers();
	wait_until('an answer', sub { answers() > $asked });
	return;
}
handled_more();
foreach my $round (1 .. 2)
{
	$node->wait_for('a worker with messages, to end it', q{SELECT bool_or(pg_terminate_backend(pid)) FROM (SELECT pid FROM burrow.workers WHERE state = 'running' LIMIT 1) w});
	handled_more();
	$node->wait_for('a consumer, to end it', q{SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions});
	handled_more();
	my ($exporter) = grep { (BurrowTest::_slurp("/proc/$_/cmdline") // '') =~ /burrow exporter/ } child_pids($node->postmaster_pid);
	kill 'TERM', $exporter;
	wait_gone($exporter);
	handled_more();
}
my $messages = $kafka->stop_producing($producing);
my $bad = int(($messages + 99) / 100);
$node->wait_for('all to be dealt with', "SELECT (SELECT count(*) FROM got) + (SELECT count(*) FROM burrow.dead_letters) >= $messages");
is($node->sql(q{SELECT burrow.wait_until_caught_up('orders', '1 min')}), 't', 'caught up');
$node->wait_for('the workers to be idle', q{SELECT workers_active = 0 AND inflight = 0 AND lag = 0 FROM burrow.stats});
ok(BurrowTest::Prometheus->end_beside($scraper), 'the scraper has written all');

my ($said, $err) = ('', '');
IPC::Run::run([$ENV{BURROW_PYTHON}, $program, '--check', $file], '<', \undef, '>', \$said, '2>', \$err) or die "cannot check: $err";
my @wrong = split /\n/, $said;
my $summary = JSON::PP->new->decode(pop @wrong);
is_deeply(\@wrong, [], 'no counter went back, no series was gone, each histogram adds up');
cmp_ok($summary->{answers}, '>', 10, 'there were answers');
cmp_ok($summary->{series}, '>', 40, 'of many series');

my $m = BurrowTest::Metrics->parse((BurrowTest::Prometheus->get($url))[1], 'prometheus');
is($node->sql('SELECT count(*), count(DISTINCT n) FROM got'), join('|', ($messages - $bad) x 2), 'each message has its row, once');
is($m->of('orders', 'messages_processed_total', 'outcome="handled"'), $messages - $bad, 'handled: rows of the table');
is($node->sql('SELECT count(*) FROM burrow.dead_letters'), $bad, 'or is a dead letter');
is($m->of('orders', 'messages_processed_total', 'outcome="dead_lettered"'), $bad, 'dead letters: rows of burrow.dead_letters');
is($m->of('orders', 'restarts_total'), 2, 'consumers that were ended');
cmp_ok($m->of('orders', 'received_messages_total'), '>=', $messages, 'received: all, some again');
cmp_ok($m->of('orders', 'handler_failures_total', 'sqlstate_class="22"'), '>=', $bad, 'failures of messages that are no good');

$node->stop;
done_testing();
