# A topic that was deleted and made anew is known by its id, where librdkafka tells it: made anew a moment
# later while it is consumed, with more messages; or while the server is down, with messages that have the very
# timestamps of the old ones.  The position is then of another topic: halt, and burrow.seek() takes the new
# one over.  On the system's librdkafka, where it tells no ids, everything goes on as without them.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $recent = recent_librdkafka();
my $node = BurrowTest::Node->create('main', kafka => $kafka, libraries => $recent, gate => 1);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, partition int, "offset" bigint, value text);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint, value text) RETURNS void LANGUAGE sql
	AS 'INSERT INTO got VALUES ($1, $2, $3, $4)';
SQL

sub rows { my ($topic, $value) = @_; return $node->sql("SELECT count(*) FROM got WHERE topic = '$topic' AND value LIKE '$value%'") }
sub halt_text { my ($topic) = @_; return $node->sql("SELECT concat_ws(' | ', error_message, error_detail, error_hint) FROM burrow.subscriptions WHERE subscription = '$topic'") }
sub kept { my ($topic) = @_; return $node->sql("SELECT string_agg(DISTINCT topic_id, ' ') FROM burrow.topic_identity WHERE topic = '$topic'") }

# Always the same timestamps.
sub fill
{
	my ($topic, $n, $value) = @_;
	$kafka->produce($topic, map { { key => 'k', value => "$value $_", timestamp => 1_700_000_000_000 + $_, partition => 0 } } 0 .. $n - 1);
	return;
}

