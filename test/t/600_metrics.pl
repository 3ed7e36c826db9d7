# burrow.metrics(): Prometheus's own parser takes it, and what it says is what burrow.stats, the views and the tables say.

use BurrowTest;
use BurrowTest::Metrics;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => 'track_functions = all');

$kafka->create_topic('orders', 3);
$kafka->produce_many('orders', count => 300, keys => 30);
$node->sql(<<'END');
CREATE ROLE app LOGIN;
CREATE ROLE nobody LOGIN;
CREATE ROLE watch LOGIN IN ROLE pg_monitor;
GRANT CREATE ON SCHEMA public TO app;
GRANT EXECUTE ON FUNCTION burrow.subscribe TO app;
SET ROLE app;
CREATE TABLE got (n int);
-- one in ten is no good, one in ten fails once; it takes more than 1 ms and less than 1 s
CREATE FUNCTION on_order(value jsonb, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (value->>'n')::int % 10 = 0 THEN
        PERFORM 1 / 0;
    ELSIF (value->>'n')::int % 10 = 1 AND attempt = 1 THEN
        RAISE 'not yet';
    END IF;
    PERFORM pg_sleep(0.002);
    INSERT INTO got VALUES ((value->>'n')::int);
END $$;
SELECT burrow.subscribe('orders', 'on_order', on_failure => 'dead_letter', max_consecutive_errors => 1000, retry_backoff => '1 ms');
END

sub metrics
{
	my ($format, $role, $arguments) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SELECT burrow.metrics(@{[ $arguments // qq{'$format'} ]})",
		extra_params => ['-U', $role // $ENV{PGUSER} // getpwuid($<), '-v', 'ON_ERROR_STOP=1']);
	die $err if $status != 0;
	return BurrowTest::Metrics->parse($out, $format);
}

$node->wait_for('the messages to be dealt with', q{SELECT (SELECT count(*) FROM got) = 270 AND (SELECT count(*) FROM burrow.dead_letters) = 30});
is($node->sql(q{SELECT burrow.wait_until_caught_up('orders')}), 't', 'caught up');
$node->wait_for('the workers to be idle', q{SELECT workers_active = 0 AND inflight = 0 AND lag = 0 FROM burrow.stats});

$node->wait_for('the dead letters to be counted', q{SELECT dead_letters_pending = 30 FROM burrow.stats});

my $m = metrics('openmetrics');

#
# The tables, and burrow.stats.
#
is($m->of('orders', 'messages_processed_total', 'outcome="handled"'), 270, 'handled: rows of the table');
is($m->of('orders', 'messages_processed_total', 'outcome="dead_lettered"'), 30, 'dead letters: rows of burrow.dead_letters');
is($m->of('orders', 'messages_processed_total', 'outcome="skipped"'), 0, 'none was skipped');
is($m->of('orders', 'handler_failures_total', 'sqlstate_class="22"'), 30, 'failures of the message');
is($m->of('orders', 'handler_failures_total', 'sqlstate_class="P0"'), 30, 'failures of the handler');
is($m->of('orders', 'retries_total'), 30, 'each of these was retried');
is($m->of('orders', 'handler_duration_seconds_count'), 270, 'calls of the handler that succeeded');
is($m->of('orders', 'handler_duration_seconds_bucket', 'le="0.001"'), 0, 'none took less than pg_sleep');
is($m->of('orders', 'handler_duration_seconds_bucket', 'le="10.0"'), 270, 'and none long');
cmp_ok($m->of('orders', 'handler_duration_seconds_sum'), '>', 270 * 0.002, 'nor all together');
is($m->of('orders', 'message_latency_seconds_count'), 270, 'messages whose time to the commit is known');
cmp_ok($m->of('orders', 'transactions_total', 'result="committed"'), '<=', 270, 'at most a transaction for each message');
cmp_ok($m->of('orders', 'transactions_total', 'result="committed"'), '>=', 3, 'and at least one');
cmp_ok($m->of('orders', 'transactions_total', 'result="rolled_back"'), '>=', 60, 'each failure rolled one back');
cmp_ok($m->of('orders', 'worker_busy_seconds_total'), '>', 270 * 0.002, 'workers were busy');
is($m->of('orders', 'transaction_messages_count'), $m->of('orders', 'transactions_total', 'result="committed"'), 'each has its number of messages');
is($m->of('orders', 'transaction_messages_sum'), 270, 'which are all that were handled');
is($m->of('orders', 'transaction_messages_bucket', 'le="100.0"'), $m->of('orders', 'transaction_messages_count'), 'at most a batch each');
is($m->of('orders', 'dead_letters_total'), 30, 'dead letters by themselves');
is($m->of('orders', 'dead_letters_pending'), 30, 'and those that are there');
is($m->of('orders', 'parked_keys'), 0, 'no key waits');
is($m->of('orders', 'kafka_connected'), 1, 'Kafka answers');
is($m->of('orders', 'kafka_commit_duration_seconds_count'), $m->of('orders', 'kafka_commits_total', 'result="acknowledged"'), 'each commit has its time');
cmp_ok(abs($m->of('orders', $_) - time), '<', 60 * slow_by(), "$_ is of now") foreach qw(last_progress_timestamp_seconds last_commit_timestamp_seconds last_message_timestamp_seconds);
is($m->of('orders', 'consumer_lag_messages'), 0, 'lag');
is($m->of('orders', 'consumer_lag_seconds'), 0, 'and in seconds');
is($m->of('orders', 'partitions'), 3, 'partitions');
is($m->of('orders', 'subscription_state', 'state="running"'), 1, 'it runs');
is($m->sum('subscription_state'), 1, 'and nothing else');
is($m->of('orders', 'subscription_info', 'consumer_group="' . $node->group_of('orders') . '"'), 1, 'its group');
like((grep { /^build_info/ } keys %$m)[0], qr/librdkafka="\d[^"]*".*postgresql="\d+.*version="\d/, 'versions');
is($m->value('shared_memory_bytes'), $node->sql(q{SELECT sum(size) FROM pg_shmem_allocations WHERE name LIKE 'burrow%'}), 'shared memory, as PostgreSQL has it');

# burrow.stats and the metrics are of one moment, because nothing happens
my %same = (
	messages_received => 'received_messages_total',
	bytes_received => 'received_bytes_total',
	messages_retried => 'retries_total',
	offsets_skipped => 'skipped_offsets_total',
	claims_refused => 'refused_claims_total',
	chunks => 'chunks_total',
	worker_busy_seconds => 'worker_busy_seconds_total',
	offsets_committed => 'committed_offsets_total',
	rebalances => 'rebalances_total',
	clients_renewed => 'renewed_clients_total',
	jobs_queued => 'queued_messages',
	inflight => 'in_flight_messages',
	inflight_bytes => 'queued_bytes',
	workers_wanted => 'wanted_workers',
	dead_letters_pending => 'dead_letters_pending',
	parked_keys => 'parked_keys',
);
is($m->of('orders', $same{$_}), $node->sql("SELECT $_ FROM burrow.stats"), "$_ is $same{$_}") foreach sort keys %same;
is($m->of('orders', 'kafka_commits_total', 'result="acknowledged"'), $node->sql('SELECT commits FROM burrow.stats'), 'commits');
is($m->of('orders', 'transactions_total', 'result="committed"'), $node->sql('SELECT transactions FROM burrow.stats'), 'transactions');
is($m->of('orders', 'transactions_total', 'result="rolled_back"'), $node->sql('SELECT transactions_rolled_back FROM burrow.stats'), 'and those that failed');
is($m->sum('handler_failures_total'), $node->sql('SELECT messages_failed FROM burrow.stats'), 'failures');
is($m->sum('workers'), $node->sql('SELECT workers FROM burrow.stats'), 'workers');
is($m->sum('handler_duration_seconds_count'), $node->sql('SELECT messages_processed FROM burrow.stats'), 'calls');

#
# The other format, and each partition.
#
my $p = metrics('prometheus', undef, q{'prometheus', per_partition => true});
delete $p->{$_} foreach grep { /^partition_/ } my @partitions = keys %$p;
# ages go on
my @steady = grep { !/seconds\{|_bucket|_seconds_/ } keys %$m;
is_deeply({ map { $_ => $p->{$_} } @steady }, { map { $_ => $m->{$_} } @steady }, 'the same samples in the other format');
is_deeply([sort keys %$p], [sort keys %$m], 'and no others');
$p = metrics('openmetrics', undef, q{per_partition => true});
my ($list) = PostgreSQL::Test::Utils::slurp_file("$ENV{BURROW_ROOT}/docs/metrics.md") =~ /^## List$(.*)/ms;
my %listed = map { $_ => 1 } $list =~ /`pgburrow_(\w+)`/g;
is_deeply([sort keys %listed], [sort $node->sql(q{SELECT burrow.metrics('prometheus', per_partition => true)}) =~ /^# TYPE pgburrow_(\w+) /mg], 'docs/metrics.md lists all metrics');
foreach my $row (split /\n/, $node->sql('SELECT partition, lag, processed, committed, end_offset FROM burrow.partitions'))
{
	my ($partition, @values) = split /\|/, $row;
	my @labels = ('topic="orders"', qq{partition="$partition"});
	is_deeply([map { $p->of('orders', $_, @labels) } qw(partition_lag_messages partition_processed_offset partition_committed_offset partition_log_end_offset)], \@values, "partition $partition");
}
is($m->of('orders', 'partition_lag_messages', 'topic="orders"', 'partition="0"'), undef, 'partitions are not shown unless they are asked for');
$node->sql('ALTER SYSTEM SET burrow.metrics_per_partition = on');
$node->reload;
$node->wait_for('the setting', q{SELECT strpos(burrow.metrics(), 'partition_lag_messages') > 0});
like($node->sql_error(q{SELECT burrow.metrics('xml')}), qr/22023: format "xml" of metrics is not known/, 'a format that there is not');

#
# Who sees what, and of which database.
#
is_deeply([sort grep { !/^(build_info|shared_memory_bytes)/ } keys %{ metrics('openmetrics', 'nobody') }], [], 'nobody sees no subscription');
is(metrics('openmetrics', $_)->of('orders', 'partitions'), 3, "$_ sees it") foreach qw(app watch);
$node->sql('CREATE DATABASE other');
$node->sql('CREATE EXTENSION burrow', 'other');
unlike($node->sql('SELECT burrow.metrics()', 'other'), qr/orders/, 'another database has its own');

#
# The last hour.
#
# 270 were handled in their last attempts, and 30 never; 60 attempts failed
$node->wait_for('the steps to be over, and one at whose end nothing was left', q{SELECT sum(messages_processed) = 270 AND (array_agg(lag ORDER BY at DESC))[1] = 0 AND (array_agg(lag_seconds ORDER BY at DESC))[1] = 0 FROM burrow.history});
is($node->sql('SELECT sum(messages_failed), sum(messages_dead_lettered), sum(messages_parked), sum(messages_skipped), round(sum(messages_per_second) * 10) FROM burrow.history'), '60|30|0|0|300', 'all that was counted is in the steps');
is($node->sql(q{SELECT count(*) FROM (SELECT extract(epoch FROM at) % 10 AS off, at - lag(at) OVER (ORDER BY at) AS since FROM burrow.history) s WHERE off <> 0 OR since <> '10 s'}), '0', 'steps of ten seconds');
is($node->sql(q{SET ROLE nobody; SELECT count(*) FROM burrow.history}), '0', 'nobody sees none');
foreach my $role (qw(app watch))
{
	is($node->sql("SET ROLE $role; SELECT sum(messages_processed) FROM burrow.history"), '270', "$role sees it");
}
is($node->sql('SELECT count(*) FROM burrow.history', 'other'), '0', 'another database has its own');
cmp_ok($node->sql(q{SELECT size FROM pg_shmem_allocations WHERE name = 'burrow history'}), '<', 1_000_000, 'its memory with 64 slots');
$node->sql(q{SELECT burrow.pause('orders')});
$node->wait_for_state('orders', 'paused');

#
# Names that need care: of a label, and of another encoding.
#
my $name = q{a "b" \\c};
$node->sql(q{CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS ''});
$node->sql(qq{SELECT burrow.subscribe('orders', 'h', subscription => '$name')});
$node->wait_for('its slot', q[SELECT strpos(burrow.metrics(), 'c",state="running"} 1') > 0]);
is(metrics('openmetrics')->of($name, 'subscription_state', 'state="running"'), 1, 'a name with quotes and backslashes');
$node->sql(q{CREATE DATABASE "latin" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
$node->sql("SET client_encoding = 'UTF8'; CREATE EXTENSION burrow; CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS ''; SELECT burrow.subscribe('orders', 'h', subscription => 'caf\xc3\xa9')", 'latin');
$node->wait_for('its slot', q[SELECT strpos(burrow.metrics(), 'state="running"} 1') > 0], database => 'latin');
my $latin = BurrowTest::Metrics->parse($node->sql(q{SET client_encoding = 'UTF8'; SELECT burrow.metrics()}, 'latin'), 'openmetrics');
is($latin->value(qq{subscription_state{database="latin",state="running",subscription="caf\xc3\xa9"}}), 1, 'a name of another encoding');

#
# How old is what is not done?  By its timestamp, once it was taken; before that, since when it is known.
#
$kafka->create_topic('late', 2);
$kafka->produce('late', map { { partition => $_, value => "$_", timestamp => (time - 3600) * 1000 } } 0, 1);
my $holder = BurrowTest::Session->open($node, 'postgres');
$holder->query('SELECT pg_advisory_lock(600)');
$node->sql(<<'END');
CREATE TABLE late (value text);
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(601); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold();
CREATE FUNCTION on_late(value text) RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_xact_lock_shared(600); INSERT INTO late VALUES (value)';
SELECT burrow.subscribe('late', 'on_late', max_inflight => 1, workers => 1, batch_size => 1);
END
$node->wait_for('the age of both messages', <<'END');
SELECT count(*) FILTER (WHERE inflight = 1 AND lag_seconds BETWEEN 3600 AND 7000) = 1 AND
    count(*) FILTER (WHERE inflight = 0 AND processed = 0 AND end_offset = 1 AND lag_seconds > 0 AND lag_seconds < 3600) = 1
FROM burrow.partitions WHERE subscription = 'late'
END
cmp_ok(metrics('openmetrics')->of('late', 'consumer_lag_seconds'), '>=', 3600, 'the greater one is the lag');
$holder->query('SELECT pg_advisory_unlock(600)');
$node->wait_for('both to be done', q{SELECT lag_seconds = 0 AND messages_processed = 2 FROM burrow.stats WHERE subscription = 'late'});

#
# A worker in a deferred trigger is not idle.
#
$holder->query('SELECT pg_advisory_lock(601)');
$kafka->produce('late', { partition => 0, value => '2' });
$node->wait_for('the commit', q{SELECT count(*) = 1 FROM burrow.workers w JOIN pg_stat_activity a USING (pid)
	WHERE w.subscription = 'late' AND w.state = 'committing' AND w.topic = 'late' AND w.partition = 0 AND w.since > now() - interval '1 hour' AND a.wait_event = 'advisory'});
is($node->sql(q{SELECT workers_active FROM burrow.stats WHERE subscription = 'late'}), '1', 'it is active');
is(metrics('openmetrics')->of('late', 'workers', 'state="committing"'), 1, 'and shown as that in the metrics');
$holder->query('SELECT pg_advisory_unlock(601)');
$node->wait_for('it to be done', q{SELECT messages_processed = 3 AND workers_active = 0 FROM burrow.stats WHERE subscription = 'late'});

#
# PostgreSQL's own statistics: what the processes do and wait for, and the handler's calls.
#
my %waits = map { $_ => $node->sql(q{SELECT current_setting('server_version_num')::int >= 170000}) eq 't' ? "Burrow\u$_" : 'Extension' } qw(consumer worker launcher);
$node->wait_for("the $_ to wait", "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'burrow $_' AND wait_event_type = 'Extension' AND wait_event = '$waits{$_}'") foreach sort keys %waits;
# where the server lists the names of waits, each of ours is there once it was used, in Burrow's own style
is($node->sql(q{SELECT string_agg(name, ' ' ORDER BY name) FROM pg_wait_events WHERE type = 'Extension' AND name IN ('BurrowConsumer', 'BurrowLauncher', 'BurrowWorker')}),
	'BurrowConsumer BurrowLauncher BurrowWorker', 'and PostgreSQL lists them') if $waits{worker} ne 'Extension';
is($node->sql(q{SELECT state, query FROM pg_stat_activity WHERE backend_type = 'burrow launcher'}), 'idle|starting what subscriptions need', 'the launcher says what it is for');
is($node->sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'burrow consumer' AND query NOT LIKE 'consuming topic "%"'}), '0', 'consumers say what they consume');
like($node->sql(q{SELECT max(query) FROM pg_stat_activity WHERE backend_type = 'burrow worker' AND application_name LIKE '%late%'}), qr/^handling message from topic "late" partition 0 offset 1$/, 'workers what they have handled last');
$node->wait_for('the calls', q{SELECT calls >= 270 AND total_time >= 2 * 270 FROM pg_stat_user_functions WHERE funcname = 'on_order'});

#
# What changes it.
#
$node->wait_for('the same in the metrics', q{SELECT strpos(burrow.metrics(), 'state{database="postgres",subscription="orders",state="paused"} 1') > 0});
is(metrics('openmetrics')->of('orders', 'messages_processed_total', 'outcome="handled"'), 270, 'counters outlive a pause');
$node->wait_for('a gap', q{SELECT bool_or(messages_processed IS NULL AND messages_per_second IS NULL AND lag IS NULL) FROM burrow.history WHERE subscription = 'orders'});
is($node->sql(q{SELECT sum(messages_processed) FROM burrow.history WHERE subscription = 'orders'}), '270', 'what was before the pause is there');
is($node->sql(q{SELECT burrow.discard_dead_letters('orders')}), '30', 'the dead letters are discarded');
$node->sql(q{SELECT burrow.resume('orders')});
$node->wait_for_state('orders', 'running');
$node->wait_for('that to be seen', q{SELECT dead_letters_pending = 0 FROM burrow.stats WHERE subscription = 'orders'});
is($node->sql(q{SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions WHERE subscription = 'orders'}), 't', 'the consumer is ended');
$node->wait_for('it is started again', q{SELECT strpos(burrow.metrics(), 'restarts_total{database="postgres",subscription="orders"} 1') > 0});
$node->wait_for_state('orders', 'running');

#
# The views begin anew, and the metrics do not.
#
is($node->sql(q{SELECT messages_processed, handler_ms_p50 IS NOT NULL FROM burrow.stats WHERE subscription = 'orders'}), '270|t', 'before');
like($node->sql_error(q{SELECT burrow.stats_reset('nonsense')}), qr/42704/, 'there is no such subscription');
$node->sql(q{CREATE TABLE reset AS SELECT subscription, stats_reset FROM burrow.stats; GRANT EXECUTE ON FUNCTION burrow.stats_reset TO app});
is($node->sql(q{SET ROLE app; BEGIN; SELECT burrow.stats_reset('orders'); ROLLBACK}), '', 'reset, in a transaction that is rolled back');
is($node->sql(q{SELECT messages_processed, messages_failed, messages_dead_lettered, transactions, handler_ms_p50 IS NULL, end_to_end_ms_p99 IS NULL FROM burrow.stats WHERE subscription = 'orders'}), '0|0|0|0|t|t', 'burrow.stats begins anew');
my $changed = q{SELECT string_agg(s.subscription, ' ' ORDER BY 1) FROM burrow.stats s JOIN reset r USING (subscription) WHERE s.stats_reset > r.stats_reset};
is($node->sql($changed), 'orders', 'and says since when, and no other does');
$node->sql('SET ROLE app; SELECT burrow.stats_reset()');
is($node->sql($changed), 'orders', 'without a name it means those of the caller');
is(metrics('openmetrics')->of('orders', 'messages_processed_total', 'outcome="handled"'), 270, 'metrics go on');
$kafka->produce_many('orders', count => 300, keys => 30);
$node->wait_for('the messages to be dealt with', q{SELECT (SELECT count(*) FROM got) = 540});
$node->wait_for('what was handled since', q{SELECT messages_processed = 270 AND handler_ms_p50 > 2 FROM burrow.stats WHERE subscription = 'orders'});
$node->wait_for('they are counted', q[SELECT strpos(burrow.metrics(), 'messages_processed_total{database="postgres",subscription="orders",outcome="handled"} 540') > 0]);

#
# A server that has begun without the exporter says what it takes to get one.
#
my $log = $node->log_position;
$node->sql(q{ALTER SYSTEM SET burrow.metrics_listen = 'localhost:9187'});
$node->reload;
ok($node->wait_for_log_line(qr/WARNING: .*burrow\.metrics_listen takes effect when the server is started again/, $log), 'an exporter takes a restart');

$node->stop;
done_testing();
