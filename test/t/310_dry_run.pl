# burrow.dry_run() shows what the handler would do with the next messages, and nothing moves.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (value text PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION h(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value LIKE 'fail%' THEN
        RAISE EXCEPTION 'cannot take it' USING ERRCODE = 'P7777', DETAIL = 'some detail', HINT = 'some hint';
    ELSIF value LIKE 'reject%' THEN
        PERFORM burrow.reject('no good');
    ELSIF value LIKE 'sleep%' THEN
        PERFORM pg_sleep(600);
    END IF;
    RAISE NOTICE 'got %', value;
    INSERT INTO got VALUES (coalesce(value, 'tombstone'));
END $$;
CREATE FUNCTION as_array(messages burrow.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(messages) <> 1 THEN RAISE EXCEPTION '% messages', cardinality(messages); END IF;
    INSERT INTO got SELECT convert_from(value, 'UTF8') FROM unnest(messages);
END $$;
CREATE FUNCTION as_jsonb(value jsonb, attempt int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN ASSERT attempt = 1; INSERT INTO got VALUES (value->>'a'); END $$;
CREATE FUNCTION as_message(message burrow.message) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (message."offset" || ' ' || (message.headers[1]).name) $$;
CREATE FUNCTION nothing(value text) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION nested(value text) RETURNS void LANGUAGE sql AS $$ SELECT burrow.dry_run('forms') $$;
CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
CREATE FUNCTION committing(value text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO got VALUES ('committed'); CALL commits(); END $$;
SQL

# What a dry run says, without the notices of the handlers.
sub dry_run
{
	my ($columns, $arguments, $where) = @_;
	return $node->sql("SET client_min_messages = warning; SELECT $columns FROM burrow.dry_run($arguments) WHERE " . ($where // 'true')) =~ tr/\n/;/r;
}
sub outcomes
{
	my ($name, $n) = @_;
	return dry_run('partition, "offset", outcome', "'$name', $n");
}

# Everything that could have moved.
sub standing
{
	my ($name) = @_;
	my $group = $node->group_of($name);
	my $rows = $node->sql(q{
		SELECT (SELECT array_agg(value ORDER BY value) FROM got), (SELECT count(*) FROM burrow.dead_letters),
		       (SELECT array_agg(p ORDER BY p::text) FROM burrow.progress p),
		       (SELECT array_agg((messages_processed, messages_failed, messages_retried, offsets_committed)::text) FROM burrow.stats),
		       (SELECT array_agg((subscription, state)::text) FROM burrow.subscriptions),
		       (SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE backend_type = 'burrow consumer')});
	my $committed = $kafka->committed($group, $name);
	my @members = map { "member $_->{member_id}" } $kafka->group_members($group);
	# a member may still tell what was done last beyond its offset
	my $metadata = @members ? {} : $kafka->committed_metadata($group, $name);
	return join ' ', $rows, @members, map { "$_: $committed->{$_} " . ($metadata->{$_} // '') } sort keys %$committed;
}

# Runs it, and compares.
sub moves_nothing
{
	my ($name, $expected, $description) = @_;
	my $before = standing($name);
	is(outcomes($name, 10), $expected, $description);
	is(standing($name), $before, '... and nothing has moved');
	return;
}

# No other subscription runs meanwhile.
sub stopped
{
	my ($name, $state) = @_;
	$node->wait_for_state($name, $state);
	$node->wait_for('the processes to be gone', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type IN ('burrow consumer', 'burrow worker')});
	return;
}

sub processes { return $node->sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'burrow dry run'}) }

# ---------------------------------------------------------------- a subscription that has not run yet
$kafka->create_topic('orders', 3);
$kafka->produce('orders', { partition => 0, value => 'a' }, { partition => 0, value => 'fail' }, { partition => 0, value => 'b' },
	{ partition => 1, value => 'reject' }, { partition => 1, value => undef }, { partition => 2, value => 'c' });
$node->sql(q{SELECT burrow.subscribe('orders', 'h', enabled => false, commit_interval => '100 ms', retry_backoff => '1 h', retry_backoff_max => '1 h')});
moves_nothing('orders', '0|0|ok;1|0|failed;2|0|ok;0|1|failed;1|1|ok;0|2|ok', 'a disabled subscription: partitions in turn to their ends, and an error hides nothing');
is(outcomes('orders', 4), '0|0|ok;1|0|failed;2|0|ok;0|1|failed', 'no more than are wanted');
is(dry_run(q{topic, sqlstate, message, detail, hint, split_part(context, E'\n', 2), handler_ms > 0}, q{'orders'}, q{partition = 0 AND outcome = 'failed'}),
	'orders|P7777|cannot take it|some detail|some hint|handling message from topic "orders" partition 0 offset 1 for subscription "orders"|t', 'the error is told');
is(dry_run('sqlstate, message', q{'orders'}, q{partition = 1 AND outcome = 'failed'}), 'BR001|message was rejected: no good', 'so is burrow.reject()');
is(dry_run('count(*)', q{'orders'}, q{outcome = 'ok' AND num_nonnulls(sqlstate, message, detail, hint, context) = 0 AND handler_ms > 0}), '4', 'and none where all is well');
my (undef, undef, $heard) = $node->psql('postgres', q{SELECT outcome FROM burrow.dry_run('orders', 1)});
like($heard, qr/NOTICE:  got a/, 'what the handler says is heard');

# ---------------------------------------------------------------- one that runs, with a message that waits for its retry
$node->sql(q{SELECT burrow.alter('orders', on_failure => 'skip'); SELECT burrow.resume('orders')});
$node->wait_for('the others to be done', q{SELECT array_agg(value ORDER BY value) = '{a,b,c,tombstone}' FROM got});
$node->wait_for('all to be committed', q{SELECT offsets_committed = 4 FROM burrow.stats});
$node->wait_for('the rows of what is', q{SELECT array_agg(low ORDER BY partition) = '{2,1}' FROM burrow.progress WHERE lane = -1 AND partition > 0});
moves_nothing('orders', '0|1|failed', 'a running subscription: what is done beyond the first is left out');
is($node->sql(q{SELECT state FROM burrow.subscriptions}), 'running', 'it runs on');

$node->sql(q{SELECT burrow.pause('orders')});
stopped('orders', 'paused');
$kafka->produce('orders', { partition => 1, value => 'a' }, { partition => 2, value => 'd' });
moves_nothing('orders', '0|1|failed;1|2|failed;2|1|ok', 'a paused subscription, and what has come since');
is(dry_run('sqlstate', q{'orders'}, q{partition = 1}), '23505', 'a deferred constraint is checked as at a commit');

$node->sql(q{SELECT burrow.alter('orders', on_failure => 'halt', max_retries => 0); SELECT burrow.resume('orders')});
stopped('orders', 'halted');
my $before = standing('orders');
like(outcomes('orders', 10), qr/^0\|1\|failed/, 'a halted subscription: the message that halts it comes first');
is(standing('orders'), $before, '... and nothing has moved');

# ---------------------------------------------------------------- at least once
$kafka->create_topic('least', 1);
$kafka->produce('least', map { { value => $_ } } 'fail', 'l1', 'l2');
$node->sql(q{SELECT burrow.subscribe('least', 'h', delivery => 'at_least_once', commit_interval => '100 ms', retry_backoff => '1 h', retry_backoff_max => '1 h')});
$node->wait_for('the others to be done', q{SELECT count(*) = 2 FROM got WHERE value LIKE 'l%'});
$node->sql(q{SELECT burrow.pause('least')});
stopped('least', 'paused');
moves_nothing('least', '0|0|failed', 'at_least_once: the commit tells what is done beyond the first');

# ---------------------------------------------------------------- positions
$node->sql(q{SELECT burrow.unsubscribe('least'); TRUNCATE got});
$node->sql(q{SELECT burrow.alter('orders', enabled => false); SELECT burrow.seek('orders', 'orders', 0, 2)});
is(outcomes('orders', 1), '0|2|ok', 'what burrow.seek() asks for counts');
$node->sql(q{SELECT burrow.seek('orders', '-infinity')});
is(outcomes('orders', 1), '0|0|ok', 'by time, too');
$node->sql(q{SELECT burrow.seek('orders', 'infinity')});
is(outcomes('orders', 1), '', 'at the end there are no rows');
is(dry_run('count(*)', q{'orders'}), '0', '... whatever is wanted');
$node->sql(q{SELECT burrow.unsubscribe('orders')});

$node->sql(q{SELECT burrow.subscribe('orders', 'nothing', consumer_group => 'burrow.fresh', start_from => '{"0": 1, "1": 2}', enabled => false)});
is(outcomes('orders', 10), '0|1|ok;1|2|ok;2|0|ok;0|2|ok;2|1|ok', 'start_from');
$node->sql(q{SELECT burrow.unsubscribe('orders'); SELECT burrow.subscribe('^or.*s$', 'nothing', consumer_group => 'burrow.fresh', subscription => 'pattern', enabled => false)});
is(dry_run('topic, partition', q{'pattern', 3}), 'orders|0;orders|1;orders|2', 'a pattern');

# ---------------------------------------------------------------- messages of all kinds
$kafka->create_topic('forms', 1);
$kafka->produce('forms', { value => '{"a": 1}', headers => [['h', 'x']] }, { value => 'no json', headers => [['h', 'x']] });
for (
	['as_array', 'ok|;ok|'],
	['as_jsonb', 'ok|;failed|22P02'],
	['as_message', 'ok|;ok|'],
	['committing', 'failed|2D000;failed|2D000'],
	['nested', 'failed|55000;failed|55000'])
{
	my ($handler, $expected) = @$_;
	$node->sql(qq{SELECT burrow.subscribe('forms', '$handler', enabled => false)});
	is(dry_run('outcome, sqlstate', q{'forms'}), $expected, "handler $handler");
	is(dry_run('message', q{'forms', 1}), 'cannot try a subscription inside a handler', '... is told why') if $handler eq 'nested';
	$node->sql(q{SELECT burrow.unsubscribe('forms')});
}
is($node->sql('SELECT count(*) FROM got'), '0', 'nothing was written');
$node->sql(q{SELECT burrow.subscribe('forms', 'as_array', enabled => false); ALTER FUNCTION as_array RENAME TO gone});
is(dry_run('outcome, sqlstate', q{'forms', 1}), 'failed|42883', 'a handler that is gone');

$kafka->create_topic('many', 4);
$kafka->produce_many('many', count => 1500, size => 2000);
$kafka->produce_transactions('many', { transaction => 'begin' }, { partition => 0, value => 'x' x 300_000 }, { transaction => 'commit' });
$kafka->produce_transactions('many', { transaction => 'begin' }, { partition => 1, value => 'never' }, { transaction => 'abort' });
$node->sql(q{SELECT burrow.subscribe('many', 'nothing', enabled => false)});
is(dry_run(q{count(*), count(DISTINCT (partition, "offset")), count(*) FILTER (WHERE outcome = 'ok')}, q{'many', 1000}), '1000|1000|1000', 'a thousand');
# no more partitions are read at a time than messages are wanted, which is not seen in what comes
$kafka->create_topic('wide', 12);
$kafka->produce_transactions('wide', { transaction => 'begin' }, (map { { partition => $_, value => 'never' } } 0 .. 4), { transaction => 'abort' });
$kafka->produce('wide', (map { { partition => $_, value => 'x' } } 5 .. 11), (map { { partition => 6, value => 'x' } } 1, 2));
$node->sql(q{SELECT burrow.subscribe('wide', 'nothing', enabled => false)});
my %wide = (2 => '5|0;6|0', 3 => '5|0;6|0;7|0', 9 => '5|0;6|0;7|0;8|0;9|0;10|0;11|0;6|1;6|2', 20 => '5|0;6|0;7|0;8|0;9|0;10|0;11|0;6|1;6|2');
is(dry_run('partition, "offset"', "'wide', $_"), $wide{$_}, "$_ of more partitions, some of which have nothing to give") foreach sort { $a <=> $b } keys %wide;
$node->sql(q{SELECT burrow.seek('many', 'many', p, o) FROM (VALUES } . join(',', map { "($_, " . ($kafka->end_offsets('many')->{$_} - 2) . ')' } 0, 1) . q{) AS v (p, o)});
$node->sql(q{SELECT burrow.alter('many', max_inflight_bytes => 65536)});
cmp_ok(dry_run('count(*)', q{'many', 1000}), '<', 40, 'max_inflight_bytes bounds what is read');
my $ends = $kafka->end_offsets('many');
my %next = (0 => $ends->{0} - 2, 1 => $ends->{1} - 2, 2 => $ends->{2}, 3 => $ends->{3});
$node->sql("SELECT burrow.seek('many', 'many', $_, $next{$_})") for sort keys %next;
is(outcomes('many', 10), "0|$next{0}|ok", 'a large message, an aborted one, and ends that are no messages');

# ---------------------------------------------------------------- the caller goes, or holds it up
$kafka->create_topic('slow', 1);
$kafka->produce('slow', { value => 'sleep' });
$node->sql(q{SELECT burrow.subscribe('slow', 'h', enabled => false, handler_timeout => '100 ms')});
is(dry_run(q{outcome, sqlstate, context LIKE '%handler_timeout of 100 ms%', handler_ms BETWEEN 99 AND 60000}, q{'slow'}), 'failed|57014|t|t', 'handler_timeout');
$node->sql(q{SELECT burrow.alter('slow', handler_timeout => '1 d')});
for my $end (
	['pg_cancel_backend', 'pg_backend_pid()', qr/canceling statement due to user request/],
	['pg_terminate_backend', 'pg_backend_pid()', qr/terminating connection/],
	['pg_terminate_backend', 'dry', qr/terminating background worker/])
{
	my ($function, $whom, $expected) = @$end;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my ($pid) = $session->query_safe('SELECT pg_backend_pid()') =~ /(\d+)/;
	$session->query_until(qr/begun/, qq{\\echo begun\nSELECT * FROM burrow.dry_run('slow');\n\\echo over\n});
	$node->wait_for('the handler to sleep', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'burrow dry run' AND wait_event = 'PgSleep'});
	$pid = $node->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'burrow dry run'}) if $whom eq 'dry';
	$node->sql("SELECT $function($pid)");
	$node->wait_for("no process to be left after $function", q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'burrow dry run'});
	$node->wait_for('the error', sub { eval { $session->{run}->pump_nb }; $session->{stderr} =~ $expected });
	pass("$function of " . ($whom eq 'dry' ? 'the process' : 'the caller') . ' ends both');
	eval { $session->quit };
}
$node->sql(q{SELECT burrow.unsubscribe('forms'); SELECT burrow.subscribe('forms', 'as_message', enabled => false)});
like($node->sql_error(q{BEGIN; LOCK TABLE got; SELECT burrow.dry_run('forms', 1)}), qr/40P01: the handler of subscription "forms" waits for a lock that this transaction holds.*HINT:  Use burrow\.dry_run/s, 'a handler that waits for the caller');
$node->wait_for('no process to be left', sub { processes() == 0 });