# Kafka deletes in the background, and refuses the name meanwhile
sub made_anew
{
	my ($topic, $n, $partitions) = @_;
	$kafka->delete_topic($topic);
	wait_until("topic $topic to be made anew", sub { return eval { $kafka->create_topic($topic, $partitions // 1); 1 } });
	fill($topic, $n, 'new');
	return;
}

sub caught_up
{
	my ($topic) = @_;
	is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up");
	return;
}

sub subscribed
{
	my ($topic, $options) = @_;
	$kafka->create_topic($topic, 1);
	fill($topic, 20, 'old');
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', commit_interval => '100 ms'" . ($options // '') . ')');
	$node->wait_for_state($topic, 'running');
	caught_up($topic);
	return;
}

sub halts
{
	my ($topic, $was, $what) = @_;
	$node->wait_for_state($topic, 'halted', timeout => 60 * slow_by());
	like(halt_text($topic), qr/^topic "$topic" partition 0 was made anew \| The topic's id is (\S{22}), and was \Q$was\E when it was read\. \| Use burrow\.seek/, "$what: halt");
	is(kept($topic), $was, 'the position keeps the id of its topic');
	return;
}

# Neither a gap nor another topic: it says what it waits for.
sub waits_for_its_id
{
	my ($topic, $what) = @_;
	$node->wait_for("$what: the reason", "SELECT count(*) > 0 FROM burrow.why_stuck('$topic') WHERE topic = '$topic' AND partition = 0 AND error ~ 'could not get the topic.s id: ' AND since <= clock_timestamp()",
		timeout => 60 * slow_by());
	unlike($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = '$topic'"), qr/halted/, "$what: nothing is concluded while it is not known");
	return;
}

# What why_stuck() says ends it.
sub taken_over
{
	my ($topic, $n, $what) = @_;
	my $statement = $node->sql("SELECT next_statement FROM burrow.why_stuck('$topic') WHERE next_statement IS NOT NULL LIMIT 1");
	my $was = kept($topic);
	like($statement, qr/burrow\.seek/, "$what: a seek is what to do");
	$node->sql($statement);
	$node->wait_for('all of the new topic', "SELECT count(DISTINCT value) = $n FROM got WHERE topic = '$topic' AND value LIKE 'new%'");
	caught_up($topic);
	isnt(kept($topic), $was, 'the new id is kept');
	return;
}

# ---- ids are there, as Kafka shows them
subscribed('at-once');
my $id = kept('at-once');
like($kafka->tool('org.apache.kafka.tools.TopicCommand', '--bootstrap-server', $kafka->bootstrap, '--describe', '--topic', 'at-once'), qr/TopicId: \Q$id\E\s/, 'the id that is kept is the one that Kafka shows');

# ---- made anew at once, while it is consumed, and longer: a fetch finds first that the new topic, which is empty
# for a moment, does not hold what comes next; that is no gap of the one that is known
made_anew('at-once', 40);
halts('at-once', $id, 'made anew at once');
taken_over('at-once', 40, 'made anew at once');

# ---- and shorter, while nobody tells ids: it may be a gap or another topic, and waits until that is known
my $refuse = $node->data_dir . '/burrow no ids';
$id = kept('at-once');
make_file($refuse);
made_anew('at-once', 5);
waits_for_its_id('at-once', 'shorter');
unlink $refuse or die "$refuse: $!";
halts('at-once', $id, 'shorter');
$node->sql("SELECT burrow.unsubscribe('at-once')");
is(kept('at-once'), '', 'a subscription that is gone has no ids');

# ---- while nothing is fetched: no answer to a fetch can tell, and the client believes for minutes that it knows
$node->sql(<<'SQL');
CREATE FUNCTION wait_and_keep(topic text, partition int, "offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(1);
	INSERT INTO got VALUES (topic, partition, "offset", value);
END $$;
SQL
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
$kafka->create_topic('full', 1);
fill('full', 20, 'old');
my $position = $node->log_position;
$node->sql(q{SELECT burrow.subscribe('full', 'wait_and_keep', commit_interval => '100 ms', max_inflight => 1, batch_size => 1, workers => 1,
	kafka => '{"queued.min.messages": 1}')});
$node->wait_for('a message in hand', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'});
made_anew('full', 40);
$node->wait_for_log_line(qr/subscription "full" starts anew: topic "full" was made anew/, $position, timeout => 60 * slow_by());
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$node->wait_for_state('full', 'halted');
like(halt_text('full'), qr/^topic "full" partition 0 was made anew/, 'made anew while nothing is fetched: halt');
is(rows('full', 'new'), 0, 'and nothing of the new topic was read');
$holder->quit;
$node->sql(q{SELECT burrow.unsubscribe('full')});

# ---- a gap that is one, while nobody tells ids: before it is met, and at a start
$kafka->create_topic('gap', 1);
fill('gap', 20, 'old');
$holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
$node->sql(q{SELECT burrow.subscribe('gap', 'wait_and_keep', commit_interval => '100 ms', max_inflight => 1, batch_size => 1, workers => 1,
	kafka => '{"queued.min.messages": 1}')});
$node->wait_for('a message in hand', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'});
fill('gap', 20, 'more');
$kafka->delete_records('gap', { 0 => 30 });
make_file($refuse);
$holder->query_safe('SELECT pg_advisory_unlock(1)');
waits_for_its_id('gap', 'a gap');
is(rows('gap', ''), 20, 'what comes before it is handled');
$node->sql(q{SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions WHERE subscription = 'gap'});
$node->wait_for('the start', q{SELECT partitions_stuck = 1 FROM burrow._subscription_slots() JOIN burrow.subscription USING (subid) WHERE name = 'gap'}, timeout => 60 * slow_by());
waits_for_its_id('gap', 'a gap at a start');
unlink $refuse or die "$refuse: $!";
$node->wait_for_state('gap', 'halted', timeout => 60 * slow_by());
like(halt_text('gap'), qr/^offset 20 of topic "gap" partition 0 is not in the topic/, 'it is one when it is known to be');
like($node->sql(q{SELECT next_statement FROM burrow.why_stuck('gap')}), qr/^SELECT burrow\.seek\('gap', 'gap', 0, 30\);$/, 'and the seek goes behind it');
$holder->quit;
$node->sql(q{SELECT burrow.unsubscribe('gap')});

# ---- while the server is down, with the same timestamps and more messages
for my $delivery (qw(exactly_once at_least_once))
{
	my $topic = "down-$delivery";
	subscribed($topic, ", delivery => '$delivery'");
	$id = kept($topic);
	$node->stop;
	made_anew($topic, 40);
	$node->start;
	halts($topic, $id, "$delivery, while the server was down");
	is(rows($topic, 'new'), 0, 'nothing of the new topic was read');
	$node->crash;
	$node->start;
	halts($topic, $id, "$delivery, after a crash");
	taken_over($topic, 40, "$delivery, while the server was down");
	is(rows($topic, ''), 60, 'each message of either topic, once');
	$node->restart;
	$node->wait_for_state($topic, 'running');
	caught_up($topic);
	is(rows($topic, ''), 60, 'and the new topic is known at the next start');
	$node->sql("SELECT burrow.unsubscribe('$topic')");
}

# ---- the question for ids fails before the start: those that follow find the change, by the id that was kept, or by
# the first that is told
my $told = $node->data_dir . '/burrow ids';

sub make_file { my ($name) = @_; open(my $file, '>', $name) or die "$name: $!"; chmod 0666, $name; close $file; return }

subscribed('late');
$id = kept('late');
$node->stop;
make_file($refuse);
my $late_position = $node->log_position;
$node->start;
$node->wait_for_log_line(qr/subscription "late" goes on without the ids of its topics/, $late_position);
subscribed('nameless');
is(kept('nameless'), '', 'what was not told is not kept');
make_file($told);
unlink $refuse or die "$refuse: $!";
wait_until('both to be told', sub { return -s $told >= 2 && kept_by_both() }, timeout => 60 * slow_by(), diagnose => sub { return $node->diagnostics });

# an id that is new is stored with the next position
sub kept_by_both
{
	fill($_, 1, 'more') foreach qw(late nameless);
	return kept('nameless') ne '' && kept('late') eq $id;
}

my %id = map { ($_ => kept($_)) } qw(late nameless);
made_anew($_, 200) foreach qw(late nameless);
halts($_, $id{$_}, "$_: made anew") foreach qw(late nameless);
$node->sql("SELECT burrow.unsubscribe('$_')") foreach qw(late nameless);

# ---- one partition is moved, the other's position is still of the old topic
$kafka->create_topic('two', 2);
$kafka->produce('two', map { { key => 'k', value => "old $_", partition => $_ % 2 } } 0 .. 19);
$node->sql(q{SELECT burrow.subscribe('two', 'keep', commit_interval => '100 ms')});
caught_up('two');
$id = kept('two');
$node->sql(q{SELECT burrow.pause('two')});
$node->wait_for_state('two', 'paused');
made_anew('two', 40, 2);
$node->sql(q{SELECT burrow.seek('two', 'two', 0, 0), burrow.resume('two')});
$node->wait_for_state('two', 'halted');
like(halt_text('two'), qr/^topic "two" partition 1 was made anew/, 'what was not moved halts');
is($node->sql(q{SELECT count(*) FROM burrow.topic_identity WHERE topic = 'two' AND partition = 1 AND topic_id = '} . $id . q{'}), 1, 'its position is of the old topic');
$node->sql(q{SELECT burrow.seek('two', '-infinity'::timestamptz), burrow.resume('two')});
caught_up('two');
is(rows('two', 'new'), 40, 'a seek of all ends it');
$node->sql(q{SELECT burrow.unsubscribe('two')});

# ---- a topic of a pattern: said once, and one statement moves all of its partitions; the other topic's stay
$kafka->create_topic($_, 3) foreach qw(pair-a pair-b);
fill_all($_, 'old') foreach qw(pair-a pair-b);
$node->sql(q{SELECT burrow.subscribe('^pair-.*', 'keep', subscription => 'pair', commit_interval => '100 ms')});
caught_up('pair');
$node->sql(q{SELECT burrow.pause('pair')});
$node->wait_for_state('pair', 'paused');
$kafka->delete_topic('pair-a');
wait_until('topic pair-a to be made anew', sub { return eval { $kafka->create_topic('pair-a', 3); 1 } });
fill_all('pair-a', 'new');
my $pair_position = $node->log_position;
$node->sql(q{SELECT burrow.resume('pair')});
$node->wait_for_state('pair', 'halted');
my $pair_statement = $node->sql(q{SELECT next_statement FROM burrow.why_stuck('pair') WHERE next_statement IS NOT NULL LIMIT 1});
note($pair_statement);
$node->sql($pair_statement);
caught_up('pair');
is(rows('pair-a', 'new'), 12, 'a topic of a pattern: all of the new one');
is($node->sql(q{SELECT count(*), count(DISTINCT (partition, "offset")) FROM got WHERE topic = 'pair-b'}), '12|12', 'and of the other one nothing twice');
is(scalar(my @halts = $node->log_since($pair_position) =~ /partition \d+ was made anew/g), 1, 'it was said once');
$node->sql(q{SELECT burrow.unsubscribe('pair')});

sub fill_all
{
	my ($topic, $value) = @_;
	$kafka->produce($topic, map { { key => "k$_", value => "$value $_", partition => $_ % 3 } } 0 .. 11);
	return;
}

# ---- an older librdkafka, then one that tells ids, and back
sub runs_on
{
	my ($libraries) = @_;
	$node->stop;
	$node->{libraries} = $libraries;
	$node->start;
	return;
}

runs_on(undef);
my $before = $node->log_position;
subscribed('moves');
my ($version) = $node->log_since($before) =~ /, librdkafka (\d+\.\d+)\./;
is(kept('moves') eq '', $version =~ /^(1\.|2\.[0-2]$)/ ? 1 : '', "librdkafka $version: an id is kept where it is told");
runs_on($recent);
$node->wait_for('the id', q{SELECT count(*) = 1 FROM burrow.topic_identity WHERE topic = 'moves'});
caught_up('moves');
is(rows('moves', ''), 20, 'a position that was kept without an id is gone on from');
$id = kept('moves');
runs_on(undef);
caught_up('moves');
is(kept('moves'), $id, 'and the id is not forgotten where it is not told');
$node->stop;
made_anew('moves', 40);
$node->{libraries} = $recent;
$node->start;
halts('moves', $id, 'after both');

$node->stop;
done_testing();
