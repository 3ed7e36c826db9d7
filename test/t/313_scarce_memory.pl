# What the consumer lives with: a server that has no dynamic shared memory to give, for workers or for
# trackers; and a seek by time that cannot be stored, tried again and again.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => 'dynamic_shared_memory_type = mmap');
$node->sql(<<'SQL');
CREATE TABLE got ("offset" bigint);
CREATE FUNCTION keep("offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'wait' THEN PERFORM pg_advisory_xact_lock_shared(7); END IF;
    INSERT INTO got VALUES ("offset");
END $$;
SQL

# ---- no segment for another worker
my $folder = $node->data_dir . '/pg_dynshmem';
sub may_be_made { my ($may) = @_; chmod($may ? 0700 : 0500, $folder) or die "chmod $folder: $!"; return }

$kafka->create_topic('orders', 4);
$node->sql(q{SELECT burrow.subscribe('orders', 'keep', workers => 4, batch_size => 1)});
$node->wait_for('the first worker', q{SELECT count(*) = 1 FROM burrow.workers WHERE subscription = 'orders' AND state = 'idle'});
my ($consumer) = $node->pids('consumer', 'orders');
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(7)');
my $position = $node->log_position;
may_be_made(0);
$kafka->produce('orders', map { { partition => $_ % 4, value => 'wait' } } 0 .. 11);
my $cause = 'no dynamic shared memory can be had for another worker';
$node->wait_for('why_stuck() to say so', qq{SELECT count(*) = 1 FROM burrow.why_stuck('orders') WHERE cause = '$cause' AND error LIKE 'could not open shared memory segment%'});
$node->sql($node->sql(qq{SELECT next_statement FROM burrow.why_stuck('orders') WHERE cause = '$cause'}));
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$node->wait_for('all messages', 'SELECT count(*) = 12 FROM got');
is(join(' ', $node->pids('consumer', 'orders')), $consumer, 'the consumer goes on, with the worker there is');

# said once, however often it was tried: the next attempt is 5 s later, and changes nothing
$holder->query_safe('SELECT pg_advisory_lock(7)');
$kafka->produce('orders', map { { partition => $_ % 4, value => 'wait' } } 0 .. 11);
$node->wait_for('the cause again', qq{SELECT count(*) = 1 FROM burrow.why_stuck('orders') WHERE cause = '$cause'});
is(scalar(() = $node->log_since($position) =~ /WARNING:  could not start worker 2 of 4 for subscription "orders"/g), 1, 'a warning, once');
like($node->log_since($position), qr/The server gives no dynamic shared memory: could not open shared memory segment/, 'with the reason');

# when there is memory again, the others come
may_be_made(1);
$node->wait_for('the other workers', q{SELECT count(*) = 4 FROM burrow.workers WHERE subscription = 'orders'});
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$node->wait_for('all messages', 'SELECT count(*) = 24 FROM got');
$node->wait_for('nothing to hold it up', q{SELECT count(*) = 0 FROM burrow.why_stuck('orders')});
$node->sql(q{SELECT burrow.unsubscribe('orders'); TRUNCATE got});

# ---- no segment for a tracker: 60,000 messages behind a stuck one are more than its area began with
$kafka->create_topic('tracked', 1);
$node->sql(q{SELECT burrow.subscribe('tracked', 'keep', workers => 2, min_workers => 2)});
$node->wait_for('both workers', q{SELECT count(*) = 2 FROM burrow.workers WHERE subscription = 'tracked' AND state = 'idle'});
($consumer) = $node->pids('consumer', 'tracked');
$holder->query_safe('SELECT pg_advisory_lock(7)');
may_be_made(0);
$kafka->produce('tracked', { key => 'stuck', value => 'wait' });
$node->wait_for('the stuck one to be in hand', q{SELECT inflight = 1 FROM burrow.stats WHERE subscription = 'tracked'});
$kafka->produce_many('tracked', count => 90_000, keys => 100);
$node->wait_for('the tracker to want memory', q{SELECT state = 'retrying' AND last_error LIKE 'could not allocate dynamic shared memory for a tracker segment: could not open%' FROM burrow.subscriptions WHERE subscription = 'tracked'});
cmp_ok($node->sql('SELECT count(*) FROM got'), '<', 90_000, 'no more are taken than can be tracked');
$cause = 'no dynamic shared memory can be had for messages';
like($node->sql($node->sql(qq{SELECT next_statement FROM burrow.why_stuck('tracked') WHERE cause = '$cause' AND since <= clock_timestamp()})), qr/^dynamic_shared_memory_type\|mmap$/m, 'why_stuck() says so, too');
may_be_made(1);
$node->wait_for('all but the stuck one', 'SELECT count(*) = 90000 FROM got');
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$node->wait_for('that one, too', 'SELECT count(*) = 90001 FROM got');
is(join(' ', $node->pids('consumer', 'tracked')), $consumer, 'the consumer goes on');
$node->sql(q{SELECT burrow.unsubscribe('tracked')});

# ---- a seek by time that cannot be stored keeps nothing of its attempts
$kafka->create_topic('times', 200);
$node->sql(q{SELECT burrow.subscribe('times', 'keep')});
$node->wait_for('all partitions', q{SELECT count(*) = 200 FROM burrow.partitions WHERE subscription = 'times' AND committed = 0});
$node->sql(q{SELECT burrow.pause('times')});
$node->wait_for_state('times', 'paused');
$node->sql(q{SELECT burrow.seek('times', '-infinity')});
$holder->query_safe('BEGIN; LOCK TABLE burrow.pending_seek IN SHARE MODE');
$node->sql(q{SELECT burrow.resume('times')});

my $last = '';
sub next_attempt
{
	$node->wait_for('an attempt to store the offsets', sub {
			my $at = $node->sql(q{SELECT last_error_at FROM burrow.subscriptions WHERE subscription = 'times' AND last_error LIKE 'could not store the offsets of a seek%'});
			return 0 if $at eq '' || $at eq $last;
			$last = $at;
			return 1;
	});
	return;
}

# Bytes in use of the context that lives as long as the process.
sub kept
{
	my ($pid) = $node->pids('consumer', 'times');
	my $from = $node->log_position;
	$node->sql("SELECT pg_log_backend_memory_contexts($pid)");
	my $line = qr/\[$pid\].*LOG:  level: \d; TopMemoryContext: .* (\d+) used/;
	$node->wait_for_log_line($line, $from);
	my ($used) = $node->log_since($from) =~ $line;
	return $used;
}

next_attempt() foreach 1 .. 2;
my $before = kept();
next_attempt() foreach 1 .. 4;
cmp_ok(kept() - $before, '<', 4096, 'nothing is kept of what is tried again');
$holder->query_safe('COMMIT');
$node->wait_for_state('times', 'running');
$node->wait_for('the seek to be done', q{SELECT count(*) = 0 FROM burrow.pending_seek});

$holder->quit;
$node->stop;
done_testing();
