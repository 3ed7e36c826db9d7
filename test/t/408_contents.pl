# What messages contain is for the owner of the subscription: a member of pg_monitor sees SQLSTATEs, places and
# Burrow's own texts, and so does the server's log.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

# everything that a message may bring along
my $secret = 'geheim4711';

# app may subscribe, watch is an ordinary member of pg_monitor, and nobody is a role without rights.  What app's
# handlers do wrong is not logged: see docs/security.md.
$node->sql(<<'SQL');
CREATE ROLE app LOGIN;
CREATE ROLE watch LOGIN IN ROLE pg_monitor;
CREATE ROLE nobody LOGIN;
ALTER ROLE app SET log_min_messages = 'fatal';
GRANT CREATE ON SCHEMA public TO app;
GRANT EXECUTE ON FUNCTION burrow.subscribe TO app;
SQL

sub as
{
	my ($role, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => ['-U', $role]);
	is($status, 0, "$role may ask") or diag("$sql: $err");
	return $out;
}

sub produce
{
	my ($topic, $value) = @_;
	$kafka->produce($topic, { key => "key $secret", value => $value, headers => [["h $secret", $secret]] });
	return;
}

sub subscribe
{
	my ($name, $handler, $options) = @_;
	$kafka->create_topic($name, 1);
	as('app', "SELECT burrow.subscribe('$name', '$handler'" . ($options // '') . ')');
	return;
}

# All that a role is shown of a subscription, and of all processes.
my @sources = (
	'TABLE burrow.subscriptions', 'TABLE burrow.stats', 'TABLE burrow.history', 'TABLE burrow.pending_seeks', 'TABLE burrow.partitions', 'TABLE burrow.workers',
	'TABLE burrow.dead_letters', 'SELECT * FROM burrow._subscription_slots()', 'SELECT * FROM burrow._partition_slots()', 'SELECT * FROM burrow._troubles()',
	'SELECT * FROM burrow._worker_slots()', 'TABLE pg_stat_activity');

sub all_that_is_shown
{
	my ($role, $name) = @_;
	return join "\n", map { as($role, $_) } @sources, "SELECT * FROM burrow.why_stuck('$name')";
}

# watch sees what has gone wrong, and not with what; app sees both.
sub check
{
	my ($name, $shown, $description) = @_;
	my $watched = all_that_is_shown('watch', $name);
	unlike($watched, qr/$secret/, "$description: a member of pg_monitor is not shown what messages contain");
	like($watched, $shown, '... but what went wrong');
	like(all_that_is_shown('app', $name), qr/$secret/, '... and the owner is shown all');
	return;
}

$node->sql(<<'SQL');
SET ROLE app;
CREATE FUNCTION cast_it(value text) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM value::int; END';
CREATE FUNCTION raise_it(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'no %', value USING DETAIL = 'detail ' || value, HINT = 'hint ' || value;
END $$;
CREATE FUNCTION no_room(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE disk_full USING MESSAGE = 'no room for ' || value;
END $$;
CREATE FUNCTION slow(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM value, pg_sleep(1000);
END $$;
CREATE FUNCTION as_json(value jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
SQL

# a cast's error quotes the value
subscribe('halts', 'cast_it');
produce('halts', $secret);
$node->wait_for_state('halts', 'halted');
check('halts', qr/\|halted\|.*\|halts\|0\|0\|22P02\|the handler failed \(SQLSTATE 22P02\)/, 'halted');
is(as('app', q{SELECT error_message FROM burrow.subscriptions}), qq{invalid input syntax for type integer: "$secret"}, 'the error as it is');
is(as('watch', q{SELECT last_error, error_message, error_detail, error_hint, error_context FROM burrow.subscriptions}),
	('the handler failed (SQLSTATE 22P02)|' x 2) . '||', 'the error as others see it');
is(as('watch', q{SELECT cause, topic, partition, "offset", error FROM burrow.why_stuck('halts')}),
	'the subscription is halted|halts|0|0|the handler failed (SQLSTATE 22P02)', 'why_stuck says where');
is(as('nobody', 'SELECT count(*) FROM burrow.subscriptions'), '0', 'a role that does not own it sees nothing');

# detail and hint are the handler's, too
subscribe('hints', 'raise_it', ', max_retries => 0');
produce('hints', $secret);
$node->wait_for_state('hints', 'halted');
check('hints', qr/the handler failed \(SQLSTATE P0001\)/, 'a raised error');
is(as('app', q{SELECT error_message, error_detail, error_hint FROM burrow.subscriptions WHERE subscription = 'hints'}),
	"no $secret|detail $secret|hint $secret", 'its texts');
is(as('watch', q{SELECT error_message, error_detail, error_hint FROM burrow.subscriptions WHERE subscription = 'hints'}),
	'the handler failed (SQLSTATE P0001)||', '... and for others');

# a value that is no JSON: the error quotes it, in Burrow's own conversion
subscribe('json', 'as_json');
produce('json', "{ $secret");
$node->wait_for_state('json', 'halted');
unlike(all_that_is_shown('watch', 'json'), qr/$secret/, 'a value that cannot be converted: not shown');
is(as('watch', q{SELECT error_message FROM burrow.subscriptions WHERE subscription = 'json'}),
	q{the message cannot become the handler's arguments (SQLSTATE 22P02)}, '... but what is wrong with it');

# several in a row, each tried again meanwhile
subscribe('row', 'raise_it', q{, max_consecutive_errors => 2, max_retries => 9, retry_backoff => '1 ms'});
produce('row', $secret);
$node->wait_for_state('row', 'halted');
check('row', qr/2 failed attempts in a row, the last one: the handler failed \(SQLSTATE P0001\)/, 'in a row');

# not halted, but waiting: the last error is in shared memory
subscribe('waits', 'raise_it', q{, max_retries => 9, retry_backoff => '1 hour', retry_backoff_max => '1 hour'});
produce('waits', $secret);
$node->wait_for('a retry', q{SELECT max(retries_waiting) = 1 FROM burrow._subscription_slots() WHERE last_error ~ 'geheim4711'});
check('waits', qr/the handler failed \(SQLSTATE P0001\)/, 'waiting for its retry');

# the whole subscription waits, and says so in the log
my $position = $node->log_position;
subscribe('ill', 'no_room', ', max_retries => 0');
produce('ill', "$secret $_") foreach 1 .. 2;
$node->wait_for_log_line(qr/subscription "ill" is waiting: the handler failed \(SQLSTATE 53100\)/, $position);
check('ill', qr/the handler failed \(SQLSTATE 53100\)/, 'the server is not well');

# skipped messages are logged, dead letters are the owner's
subscribe('skips', 'cast_it', q{, on_failure => 'skip'});
produce('skips', $secret);
$node->wait_for_log_line(qr/subscription "skips" skips topic "skips" partition 0 offset 0.*\n.*DETAIL:  22P02: the handler failed \(SQLSTATE 22P02\)/);
subscribe('letters', 'cast_it', q{, on_failure => 'dead_letter'});
produce('letters', $secret);
$node->wait_for('the dead letter', 'SELECT count(*) = 1 FROM burrow.dead_letters');
check('letters', qr/the handler failed \(SQLSTATE 22P02\)/, 'a dead letter');
is(as('watch', 'SELECT count(*) FROM burrow.dead_letters'), '0', 'dead letters are for the owner alone');

# one that is being handled
subscribe('slow', 'slow');
produce('slow', $secret);
$node->wait_for('the handler to run', q{SELECT count(*) = 1 FROM burrow.workers WHERE subscription = 'slow' AND state = 'running'});
my $activity = as('watch', q{SELECT application_name, query FROM pg_stat_activity WHERE backend_type = 'burrow worker' AND application_name ~ 'slow'});
is($activity, 'burrow worker slow #1|handling message from topic "slow" partition 0 offset 0', 'pg_stat_activity names the message');
unlike(all_that_is_shown('watch', 'slow'), qr/$secret/, '... and not what is in it');

# names are for everybody, as those of all objects are; what a process does is not
is(as('nobody', q{SELECT application_name, backend_type, query FROM pg_stat_activity WHERE application_name ~ 'worker slow'}),
	'burrow worker slow #1||<insufficient privilege>', 'who has no rights sees names of processes');

# Burrow's own texts are for both
subscribe('unfit', 'cast_it', ', enabled => false');
$node->sql('ALTER FUNCTION cast_it RENAME TO cast_another; GRANT EXECUTE ON FUNCTION burrow.resume TO app');
produce('unfit', $secret);
as('app', q{SELECT burrow.resume('unfit')});
$node->wait_for_state('unfit', 'halted');
is(as('watch', q{SELECT error_message FROM burrow.subscriptions WHERE subscription = 'unfit'}),
	as('app', q{SELECT error_message FROM burrow.subscriptions WHERE subscription = 'unfit'}), 'an error about the handler itself is shown to both');

unlike($node->log_since(0), qr/$secret/, 'nothing that messages contain is in the log');
$node->stop;
done_testing();
