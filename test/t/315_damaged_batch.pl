# A batch that cannot be read, damaged on the broker's disk: all that comes before it, and all other
# partitions, are handled and committed; then the subscription halts, names the batch, and the
# statement that it gives goes on behind it and nowhere else.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, partition int, "offset" bigint);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7);
    IF topic = 'retry' AND "offset" = 42 AND attempt < 3 THEN
        RAISE EXCEPTION 'not yet';
    END IF;
    INSERT INTO got VALUES (topic, partition, "offset");
END $$;
SQL

# The offsets that were handled, as ranges; an offset that was handled twice is in them twice.
sub handled
{
	my ($topic, $partition) = @_;
	return $node->sql(qq{SELECT coalesce(string_agg(low || '-' || high, ' ' ORDER BY low), '') FROM (
		SELECT min("offset") AS low, max("offset") AS high FROM (
			SELECT "offset", "offset" - row_number() OVER (ORDER BY "offset") AS run FROM got
			WHERE topic = '$topic' AND partition = } . ($partition // 0) . q{) g GROUP BY run) r});
}

sub subscribe
{
	my ($topic, $options) = @_;
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', commit_interval => '1 h', commit_batch_size => 1000000" . ($options // '') . ')');
	return;
}

# It halts here, what it says, and what it says to do is done.
sub halts_at
{
	my ($topic, $offset, $next, $description) = @_;
	$node->wait_for_state($topic, 'halted');
	is($node->sql("SELECT error_topic, error_partition, error_offset, error_sqlstate FROM burrow.subscriptions WHERE subscription = '$topic'"),
		"$topic|0|$offset|XX001", "$topic: $description");
	my $hint = $node->sql("SELECT error_hint FROM burrow.subscriptions WHERE subscription = '$topic'");
	my $last = $next - 1;
	my $statement = "SELECT burrow.seek('$topic', '$topic', 0, $next);";
	like($hint, qr/offsets $offset to $last\b.*\Q$statement\E/, '... and the hint says what to do: ' . $hint);
	is($node->sql("SELECT next_statement FROM burrow.why_stuck('$topic')"), $statement, '... and so does why_stuck');
	return;
}

sub go_on
{
	my ($topic) = @_;
	$node->sql($node->sql("SELECT next_statement FROM burrow.why_stuck('$topic')"));
	return;
}

sub caught_up { my ($topic) = @_; return is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up") }

$kafka->create_topic('two', 2);
$kafka->create_topic($_, 1) foreach qw(first last row inside retry plain skip);
$kafka->produce_batches($_, 0, 50, map { { key => "k$_", value => "value $_" } } 1 .. 200) foreach qw(two first last row inside retry plain skip);
$kafka->produce('two', map { { partition => 1, value => "other $_" } } 1 .. 1000);
foreach my $topic (qw(checked unchecked))
{
	$kafka->create_topic($topic, 1);
	$kafka->produce($topic, { value => $_ }) foreach 'before', "pay 100 to $topic", 'behind';
}
$kafka->stop;
my %damaged = (two => [100], first => [0], last => [150], row => [100, 150], inside => [100], retry => [100], plain => [100], skip => [50, 150]);
for my $topic (sort keys %damaged)
{
	is_deeply($kafka->damage_batch($topic, 0, $_), [$_, $_ + 49], "$topic: the batch at $_ is damaged") foreach @{ $damaged{$topic} };
}
$kafka->damage_value($_, 0, "pay 100 to $_", "pay 900 to $_") foreach qw(checked unchecked);
$kafka->start;

# ---- between good ones, and with another partition
subscribe('two', ', workers => 1, batch_size => 1');
halts_at('two', 100, 150, 'halted at the damaged batch');
is(handled('two'), '0-99', 'all before it was handled');
is(handled('two', 1), '0-999', 'and all of the other partition');
is_deeply($kafka->committed_by_kafka($node->group_of('two'), 'two'), { 0 => 100, 1 => 1000 }, 'and committed');
$kafka->produce('two', { partition => 1, value => 'one more' });
$node->sql("SELECT burrow.resume('two')");
$node->wait_for('the other partition to go on meanwhile', q{SELECT count(*) = 1 FROM got WHERE topic = 'two' AND partition = 1 AND "offset" = 1000});
halts_at('two', 100, 150, 'resume does not help against it');
go_on('two');
caught_up('two');
is(handled('two'), '0-99 150-199', 'all but the damaged batch was handled, once');
is(handled('two', 1), '0-1000', 'and all of the other partition');

# ---- without the checksum, it is the decompression that fails
subscribe('plain', q{, kafka => '{"check.crcs": false}'});
halts_at('plain', 100, 150, 'a batch that cannot be decompressed');
is(handled('plain'), '0-99', 'all before it was handled');
go_on('plain');
caught_up('plain');
is(handled('plain'), '0-99 150-199', 'all but the damaged batch was handled');

# ---- and where nothing is compressed, only the checksum says that a record is not what was written
subscribe('checked');
halts_at('checked', 1, 2, 'a record of which a byte is another');
is(handled('checked'), '0-0', 'all before it was handled');
go_on('checked');
caught_up('checked');
is(handled('checked'), '0-0 2-2', 'all but that record was handled');
subscribe('unchecked', q{, kafka => '{"check.crcs": false}'});
caught_up('unchecked');
is(handled('unchecked'), '0-2', 'without the checksum it is taken for a good one');

# ---- at the beginning, and at the end
subscribe('first');
halts_at('first', 0, 50, 'nothing before it');
go_on('first');
caught_up('first');
is(handled('first'), '50-199', 'all behind it');
subscribe('last');
halts_at('last', 150, 200, 'nothing behind it');
is(handled('last'), '0-149', 'all before it');
go_on('last');
caught_up('last');
$kafka->produce('last', { value => 'more' });
caught_up('last');
is(handled('last'), '0-149 200-200', 'what comes next');

# ---- two in a row
subscribe('row');
halts_at('row', 100, 150, 'the first of two');
go_on('row');
$node->wait_for('the second', q{SELECT error_offset = 150 FROM burrow.subscriptions WHERE subscription = 'row'});
halts_at('row', 150, 200, 'the second of two');
go_on('row');
caught_up('row');
is(handled('row'), '0-99', 'all before them');

# ---- a position inside
subscribe('inside', q{, enabled => false});
$node->sql(q{SELECT burrow.seek('inside', 'inside', 0, 120)});
$node->sql(q{SELECT burrow.resume('inside')});
halts_at('inside', 120, 150, 'what is lost is from the position on');
go_on('inside');
caught_up('inside');
is(handled('inside'), '150-199', 'what is behind it');

# ---- a message before it that is tried again
subscribe('retry', q{, retry_backoff => '100 ms'});
halts_at('retry', 100, 150, 'its turn has come');
is(handled('retry'), '0-99', 'when what was before it had succeeded');

# ---- on_gap => 'skip'
my $position = $node->log_position;
subscribe('skip', q{, on_gap => 'skip'});
caught_up('skip');
is(handled('skip'), '0-49 100-149', 'skip: all but what cannot be read');
is($node->sql(q{SELECT offsets_skipped FROM burrow.stats WHERE subscription = 'skip'}), 100, 'what was skipped is counted');
like($node->log_since($position), qr/WARNING:  subscription "skip" skips 50 offsets of topic "skip" partition 0\n.*DETAIL:  .*offset 50\b/, 'and the log says so');
$kafka->produce('skip', { value => 'more' });
caught_up('skip');
is(handled('skip'), '0-49 100-149 200-200', 'what comes next');

# ---- a gap that is met while it runs has its turn, too
$kafka->create_topic('gap', 1);
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(7)');
subscribe('gap', q{, workers => 1, batch_size => 1, max_inflight => 5, "window" => 10,
	kafka => '{"queued.min.messages": 1, "queued.max.messages.kbytes": 1, "max.partition.fetch.bytes": 1000, "fetch.message.max.bytes": 1000}'});
$node->wait_for_state('gap', 'running');
$kafka->produce_batches('gap', 0, 1, map { { value => join '', map { chr(33 + rand 90) } 1 .. 1200 } } 1 .. 30);
$node->wait_for('some to be taken, and one to be in hand', q{SELECT workers_active = 1 AND jobs_queued = 4 FROM burrow.stats WHERE subscription = 'gap'});
$kafka->delete_records('gap', { 0 => 25 });
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$holder->quit;
$node->wait_for_state('gap', 'halted');
my $lost = $node->sql(q{SELECT error_offset FROM burrow.subscriptions WHERE subscription = 'gap'});
cmp_ok($lost, '<', 25, "a gap from $lost to 24");
is(handled('gap'), '0-' . ($lost - 1), 'all that was taken before it was handled');
is($node->sql(q{SELECT next_statement FROM burrow.why_stuck('gap')}), q{SELECT burrow.seek('gap', 'gap', 0, 25);}, 'and what to do leads behind it');
go_on('gap');
caught_up('gap');
is(handled('gap'), '0-' . ($lost - 1) . ' 25-29', 'all that there is');

$node->stop;
done_testing();
