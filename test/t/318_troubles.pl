# Each kind of trouble of a subscription is shown by itself: none covers up another, each has since when, and each
# ends where its own cause does.  A consumer that has ended is one of them, and so is a lock on the table of subscriptions.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (value text);
CREATE FUNCTION h(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value LIKE 'fail%' THEN RAISE EXCEPTION 'cannot take it'; END IF;
    INSERT INTO got VALUES (value);
END $$;
SQL

sub subscribed
{
	my ($name, $options) = @_;
	$kafka->create_topic($name, 1);
	$kafka->produce($name, { value => "first of $name" });
	$node->sql(qq{SELECT burrow.subscribe('$name', 'h', commit_interval => '100 ms', kafka => '{"session.timeout.ms": 6000, "reconnect.backoff.max.ms": 500}' $options)});
	handled("first of $name");
	return;
}

sub handled { my ($value) = @_; $node->wait_for("\"$value\"", "SELECT count(*) = 1 FROM got WHERE value = '$value'"); return }

sub has_kind
{
	my ($kind) = @_;
	$node->wait_for("trouble of kind $kind", "SELECT count(*) = 1 FROM burrow._troubles() WHERE kind = '$kind' AND since <= clock_timestamp()");
	return;
}

sub stuck
{
	my ($name, $cause, $error) = @_;
	$node->wait_for("$name: $cause", "SELECT count(*) = 1 FROM burrow.why_stuck('$name') WHERE cause ~ '$cause' AND error ~ '$error' AND since <= clock_timestamp() AND next_statement IS NOT NULL");
	return;
}

sub free
{
	my ($name) = @_;
	$node->wait_for_state($name, 'running');
	$node->wait_for("nothing to hold up $name", "SELECT count(*) = 0 FROM burrow.why_stuck('$name')");
	return;
}

my $holder;
sub locks
{
	my ($table, $mode) = @_;
	$holder = $node->background_psql('postgres', on_error_stop => 0);
	$holder->query_safe("BEGIN; LOCK TABLE burrow.$table IN $mode MODE");
	my ($pid) = $holder->query_safe('SELECT pg_backend_pid()') =~ /(\d+)/;
	return $pid;
}

# ---- a consumer that ends without anybody having asked for it, and cannot read its subscription when it is started again: the
# views cannot either, while somebody has locked the table, but what they are made of can
subscribed('ends', '');
free('ends');
my $pid = $node->sql(q{SELECT consumer_pid FROM burrow.subscriptions});
locks('subscription', 'ACCESS EXCLUSIVE');
$node->sql("SELECT pg_terminate_backend($pid)");
has_kind('consumer');
has_kind('load');
is($node->sql(q{SELECT cause, error, next_statement FROM burrow._troubles() WHERE kind = 'consumer' AND since > clock_timestamp() - interval '5 min'}),
	q{the consumer ended unexpectedly, and is started again|consumer exited unexpectedly|SELECT state, consumer_pid, last_error FROM burrow.subscriptions WHERE subscription = 'ends';}, 'it has ended, and is shown beside ...');
is($node->sql(q{SELECT cause, error FROM burrow._troubles() WHERE kind = 'load'}),
	'the subscription waits for something in this database|could not read the subscription: canceling statement due to lock timeout', '... what the next one waits for');
$holder->quit;
like($node->sql(q{SELECT state, consumer_pid, last_error FROM burrow.subscriptions WHERE subscription = 'ends';}), qr/^(retrying|starting|running)\|/, 'the statement can be run');
free('ends');
$kafka->produce('ends', { value => 'then' });
handled('then');

# ---- two at the same time: dead letters cannot be written, and then Kafka goes away
subscribed('both', ", max_retries => 0, on_failure => 'dead_letter'");
$pid = locks('dead_letter', 'SHARE');
$kafka->produce('both', { value => 'fail' });
stuck('both', "process $pid has locked the table burrow.dead_letter", '^could not write dead letters: ');
is($node->sql(q{SELECT string_agg(kind, ',') FROM burrow._troubles() JOIN burrow.subscription USING (subid) WHERE name = 'both'}), 'write_dead_letters', 'one kind');
$kafka->stop;
stuck('both', 'nothing listens at the address of a Kafka server', '.');
stuck('both', "process $pid has locked the table burrow.dead_letter", '^could not write dead letters: ');
like($node->sql('SELECT burrow.metrics()'), qr/^pgburrow_kafka_connected\{[^}]*subscription="both"[^}]*\} 0$/m, 'not connected, whatever was met last');
$kafka->start;
$node->wait_for('Kafka to be there', q{SELECT count(*) = 0 FROM burrow.why_stuck('both') WHERE cause LIKE '%Kafka%'});
stuck('both', "process $pid has locked the table burrow.dead_letter", '^could not write dead letters: ');
is($node->sql(q{SELECT state FROM burrow.subscriptions WHERE subscription = 'both'}), 'retrying', 'one is over, and the other is not');
$node->wait_for('the statement that ends it', "SELECT count(*) = 1 FROM burrow.why_stuck('both') WHERE next_statement = 'SELECT pg_terminate_backend($pid);'");
$node->sql($node->sql(q{SELECT next_statement FROM burrow.why_stuck('both') WHERE cause LIKE 'process%'}));
eval { $holder->quit };
free('both');
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters}), '1', 'the letter is written');

