# A Kafka cluster is a foreign server, credentials are user mappings: every kind of client uses
# them, who may not does not connect, and a change is noticed while the subscription runs.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', sasl => 1);
my $other = BurrowTest::Kafka->create('other');
my $node = BurrowTest::Node->create('main');
my $good = "sasl_username 'burrow', sasl_password 'burrow-secret'";
my $bad = "sasl_username 'burrow', sasl_password 'burrow-mistake'";

$node->sql(<<"SQL");
CREATE ROLE anna LOGIN;
CREATE ROLE bert LOGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO anna, bert;
CREATE SERVER k FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->sasl_bootstrap ]}', security_protocol 'SASL_PLAINTEXT', sasl_mechanism 'PLAIN');
CREATE SERVER other FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '@{[ $other->bootstrap ]}');
GRANT USAGE ON FOREIGN SERVER k, other TO anna, bert;
CREATE USER MAPPING FOR anna SERVER k OPTIONS ($good);
CREATE USER MAPPING FOR bert SERVER k OPTIONS ($good);
CREATE USER MAPPING FOR PUBLIC SERVER other;
CREATE TABLE got (topic text, n int);
GRANT INSERT ON got TO anna, bert;
CREATE FUNCTION h(topic text, value jsonb) RETURNS void LANGUAGE plpgsql AS
	'BEGIN IF value ? ''fail'' THEN PERFORM burrow.reject(''asked for''); END IF; INSERT INTO got VALUES (topic, (value->>''n'')::int); END';
SQL

sub subscribe
{
	my ($role, $topic, $options) = @_;
	$node->sql("SET ROLE $role; SELECT burrow.subscribe('$topic', 'h', commit_interval => '100 ms', $options, kafka => '{\"session.timeout.ms\": 6000, \"reconnect.backoff.max.ms\": 500}')");
	return;
}

sub handled
{
	my ($topic, $n) = @_;
	$node->wait_for("$n messages of $topic", "SELECT count(*) >= $n FROM got WHERE topic = '$topic'");
	is($node->sql("SELECT count(*), count(DISTINCT n) FROM got WHERE topic = '$topic'"), "$n|$n", "$topic: $n messages, each once");
	return;
}

sub stuck
{
	my ($topic, $cause, $error) = @_;
	$node->wait_for("$topic to say \"$cause\"", "SELECT count(*) = 1 FROM burrow.why_stuck('$topic') WHERE cause = '$cause' AND error ~ '$error'");
	is($node->sql("SELECT state, last_error ~ '$error' FROM burrow.subscriptions WHERE subscription = '$topic'"), 'retrying|t', "$topic: $cause");
	return $node->sql("SELECT next_statement FROM burrow.why_stuck('$topic')");
}

sub free
{
	my ($topic) = @_;
	$node->wait_for("nothing to hold up $topic", "SELECT count(*) = 0 FROM burrow.why_stuck('$topic')");
	return;
}

# three owners and two clusters: consumer, metadata client, dead-letter producer, dry run
$kafka->create_topic($_, 2) foreach qw(annas berts dead);
$other->create_topic('others', 2);
$kafka->produce_many($_, count => 1000, keys => 10) foreach qw(annas berts);
$kafka->produce('annas', { value => '{"fail": true}' });
$other->produce_many('others', count => 1000, keys => 10);
subscribe('anna', 'annas', "server => 'k', on_failure => 'dead_letter', dead_letter_topic => 'dead'");
subscribe('bert', 'berts', "server => 'k'");
subscribe('postgres', 'others', "server => 'other'");
handled('annas', 1000);
handled('berts', 1000);
handled('others', 1000);
$kafka->wait_until_committed($node->group_of('annas'), 'annas');
$node->wait_for('the dead letter to be produced', 'SELECT count(*) = 1 FROM burrow.dead_letters WHERE produced_at IS NOT NULL');
is(scalar($kafka->read_topic('dead')), 1, 'the dead letter is in its topic');
$node->sql("SET ROLE anna; SELECT burrow.seek('annas', '-infinity'); SELECT burrow.pause('annas')");
$node->wait_for_state('annas', 'paused');
is($node->sql("SET ROLE anna; SELECT DISTINCT outcome FROM burrow.dry_run('annas', 5)"), 'ok', 'burrow.dry_run() connects as the owner, too')
	or diag $node->sql("SET ROLE anna; SELECT * FROM burrow.dry_run('annas', 5)");
