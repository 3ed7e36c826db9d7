# What depends on librdkafka.  Kafka 4 refuses SCRAM from librdkafka before 2.6.1 with the words of a wrong password:
# last_error says so.  With a librdkafka that is new enough it works.  OAUTHBEARER with OIDC consumes ten thousand messages and
# commits, where librdkafka has it; where it has not, or has no GSSAPI, CREATE SERVER says so.

use BurrowTest;

use File::Basename qw(dirname);
use IPC::Run ();

my $listener = 'listener.name.sasl_ssl';
my $kafka = BurrowTest::Kafka->create('kafka', release => 4, secure => 1, config => {
		"$listener.sasl.enabled.mechanisms" => 'SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
		"$listener.oauthbearer.sasl.jaas.config" =>
			'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";' });
my $old = BurrowTest::Node->create('old');
my $recent = BurrowTest::Node->create('recent', libraries => recent_librdkafka());

$kafka->set_scram('scram', 'correct-horse');
$kafka->create_topic('orders', 1);
for my $node ($old, $recent)
{
	my $group = $node->name;
	$kafka->grant('scram', 'topic', 'orders', 'read') if $node == $old;
	$kafka->grant('scram', 'group', $group, 'read');
	$node->sql(<<"SQL");
CREATE TABLE got (value jsonb);
CREATE FUNCTION h(value jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (value)';
CREATE SERVER k FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->tls_bootstrap ]}', security_protocol 'SASL_SSL', sasl_mechanism 'SCRAM-SHA-512', ssl_ca_pem '@{[ $kafka->authority->pem ]}');
CREATE USER MAPPING FOR PUBLIC SERVER k OPTIONS (sasl_username 'scram', sasl_password 'correct-horse');
SELECT burrow.subscribe('orders', 'h', consumer_group => '$group', server => 'k');
SQL
}
$kafka->produce('orders', { value => '{}' });
$recent->wait_for('the message, with a recent librdkafka', 'SELECT count(*) = 1 FROM got');
pass('a recent librdkafka is taken');

$old->wait_for_log_line(qr/librdkafka \d+\.\d+/);
my ($major, $minor, $patch) = $old->log_since(0) =~ /librdkafka (\d+)\.(\d+)\.(\d+)/;
if ($major * 10000 + $minor * 100 + $patch < 20601)
{
	my $words = "but Kafka 4 refuses SCRAM from librdkafka before 2.6.1 in the same way, and this is $major.$minor.$patch";
	$old->wait_for('the reason', "SELECT state = 'retrying' AND last_error LIKE '%invalid credentials%$words%' FROM burrow.subscriptions");
	pass('an old one is not, and why not is said');
	is($old->sql("SELECT count(*) FROM burrow.why_stuck('orders') WHERE error LIKE '%$words%'"), 1, 'by why_stuck, too');
}
else
{
	$old->wait_for('the message, with the system\'s librdkafka', 'SELECT count(*) = 1 FROM got');
	pass("the system's is taken, too");
}

# ---- OAUTHBEARER

my $endpoint = { out => '', err => '' };
$endpoint->{run} = IPC::Run::start([$ENV{BURROW_PYTHON}, dirname(__FILE__) . '/../kafka/token_server.py', 'reader', 'token-secret'], '<', \undef, '>', \$endpoint->{out}, '2>', \$endpoint->{err});
wait_until('the endpoint for tokens', sub { $endpoint->{run}->pump_nb; return $endpoint->{out} =~ /^\d+\n/ }, diagnose => sub { $endpoint->{err} });
END
{
	local $? = $?;
	$endpoint->{run}->kill_kill if $endpoint;
}
my $oauth = "bootstrap_servers '@{[ $kafka->tls_bootstrap ]}', security_protocol 'SASL_SSL', sasl_mechanism 'OAUTHBEARER', sasl_oauthbearer_method 'oidc', "
	. "sasl_oauthbearer_token_endpoint_url 'http://127.0.0.1:@{[ $endpoint->{out} + 0 ]}/', ssl_ca_pem '@{[ $kafka->authority->pem ]}'";
my $messages = 10_000;

$kafka->create_topic('tokens', 4);
$kafka->grant('reader', $_, 'tokens', 'read') foreach qw(topic group);
$kafka->produce_many('tokens', count => $messages, keys => 100);
$recent->sql(<<"SQL");
CREATE TABLE by_token (n int);
CREATE FUNCTION by_token(value jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO by_token VALUES ((value->>''n'')::int)';
CREATE SERVER o FOREIGN DATA WRAPPER burrow OPTIONS ($oauth);
CREATE USER MAPPING FOR PUBLIC SERVER o OPTIONS (sasl_oauthbearer_client_id 'reader', sasl_oauthbearer_client_secret 'wrong-secret');
SELECT burrow.subscribe('tokens', 'by_token', consumer_group => 'tokens', server => 'o', commit_interval => '100 ms', kafka => '{"reconnect.backoff.max.ms": 500}');
SQL
$recent->wait_for('the secret to be refused', q{SELECT state = 'retrying' AND last_error ~ 'OAUTHBEARER' FROM burrow.subscriptions WHERE subscription = 'tokens'});
like($recent->sql(q{SELECT last_error FROM burrow.subscriptions WHERE subscription = 'tokens'}), qr/token/i, 'a client that the endpoint does not know: the error says that there is no token');
$recent->sql(q{ALTER USER MAPPING FOR PUBLIC SERVER o OPTIONS (SET sasl_oauthbearer_client_secret 'token-secret')});
$recent->wait_for('the messages', "SELECT count(*) >= $messages FROM by_token");
is($recent->sql('SELECT count(*), count(DISTINCT n) FROM by_token'), "$messages|$messages", 'OAUTHBEARER: each message once');
$kafka->wait_until_committed('tokens', 'tokens');
is($recent->sql(q{SELECT string_agg(step || ' ' || ok, ', ') FROM burrow.check_connection('o') WHERE step IN ('tls', 'kafka', 'authenticate') AND (step <> 'authenticate' OR reason ~ '^by OAUTHBEARER as client id "reader"')}), 'tls true, kafka true, authenticate true', 'and burrow.check_connection() says as whom');

# ---- what a librdkafka lacks

for my $node ($old, $recent)
{
# kcat tells those of the system's; the other one is built for Python, without Kerberos
	my $features = $node == $old ? `kcat -V 2>&1` : 'oidc';
	for my $case (['oidc', $oauth, 'OAUTHBEARER', 'libcurl'], ['sasl_gssapi', "bootstrap_servers 'x:1', security_protocol 'SASL_SSL', sasl_mechanism 'GSSAPI'", 'GSSAPI', 'Cyrus SASL'])
	{
		my ($feature, $options, $mechanism, $needs) = @$case;
		my $name = $node->name;
		my $statement = "CREATE SERVER other_$feature FOREIGN DATA WRAPPER burrow OPTIONS ($options)";
		if ($features =~ /\b$feature\b/)
		{
			$node->sql($statement);
			pass("$name: $mechanism is taken");
			next;
		}
		like($node->sql_error($statement), qr/0A000: option "sasl_mechanism" cannot be "$mechanism" with librdkafka \d\S* as it is installed here.*DETAIL:  It lacks the feature "$feature"; it has: .*HINT:  Use a librdkafka that was built with $needs/s, "$name: $mechanism is refused with the reason");
	}
}
$_->stop foreach $old, $recent;
done_testing();