# ---- what waits for its retry does so in the consumer that has it
subscribed('waits', ", retry_backoff => '1 h', retry_backoff_max => '1 h'");
$kafka->produce('waits', { value => 'fail, and wait' });
$node->wait_for('a message that waits', q{SELECT retries_waiting = 1 FROM burrow._subscription_slots() JOIN burrow.subscription USING (subid) WHERE name = 'waits'});
$node->sql('CREATE OR REPLACE FUNCTION h(value text) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (value) $$');
$node->sql(q{SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions WHERE subscription = 'waits'});
handled('fail, and wait');
free('waits');
$node->sql(<<'SQL');
CREATE OR REPLACE FUNCTION h(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value LIKE 'fail%' THEN RAISE EXCEPTION 'cannot take it'; END IF;
    INSERT INTO got VALUES (value);
END $$;
SQL

# ---- a halt that cannot be recorded
subscribed('halts', ', max_retries => 0');
$pid = locks('subscription', 'SHARE');
$kafka->produce('halts', { value => 'fail' });
stuck('halts', "process $pid has locked the table burrow.subscription", '^could not record that the subscription halts: canceling statement due to lock timeout$');
is($node->sql(q{SELECT state FROM burrow.subscriptions WHERE subscription = 'halts'}), 'retrying', 'it waits');
$node->wait_for('the statement that ends it', "SELECT count(*) = 1 FROM burrow.why_stuck('halts') WHERE next_statement = 'SELECT pg_terminate_backend($pid);'");
$node->sql($node->sql(q{SELECT next_statement FROM burrow.why_stuck('halts') WHERE cause LIKE 'process%'}));
eval { $holder->quit };
$node->wait_for_state('halts', 'halted');
like($node->sql(q{SELECT error FROM burrow.why_stuck('halts')}), qr/^cannot take it$/, 'and halts for what it was');

# ---- the id of a cluster cannot be kept, and positions cannot be read
$node->sql($_) foreach 'ALTER SYSTEM SET burrow.enabled = off', 'SELECT pg_reload_conf()';
$kafka->create_topic('new', 1);
$kafka->produce('new', { value => 'first of new' });
$node->sql(q{SELECT burrow.subscribe('new', 'h')});
$pid = locks('subscription', 'SHARE');
$node->sql($_) foreach 'ALTER SYSTEM SET burrow.enabled = on', 'SELECT pg_reload_conf()';
has_kind('keep_cluster');
stuck('new', "process $pid has locked the table burrow.subscription", '^could not keep the id of the Kafka cluster: ');
$holder->quit;
handled('first of new');
free('new');
$node->sql(q{SELECT burrow.pause('new')});
$node->wait_for_state('new', 'paused');
$pid = locks('progress', 'ACCESS EXCLUSIVE');
$node->sql(q{SELECT burrow.resume('new')});
has_kind('read_positions');
stuck('new', "process $pid has locked the table burrow.progress", '^could not read positions: ');
$holder->quit;
free('new');

$node->stop;
done_testing();
