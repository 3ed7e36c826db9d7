# A pattern leaves out Kafka's own topics: a subscription to ^.* does not consume its own commits.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (handler text, topic text);
CREATE FUNCTION every(topic text) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES ('every', topic) $$;
CREATE FUNCTION system(topic text) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES ('system', topic) $$;
CREATE FUNCTION commits(topic text) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES ('commits', topic) $$;
SQL

sub topics_of
{
	my ($subscription) = @_;
	return $node->sql("SELECT string_agg(DISTINCT topic, ' ' ORDER BY topic) FROM burrow.partitions WHERE subscription = '$subscription'");
}

$kafka->create_topic($_, 1) foreach qw(one two left-out __ours);
$kafka->produce($_, { value => 'x' }) foreach qw(one two left-out __ours);
# the topic of the groups' commits is there, and has some
$node->sql(q{SELECT burrow.subscribe('one', 'every', subscription => 'first', commit_interval => '100 ms')});
$kafka->wait_until_committed($node->group_of('first'), 'one');
$node->sql(q{SELECT burrow.unsubscribe('first'); TRUNCATE got});

$node->sql(q{SELECT burrow.subscribe('^.*', 'every', subscription => 'every', commit_interval => '100 ms',
	kafka => '{"topic.blacklist": "^left.*", "topic.metadata.refresh.interval.ms": 500}')});
is($node->sql(q{SELECT burrow.wait_until_caught_up('every')}), 't', 'all is handled');
is(topics_of('every'), 'one two', "^.*: neither Kafka's own topics, nor the user's blacklist");
$kafka->create_topic('three', 1);
$kafka->produce('three', { value => 'x' });
$node->wait_for('a topic that came later', q{SELECT count(*) = 1 FROM got WHERE topic = 'three'});
is($node->sql(q{SELECT burrow.wait_until_caught_up('every')}), 't', 'all of that is handled');
is(topics_of('every'), 'one three two', 'and the same are left out');
is($node->sql(q{SELECT string_agg(topic, ' ' ORDER BY topic) FROM got WHERE handler = 'every'}), 'one three two', 'each message once');
is($node->sql(q{SELECT count(*) FROM burrow.dry_run('every')}), '0', 'a dry run leaves them out, too');

$node->sql(q{SELECT burrow.subscribe('^__.*', 'system', subscription => 'system', commit_interval => '100 ms')});
is($node->sql(q{SELECT burrow.wait_until_caught_up('system')}), 't', 'two underscores that are spelt');
is(topics_of('system'), '__ours', "... match, but not Kafka's own");

$node->sql(q{SELECT burrow.subscribe('__consumer_offsets', 'commits', subscription => 'commits', commit_interval => '1 h')});
$node->wait_for('the topic that is named', q{SELECT count(*) > 0 FROM got WHERE handler = 'commits'});
is(topics_of('commits'), '__consumer_offsets', 'a topic that is named is consumed, whatever it is');

$node->stop;
done_testing();
