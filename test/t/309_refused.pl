# Kafka refuses the client: burrow.why_stuck() and the state say so and why, and when it no
# longer does, the subscription goes on by itself.  That the brokers want to know who it is, is found out with a recent
# librdkafka, too, which has no words for it.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', sasl => 1, config => {
		'authorizer.class.name' => 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
		'allow.everyone.if.no.acl.found' => 'true',
		'super.users' => 'User:nobody',
});
my $conf = "burrow.bootstrap_servers = '" . $kafka->sasl_bootstrap . "'";
my $node = start('main');

sub start
{
	my ($name, %options) = @_;
	my $new = BurrowTest::Node->create($name, conf => $conf, %options);
	$new->sql(<<'SQL');
CREATE TABLE got (value text);
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1)';
SQL
	return $new;
}

# Waits for the cause, and runs the statement that it names, which shows what is wrong.
sub refused
{
	my ($name, $cause, $error, $shows, $description) = @_;
	$node->wait_for("$name to be refused", "SELECT count(*) = 1 FROM burrow.why_stuck('$name') WHERE cause = '$cause' AND error ~ '$error' AND since < clock_timestamp() AND pid IS NOT NULL");
	my $statement = $node->sql("SELECT next_statement FROM burrow.why_stuck('$name')");
	like($node->sql($statement), $shows, "$description; next: $statement");
	is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = '$name'"), 'retrying', '... and it tries on');
	return;
}

sub handled
{
	my ($value) = @_;
	$node->wait_for("\"$value\" to be handled", "SELECT count(*) = 1 FROM got WHERE value = '$value'");
	$node->wait_for('nothing to hold it up', 'SELECT count(*) = 0 FROM burrow.subscriptions s CROSS JOIN burrow.why_stuck(s.subscription)');
	pass("\"$value\" is handled");
	return;
}

sub subscribe
{
	my ($name, $resource, $denied, $server) = @_;
	$kafka->create_topic($name, 1);
	$kafka->produce($name, { value => $name });
	$kafka->deny($denied, 'read', $resource) if defined $denied;
	$node->sql(qq{SELECT burrow.subscribe('$name', 'h', commit_interval => '100 ms', consumer_group => 'burrow.$name', kafka => '{"session.timeout.ms": 6000, "reconnect.backoff.max.ms": 500, "topic.metadata.refresh.interval.ms": 1000}'} . (defined $server ? ", server => '$server')" : ')'));
	return;
}

my $servers = qr/^authenticate\|\w+\|f\|Kafka's listener speaks another security protocol/m;

# the brokers want to know who it is: at the start, and where it went well before
subscribe('who');
refused('who', q{Kafka''s listener speaks another security protocol}, 'require SASL authentication', $servers, 'authentication, at the start');
like($node->sql_error(q{SELECT burrow.dry_run('who')}), qr/28000: could not list partitions for subscription "who": .*require SASL authentication/, 'burrow.dry_run() says so, too');
$node->sql("ALTER SYSTEM SET burrow.bootstrap_servers = '" . $kafka->bootstrap . "'");
$node->reload;
handled('who');
$node->sql("ALTER SYSTEM SET burrow.bootstrap_servers = '" . $kafka->sasl_bootstrap . "'");
$node->reload;
refused('who', q{Kafka''s listener speaks another security protocol}, 'require SASL authentication', $servers, 'authentication, later');
$node->sql("ALTER SYSTEM SET burrow.bootstrap_servers = '" . $kafka->bootstrap . "'");
$node->reload;
$kafka->produce('who', { value => 'who again' });
handled('who again');

# it comes with a SASL mechanism that the brokers do not offer
$node->sql(<<"SQL");
CREATE SERVER sasl FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '@{[ $kafka->sasl_bootstrap ]}', security_protocol 'SASL_PLAINTEXT', sasl_mechanism 'SCRAM-SHA-512');
CREATE USER MAPPING FOR PUBLIC SERVER sasl OPTIONS (sasl_username 'burrow', sasl_password 'burrow-secret');
SQL
subscribe('mechanism', undef, undef, 'sasl');
refused('mechanism', 'Kafka does not offer the SASL mechanism', 'SCRAM-SHA-512.*PLAIN', qr/^authenticate\|[^|]+\|f\|Kafka does not offer the SASL mechanism/m, 'the mechanism');
$node->sql(q{ALTER SERVER sasl OPTIONS (SET sasl_mechanism 'PLAIN')});
handled('mechanism');

# it may not read the topic, or be of the group
subscribe('topic', topic => 'topic');
refused('topic', 'Kafka does not let the client read the topic', 'Topic authorization failed', qr/^topic\|.*Topic authorization failed/, 'the topic');
$kafka->allow('topic', 'read');
handled('topic');
subscribe('group', group => 'burrow.group');
refused('group', 'Kafka does not let the client use the consumer group', 'Group authorization failed', qr/^burrow.group\|.*Group authorization failed/, 'the group');
is($node->sql(q{SELECT kind FROM burrow._troubles() JOIN burrow.subscription USING (subid) WHERE name = 'group'}), 'member', 'it cannot become a member');
$kafka->allow('burrow.group', 'read', 'group');
handled('group');

$node->stop;

# ---- with a recent librdkafka

$node = start('recent', libraries => recent_librdkafka());
subscribe('recent');
refused('recent', q{Kafka''s listener speaks another security protocol}, 'require SASL authentication', $servers, 'authentication, with a recent librdkafka');
like($node->sql_error(q{SELECT burrow.dry_run('recent')}), qr/28000: could not list partitions for subscription "recent": .*require SASL authentication/, 'and burrow.dry_run()');
$node->sql("ALTER SYSTEM SET burrow.bootstrap_servers = '" . $kafka->bootstrap . "'");
$node->reload;
handled('recent');
$node->stop;
done_testing();