$node->sql("SET ROLE anna; SELECT burrow.unsubscribe('annas')");

# a privilege that is taken away stops whom it concerns, and no other
my $pids = $node->sql("SELECT consumer_pid FROM burrow.subscriptions WHERE subscription = 'others'");
$node->sql('REVOKE USAGE ON FOREIGN SERVER k FROM bert');
like(stuck('berts', 'the owner may not use the foreign server', 'permission denied for foreign server k'),
	qr/GRANT USAGE ON FOREIGN SERVER k TO bert/, 'the next statement gives it back');
$kafka->produce('berts', map { +{ key => "k$_", value => sprintf('{"n": %d}', 1000 + $_) } } 0 .. 99);
$kafka->produce('berts', { value => '{"n": 1100}' });
$node->sql($node->sql("SELECT next_statement FROM burrow.why_stuck('berts')"));
handled('berts', 1101);
free('berts');

# a wrong password, while it runs, and a mapping that is dropped
$node->sql("ALTER USER MAPPING FOR bert SERVER k OPTIONS (SET sasl_password 'burrow-mistake')");
stuck('berts', 'Kafka refuses the credentials', 'Authentication failed');
$kafka->produce('berts', { value => '{"n": 1101}' });
$node->sql('DROP USER MAPPING FOR bert SERVER k');
stuck('berts', 'the owner has no credentials for the foreign server', 'user mapping not found');
$node->sql("CREATE USER MAPPING FOR bert SERVER k OPTIONS ($good)");
handled('berts', 1102);
free('berts');

# PUBLIC's mapping, and one that has only half
$node->sql("CREATE USER MAPPING FOR PUBLIC SERVER k OPTIONS ($good); DROP USER MAPPING FOR bert SERVER k");
$kafka->produce('berts', { value => '{"n": 1102}' });
handled('berts', 1103);
$node->sql("CREATE USER MAPPING FOR bert SERVER k OPTIONS (sasl_username 'burrow')");
stuck('berts', 'the owner has no credentials for the foreign server', 'credentials are required for role bert');
$node->sql("DROP USER MAPPING FOR bert SERVER k");
$kafka->produce('berts', { value => '{"n": 1103}' });
handled('berts', 1104);

# the address changes; a privilege that comes from another role
$node->sql("ALTER SERVER k OPTIONS (SET bootstrap_servers '127.0.0.1:1')");
stuck('berts', 'nothing listens at the address of a Kafka server', 'Connection refused');
$node->sql("ALTER SERVER k OPTIONS (SET bootstrap_servers '@{[ $kafka->sasl_bootstrap ]}')");
$kafka->produce('berts', { value => '{"n": 1104}' });
handled('berts', 1105);
$node->sql('CREATE ROLE kafka_users; GRANT USAGE ON FOREIGN SERVER k TO kafka_users; GRANT kafka_users TO bert; REVOKE USAGE ON FOREIGN SERVER k FROM bert');
$kafka->produce('berts', { value => '{"n": 1105}' });
handled('berts', 1106);
$node->sql('REVOKE kafka_users FROM bert');
stuck('berts', 'the owner may not use the foreign server', 'permission denied');
$node->sql('GRANT kafka_users TO bert');
free('berts');

# the default of a database: to a server, and to none; a server that is dropped
$node->sql("SET ROLE bert; SELECT burrow.unsubscribe('berts')");
$node->sql("ALTER DATABASE postgres SET burrow.default_server = 'k'");
$node->sql('TRUNCATE got');
$node->sql("SET ROLE bert; SELECT burrow.subscribe('berts', 'h', 'standard', consumer_group => 'standard')");
handled('berts', 1106);
$node->sql('ALTER DATABASE postgres RESET burrow.default_server');
stuck('standard', 'there is no foreign server to connect to', 'no Kafka brokers are configured');
$kafka->produce('berts', { value => '{"n": 1106}' });
$node->sql("ALTER DATABASE postgres SET burrow.default_server = 'k'");
handled('berts', 1107);

is($node->sql("SELECT consumer_pid FROM burrow.subscriptions WHERE subscription = 'others'"), $pids, 'a subscription that none of this concerned has gone on');
$node->stop;
done_testing();
