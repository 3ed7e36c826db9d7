# burrow.why_stuck() names the cause, and a statement that can be run, for each reason
# why a subscription does not move.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (value text);
CREATE FUNCTION h(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CASE split_part(value, ' ', 1)
        WHEN 'lock' THEN PERFORM pg_advisory_xact_lock(42);
        WHEN 'sleep' THEN PERFORM pg_sleep(600);
        WHEN 'fail' THEN RAISE EXCEPTION 'cannot take it';
        WHEN 'full' THEN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100';
        ELSE
    END CASE;
    INSERT INTO got VALUES (value);
END $$;
SQL

# Waits for this cause, checks the rest of its row, and that its statement can be run.
sub stuck
{
	my ($name, $cause, $where, $description) = @_;
	$node->wait_for("$name to be stuck: $cause", "SELECT count(*) > 0 FROM burrow.why_stuck('$name') WHERE cause LIKE '$cause' AND $where");
	my $statement = $node->sql("SELECT DISTINCT next_statement FROM burrow.why_stuck('$name') WHERE cause LIKE '$cause'");
	$node->sql($statement);
	pass("$description; next: $statement");
	return;
}

sub topic
{
	my ($name, $options, @values) = @_;
	my $n = 0;
	$kafka->create_topic($name, 1);
	$kafka->produce($name, map { { key => 'k' . $n++, value => $_ } } @values);
	$node->sql(qq{SELECT burrow.subscribe('$name', 'h', commit_interval => '100 ms', kafka => '{"session.timeout.ms": 6000}' $options)});
	return;
}

sub end { my ($name) = @_; return $node->sql("SELECT burrow.unsubscribe('$name')") }

# nothing
topic('fine', '', 'ok');
$kafka->wait_until_committed($node->group_of('fine'), 'fine', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT count(*) FROM burrow.why_stuck('fine')}), '0', 'no rows when all is well');
like($node->sql_error(q{SELECT burrow.why_stuck('fien')}), qr/42704.*"fien" does not exist.*Perhaps you meant "fine"/s, 'a name that is misspelt is an error');
$node->sql('CREATE ROLE other');
like($node->sql_error(q{SET ROLE other; SELECT burrow.why_stuck('fine')}), qr/42704/, 'and so is one of somebody else');

# paused
$node->sql(q{SELECT burrow.pause('fine')});
stuck('fine', 'the subscription is paused', 'true', 'paused');
$node->wait_for_state('fine', 'running');
end('fine');

# the handler waits for a lock
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(42)');
my ($pid) = $holder->query_safe('SELECT pg_backend_pid()') =~ /(\d+)/;
topic('locked', '', 'ok', 'lock');
stuck('locked', 'the handler waits for a lock that process % holds', "pid = $pid AND topic = 'locked' AND partition = 0 AND \"offset\" = 1 AND since < clock_timestamp()", 'a lock');
$holder->quit;
end('locked');

# a message takes long, and the window fills behind it
topic('slow', ', "window" => 10, workers => 2', 'sleep', map { "ok $_" } 1 .. 100);
stuck('slow', 'the window is full behind a message that is not done', '"offset" = 0', 'a full window');
stuck('slow', 'the handler has been running for long', '"offset" = 0 AND pid IS NOT NULL', 'a slow message');
end('slow');

# a message that fails and waits for its retry
topic('failing', q{, retry_backoff => '1 min'}, 'ok', 'fail');
stuck('failing', '1 messages wait for their retry; the first of them for attempt 2 at %', q{"offset" = 1 AND error = 'cannot take it' AND since < clock_timestamp()}, 'a retry');
$node->sql(q{SELECT burrow.alter('failing', max_retries => 0); SELECT burrow.pause('failing'); SELECT burrow.resume('failing')});

# halted
$node->wait_for_state('failing', 'halted');
stuck('failing', 'the subscription is halted', q{"offset" = 1 AND error = 'cannot take it' AND since IS NOT NULL}, 'a halt');
end('failing');

# the server is not well
topic('full', '', 'full', 'full', 'full');
stuck('full', 'the server is not well: every message fails', q{error = 'no space left' AND since < clock_timestamp()}, 'a full disk');
end('full');

# no worker slots
$node->append_conf('postgresql.conf', 'max_worker_processes = 4');
$node->restart;
topic('short', ', workers => 4, min_workers => 4', map { 'sleep' } 1 .. 10);
stuck('short', 'no worker slot is free', 'true', 'no worker slots');
$node->restart;
$node->wait_for('as many workers as are wanted', q{SELECT count(*) = 4 FROM burrow.workers});
is($node->sql(q{SELECT count(*) FROM burrow.why_stuck('short') WHERE cause LIKE 'no worker slot%'}), '0', 'that statement, and a restart, end it');

# the broker is away
$kafka->stop;
stuck('short', 'nothing listens at the address of a Kafka server', 'error IS NOT NULL AND since < clock_timestamp()', 'no broker');

$node->stop('immediate');
done_testing();
