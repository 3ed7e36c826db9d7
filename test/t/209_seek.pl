# burrow.seek(): backwards and forwards, by offset and by time, running, paused and halted,
# in both deliveries: what the new position wants is handled, and no more; Kafka's offset
# follows, backwards too; a seek that cannot be done halts and leaves the position.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (id bigserial, topic text, partition int, "offset" bigint);
CREATE TABLE forbidden (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7);
    IF EXISTS (SELECT FROM forbidden f WHERE f.topic = keep.topic AND f."offset" = keep."offset") THEN
        RAISE EXCEPTION 'not this one';
    END IF;
    INSERT INTO got (topic, partition, "offset") VALUES (topic, partition, "offset");
END $$;
SQL

my ($topic, $group);

sub subscribed
{
	my ($name, $messages, $options, $partitions) = @_;
	$topic = $name;
	$kafka->create_topic($topic, $partitions // 1);
	$kafka->produce_many($topic, count => $messages, keys => 10) if $messages;
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', workers => 3, commit_interval => '100 ms'" . ($options // '') . ')');
	$group = $node->group_of($topic);
	$node->wait_for_state($topic, 'running');
	return;
}

sub caught_up
{
	is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up");
	return;
}

# "times:first-last" of the offsets handled, and their number of rows
sub handled
{
	return $node->sql(qq{SELECT string_agg(n || ':' || first || '-' || last, ' ' ORDER BY first) FROM
		(SELECT n, min("offset") AS first, max("offset") AS last FROM
			(SELECT "offset", count(*) AS n, "offset" - row_number() OVER (PARTITION BY count(*) ORDER BY "offset") AS island
			 FROM got WHERE topic = '$topic' AND partition = 0 GROUP BY "offset") o GROUP BY n, island) r});
}

