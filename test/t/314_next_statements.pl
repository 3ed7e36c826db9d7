# burrow.why_stuck()'s next statement goes by the cause.  Each pair of cause and statement is
# tried: running the statement ends the trouble, and nothing that may be handled is missed.
# Where the cause is not in the server (Kafka), the statement shows what is to be corrected there;
# that is done here by what the statement shows, and ends the trouble.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "max_prepared_transactions = 1\n");
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint, value text);
CREATE TABLE corrected (value text);
CREATE FUNCTION keep(topic text, "offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'late' THEN PERFORM pg_advisory_xact_lock(7); END IF;
    IF value IN ('fail', 'late', 'fail once') AND NOT EXISTS (SELECT FROM corrected c WHERE c.value = keep.value) THEN RAISE EXCEPTION 'cannot take it'; END IF;
    INSERT INTO got VALUES (topic, "offset", value);
END $$;
SQL

my $name;

# A subscription that has handled its topic's messages up to now.
sub subscribed
{
	my ($topic, $options, @messages) = @_;
	$name = $topic;
	$kafka->create_topic($topic, 1);
	$kafka->produce($topic, @messages) if @messages;
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', commit_interval => '100 ms'" . ($options // '') . ')');
	return;
}

sub values_of { my (@offsets) = @_; return map { { key => "k$_", value => "v$_" } } @offsets }
sub caught_up { return is($node->sql("SELECT burrow.wait_until_caught_up('$name')"), 't', "$name: caught up") }
sub handled { return $node->sql("SELECT string_agg(\"offset\"::text, ',' ORDER BY \"offset\") FROM got WHERE topic = '$name'") }

sub paused
{
	$node->sql("SELECT burrow.pause('$name')");
	$node->wait_for_state($name, 'paused');
	return;
}