my @sessions = map { $node->background_psql('postgres') } 1 .. 3;
$_->query_until(qr/begun/, qq{\\echo begun\nSELECT count(*) || ' outcomes' FROM burrow.dry_run('forms') WHERE outcome = 'ok';\n\\echo done\n}) for @sessions;
is(scalar(grep { $_->query_until(qr/done/, '') =~ /2 outcomes/ } @sessions), 3, 'several at once');
$_->quit for @sessions;

$node->sql(<<'SQL');
CREATE ROLE owner LOGIN;
CREATE ROLE member LOGIN IN ROLE owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO owner, member;
CREATE FUNCTION who(value text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE '% % %', current_user, session_user, value::jsonb; END $$;
SET ROLE owner;
SELECT burrow.subscribe('forms', 'who', subscription => 'owned', enabled => false);
SQL
is($node->sql(q{SET ROLE member; SELECT message FROM burrow.dry_run('owned', 1)}), 'owner owner {"a": 1}', 'the handler runs as the owner, whoever calls');

# ---------------------------------------------------------------- what is refused
like($node->sql_error(q{SELECT burrow.dry_run('forms', 0)}), qr/22023: invalid value for option "n": "0".*DETAIL:  Valid values are integers from 1 to 1000\./s, 'too few');
like($node->sql_error(q{SELECT burrow.dry_run('forms', 1001)}), qr/22023: invalid value for option "n": "1001"/, 'too many');
like($node->sql_error(q{SELECT burrow.dry_run('forms', NULL)}), qr/22004: option "n" must not be NULL/, 'NULL');
like($node->sql_error(q{SELECT burrow.dry_run(NULL)}), qr/22004: option "subscription" must not be NULL/, 'of none');
like($node->sql_error(q{SELECT burrow.dry_run('form')}), qr/42704: subscription "form" does not exist/, 'of one that is not there');
like($node->sql_error(q{BEGIN; SELECT burrow.alter('forms', workers => 2); SELECT burrow.dry_run('forms')}), qr/55000: cannot try subscription "forms" in the transaction that changed it.*DETAIL:  The change takes effect when/s, 'changed in the same transaction');
$node->sql(q{SELECT burrow.subscribe('missing', 'nothing', enabled => false)});
like($node->sql_error(q{SELECT burrow.dry_run('missing')}), qr/42704: topic "missing" does not exist.*DETAIL:  Kafka has none, or does not show it/s, 'no such topic');
$node->sql(q{SELECT burrow.subscribe('^nothing.*', 'nothing', subscription => 'none', enabled => false)});
like($node->sql_error(q{SELECT burrow.dry_run('none')}), qr/42704: no topic matches "\^nothing/, 'no topic matches');

# ---------------------------------------------------------------- where a consumer would halt
$node->sql(q{SELECT burrow.subscribe('orders', 'nothing', consumer_group => 'burrow.again', commit_interval => '100 ms')});
$kafka->wait_until_committed('burrow.again', 'orders', diagnose => sub { $node->diagnostics });
is(outcomes('orders', 10), '', 'all is handled');
$node->sql(q{SELECT burrow.pause('orders')});
stopped('orders', 'paused');
$kafka->commit('burrow.again', 'orders', { 0 => 1 });
like($node->sql_error(q{SELECT burrow.dry_run('orders')}), qr/55000: committed offset 1 of topic "orders" partition 0 is behind the database's position 3/, 'Kafka and the database contradict each other');
$node->sql(q{SELECT burrow.seek('orders', 'orders', 0, 1)});
$kafka->delete_records('orders', { 0 => 2 });
like($node->sql_error(q{SELECT burrow.dry_run('orders')}), qr/22003: offset 1 of topic "orders" partition 0 is not in the topic.*DETAIL:  The topic holds offsets 2 to 2.*HINT:  Use burrow\.seek/s, 'a gap');
$node->sql(q{SELECT burrow.alter('orders', on_gap => 'skip')});
is(outcomes('orders', 10), '0|2|ok', 'a gap that is skipped');
$node->sql(q{SELECT burrow.seek('orders', 'orders', 0, 4)});
like($node->sql_error(q{SELECT burrow.dry_run('orders')}), qr/22003: offset 4 of topic "orders" partition 0 is not in the topic/, 'beyond the end');
$node->sql(q{UPDATE burrow.subscription SET cluster_id = 'another' WHERE name = 'orders'});
like($node->sql_error(q{SELECT burrow.dry_run('orders')}), qr/55000: Kafka cluster ".*" is not cluster "another" that subscription "orders" has consumed/, 'another cluster');

# ---------------------------------------------------------------- no process, no broker
$node->append_conf('postgresql.conf', "max_worker_processes = 1\nmax_logical_replication_workers = 0");
$node->restart;
like($node->sql_error(q{SELECT burrow.dry_run('forms')}), qr/53400: could not start a process for burrow\.dry_run\(\).*HINT:  Consider increasing the configuration parameter "max_worker_processes"/s, 'no free background worker slot');
$node->append_conf('postgresql.conf', 'max_worker_processes = 10');
$node->restart;
is(outcomes('forms', 1), '0|0|ok', 'a free one');
$kafka->stop;
my $began = time;
like($node->sql_error(q{SELECT burrow.dry_run('forms')}), qr/08006: could not list partitions for subscription "forms": .*DETAIL:.*refused/s, 'the broker is away');
cmp_ok(time - $began, '<', 30, 'that is told soon');
is(processes(), '0', 'no process is left');
$node->append_conf('postgresql.conf', "burrow.bootstrap_servers = ''");
$node->reload;
$node->wait_for('the setting', q{SELECT current_setting('burrow.bootstrap_servers') = ''});
like($node->sql_error(q{SELECT burrow.dry_run('forms')}), qr/burrow\.bootstrap_servers/, 'no broker is known');

done_testing();
