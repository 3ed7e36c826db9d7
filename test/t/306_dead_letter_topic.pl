# Dead letters are produced to a topic, from their rows: byte for byte, at least once,
# through crashes at every point, a broker that is away, and rows that go away meanwhile;
# and what Kafka refuses for good halts the subscription.

use BurrowTest;

# an authorizer that forbids nothing by itself
my $kafka = BurrowTest::Kafka->create('kafka', config => {
		'authorizer.class.name' => 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
		'allow.everyone.if.no.acl.found' => 'true',
		'super.users' => 'User:nobody',
});
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (value bytea);
CREATE FUNCTION h(value bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF left(encode($1, 'escape'), 4) IN ('lock', 'wait') THEN
        PERFORM pg_advisory_xact_lock_shared(42);
    END IF;
    IF left(encode($1, 'escape'), 4) IN ('wait', 'good') THEN
        INSERT INTO got VALUES ($1);
        RETURN;
    END IF;
    RAISE EXCEPTION 'cannot take it' USING ERRCODE = 'P4711', DETAIL = 'All of it.', HINT = 'Grüße.';
END $$;
SQL

sub subscribe
{
	my ($topic, %options) = @_;
	$options{dead_letter_topic} //= "$topic.dead";
	my $given = join '', map { ", $_ => '$options{$_}'" } sort keys %options;
	$node->sql("SELECT burrow.subscribe('$topic', 'h', on_failure => 'dead_letter', max_retries => 0, max_consecutive_errors => 1000000,
		commit_interval => '100 ms', shutdown_timeout => '5 s', kafka => '{\"session.timeout.ms\": 6000, \"max.poll.interval.ms\": 60000, \"reconnect.backoff.max.ms\": 500}' $given)");
	return;
}

sub wait_produced
{
	my ($topic, $n, %options) = @_;
	$node->wait_for("$n dead letters of $topic to be produced", "SELECT count(*) = $n AND count(produced_at) = $n FROM burrow.dead_letters WHERE topic = '$topic'", timeout => 90, %options);
	return;
}

# "partition/offset" of the letters in a dead-letter topic, as their headers have it
sub letters
{
	my ($topic) = @_;
	return map {
		my %h = map { $_->[0] => $_->[1] } @{ $_->{headers} };
		"$h{'__connect.errors.partition'}/$h{'__connect.errors.offset'}"
	} $kafka->read_topic($topic);
}

sub distinct { my %seen; return scalar grep { !$seen{$_}++ } @_ }

# ---------------------------------------------------------------- byte for byte

$kafka->create_topic('orders', 2);
$kafka->create_topic('orders.dead', 1);
$kafka->produce('orders',
	{ partition => 1, key => 'a', value => 'fail', timestamp => 1700000000123, headers => [['trace', 'x'], ['trace', undef], ['kafka_dlt-original-topic', 'before'], ["gr\x{f6}\x{df}e", '']] },
	{ partition => 1, key_base64 => '/wA=', value_base64 => 'AAH/' },
	{ partition => 1, key => 'a', value => undef },
	{ partition => 1, value => '' });
subscribe('orders');
my $group = $node->group_of('orders');
wait_produced('orders', 4);
my @got = $kafka->read_topic('orders.dead');
is(scalar @got, 4, 'each is produced once');
my ($first) = grep { ($_->{value} // '') eq 'fail' } @got;
my $report = "ERROR:  P4711: cannot take it\nDETAIL:  All of it.\nHINT:  Gr\x{fc}\x{df}e.\nCONTEXT:  PL/pgSQL function h(bytea) line 10 at RAISE\nhandling message from topic \"orders\" partition 1 offset 0 for subscription \"orders\"";
is_deeply($first->{headers}, [
		['trace', 'x'], ['trace', undef], ['kafka_dlt-original-topic', 'before'], ["gr\x{f6}\x{df}e", ''],
		['__connect.errors.topic', 'orders'],
		['__connect.errors.partition', '1'],
		['__connect.errors.offset', '0'],
		['__connect.errors.connector.name', 'orders'],
		['__connect.errors.task.id', '0'],
		['__connect.errors.stage', 'TASK_PUT'],
		['__connect.errors.class.name', 'public.h(pg_catalog.bytea)'],
		['__connect.errors.exception.class.name', 'P4711'],
		['__connect.errors.exception.message', 'cannot take it'],
		['__connect.errors.exception.stacktrace', $report],
		['kafka_dlt-original-topic', 'orders'],
		['kafka_dlt-original-partition', "\0\0\0\1"],
		['kafka_dlt-original-offset', "\0\0\0\0\0\0\0\0"],
		['kafka_dlt-original-timestamp', { base64 => 'AAABi8/laHs=' }], # 1700000000123
		['kafka_dlt-original-consumer-group', $group],
		['kafka_dlt-exception-fqcn', 'P4711'],
		['kafka_dlt-exception-message', 'cannot take it'],
		['kafka_dlt-exception-stacktrace', $report],
], 'all headers, the message\'s own first');
is($first->{key}, 'a', 'with its key');
cmp_ok($first->{timestamp}, '>', 1700000000123 + 86400000, 'at the time when it was produced: retention counts from there');
is(scalar(grep { ref $_->{value} && $_->{value}{base64} eq 'AAH/' && $_->{key}{base64} eq '/wA=' } @got), 1, 'bytes that are no text');
is(scalar(grep { !defined $_->{value} && $_->{key} eq 'a' } @got), 1, 'a tombstone');
is(scalar(grep { defined $_->{value} && $_->{value} eq '' && !defined $_->{key} } @got), 1, 'an empty value without a key');
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters WHERE produced_at >= last_failed_at}), '4', 'the view shows when');

