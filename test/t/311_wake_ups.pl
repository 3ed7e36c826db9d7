# What comes while the consumer waits for somebody's lock in a transaction of its own is seen when the
# lock is free, and not at the consumer's next timer: SIGTERM, and a request.  Both set the latch,
# as a worker's result does, and the wait for a lock resets it.
#
# With nothing to commit and nothing to retry, the next timer is that of the poll which keeps the
# membership, 60 s away; so what is seen within 25 s was not left for it.  The timer of
# the deadlock check, which a lock that was got leaves running, would wake the process, too: it has
# run out, and the log says so, before anything happens here.

use BurrowTest;

my $not_a_timer = 25;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "deadlock_timeout = 1ms\nlog_lock_waits = on");
$node->sql(<<'SQL');
CREATE TABLE got (value text);
CREATE FUNCTION keep(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1)';
SQL

$kafka->create_topic($_, 1) foreach qw(other orders);
$node->sql(q{SELECT burrow.subscribe('other', 'keep')});
$node->sql(q{SELECT burrow.subscribe('orders', 'keep')});

my ($holder, $changer) = map { $node->background_psql('postgres', on_error_stop => 1) } 1 .. 2;
my ($holder_pid) = $holder->query_safe('SELECT pg_backend_pid()') =~ /(\d+)/;
my $n = 0;

# The consumer is about to read its row again, because another has changed, and waits for the
# table's lock: the holder asked for it before the change was committed, and so before the consumer.
sub waiting_consumer
{
	$node->wait_for('nothing to be on its way to the consumer', q{SELECT count(*) = 1 FROM burrow.partitions p JOIN burrow.workers w USING (subscription)
		WHERE p.subscription = 'orders' AND p.committed = 0 AND p.end_checked_at IS NOT NULL AND w.state = 'idle'});
	my ($consumer) = $node->pids('consumer', 'orders');
	my $position = $node->log_position;
	$n++;
	$changer->query_safe("BEGIN; SELECT burrow.alter('other', max_retries => $n)");
	$holder->query_until(qr/asked/, "\\echo asked\nBEGIN; LOCK TABLE burrow.subscription;\n");
	$node->wait_for('the holder to wait', "SELECT count(*) = 1 FROM pg_locks WHERE pid = $holder_pid AND NOT granted");
	$changer->query_safe('COMMIT');
	$node->wait_for_log_line(qr/\[$consumer\] .*process $consumer still waiting for AccessShareLock/, $position);
	return $consumer;
}

sub let_go { return $holder->query_safe('COMMIT') }

for my $round (1 .. 3)
{
	# ---- SIGTERM
	my $consumer = waiting_consumer();
	$node->sql("SELECT pg_terminate_backend($consumer)");
	let_go();
	BurrowTest::wait_gone($consumer, $not_a_timer);
	pass("round $round: SIGTERM");

	# ---- a request of the launcher's
	$consumer = waiting_consumer();
	my $position = $node->log_position;
	$node->sql($_) foreach 'ALTER SYSTEM SET burrow.enabled = off', 'SELECT pg_reload_conf()';
	$node->wait_for_log_line(qr/parameter "burrow.enabled" changed to "off"/, $position);
	let_go();
	BurrowTest::wait_gone($consumer, $not_a_timer);
	pass('a request');
	$node->sql($_) foreach 'ALTER SYSTEM RESET burrow.enabled', 'SELECT pg_reload_conf()';
}

$holder->quit;
$changer->quit;
$node->stop;
done_testing();
