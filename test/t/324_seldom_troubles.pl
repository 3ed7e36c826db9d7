# Kinds of trouble that come seldom.  Each is brought about, and shown by its words with a statement that can be run; and it
# is over when its cause is.  docs/operations.md names the tests of the others.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, gate => 1);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION h(topic text, "offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'fail' THEN RAISE EXCEPTION 'cannot take it'; END IF;
    INSERT INTO got VALUES (topic, "offset");
END $$;
CREATE ROLE handlers;
CREATE ROLE app LOGIN IN ROLE handlers;
GRANT INSERT ON got TO app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO app;
REVOKE EXECUTE ON FUNCTION h FROM PUBLIC;
GRANT EXECUTE ON FUNCTION h TO handlers;
SQL

sub subscribe
{
	my ($topic, $options) = @_;
	$kafka->create_topic($topic, 1);
	$kafka->produce($topic, map { { value => 'v' } } 1 .. 3);
	$node->sql("SELECT burrow.subscribe('$topic', 'h', commit_interval => '100 ms', kafka => '{\"session.timeout.ms\": 6000, \"reconnect.backoff.max.ms\": 500}'" . ($options // '') . ')');
	return;
}

sub handled { my ($topic, $n) = @_; $node->wait_for("$n of $topic", "SELECT count(*) = $n FROM got WHERE topic = '$topic'"); return }

sub free
{
	my ($topic) = @_;
	$node->wait_for_state($topic, 'running');
	$node->wait_for("nothing to hold up $topic", "SELECT count(*) = 0 FROM burrow.why_stuck('$topic')");
	return;
}

# One of this kind, as it is shown; its statement is run.
sub stuck
{
	my ($topic, $kind, $cause, $error) = @_;
	my $row = "FROM burrow.why_stuck('$topic') WHERE cause = '$cause' AND error ~ '$error' AND since <= clock_timestamp()";
	$node->wait_for("$topic: $cause", "SELECT count(*) = 1 $row AND EXISTS (SELECT FROM burrow._troubles() WHERE kind = '$kind')");
	my $statement = $node->sql("SELECT next_statement $row");
	$node->sql($statement);
	pass("$kind: $cause; next: $statement");
	return;
}

# Kafka's answer is this error, says the gate, as long as there is such a file.
my $no_coordinator = 15;
my $cluster_denied = 31;

sub refuses
{
	my ($what, $error, $does) = @_;
	my $file = $node->data_dir . "/burrow no $what";
	PostgreSQL::Test::Utils::append_to_file("$file.new", $error);
	rename("$file.new", $file) or die "$file: $!";
	$does->();
	unlink $file or die "$file: $!";
	return;
}

# While somebody has locked the table, the consumer cannot do this, and who has locked it is named.
sub locked
{
	my ($topic, $table, $mode, $does, %errors) = @_;
	my $holder = $node->background_psql('postgres');
	$holder->query_safe("BEGIN; LOCK TABLE $table IN $mode MODE");
	$does->();
	foreach my $kind (sort keys %errors)
	{
		$node->wait_for("trouble of kind $kind", "SELECT count(*) = 1 FROM burrow._troubles() WHERE kind = '$kind' AND cause = 'the subscription waits for something in this database' AND error = '$errors{$kind}: canceling statement due to lock timeout'");
		pass("$kind: $errors{$kind}");
	}
	$holder->query_safe('COMMIT');
	$holder->quit;
	return;
}

# ---- Kafka takes no commits: messages are handled all the same
subscribe('commits');
handled('commits', 3);
$kafka->wait_until_committed($node->group_of('commits'), 'commits');
refuses('commits', $no_coordinator, sub {
		$kafka->produce('commits', { value => 'v' });
		stuck('commits', 'commit', 'Kafka does not take the offsets', '^could not commit offsets');
		handled('commits', 4);
});
$kafka->wait_until_committed($node->group_of('commits'), 'commits');
free('commits');
refuses('commits', $cluster_denied, sub {
		$kafka->produce('commits', { value => 'v' });
		stuck('commits', 'commit', 'Kafka does not let the client do this in the cluster', '^could not commit offsets');
});
$kafka->wait_until_committed($node->group_of('commits'), 'commits');
free('commits');

# ---- it does not say what the group has committed
refuses('committed', $no_coordinator, sub {
		subscribe('starts');
		stuck('starts', 'start', 'Kafka does not say where to start', '^could not get committed offsets');
});
handled('starts', 3);
free('starts');

# ---- it does not say whether the topic holds what is sought: it goes away between two questions
subscribe('sought');
handled('sought', 3);
$node->sql(q{SELECT burrow.pause('sought')});
$node->wait_for_state('sought', 'paused');
$node->sql(q{SELECT burrow.seek('sought', 'sought', 0, 1)});
$node->sql("SELECT burrow.unsubscribe('$_')") foreach qw(commits starts);
$node->close_gate;
$node->sql(q{SELECT burrow.resume('sought')});
$node->wait_at_gate;
$kafka->suspend;
$node->open_gate;
stuck('sought', 'seek', 'Kafka does not say what the topic holds', '^could not look up what the topic holds');
$kafka->continue;
handled('sought', 5);
free('sought');

# ---- a seek that is done cannot be removed
$node->sql(q{SELECT burrow.pause('sought')});
$node->wait_for_state('sought', 'paused');
$node->sql(q{SELECT burrow.seek('sought', 'sought', 0, 2)});
locked('sought', 'burrow.pending_seek', 'SHARE', sub { $node->sql(q{SELECT burrow.resume('sought')}) },
	remove_seek => 'could not remove a seek that is done');
handled('sought', 6);
free('sought');
$node->sql(q{SELECT burrow.unsubscribe('sought')});

# ---- dead letters: produced and not marked; and not read, those that are to be produced and those to be handled again
$kafka->create_topic('dead', 1);
subscribe('letters', ", max_retries => 0, on_failure => 'dead_letter'");
$kafka->produce('letters', { value => 'fail' });
$node->wait_for('the letter', q{SELECT count(*) = 1 FROM burrow.dead_letters});
locked('letters', 'burrow.dead_letter', 'SHARE', sub { $node->sql(q{SELECT burrow.alter('letters', dead_letter_topic => 'dead')}) },
	mark_dead_letters => 'could not mark dead letters as produced');
$node->wait_for('it to be marked', q{SELECT count(*) = 1 FROM burrow.dead_letters WHERE produced_at IS NOT NULL});
free('letters');
locked('letters', 'burrow.dead_letter', 'ACCESS EXCLUSIVE', sub { $node->sql(q{SELECT burrow.alter('letters', batch_size => 7)}) },
	read_dead_letters => 'could not read dead letters',
	find_dead_letters => 'could not read dead letters');
free('letters');
is(scalar(my @dead = $kafka->read_topic('dead')), 1, 'the letter is in its topic, once');
$node->sql(q{SELECT burrow.unsubscribe('letters')});

# ---- the owner's rights cannot be looked up: a new process has to look who is a member of which role
$kafka->create_topic('rights', 1);
$kafka->produce('rights', map { { value => 'v' } } 1 .. 3);
$node->sql(q{SET ROLE app; SELECT burrow.subscribe('rights', 'h', 'owned', commit_interval => '100 ms')});
handled('rights', 3);
free('owned');
locked('owned', 'pg_auth_members', 'ACCESS EXCLUSIVE', sub { $node->sql(q{SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions}) },
	ask_rights => q{could not ask for the owner''s rights});
free('owned');

# ---- workers end before they can work: what their sessions are to load is not there
$node->sql(q{ALTER ROLE app SET session_preload_libraries = 'not_there'});
stuck('owned', 'workers', 'workers end before they can work', '^a worker ended before it could work; the server log says why$');
$node->sql(q{ALTER ROLE app RESET session_preload_libraries});
$kafka->produce('rights', { value => 'v' });
handled('rights', 4);
free('owned');

$node->stop;
done_testing();