sub seek_to { my ($offset, $partition) = @_; return $node->sql("SELECT burrow.seek('$topic', '$topic', " . ($partition // 0) . ", $offset)") }
sub halt_text { return $node->sql("SELECT concat_ws(' | ', error_message, error_detail, error_hint) FROM burrow.subscriptions WHERE subscription = '$topic'") }
sub pending { return $node->sql('SELECT count(*) FROM burrow.pending_seek') }

for my $delivery (qw(exactly_once at_least_once))
{
	my $tag = $delivery eq 'exactly_once' ? 'eo' : 'alo';
	my $options = ", delivery => '$delivery'";

# ---- while it runs: what is in hand ends first, Kafka's offset follows backwards, with
# our tag and before the first message
	subscribed("running-$tag", 20, $options);
	caught_up();
	my $holder = $node->background_psql('postgres');
	$holder->query_safe('SELECT pg_advisory_lock(7)');
	$kafka->produce($topic, { value => 'slow' });
	$node->wait_for('the message to be in hand', "SELECT workers_active = 1 FROM burrow.stats WHERE subscription = '$topic'");
	my $position = $node->log_position;
	seek_to(5);
	$node->wait_for('the consumer to drain', "SELECT jobs_queued = 0 FROM burrow.stats WHERE subscription = '$topic'");
	is($kafka->committed($group, $topic)->{0}, 20, "$topic: the position stays until what is in hand has ended");
	$holder->query_safe('SELECT pg_advisory_unlock(7); SELECT pg_advisory_lock(8)');
	caught_up();
	is(handled(), '1:0-4 2:5-20', "$topic: a seek backwards repeats what it says, and what was in hand");
	like($node->log_since($position), qr/topic "$topic" partition 0 was moved to offset 5/, 'the log says so');

	$holder->query_safe('SELECT pg_advisory_lock(7)');
	seek_to(3);
	$node->wait_for('the message to be in hand again', "SELECT count(*) = 1 FROM burrow.workers WHERE subscription = '$topic' AND \"offset\" = 3");
	is($kafka->committed($group, $topic)->{0}, 3, "$topic: Kafka's offset has followed before the first message");
	like($kafka->committed_metadata($group, $topic)->{0}, qr/^burrow\/1 $tag \S+$/, 'with our tag, and nothing done beyond it');
	is($node->sql("SELECT string_agg(lane || ' ' || low || ' ' || length(done), ',') FROM burrow.progress p JOIN burrow.subscription s USING (subid) WHERE name = '$topic'"),
		'-1 3 0', 'and the database has that one row');
	# a second seek, before the first message of the first one
	seek_to(19);
	$holder->query_safe('SELECT pg_advisory_unlock(7)');
	$holder->quit;
	$node->wait_for('the second seek', "SELECT count(*) = 0 FROM burrow.pending_seek");
	caught_up();
	cmp_ok($node->sql("SELECT count(*) FROM got WHERE topic = '$topic' AND \"offset\" >= 19"), '>=', 6, 'a later seek replaces it');

	# ---- rolled back, it does nothing
	subscribed("rolled-back-$tag", 10, $options);
	caught_up();
	$position = $node->log_position;
	$node->sql("BEGIN; SELECT burrow.seek('$topic', '$topic', 0, 2); SELECT burrow.seek('$topic', '2020-01-01'::timestamptz); ROLLBACK");
	$kafka->produce($topic, { value => 'more' });
	caught_up();
	is(handled(), '1:0-10', "$topic: rolled back, a seek does nothing");
	unlike($node->log_since($position), qr/was moved to/, 'not even for a moment');

	# ---- what was done beyond a head that stands still is wanted again
	subscribed("beyond-$tag", 0, $options . ", max_retries => 100, retry_backoff => '1 min', retry_backoff_max => '1 min'");
	$node->sql("INSERT INTO forbidden VALUES ('$topic', 2)");
	$kafka->produce($topic, map { { key => "k$_", value => 'x' } } 0 .. 9);
	$node->wait_for('all but one', "SELECT count(*) = 9 FROM got WHERE topic = '$topic'");
	seek_to(0);
	$node->wait_for('all but one again', "SELECT count(*) = 18 FROM got WHERE topic = '$topic'");
	$node->sql('DELETE FROM forbidden');
	seek_to(2);
	caught_up();
	is(handled(), '2:0-1 1:2-2 3:3-9', "$topic: no old row and no old commit skips what a seek wants again");

	# ---- paused: it waits for resume
	subscribed("paused-$tag", 20, $options);
	caught_up();
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');
	$kafka->produce_many($topic, count => 20, keys => 10);
	seek_to(30);
	is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = '$topic'"), 'paused', "$topic: a paused subscription stays so");
	$node->sql("SELECT burrow.resume('$topic')");
	caught_up();
	is(handled(), '1:0-19 1:30-39', 'forwards: what lies between is skipped');

 # ---- a crash leaves the old position with the seek to be done, or the new one
	subscribed("crash-$tag", 20, $options);
	caught_up();
	my $times = 1;
	for my $point ('before start is stored', 'start stored', 'before kafka commit', 'before acknowledgement', 'before seek is removed', 'seek removed', 'seek time fixed')
	{
 # a crash before the seek is committed would be another test: the consumer that
 # drains for it must not come by
		$node->sql("SELECT burrow.pause('$topic')");
		$node->wait_for_state($topic, 'paused');
		$node->arm_crash_point($point);
		$node->sql($point eq 'seek time fixed' ? "SELECT burrow.seek('$topic', '-infinity'::timestamptz)" : "SELECT burrow.seek('$topic', '$topic', 0, 0)");
		$node->sql("SELECT burrow.resume('$topic')");
		$node->wait_for_crash;
		$node->wait_for_state($topic, 'running', timeout => 90);
		caught_up();
		$times++;
		is(handled(), "$times:0-19", "$topic: crash at \"$point\": handled once more, each");
	}
	is(pending(), 0, 'and nothing is left to be done');
}

# ---- by time, each partition on its own
subscribed('time', 0, '', 2);
my $t0 = (time - 3600) * 1000;  # older ones would fall to the topic's retention
$kafka->produce('time', map { { partition => $_ % 2, value => "v$_", timestamp => $t0 + 1000 * $_ } } 0 .. 9);
caught_up();
$node->sql('TRUNCATE got');
sub offsets { return $node->sql(q{SELECT string_agg(partition || '/' || "offset", ' ' ORDER BY partition, "offset") FROM got WHERE topic = 'time'}) }
$node->sql("SELECT burrow.seek('time', to_timestamp($t0 / 1000.0 + 7))");
caught_up();
is(offsets(), '0/4 1/3 1/4', 'time: the first message from then on, in each partition');
$node->sql("BEGIN; TRUNCATE got; SELECT burrow.seek('time', '-infinity'::timestamptz); SELECT burrow.seek('time', 'time', 1, 4); COMMIT");
caught_up();
is(offsets(), '0/0 0/1 0/2 0/3 0/4 1/4', 'a seek of one partition after one of all');
$node->sql("BEGIN; TRUNCATE got; SELECT burrow.seek('time', 'time', 1, 4); SELECT burrow.seek('time', 'infinity'::timestamptz); COMMIT");
$node->wait_for('the seek', 'SELECT seek_time IS NULL FROM burrow.subscription WHERE name = \'time\'');
$node->wait_for('its end', 'SELECT count(*) = 0 FROM burrow.pending_seek');
$kafka->produce('time', { partition => 0, value => 'new' });
caught_up();
is(offsets(), '0/5', 'and one of all after one of one: after the last message means the end');

# ---- what cannot be done
subscribed('refused', 20);
caught_up();
my $position = $node->log_position;
seek_to(21);
$node->wait_for_state('refused', 'halted');
like(halt_text(), qr/^cannot seek to offset 21 of topic "refused" partition 0 \| The topic holds offsets 0 to 19 of this partition\. \| The position is as it was before/, 'beyond the end: halt');
$node->wait_for_log_line(qr/HINT:  The position is as it was before; use burrow\.resume\(\) to go on there/, $position);
like($node->log_since($position), qr/DETAIL:  22003: cannot seek to offset 21 .*\n.*The topic holds offsets 0 to 19/, 'the log says so, too');
is(pending(), 0, 'and the seek is forgotten');
$kafka->produce('refused', { value => 'more' });
$node->sql("SELECT burrow.resume('refused')");
caught_up();
is(handled(), '1:0-20', 'resumed, it goes on where it was');
seek_to(0, 1);
$node->wait_for_state('refused', 'halted');
like(halt_text(), qr/^cannot seek to offset 0 of topic "refused" partition 1 \| The topic has 1 partitions, from 0\./, 'no such partition: halt');
$kafka->delete_records('refused', { 0 => 10 });
seek_to(9);
$node->wait_for_state('refused', 'halted');
$node->wait_for('the other error', q{SELECT error_message LIKE 'cannot seek to offset 9 %' FROM burrow.subscriptions WHERE subscription = 'refused'});
like(halt_text(), qr/The topic holds offsets 10 to 20 of this partition/, 'below the start: halt');
seek_to(10);
caught_up();
is(handled(), '1:0-9 2:10-20', 'a seek that can be done ends the halt');

# ---- the way out of halts
subscribed('gap', 20);
caught_up();
$node->sql("SELECT burrow.pause('gap')");
$node->wait_for_state('gap', 'paused');
$kafka->produce_many('gap', count => 20, keys => 10);
$kafka->delete_records('gap', { 0 => 30 });
$node->sql("SELECT burrow.resume('gap')");
$node->wait_for_state('gap', 'halted');
like(halt_text(), qr/offset 20 of topic "gap" partition 0 is not in the topic .* burrow\.seek\(\)/, 'a gap halts, and says what to do');
seek_to(30);
caught_up();
is(handled(), '1:0-19 1:30-39', 'a seek ends it');

subscribed('reset', 20);
caught_up();
$node->sql("SELECT burrow.pause('reset')");
$node->wait_for_state('reset', 'paused');
wait_until('the group to be empty', sub { return !$kafka->group_members($group) });
$kafka->commit($group, 'reset', { 0 => 5 });
$node->sql("SELECT burrow.resume('reset')");
$node->wait_for_state('reset', 'halted');
like(halt_text(), qr/committed offset 5 .* is behind the database's position 20 .* burrow\.seek\(\)/, 'a reset behind the database halts, and says what to do');
seek_to(3);
caught_up();
is(handled(), '1:0-2 2:3-19', 'a seek below both ends it');

# ---- regular expressions: the topic has to match
$kafka->create_topic($_, 1) foreach qw(eu.bills us.bills);
$kafka->produce_many($_, count => 5, keys => 0) foreach qw(eu.bills us.bills);
$node->sql(q{SELECT burrow.subscribe('^.*[.]bills$', 'keep', subscription => 'bills')});
$node->wait_for('all bills', q{SELECT count(*) = 10 FROM got WHERE topic LIKE '%bills'});
like($node->sql_error(q{SELECT burrow.seek('bills', 'eu.returns', 0, 0)}), qr/22023: subscription "bills" does not consume topic "eu.returns".*match/s, 'a topic that does not match is refused');
$node->sql(q{SELECT burrow.seek('bills', 'eu.bills', 0, 3)});
$node->wait_for('the two', q{SELECT count(*) = 2 FROM (SELECT FROM got WHERE topic = 'eu.bills' GROUP BY "offset" HAVING count(*) = 2) g});
is($node->sql(q{SELECT burrow.wait_until_caught_up('bills')}), 't', 'bills: caught up');
is($node->sql(q{SELECT count(*) FROM got WHERE topic LIKE '%bills'}), '12', 'and no other');

$node->stop;
done_testing();
