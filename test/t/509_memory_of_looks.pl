# What a look at large messages takes: 200 messages of 1 MB each, and the peak of the process's memory.  burrow.dry_run() has its handler
# in the process that has read the messages, and the handler reads the peak; that of burrow.peek() is read while its caller
# does not take what it sends, so that all is held that ever will be.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => 'shared_buffers = 16MB');
$kafka->create_topic('large', 2);
$kafka->produce_many('large', count => 200, size => 950_000);

sub peak_kb
{
	my ($pid) = @_;
	my ($kb) = eval { PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m };
	return $kb;
}

$node->sql(<<'SQL');
CREATE FUNCTION h(value bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'peak %', substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+) kB');
END $$;
SELECT burrow.subscribe('large', 'h', enabled => false, max_inflight_bytes => '8 MB');
SQL
my ($n, $peak) = split /\|/, $node->sql(q{SELECT count(*), max(substring(message FROM 'peak (\d+)')::int) FROM burrow.dry_run('large', 200)});
note("burrow.dry_run(): $n messages, $peak kB");
cmp_ok($n, '<=', 9, 'a dry run takes max_inflight_bytes and a message more');
memory_below($peak, 64 * 1024, "... and its process stays below 64 MB ($peak kB)");

my $session = $node->background_psql('postgres');
my ($backend) = $session->query_safe('SELECT pg_backend_pid()') =~ /(\d+)/;
$session->query_until(qr/begun/, qq{\\echo begun\nSELECT count(*), sum(length(value)) FROM burrow.peek('large', 200);\n\\echo over\n});
my $pid;
$node->wait_for('the process', sub { $pid = $node->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'burrow first look'}); return $pid ne '' });
kill STOP => $backend;
$node->wait_for('it to wait for its caller', "SELECT wait_event = 'MessageQueuePutMessage' FROM pg_stat_activity WHERE pid = $pid");
my ($last, $same) = (0, 0);
wait_until('its memory to grow no more', sub {
		my $kb = peak_kb($pid) // return 1;
		$same = $kb == $last ? $same + 1 : 0;
		$last = $kb;
		return $same > 10;
});
kill CONT => $backend;
my $said = $session->query_until(qr/over/, '');
my ($rows) = $said =~ /^(\d+)\|/m;
note("burrow.peek(): $rows messages, $last kB");
cmp_ok($rows, '<=', 18, 'a peek takes 16 MB and a message more');
cmp_ok($rows, '>', 0, '... and there are some');
memory_below($last, 64 * 1024, "... and its process stays below 64 MB ($last kB)");
$session->quit;

$node->stop;
done_testing();
