# A partition that cannot be fetched, though Kafka answers all questions: burrow.why_stuck() names it and what to
# change, the state says so as long as it lasts, and the other partitions go on.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', config => {
		'authorizer.class.name' => 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
		'allow.everyone.if.no.acl.found' => 'true',
		'super.users' => 'User:nobody',
});
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, partition int, "offset" bigint, size int);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint, value text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO got VALUES (topic, partition, "offset", length(value));
$$;
SQL

# ---- a message above receive.message.max.bytes
$kafka->create_topic('large', 3, 'max.message.bytes' => 10_000_000);
$kafka->produce('large', map { { partition => $_ % 3, value => "small $_" } } 0 .. 29);
$kafka->produce('large', { partition => 1, value => 'x' x 2_000_000 });
$kafka->produce('large', map { { partition => $_ % 3, value => "small $_" } } 30 .. 59);
$node->sql(q{SELECT burrow.subscribe('large', 'keep', commit_interval => '100 ms',
	kafka => '{"receive.message.max.bytes": 1000000, "fetch.max.bytes": 900000, "message.max.bytes": 500000, "reconnect.backoff.max.ms": 500}')});
my $stuck = q{FROM burrow.why_stuck('large') WHERE cause = 'what comes next is larger than receive.message.max.bytes'};
$node->wait_for('the partition to be named', qq{SELECT count(*) = 1 $stuck AND topic = 'large' AND partition = 1 AND "offset" = 10 AND since < clock_timestamp() AND error ~ 'receive.message.max.bytes'});
pass('why_stuck names topic, partition and offset');
$node->wait_for('the other partitions', q{SELECT count(*) = 40 FROM got WHERE topic = 'large' AND partition <> 1});
pass('the others are handled');
is($node->sql(q{SELECT count(*) FROM got WHERE topic = 'large' AND partition = 1}), 10, 'and what comes before it');
for my $round (1 .. 20)
{
	$kafka->produce('large', map { { partition => $_, value => "round $round" } } 0, 2);
	$node->wait_for("round $round", "SELECT count(*) = 40 + 2 * $round FROM got WHERE topic = 'large' AND partition <> 1");
}
pass('the others go on');
is($node->sql(q{SELECT state FROM burrow.subscriptions WHERE subscription = 'large'}), 'retrying', 'the state says so');
is($node->sql(q{SELECT count(*) FROM burrow.why_stuck('large') WHERE cause = 'Kafka does not answer'}), 0, 'Kafka is not to blame');
$node->wait_for('the lag to be known', q{SELECT lag = 11 FROM burrow.partitions WHERE subscription = 'large' AND partition = 1});
pass('the lag counts what is not fetched');
my $statement = $node->sql("SELECT next_statement $stuck");
like($statement, qr/^SELECT burrow\.alter\('large', kafka => '\{.*"receive\.message\.max\.bytes": \d{7}\b.*\}'\);$/, $statement);
$node->sql($statement);
is($node->sql(q{SELECT burrow.wait_until_caught_up('large')}), 't', 'it ends the trouble');
is($node->sql(q{SELECT count(*), count(DISTINCT ("partition", "offset")), max(size) FROM got WHERE topic = 'large'}), '101|101|2000000', 'all is handled, once');
is($node->sql(q{SELECT count(*) FROM burrow.why_stuck('large')}), 0, 'and nothing is left to tell');
$node->wait_for_state('large', 'running');

# ---- one that goes away: retention takes the message
$node->sql(q{SELECT burrow.alter('large', kafka => '{"receive.message.max.bytes": 1000000, "fetch.max.bytes": 900000, "message.max.bytes": 500000, "reconnect.backoff.max.ms": 500}', on_gap => 'skip')});
$kafka->produce('large', { partition => 2, value => 'x' x 1_500_000 });
$kafka->produce('large', { partition => 2, value => 'behind it' });
$node->wait_for('the other partition to be named', "SELECT count(*) = 1 $stuck AND partition = 2");
$kafka->delete_records('large', { 2 => 41 });
$node->wait_for('what is behind it', q{SELECT count(*) = 1 FROM got WHERE topic = 'large' AND size = length('behind it')});
$node->wait_for_state('large', 'running');
is($node->sql(q{SELECT count(*) FROM burrow.why_stuck('large')}), 0, 'it is over without anybody');

# ---- brokers that describe the topic and do not let it be read
$kafka->create_topic('denied', 1);
$kafka->produce('denied', { value => 'one' });
$node->sql(q{SELECT burrow.subscribe('denied', 'keep', commit_interval => '1 h')});
$node->wait_for('the first', q{SELECT count(*) = 1 FROM got WHERE topic = 'denied'});
$kafka->tool('kafka.admin.AclCommand', '--bootstrap-server', $kafka->bootstrap, '--add', '--allow-principal', 'User:*', '--operation', 'Describe', '--operation', 'Write', '--topic', 'denied');
$kafka->produce('denied', { value => 'two' });
$node->wait_for('the refusal', q{SELECT count(*) = 1 FROM burrow.why_stuck('denied') WHERE cause = 'Kafka does not let the client read the topic' AND topic = 'denied' AND partition = 0 AND "offset" = 1 AND error ~ 'authorization failed'});
is($node->sql(q{SELECT state FROM burrow.subscriptions WHERE subscription = 'denied'}), 'retrying', 'a refusal that only fetches get is shown');
$kafka->tool('kafka.admin.AclCommand', '--bootstrap-server', $kafka->bootstrap, '--remove', '--force', '--allow-principal', 'User:*', '--operation', 'Describe', '--operation', 'Write', '--topic', 'denied');
$node->wait_for('the second', q{SELECT count(*) = 2 FROM got WHERE topic = 'denied'});
$node->wait_for_state('denied', 'running');
is($node->sql(q{SELECT count(*) FROM burrow.why_stuck('denied')}), 0, 'and is over when it is fetched again');

$node->stop;
done_testing();
