# Columns that others add to Burrow's tables, and drop again, do not matter: before there is a row,
# while a worker knows where its row is, and after it has moved.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic('wide', 2);
$node->sql(<<'SQL');
CREATE TABLE got (partition int, "offset" bigint, value text);
CREATE FUNCTION keep(partition int, "offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'bad' AND NOT EXISTS (SELECT FROM got WHERE got.value = 'good now') THEN
        RAISE EXCEPTION 'bad' USING ERRCODE = '22000';
    END IF;
    INSERT INTO got VALUES (partition, "offset", value);
END $$;
SELECT burrow.subscribe('wide', 'keep', workers => 2, min_workers => 2, on_failure => 'dead_letter', commit_interval => '100 ms');
SQL
my $group = $node->group_of('wide');
$node->wait_for_state('wide', 'running');
my $position = $node->log_position;
my $produced = 0;

sub handled
{
	my ($what) = @_;
	$kafka->produce('wide', map { my $p = $_; map { { partition => $p, key => "k$_", value => 'ok' } } 1 .. 50 } 0, 1);
	$produced += 100;
	$kafka->wait_until_committed($group, 'wide', diagnose => sub { $node->diagnostics });
	is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got'), "$produced|$produced", $what);
	return;
}

handled('with the columns that the extension has made');
my @tables = qw(subscription progress dead_letter pending_seek topic_identity);
$node->sql(join ';', map { "ALTER TABLE burrow.$_ ADD COLUMN note text NOT NULL DEFAULT 'somebody''s', ADD COLUMN changed_at timestamptz DEFAULT now()" } @tables);
handled('after columns were added');
$node->sql('VACUUM FULL burrow.progress');
handled('and the rows were moved');
is($node->sql(q{SELECT count(*) > 1 AND bool_and(note = 'somebody''s' AND changed_at IS NOT NULL) FROM burrow.progress}), 't', 'the others\' columns have their values');
# a worker that has not had messages of a partition yet has no row of it
$node->sql(q{UPDATE burrow.progress SET note = 'kept'; CREATE TABLE kept AS SELECT partition, lane FROM burrow.progress});
handled('after somebody has written into them');
is($node->sql(q{SELECT count(*) FROM kept LEFT JOIN burrow.progress USING (partition, lane) WHERE note IS DISTINCT FROM 'kept'}), '0', 'what was written is still there');

# the rows of the workers are made anew
$node->sql('SELECT burrow.pause(\'wide\')');
$node->wait_for_state('wide', 'paused');
$node->sql('SELECT burrow.resume(\'wide\')');
$node->wait_for_state('wide', 'running');
handled('in new rows');
is($node->sql(q{SELECT count(*) FROM burrow.progress WHERE lane >= 0 AND (note IS DISTINCT FROM 'somebody''s' OR changed_at IS NULL)}), '0', 'new rows have the defaults');

# dead letters and seeks have tables, too
$kafka->produce('wide', { partition => 0, value => 'bad' });
$node->wait_for('the dead letter', 'SELECT count(*) = 1 FROM burrow.dead_letters');
$node->sql(q{INSERT INTO got VALUES (-1, -1, 'good now'); SELECT burrow.retry_dead_letters('wide')});
$node->wait_for('it to be handled', 'SELECT count(*) = 0 FROM burrow.dead_letters');
$produced += 2;

$node->sql(join ';', map { "ALTER TABLE burrow.$_ DROP COLUMN note" } @tables);
handled('after one of them was dropped');
$node->sql('CLUSTER burrow.progress USING progress_pkey');
handled('and the rows were moved');
$node->sql(join ';', map { "ALTER TABLE burrow.$_ DROP COLUMN changed_at" } @tables);
handled('after the other one was dropped');
my $end = $kafka->end_offsets('wide')->{0};
$node->sql("SELECT burrow.seek('wide', 'wide', 0, " . ($end - 10) . ')');
$node->wait_for('ten messages again', "SELECT count(*) = $produced + 10 FROM got");

unlike($node->log_since($position) =~ s/ERROR:  bad\n//gr, qr/ERROR|terminated by signal|exited with exit code [1-9]/, 'no process has ended, and there was no error');
$node->stop;
done_testing();