# a letter that fails again is not produced again, over a restart either
$node->sql(q{SELECT burrow.retry_dead_letters('orders')});
$node->wait_for('them to fail again', q{SELECT count(*) = 4 FROM burrow.dead_letters WHERE attempts = 2 AND retry_asked_at IS NULL});
$node->sql(q{SELECT burrow.alter('orders', kafka => '{"session.timeout.ms": 6001}')});
$kafka->produce('orders', { partition => 0, value => 'one more' });
wait_produced('orders', 5);
is_deeply([sort { $a cmp $b } letters('orders.dead')], ['0/0', '1/0', '1/1', '1/2', '1/3'], 'a retry that fails does not produce it a second time');

# ---------------------------------------------------------------- what is parked

$kafka->create_topic('parking', 1);
$kafka->create_topic('parking.dead', 1);
$kafka->produce('parking', map { { key => 'a', value => $_ } } 'fail', 'good', 'fail too');
subscribe('parking', park_key => 'true', dead_letter_headers => 'kafka');
$node->wait_for('two to be parked behind one', q{SELECT count(*) FILTER (WHERE parked) = 2 AND count(produced_at) = 1 FROM burrow.dead_letters WHERE subscription = 'parking'});
$node->sql(q{SELECT burrow.discard_dead_letters('parking', from_offset => 0, to_offset => 0)});
$node->sql(q{SELECT burrow.retry_dead_letters('parking')});
wait_produced('parking', 1);
my @parked = $kafka->read_topic('parking.dead');
my $of = $node->group_of('parking');
is_deeply([map { $_->{headers} } @parked], [
		map { [
				['__dlq.errors.topic', 'parking'],
				['__dlq.errors.partition', '0'],
				['__dlq.errors.offset', $_],
				['__dlq.errors.group', $of],
				['__dlq.errors.delivery.count', '1'],
				['__dlq.errors.message', 'cannot take it']] } 0, 2
], 'what is parked is produced when it has failed itself, and not before; with the headers that were asked for');
$node->sql(q{SELECT burrow.unsubscribe('parking')});

# ---------------------------------------------------------------- crashes

for my $point ('dead letter durable', 'dead letter delivered')
{
	my $before = letters('orders.dead');
	$node->arm_crash_point($point);
	$kafka->produce('orders', { partition => 0, value => $point });
	$node->wait_for_crash;
	$node->wait_for('all to be produced', q{SELECT count(*) = 0 FROM burrow.dead_letters WHERE produced_at IS NULL}, timeout => 90);
	my @all = letters('orders.dead');
	is(distinct(@all), distinct(@all[0 .. $before - 1]) + 1, "crash at \"$point\": the letter is there");
	is(scalar @all, $before + ($point eq 'dead letter durable' ? 1 : 2), '... as often as it was sent');
}

