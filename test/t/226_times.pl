# start_from and burrow.seek() by time: nothing that is at or after the time is skipped, whatever
# comes between the questions to Kafka: messages, or the end of a transaction.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, gate => 1);
$node->sql(<<'SQL');
CREATE TABLE got (id bigserial, topic text, partition int, "offset" bigint);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint) RETURNS void LANGUAGE sql AS
    'INSERT INTO got (topic, partition, "offset") VALUES (topic, partition, "offset")';
SQL

my $t0 = 1_700_000_000_000;           # 2023-11-14 22:13:20 UTC
my $at = '2023-11-14 22:13:25+00';    # five seconds later

# $n messages, one a second from the given second on
sub messages { my ($first, $n) = @_; return map { { value => "m$_", partition => 0, timestamp => $t0 + $_ * 1000 } } $first .. $first + $n - 1 }

sub handled
{
	my ($topic) = @_;
	return $node->sql(qq{SELECT coalesce(string_agg("offset"::text, ' ' ORDER BY "offset"), '') FROM got WHERE topic = '$topic'});
}

sub caught_up { my ($topic) = @_; is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up"); return }

sub subscribe
{
	my ($topic, $start_from) = @_;
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', start_from => '$start_from', commit_interval => '100 ms')");
	return;
}

# ---- what comes between the two questions

$kafka->create_topic('comes', 1);
$kafka->produce('comes', messages(0, 3));
my $producer = $kafka->open_producer('comes');
$node->close_gate;
subscribe('comes', $at);
$node->wait_at_gate;
$kafka->give($producer, messages(10, 4));
$node->open_gate;
caught_up('comes');
is(handled('comes'), '3 4 5 6', 'messages that come while the time is looked up are handled');

# ---- a transaction that commits between them

$kafka->create_topic('commits', 1);
my $transaction = $kafka->open_transaction('commits', messages(10, 20));
$node->close_gate;
subscribe('commits', $at);
$node->wait_at_gate;
$kafka->end_transaction($transaction, 'commit', 'commits');
$node->open_gate;
caught_up('commits');
is(handled('commits'), join(' ', 0 .. 19), 'a transaction that commits while the time is looked up is handled');

# ---- the same by burrow.seek()

$transaction = $kafka->open_transaction('comes', messages(40, 5));
$node->close_gate;
$node->sql("TRUNCATE got; SELECT burrow.seek('comes', '2023-11-14 22:13:50+00')");
$node->wait_at_gate;
$kafka->end_transaction($transaction, 'commit', 'comes');
$node->open_gate;
$node->wait_for('the seek to be done', 'SELECT count(*) = 0 FROM burrow.pending_seek');
caught_up('comes');
is(handled('comes'), '7 8 9 10 11', 'by a seek, too');

# ---- while a transaction is open a look-up by time answers "none", even for plain messages behind
# it: the start is where it begins, so that they are handled, and what is older with them

$kafka->create_topic('open', 1);
$kafka->produce('open', messages(0, 2));
$transaction = $kafka->open_transaction('open', messages(2, 2));
$kafka->produce('open', messages(4, 4));
my $position = $node->log_position;
subscribe('open', $at);
$node->wait_for_state('open', 'running');
$kafka->end_transaction($transaction, 'commit', 'open');
caught_up('open');
like($node->log_since($position), qr/finds no message at or after the time in 1 of 1 partitions, .*\n.*DETAIL:  Topic "[^"]+" partition 0\. What is/, 'the log says where none was found');
is(handled('open'), '2 3 4 5 6 7', 'from the oldest open transaction on, nothing is skipped');

# ---- questions for what the group has committed that are never answered

$kafka->create_topic('lost', 1);
$kafka->produce('lost', messages(0, 2));
my $lost = $node->data_dir . '/burrow lost questions';
PostgreSQL::Test::Utils::append_to_file($lost, '');
$position = $node->log_position;
subscribe('lost', 'earliest');
caught_up('lost');
is(-s $lost, 1, 'a question was lost');
is(handled('lost'), '0 1', '... and asked again on another way');
like($node->log_since($position), qr/LOG:  subscription "lost": Kafka has not answered for 10 s what the consumer group has committed/, '... which the log says');

# ---- and such that a broker answers which is not the coordinator any more: librdkafka would ask it again and again

unlink $lost or die "$lost: $!";
my $not_coordinator = 16;
my $answer = $node->data_dir . '/burrow no committed';
PostgreSQL::Test::Utils::append_to_file("$answer.new", $not_coordinator);
rename("$answer.new", $answer) or die "$answer: $!";
$kafka->create_topic('moved', 1);
$kafka->produce('moved', messages(0, 2));
$position = $node->log_position;
subscribe('moved', 'earliest');
caught_up('moved');
is(handled('moved'), '0 1', 'the coordinator is asked on another way');
like($node->log_since($position), qr/LOG:  subscription "moved": a broker that is not the coordinator any more was asked/, '... which the log says');
unlink $answer or die "$answer: $!";

# ---- a question that is not answered holds nothing up: messages are handled, and Kafka is told, while somebody waits
# for where the partition ends
$node->sql('SELECT burrow.unsubscribe(subscription) FROM burrow.subscriptions');
$kafka->create_topic('meanwhile', 1);
$kafka->produce('meanwhile', messages(0, 3));
subscribe('meanwhile', 'earliest');
caught_up('meanwhile');
$producer = $kafka->open_producer('meanwhile');
$node->close_gate;
my $waiter = $node->background_psql('postgres');
$waiter->query_until(qr/begun/, q{\echo begun
SELECT burrow.wait_until_caught_up('meanwhile', '10 min');
});
$node->wait_at_gate;
for my $round (1 .. 3)
{
	$kafka->give($producer, messages(10 * $round, 5));
	$node->wait_for('the messages', "SELECT count(*) = 3 + 5 * $round FROM got WHERE topic = 'meanwhile'");
	$kafka->wait_until_committed($node->group_of('meanwhile'), 'meanwhile', diagnose => sub { $node->diagnostics });
}
is($node->sql(q{SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%wait_until_caught_up(%' AND pid <> pg_backend_pid()}), 1, 'messages are handled and committed while a question for the end is not answered');
is($node->sql(q{SELECT state FROM burrow.subscriptions}), 'running', 'and nothing is wrong');
$node->open_gate;
like($waiter->query(''), qr/^t$/m, 'with the answer the end is known');
$waiter->quit;

$node->stop;
done_testing();