# Waits for the cause and returns its next statement, which is as expected.
sub statement_of
{
	my ($cause, $expected, $where) = @_;
	my $row = "FROM burrow.why_stuck('$name') WHERE cause LIKE '$cause' AND " . ($where // 'true');
	$node->wait_for("$name: $cause", "SELECT count(*) > 0 $row");
	my $statement = $node->sql("SELECT DISTINCT next_statement $row");
	is($statement, $expected, "$name: $cause");
	return $statement;
}

# The same for what ends by it.
sub ends_by
{
	my ($cause, $expected, $where) = @_;
	$node->sql(statement_of($cause, $expected, $where));
	$node->wait_for_state($name, 'running');
	caught_up();
	is($node->sql("SELECT count(*) FROM burrow.why_stuck('$name')"), '0', "$name: nothing holds it up any more");
	return;
}

# ---- paused
subscribed('paused', '', values_of(0 .. 2));
caught_up();
paused();
ends_by('the subscription is paused', "SELECT burrow.resume('$name');");

# ---- disabled, and burrow.enabled is off
$node->sql("SELECT burrow.alter('$name', enabled => false)");
$node->wait_for_state($name, 'disabled');
ends_by('the subscription is disabled', "SELECT burrow.resume('$name');");

# ---- burrow.enabled is off
$node->sql($_) foreach 'ALTER SYSTEM SET burrow.enabled = off', 'SELECT pg_reload_conf()';
ends_by('the subscription is disabled: burrow.enabled is off', 'ALTER SYSTEM SET burrow.enabled = on; SELECT pg_reload_conf();');

# ---- somebody holds a lock: of a table of Burrow's, and of the handler's
my $holder = $node->background_psql('postgres', on_error_stop => 0);
sub holds
{
	my ($statement) = @_;
	my ($pid) = $holder->query('SELECT pg_backend_pid()') =~ /(\d+)/;
	$holder->query_safe("BEGIN; $statement");
	return $pid;
}

# It says first who it is, and after 5 s what ends it.
sub ends_by_terminating
{
	my ($cause, $pid) = @_;
	$node->wait_for("$name: what ends it", "SELECT count(*) = 1 FROM burrow.why_stuck('$name') WHERE cause = '$cause' AND pid = $pid AND next_statement = 'SELECT pg_terminate_backend($pid);'");
	$node->sql($node->sql("SELECT next_statement FROM burrow.why_stuck('$name') WHERE cause = '$cause'"));
	$node->wait_for_state($name, 'running');
	caught_up();
	$node->wait_for("$name: nothing to hold it up", "SELECT count(*) = 0 FROM burrow.why_stuck('$name')");
	pass("$name: $cause");
	eval { $holder->quit };
	$holder = $node->background_psql('postgres', on_error_stop => 0);
	return;
}

my $pid = holds('LOCK TABLE got');
$kafka->produce($name, values_of(3));
ends_by_terminating("the handler waits for a lock that process $pid holds", $pid);
$pid = holds('LOCK TABLE burrow.progress IN SHARE MODE');
subscribed('locked', '', values_of(0 .. 2));
ends_by_terminating("process $pid has locked the table burrow.progress", $pid);

# ---- the handlers have returned, and what they did cannot be written
$pid = holds('LOCK TABLE burrow.progress IN SHARE MODE');
$kafka->produce($name, values_of(3, 4));
ends_by_terminating("a worker''s transaction waits for a lock that process $pid holds", $pid);

# ---- a prepared transaction has locked the table
paused();
$node->sql(q{BEGIN; LOCK TABLE burrow.progress IN SHARE MODE; PREPARE TRANSACTION 'forgotten'});
$node->sql("SELECT burrow.resume('$name')");
$node->sql(statement_of('a prepared transaction has locked the table burrow.progress', 'SELECT gid, prepared, owner FROM pg_prepared_xacts ORDER BY prepared;'));
$node->sql(q{ROLLBACK PREPARED 'forgotten'});
$node->wait_for_state($name, 'running');
caught_up();

# ---- a handler that has been running for long
$node->sql(<<'SQL');
CREATE SEQUENCE calls;
CREATE FUNCTION sleeps_once(topic text, "offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('calls') = 1 THEN PERFORM pg_sleep(600); END IF;
    PERFORM keep(topic, "offset", value);
END $$;
SQL
$name = 'slow';
$kafka->create_topic('slow', 1);
$kafka->produce('slow', values_of(0));
$node->sql(q{SELECT burrow.subscribe('slow', 'sleeps_once', commit_interval => '100 ms')});
$node->wait_for('slow: a worker', q{SELECT count(*) = 1 FROM burrow.workers WHERE subscription = 'slow' AND state = 'running'});
($pid) = $node->sql(q{SELECT pid FROM burrow.workers WHERE subscription = 'slow' AND state = 'running'});
ends_by('the handler has been running for long', "SELECT pg_cancel_backend($pid);");
is(handled(), '0', 'slow: its message');

# ---- a deferred trigger that takes long
$node->sql(<<'SQL');
CREATE TABLE late (value text);
CREATE SEQUENCE late_calls;
CREATE FUNCTION sleeps_late_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('late_calls') = 1 THEN PERFORM pg_sleep(600); END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sleeps_late_once();
CREATE FUNCTION is_late(topic text, "offset" bigint, value text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO late VALUES (value);
	SELECT keep(topic, "offset", value);
$$;
SQL
$name = 'late';
$kafka->create_topic('late', 1);
$kafka->produce('late', values_of(0));
$node->sql(q{SELECT burrow.subscribe('late', 'is_late', commit_interval => '100 ms')});
$node->wait_for('late: its commit', q{SELECT count(*) = 1 FROM burrow.workers WHERE subscription = 'late' AND state = 'committing'});
($pid) = $node->sql(q{SELECT pid FROM burrow.workers WHERE subscription = 'late' AND state = 'committing'});
ends_by(q{a worker''s transaction has been at its end for long: deferred triggers}, "SELECT pg_cancel_backend($pid);", q{partition = 0 AND "offset" IS NULL});
is(handled(), '0', 'late: its message');

# ---- messages behind a dead letter of their key, whose cause is gone
subscribed('parked', ", max_retries => 0, on_failure => 'dead_letter', park_key => true", { key => 'k', value => 'fail once' }, { key => 'k', value => 'v' });
$node->wait_for('parked: both to be kept', q{SELECT count(*) = 2 FROM burrow.dead_letters WHERE subscription = 'parked'});
$node->sql(q{INSERT INTO corrected VALUES ('fail once')});
ends_by('1 messages are parked behind a dead letter of their key', "SELECT burrow.retry_dead_letters('parked');");
$node->wait_for('parked: none left', q{SELECT count(*) = 0 FROM burrow.dead_letters WHERE subscription = 'parked'});
is(handled(), '0,1', 'parked: both, in order');

# ---- a message that fails for good: the others are not held up by it, and it is kept
subscribed('failing', ', max_retries => 0', { value => 'v0' }, { value => 'fail' }, { value => 'v2' });
ends_by('the subscription is halted', "SELECT burrow.alter('failing', on_failure => 'dead_letter'), burrow.resume('failing');", 'error = \'cannot take it\' AND "offset" = 1');
is(handled(), '0,2', 'failing: the others');
is($node->sql(q{SELECT "offset" FROM burrow.dead_letters WHERE subscription = 'failing'}), '1', 'failing: it is kept');

# ---- a handler that is not there: no message is at fault
$node->sql('CREATE FUNCTION goes(value text) RETURNS void LANGUAGE sql AS $$ SELECT NULL $$');
subscribed('gone', '', values_of(0));
caught_up();
$node->sql(q{SELECT burrow.alter('gone', handler => 'goes')});
$node->sql('DROP FUNCTION goes');
$kafka->produce('gone', values_of(1));
my $statement = statement_of('the subscription is halted', "SELECT burrow.resume('gone');", 'error LIKE \'%goes%\'');
$node->sql('CREATE FUNCTION goes(value text) RETURNS void LANGUAGE sql AS $$ SELECT NULL $$');
$node->sql($statement);
$node->wait_for_state('gone', 'running');
caught_up();

# ---- a gap: the right number is the first that the topic has and that is not done
subscribed('gap', '', values_of(0 .. 9));
caught_up();
paused();
$kafka->produce('gap', values_of(10 .. 19));
$kafka->delete_records('gap', { 0 => 14 });
$node->sql(q{SELECT burrow.resume('gap')});
ends_by('the subscription is halted', "SELECT burrow.seek('gap', 'gap', 0, 14);", '"offset" = 10');
is(handled(), '0,1,2,3,4,5,6,7,8,9,14,15,16,17,18,19', 'gap: all that is left');

# what is done beyond the gap is not handled again: the first that is not done is the number
$holder->query_safe('SELECT pg_advisory_lock(7)');
subscribed('holes', ', max_retries => 0', { key => 'a', value => 'late' }, values_of(1 .. 9));
$node->wait_for('holes: the others to be done', q{SELECT count(*) = 9 FROM got WHERE topic = 'holes'});
$holder->quit;
$node->wait_for_state('holes', 'halted');
$kafka->produce('holes', values_of(10 .. 11));
$kafka->delete_records('holes', { 0 => 5 });
$node->sql(q{SELECT burrow.resume('holes')});
ends_by('the subscription is halted', "SELECT burrow.seek('holes', 'holes', 0, 10);", '"offset" = 0 AND error LIKE \'%is not in the topic\'');
is(handled(), '1,2,3,4,5,6,7,8,9,10,11', 'holes: none twice');

# ---- a topic made anew, shorter and longer, and one that is not there any more
for my $n (3, 30)
{
	subscribed("anew$n", '', values_of(0 .. 9));
	caught_up();
	paused();
	$kafka->delete_topic($name);
	wait_until("topic $name to be made anew", sub { return eval { $kafka->create_topic($name, 1); 1 } });
	$kafka->produce($name, map { { value => "new $_" } } 1 .. $n);
	$node->sql("SELECT burrow.resume('$name')");
	ends_by('the subscription is halted', "SELECT burrow.seek('$name', '$name', 0, 0);");
	is($node->sql("SELECT count(*) FROM got WHERE topic = '$name' AND value LIKE 'new %'"), $n, "$name: all of the new one");
}
subscribed('deleted', '', values_of(0 .. 4));
caught_up();
$kafka->delete_topic('deleted');
$statement = statement_of('the subscription is halted', "SELECT burrow.seek('deleted', '-infinity');", 'error LIKE \'%does not exist any more\'');
wait_until('topic deleted to be made anew', sub { return eval { $kafka->create_topic('deleted', 1); 1 } });
$kafka->produce('deleted', values_of(0 .. 1));
$node->sql($statement);
$node->wait_for_state('deleted', 'running');
caught_up();
is($node->sql(q{SELECT count(*) FROM got WHERE topic = 'deleted'}), 7, 'deleted: all of the new one');

# ---- the group was reset behind the database's position
subscribed('behind', '', values_of(0 .. 9));
caught_up();
paused();
my $group = $node->group_of('behind');
wait_until('the group to be empty', sub { !$kafka->group_members($group) });
$kafka->commit($group, 'behind', { 0 => 3 });
$node->sql(q{SELECT burrow.resume('behind')});
$kafka->produce('behind', values_of(10));
ends_by('the subscription is halted', "SELECT burrow.seek('behind', 'behind', 0, 10);", 'error LIKE \'committed offset 3%\'');
is(handled(), '0,1,2,3,4,5,6,7,8,9,10', 'behind: none twice');

# ---- a seek that cannot be done: it goes on where it was
subscribed('sought', '', values_of(0 .. 4));
caught_up();
$node->sql(q{SELECT burrow.seek('sought', 'sought', 0, 99)});
ends_by('the subscription is halted', "SELECT burrow.resume('sought');", 'error LIKE \'cannot seek%\'');

# ---- a topic that is not there yet is said to be that, and waited for
$name = 'later';
$node->sql(q{SELECT burrow.subscribe('later', 'keep', kafka => '{"topic.metadata.refresh.interval.ms": 500}')});
$statement = statement_of('Kafka has no such topic', "SELECT topic, last_error FROM burrow.subscriptions WHERE subscription = 'later';", 'error LIKE \'%later%\'');
my ($topic) = split /\|/, $node->sql($statement);
$kafka->create_topic($topic, 1);
$kafka->produce($topic, values_of(0));
$node->wait_for('later: the message', q{SELECT count(*) = 1 FROM got WHERE topic = 'later'}, timeout => 90);
$node->wait_for('later: nothing to hold it up', q{SELECT count(*) = 0 FROM burrow.why_stuck('later')});

$node->stop;
done_testing();