# kill -9 of the postmaster while the broker does not answer: the row is there, the report is not
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(42)');
$kafka->produce('orders', map { { partition => 0, value => "lock $_" } } 1 .. 20);
$node->wait_for('a handler to wait', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
$kafka->suspend;
$holder->query_safe('SELECT pg_advisory_unlock(42)');
$node->wait_for('the rows', q{SELECT count(*) = 20 FROM burrow.dead_letters WHERE produced_at IS NULL});
$holder->quit;
$node->crash;
$kafka->continue;
$node->start;
wait_produced('orders', 27);
is(distinct(letters('orders.dead')), 27, 'kill -9 of the postmaster before the report: all are there');

# ---------------------------------------------------------------- the broker away

$holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(42)');
$kafka->produce('orders', map { { partition => 0, key => 'k', value => "lock away $_" } } 1 .. 3);
$node->wait_for('a handler to wait', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
$kafka->stop;
$holder->query_safe('SELECT pg_advisory_unlock(42)');
$node->wait_for('rows that wait', q{SELECT count(*) = 3 FROM burrow.dead_letters WHERE produced_at IS NULL});
$node->wait_for_state('orders', 'retrying');
# longer than the producer waits by itself
$node->wait_for('the reason', q{SELECT count(*) = 1 FROM burrow.subscriptions WHERE last_error LIKE 'could not produce dead letters to topic "orders.dead": %'}, timeout => 90);
is($node->sql(q{SELECT count(*) FROM burrow.why_stuck('orders') WHERE cause = 'Kafka does not take the dead letters' AND error LIKE 'could not produce dead letters%' AND since <= clock_timestamp() AND next_statement LIKE '%dead_letter_topic%'}), '1', 'why_stuck() says so');
my ($consumer) = $node->pids('consumer', 'orders');
my $cpu = cpu_seconds($consumer);
# rows that go away while they wait
is($node->sql(q{SELECT burrow.discard_dead_letters('orders', partition => 0, from_offset => (SELECT max("offset") FROM burrow.dead_letters WHERE partition = 0))}), '1', 'one is discarded meanwhile');
$holder->quit;
$kafka->start;
wait_produced('orders', 29);
$node->wait_for_state('orders', 'running');
is(distinct(letters('orders.dead')), 29, 'the broker back: those that are there are produced');
cmp_ok(cpu_seconds($consumer) - $cpu, '<', 2 * slow_by(), 'waiting costs nothing');

# ---------------------------------------------------------------- retried meanwhile

# a letter that is being tried again is left alone until that is decided
$node->sql(q{SELECT burrow.alter('orders', on_failure => 'dead_letter', dead_letter_topic => '')});
$kafka->produce('orders', map { { partition => 1, value => $_ } } 'lock', 'other');
$node->wait_for('two letters', q{SELECT count(*) = 2 FROM burrow.dead_letters WHERE produced_at IS NULL});
$holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(42)');
$node->sql(q{SELECT burrow.retry_dead_letters('orders', partition => 1, from_offset => 4, to_offset => 4)});
$node->wait_for('its handler to wait', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
$node->sql(q{SELECT burrow.alter('orders', dead_letter_topic => 'orders.dead')});
$node->wait_for('the other to be produced', q{SELECT produced_at IS NOT NULL FROM burrow.dead_letters WHERE partition = 1 AND "offset" = 5});
is($node->sql(q{SELECT produced_at IS NULL FROM burrow.dead_letters WHERE partition = 1 AND "offset" = 4}), 't', 'one that is being tried again waits for that');
$holder->query_safe('SELECT pg_advisory_unlock(42)');
$holder->quit;
wait_produced('orders', 31);
is(scalar(grep { $_ eq '1/4' } letters('orders.dead')), 1, 'and is produced when it has failed');

# ---------------------------------------------------------------- the table locked meanwhile

$holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE burrow.dead_letter');
$kafka->produce('orders', { partition => 1, key => 'locked', value => 'fail' });
$node->wait_for('the reason', q{SELECT last_error = 'could not write dead letters: canceling statement due to lock timeout' FROM burrow.subscriptions});
$kafka->produce('orders', { partition => 1, key => 'free', value => 'good' });
$node->wait_for('other messages to be handled', q{SELECT count(*) = 1 FROM got WHERE value = 'good'});
$holder->query_safe('COMMIT');
$holder->quit;
wait_produced('orders', 32);

# ---------------------------------------------------------------- refused for good

sub halted
{
	my ($topic, $offset, $sqlstate, $message, $hint, $description) = @_;
	$node->wait_for_state($topic, 'halted', timeout => 90);
	like($node->sql("SELECT error_topic, error_partition, error_offset, error_sqlstate, error_message, error_hint FROM burrow.subscriptions WHERE subscription = '$topic'"),
		qr/^\Q$topic\E\|0\|($offset)\|$sqlstate\|could not produce the dead letter of topic "\Q$topic\E" partition 0 offset \1 to topic "\Q$topic.dead\E": .*$message\|.*$hint/, $description);
	return;
}

# no such topic: halted; it is made, and resumed
$kafka->create_topic('lost', 1);
$kafka->produce('lost', { value => 'fail' });
subscribe('lost');
halted('lost', 0, '42704', 'Unknown topic or partition', 'Create the topic', 'a topic that is not there');
is($node->sql(q{SELECT count(*) FROM burrow.why_stuck('lost') WHERE cause = 'the subscription is halted' AND "offset" = 0 AND error LIKE 'could not produce%'}), '1', 'why_stuck tells');
$kafka->create_topic('lost.dead', 1);
$node->sql(q{SELECT burrow.resume('lost')});
wait_produced('lost', 1);
is_deeply([letters('lost.dead')], ['0/0'], 'it goes on from the row');

# too large: only the one is refused, its neighbours are produced
$kafka->create_topic('large', 1);
$kafka->create_topic('large.dead', 1, 'max.message.bytes' => 20000);
$kafka->produce('large', map { { value => $_ } } 'fail 0', 'x' x 100000, map { "fail $_ " . 'y' x 9000 } 2 .. 9);
# all are there before the topic is named, so that they are sent at once
subscribe('large', dead_letter_topic => '');
$node->wait_for('ten letters', q{SELECT count(*) = 10 FROM burrow.dead_letters WHERE subscription = 'large'});
$node->sql(q{SELECT burrow.alter('large', dead_letter_topic => 'large.dead')});
halted('large', 1, '54000', 'Message size too large', 'max\.message\.bytes', 'a message that is too large');
is($node->sql(q{SELECT string_agg("offset"::text, ',' ORDER BY "offset") FROM burrow.dead_letters WHERE subscription = 'large' AND produced_at IS NULL}), '1', 'the others are produced');
$node->sql(q{SELECT burrow.discard_dead_letters('large', from_offset => 1, to_offset => 1); SELECT burrow.resume('large')});
$kafka->produce('large', { value => 'fail 10' });
wait_produced('large', 10);
is(distinct(letters('large.dead')), 10, 'and it goes on when that one is discarded');

# not allowed
$kafka->create_topic('secret', 1);
$kafka->create_topic('secret.dead', 3);
$kafka->deny('secret.dead', 'write');
$kafka->produce('secret', map { { key => "k$_", value => 'fail' } } 1 .. 50);
subscribe('secret', dead_letter_topic => '');
$node->wait_for('fifty letters', q{SELECT count(*) = 50 FROM burrow.dead_letters WHERE subscription = 'secret'});
$node->sql(q{SELECT burrow.alter('secret', dead_letter_topic => 'secret.dead')});
halted('secret', qr/\d+/, '28000', 'Topic authorization failed', 'Allow the client', 'a topic that it may not write to');
$kafka->allow('secret.dead', 'write');
$node->sql(q{SELECT burrow.resume('secret')});
wait_produced('secret', 50);

# ---------------------------------------------------------------- many

$kafka->create_topic('many', 4);
$kafka->create_topic('many.dead', 4);
$kafka->produce_many('many', count => 10000, keys => 100);
my $begun = Time::HiRes::time();
subscribe('many', workers => 2);
wait_produced('many', 10000);
my $took = Time::HiRes::time() - $begun;
cmp_ok($took, '<', 60 * slow_by(), sprintf('10,000 dead letters are written and produced: %.1f s', $took));
my @many = $kafka->read_topic('many.dead');
is(scalar @many, 10000, 'each of them once');
my (%last, $out_of_order);
for my $m (@many)
{
	my ($seq) = $m->{value} =~ /"seq": (\d+)/;
	$out_of_order++ if defined $last{ $m->{key} } && $last{ $m->{key} } >= $seq && !$out_of_order;
	$last{ $m->{key} } = $seq;
}
is($out_of_order // 0, 0, 'those of a key in their order');
is($node->sql('SELECT count(*) FROM burrow.subscriptions WHERE state <> \'running\''), '0', 'all run');

$node->stop;
done_testing();
